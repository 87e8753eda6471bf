// The page: it shows a board (board.js) and hands on what its user does.

import { Board } from "./board.js";
import { CardDialog, CardView, ColumnView } from "./card.js";
import { Client } from "./collab.js";
import { avatar, find, hueOf, listOf, make, setChildren, setText } from "./dom.js";
import { Carrier } from "./drag.js";
import { COLUMNS, fieldsOf } from "./model.js";

const OFFLINE_MS = 800; // how long "Connecting" may stay before it is said to be offline

const say = (text) => setText(find("say"), text);
const columnName = (id) => COLUMNS.find((column) => column.id === id)?.name ?? id;

// --- light and dark ---

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  find("theme").setAttribute("aria-pressed", String(theme === "dark"));
}

function startTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const system = () => (dark.matches ? "dark" : "light");
  setTheme(localStorage.getItem("collab-theme") ?? system());
  dark.addEventListener("change", () => localStorage.getItem("collab-theme") ?? setTheme(system()));
  find("theme").addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("collab-theme", theme);
    setTheme(theme);
  });
}

// --- who comes in ---

// From the address (#board=main&token=...), which is then made clean, or from this tab's earlier
// visit.
function takeTicket() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.get("token")) {
    keepTicket({ board: given.get("board") ?? "main", token: given.get("token") });
    history.replaceState(null, "", location.pathname);
  }
  return JSON.parse(sessionStorage.getItem("collab-ticket") ?? "null");
}

function keepTicket(ticket) {
  sessionStorage.setItem("collab-ticket", JSON.stringify(ticket));
}

function askForTicket(why = "") {
  setText(find("signin-why"), why);
  find("signin").showModal();
  find("signin-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keepTicket({ board: find("signin-board").value, token: find("signin-token").value.trim() });
    location.reload();
  });
}

// --- the connection ---

const STATES = {
  online: ({ pending }) => (pending ? "Saving" : "Online"),
  connecting: () => "Connecting",
  waiting: () => "Offline",
  closed: () => "Signed out",
};

class StatusLine {
  #client;
  #board;
  #slow = null;

  constructor(client, board) {
    this.#client = client;
    this.#board = board;
    setInterval(() => this.#showTime(), 1000);
  }

  // A short "Connecting" between two attempts is no news.
  show() {
    const { state } = this.#client.status;
    clearTimeout(this.#slow);
    if (state === "connecting" && find("status").dataset.state === "waiting")
      this.#slow = setTimeout(() => this.#set(state), OFFLINE_MS);
    else this.#set(state);
  }

  #set(state) {
    const pending = this.#board.pending.length;
    const changes = pending === 1 ? "1 change" : `${pending} changes`;
    const waiting = pending && state !== "online" ? `, ${changes} to send` : "";
    find("status").dataset.state = state;
    setText(find("status-text"), STATES[state]({ pending }) + waiting);
    this.#showTime();
  }

  #showTime() {
    const { retryAt } = this.#client.status;
    const left = retryAt ? Math.ceil((retryAt - Date.now()) / 1000) : 0;
    setText(find("status-time"), left > 0 ? `next try in ${left} s` : "");
  }
}

// --- conflicts ---

const VALUES = {
  title: (value) => `“${value}”`,
  text: (value) => (value ? `“${value}”` : "no notes"),
  column: columnName,
};

function describe(values, fields) {
  return fields
    .filter((field) => VALUES[field])
    .map((field) => VALUES[field](values[field]))
    .join(", ");
}

function conflictView(board, conflict) {
  const { data } = conflict.change;
  const { card, gone } = board.against(conflict);
  const fields = fieldsOf(conflict.change).filter((field) => VALUES[field]);
  const mine = fields.length ? describe(data, fields) : "delete it";
  const who = card ? card.changed[fields[0]]?.user ?? card.user : gone?.user;
  const theirs = card ? describe(card, fields) || "changed since" : "deleted";
  const title = make("h3", {}, `${card?.title ?? gone?.title ?? "A card"}`);
  const choice = (whose, label) => {
    const button = make("button", { type: "button", className: whose === "mine" ? "" : "quiet" }, label);
    button.addEventListener("click", () => {
      board.resolve(conflict, whose);
      find("columns").focus();
    });
    return button;
  };
  const list = make("dl", {}, make("dt", {}, "You"), make("dd", {}, mine));
  list.append(make("dt", {}, who ?? "Others"), make("dd", {}, theirs));
  const buttons = make("div", { className: "choice" });
  buttons.append(choice("mine", card ? "Use mine" : "Put it back"), choice("theirs", "Leave theirs"));
  const view = make("article", { className: "conflict" }, make("div", {}, title, list), buttons);
  view.dataset.id = conflict.id;
  return view;
}

