// A board and those who work on it, kept up to date over a gateway: model.js says what the state is,
// collab.js carries the events. Nothing here knows a page.

import { BEGINNING } from "./collab.js";
import { apply, fieldsOf, merge, newState, positionAt } from "./model.js";

const TELL_MS = 300; // within which one of those who know answers who asks
const TOLD_MS = 1500; // after how long without an answer there is nobody to ask
const AGAIN_MS = 1000; // after which a change goes again that may not have been taken
const SEEN_MS = 3000; // within which one's own event comes back
const ASKED_ROOMS = 16; // rooms that can be asked about at once

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join("");
}

// One's own event, come back.
function isSame(event, change) {
  if (event.type !== change.type || event.data.cardId !== change.data.cardId) return false;
  if (event.data.commentId !== change.data.commentId) return false;
  return event.data.base === change.data.base &&
    fieldsOf(change).every((field) => event.data[field] === change.data[field]);
}

export class Board {
  #client;
  #room;
  #storage;
  #key;
  #listeners = { change: () => {}, event: () => {} };
  #inFlight = null; // the first of pending, when it is on its way
  #isCurrent = false; // all that happened is known: then our changes may follow
  #asking = null; // the timer of our own question
  #asked = new Map(); // tabs that asked for the state, and the timer of our answer
  #since = []; // events since the join, for a state that is told
  #looking = null;
  #viewing = new Map(); // users who look at a card, by card

  state = newState();
  pending = []; // changes made here that are not yet taken
  conflicts = []; // changes made here that came too late
  tab = newId();

  constructor({ client, id, storage = null }) {
    this.id = id;
    this.#client = client;
    this.#room = client.room(`board:${id}`);
    this.#storage = storage;
    this.#key = `collab-board:${id}`;
    this.#load();
    this.#listen();
  }

  // change(): something is to be shown anew. event(event, outcome): one came from elsewhere.
  on(name, listener) {
    this.#listeners[name] = listener;
  }

  open() {
    this.#room.join({ since: this.last ?? BEGINNING }).catch(() => {});
  }

  close() {
    clearTimeout(this.#asking);
    this.#room.leave();
  }

  // --- what is kept in the browser ---

  #load() {
    const kept = JSON.parse(this.#storage?.getItem(this.#key) ?? "null");
    if (!kept) return;
    this.state = kept.state;
    this.pending = kept.pending;
    this.last = kept.last;
  }

  #save() {
    const { state } = this;
    const pending = this.pending.map(({ type, data }) => ({ type, data }));
    const last = this.#room.last;
    this.#storage?.setItem(this.#key, JSON.stringify({ state, pending, last }));
  }