function showConflicts(board) {
  const section = find("conflicts");
  if (section.hidden && board.conflicts.length)
    say("A change of yours came too late: choose what is to stay.");
  section.hidden = board.conflicts.length === 0;
  setChildrenAnew(find("conflict-list"), board.conflicts.map((one) => conflictView(board, one)));
}

// Only if they differ: a button that has the focus is left alone.
function setChildrenAnew(parent, children) {
  const all = make("div", {}, ...children);
  if (parent.innerHTML !== all.innerHTML) parent.replaceChildren(...all.childNodes);
}

// --- who is here ---

function personView({ user, away, cards }, own, state) {
  const face = avatar(user, { away });
  const titles = cards.map((id) => state.cards[id]?.title).filter(Boolean);
  const where = titles.length ? `, looking at ${listOf(titles)}` : "";
  const words = `${user}${user === own ? " (you)" : ""}${away ? ", away" : ""}${where}`;
  face.title = words;
  const item = make("li", {}, face, make("span", { className: "unseen" }, words));
  return item;
}

function showPeople(board, own, state) {
  const views = board.people.map((person) => personView(person, own, state));
  setChildrenAnew(find("people"), views);
}

function showCursors(board) {
  const known = new Map([...find("cursors").children].map((one) => [one.dataset.tab, one]));
  const box = find("columns");
  const views = [...board.cursors.values()].map(({ user, data }) => {
    const view = known.get(data.tab) ?? make("div", { className: "cursor" }, make("span", {}, user));
    view.dataset.tab = data.tab;
    view.style.setProperty("--hue", hueOf(user));
    view.style.translate = `${data.x * box.offsetWidth + box.offsetLeft}px ${data.y}px`;
    return view;
  });
  setChildren(find("cursors"), views);
}

function followPointer(board) {
  const move = board.pointer();
  const box = find("columns");
  find("board").addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse") return;
    const { left, top } = box.getBoundingClientRect();
    const x = (event.clientX - left) / box.offsetWidth;
    move(Math.round(x * 10000) / 10000, Math.round(event.clientY - top));
  });
}

// --- what others do, for those who hear it ---

const NEWS = {
  "card:created": ({ data }) => `added ${data.title} to ${columnName(data.column)}`,
  "card:moved": ({ data }, title) => `moved ${title} to ${columnName(data.column)}`,
  "card:edited": (_, title) => `changed ${title}`,
  "card:deleted": (_, title) => `deleted ${title}`,
  "comment:added": ({ data }, title) => `commented on ${title}: ${data.text}`,
};

function tellNews(board, event, outcome) {
  if (outcome === "refused") say(`Not taken: ${event.error.message}`);
  const { cards, gone } = board.state;
  const title = (cards[event.data?.cardId] ?? gone[event.data?.cardId])?.title;
  if (outcome === "applied" && NEWS[event.type])
    say(`${event.user} ${NEWS[event.type](event, title)}`);
}

// --- all of it ---

function start({ board: name, token }) {
  const url = new URL("/ws", location.href.replace(/^http/, "ws")).href;
  const client = new Client({ url, token });
  const board = new Board({ client, id: name, storage: localStorage });
  const dialog = new CardDialog(board);
  const status = new StatusLine(client, board);
  const views = new Map();
  const viewOf = (cardId) => {
    if (!views.has(cardId)) views.set(cardId, new CardView(cardId, (id) => dialog.open(id)));
    return views.get(cardId);
  };
  const add = (column, title) => board.add(column, title);
  const columns = COLUMNS.map((column) => new ColumnView(column, { add, viewOf }));
  const show = () => {
    const state = board.shown;
    const pending = new Set(board.pending.map(({ data }) => data.cardId));
    if (!carrier.isCarrying) columns.forEach((column) => column.show(board, state, pending));
    showPeople(board, client.user, state);
    showCursors(board);
    showConflicts(board);
    dialog.show();
    status.show();
  };
  const carrier = new Carrier(find("columns"), {
    drop: (cardId, column, index) => {
      board.move(cardId, column, index);
      show();
    },
    cancel: show,
    say,
    columnName,
  });
  // Once a frame, whatever came.
  let isDue = false;
  const soon = () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      show();
    });
  };

  document.title = `${name} · Board`;
  setText(find("title"), name);
  find("columns").append(...columns.map(({ element }) => element));
  board.on("change", soon);
  board.on("event", (event, outcome) => tellNews(board, event, outcome));
  client.onStatus(({ state, error }) => {
    if (state === "closed" && error?.code === "closed") askForTicket(error.message);
    soon();
  });
  document.addEventListener("visibilitychange", () => board.greet());
  addEventListener("pagehide", () => board.close());
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  followPointer(board);
  show();
  board.open();
  client.connect();
}

startTheme();
const ticket = takeTicket();
if (ticket) start(ticket);
else askForTicket();