  #changed() {
    this.#save();
    this.#listeners.change();
  }

  // --- events ---

  #listen() {
    for (const type of ["card:*", "comment:*"]) this.#room.on(type, (event) => this.#take(event));
    this.#room.on("board:asked", (event) => this.#tell(event.data.tab));
    this.#room.on("board:told", (event) => this.#told(event.data));
    this.#room.onJoined((isRecovered) => {
      this.greet();
      this.#sayLooking();
      if (isRecovered) this.#isNow();
      else this.#ask();
    });
    this.#room.onGap(() => this.#ask());
    this.#client.onStatus(({ state }) => {
      if (state !== "online") this.#isCurrent = false;
    });
    const isOwn = (event) => event.data.tab === this.tab;
    const key = (event) => event.data.tab;
    const shown = () => this.#listeners.change();
    const others = (type, options) => this.#room.others(type, { isOwn, key, ...options }, shown);
    this.cursors = others("cursor:moved", { then: "cursor:gone", expires: 5000 }).latest;
    this.typists = others("typing:started", { then: "typing:stopped" }).latest;
    this.here = this.#room.presence(shown).users;
    this.#room.on("presence:users_viewing", ({ data }) => {
      this.#viewing.set(data.cardId, data.users);
      shown();
    });
  }

  #take(event) {
    this.#since.push(event);
    const outcome = apply(this.state, event);
    const own = event.user === this.#client.user && this.pending.find((c) => isSame(event, c));
    if (own) this.#settle(own, outcome);
    else this.#listeners.event(event, outcome);
    this.#changed();
  }

  // One's own change has come back, or was refused.
  #settle(change, outcome) {
    this.pending = this.pending.filter((one) => one !== change);
    if (outcome === "conflict") this.#addConflict(change);
    else if (outcome === "applied") this.#rebase(change);
    if (this.#inFlight === change) {
      clearTimeout(change.timer);
      this.#inFlight = null;
    }
    this.#pump();
  }

  // Later changes of the same card were made on top of this one, unless another's is between.
  #rebase(change) {
    const card = this.state.cards[change.data.cardId];
    if (!card) return;
    const isOurs = (field, base) => {
      const version = card.changed[field]?.version ?? 0;
      return version <= base || version === card.version;
    };
    for (const { type, data } of this.pending) {
      if (data.cardId !== card.id || data.base === undefined) continue;
      if (fieldsOf({ type, data }).every((field) => isOurs(field, data.base)))
        data.base = card.version;
    }
  }

  // --- a state that others have ---

  #ask() {
    clearTimeout(this.#asking);
    this.#isCurrent = false;
    this.#since = [];
    this.#asking = setTimeout(() => this.#isNow(), TOLD_MS);
    this.#room.publish("board:asked", { boardId: this.id, tab: this.tab }).catch(() => {});
  }

  #isNow() {
    clearTimeout(this.#asking);
    if (this.#client.status.state !== "online") return;
    this.#isCurrent = true;
    this.#askViewing();
    this.#pump();
    this.#listeners.change();
  }

  // Each who knows waits a moment, and is silent when another was faster.
  #tell(tab) {
    const { cards, gone } = this.state;
    if (tab === this.tab || Object.keys({ ...cards, ...gone }).length === 0) return;
    const answer = () => {
      const data = { boardId: this.id, tab, state: this.state };
      this.#room.publish("board:told", data).catch(() => {});
    };
    clearTimeout(this.#asked.get(tab));
    this.#asked.set(tab, setTimeout(answer, Math.random() * TELL_MS));
  }

  #told({ tab, state }) {
    clearTimeout(this.#asked.get(tab));
    this.#asked.delete(tab);
    if (tab !== this.tab) return;
    merge(this.state, state);
    for (const event of this.#since) apply(this.state, event);
    this.#changed();
    this.#isNow();
  }

  // --- changes made here ---

  // The state as its user sees it: with what is not yet taken.
  get shown() {
    const state = structuredClone(this.state);
    for (const { type, data } of this.pending)
      apply(state, { type, data: { ...data, base: Infinity }, user: this.#client.user });
    return state;
  }

  #do(type, data) {
    const change = { type, data: { boardId: this.id, ...data } };
    const last = this.pending.at(-1);
    const isAgain = last && last !== this.#inFlight && last.type === type && fieldsOf(change).length &&
      last.data.cardId === data.cardId;
    if (isAgain) change.data = { ...last.data, ...change.data, base: last.data.base };
    if (isAgain) this.pending.pop();
    this.pending.push(change);
    this.#changed();
    this.#pump();
  }

  // One after the other, so that each is based on the one before. What is sent twice, because its
  // answer was lost, changes nothing the second time.
  #pump() {
    const change = this.pending[0];
    if (!this.#isCurrent || this.#inFlight || !change) return;
    this.#inFlight = change;
    const { type, data } = change;
    this.#room.publish(type, { ...data }, { wait: false }).then(
      () => this.#taken(change),
      (error) => this.#notTaken(change, error),
    );
  }

  #taken(change) {
    if (this.#inFlight !== change) return;
    change.timer = setTimeout(() => this.#settle(change, "old"), SEEN_MS);
  }

  #notTaken(change, error) {
    if (this.#inFlight !== change) return;
    if (["offline", "lost", "timeout", "unavailable", "closed"].includes(error.code)) {
      this.#inFlight = null;
      setTimeout(() => this.#pump(), AGAIN_MS);
      return;
    }
    this.#settle(change, error.code === "conflict" ? "conflict" : "refused");
    if (error.code !== "conflict") this.#listeners.event({ type: "refused", error }, "refused");
    this.#changed();
  }

  add(column, title) {
    const position = positionAt(this.shown, column, Infinity);
    const cardId = newId();
    this.#do("card:created", { cardId, title, column, position });
    return cardId;
  }

  edit(cardId, fields, base = this.version(cardId)) {
    this.#do("card:edited", { cardId, ...fields, base });
  }

  move(cardId, column, index) {
    const position = positionAt(this.shown, column, index, cardId);
    this.#do("card:moved", { cardId, column, position, base: this.version(cardId) });
  }

  remove(cardId) {
    this.#do("card:deleted", { cardId, base: this.version(cardId) });
  }

  comment(cardId, text) {
    this.#do("comment:added", { cardId, commentId: newId(), text });
  }

  version(cardId) {
    return this.state.cards[cardId]?.version ?? 0;
  }

  // --- conflicts ---

  // It is none when the others want the same.
  #addConflict(change) {
    const card = this.state.cards[change.data.cardId];
    const fields = fieldsOf(change);
    if (card && fields.length && fields.every((field) => card[field] === change.data[field])) return;
    if (!card && fields.length === 0) return;
    this.conflicts.push({ id: newId(), change });
  }

  // What stands against it now: a card, or how it went.
  against({ change }) {
    const { cardId } = change.data;
    return { card: this.state.cards[cardId] ?? null, gone: this.state.gone[cardId] ?? null };
  }

  // "mine": once more, on top of what there is now. "theirs": let it be.
  resolve(conflict, whose) {
    const { type, data } = conflict.change;
    const { card, gone } = this.against(conflict);
    this.conflicts = this.conflicts.filter((one) => one !== conflict);
    if (whose === "mine" && card) this.#do(type, { ...data, base: card.version });
    if (whose === "mine" && gone) this.#restore(gone, data);
    this.#changed();
  }

  #restore(gone, { title = gone.title, text = gone.text, column = "todo" }) {
    const position = positionAt(this.shown, column, Infinity);
    this.#do("card:created", { cardId: newId(), title, text, column, position });
  }

  // --- who is here ---

  // When the page is shown or hidden.
  greet() {
    this.#client.setPresence(globalThis.document?.hidden ? "away" : "online").catch(() => {});
  }

  look(cardId) {
    if (this.#looking === cardId) return;
    this.#looking = cardId;
    this.#sayLooking();
  }

  #roomOf(cardId) {
    return `${this.#room.name}:card:${cardId}`;
  }

  #sayLooking() {
    this.#client.setViewing(this.#looking && this.#roomOf(this.#looking)).catch(() => {});
  }

  // What is looked at already: of changes the gateway tells.
  async #askViewing() {
    const rooms = Object.keys(this.state.cards).map((cardId) => this.#roomOf(cardId));
    this.#viewing.clear();
    for (let at = 0; at < rooms.length; at += ASKED_ROOMS) {
      const asked = { rooms: rooms.slice(at, at + ASKED_ROOMS) };
      const answer = await this.#client.request("who", asked).catch(() => ({}));
      for (const { room, viewing } of answer.rooms ?? [])
        if (viewing) this.#viewing.set(room.split(":").at(-1), viewing);
    }
    this.#listeners.change();
  }

  typing(cardId) {
    const data = { boardId: this.id, cardId, tab: this.tab };
    return this.#room.typing(data, { start: "typing:started", stop: "typing:stopped" });
  }

  pointer() {
    const move = this.#room.cursor("cursor:moved", { every: 60 });
    return (x, y) => move({ boardId: this.id, tab: this.tab, x, y });
  }

  // By user, the client's own first: who they are, and what they look at.
  get people() {
    const own = this.#client.user;
    const others = [...this.here.keys()].filter((user) => user !== own);
    return [own, ...others].filter((user) => user !== null).map((user) => ({
      user,
      away: user !== own && this.here.get(user) === "away",
      cards: user === own ? [this.#looking].filter(Boolean) : this.#cardsOf(user),
    }));
  }

  #cardsOf(user) {
    return [...this.#viewing].filter(([, users]) => users.includes(user)).map(([cardId]) => cardId);
  }

  // Who else looks at a card; who else types there.
  viewers(cardId) {
    return (this.#viewing.get(cardId) ?? []).filter((user) => user !== this.#client.user);
  }

  typingAt(cardId) {
    const others = [...this.typists.values()].filter(({ data }) => data.cardId === cardId);
    return [...new Set(others.map(({ user }) => user))];
  }
}
