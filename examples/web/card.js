// The dialog of one card: its title and notes, its comments, and who else is at it.

import { avatar, find, listOf, make, setChildren, setText } from "./dom.js";
import { COLUMNS, cardsIn } from "./model.js";

const time = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

export class CardDialog {
  #board;
  #id = null;
  #typing = null;
  #base = 0; // the version that was seen when the field was entered
  #dialog = find("card");
  #fields = { title: find("card-title"), text: find("card-text") };
  #column = find("card-column");

  constructor(board) {
    this.#board = board;
    this.#column.append(...COLUMNS.map(({ id, name }) => make("option", { value: id }, name)));
    for (const [field, input] of Object.entries(this.#fields)) {
      input.addEventListener("focus", () => (this.#base = board.version(this.#id)));
      input.addEventListener("change", () => this.#edit(field, input.value.trim()));
    }
    this.#fields.title.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#dialog.close();
    });
    this.#column.addEventListener("change", () => board.move(this.#id, this.#column.value, Infinity));
    find("card-close").addEventListener("click", () => this.#dialog.close());
    find("card-delete").addEventListener("click", () => this.#delete());
    find("comment").addEventListener("input", () => this.#typing.key());
    find("comment-form").addEventListener("submit", (event) => this.#comment(event));
    this.#dialog.addEventListener("close", () => this.#closed());
  }

  open(id) {
    const card = this.#board.shown.cards[id];
    if (!card) return;
    this.#id = id;
    this.#typing = this.#board.typing(id);
    for (const [field, input] of Object.entries(this.#fields)) input.value = card[field];
    find("comment").value = "";
    this.#dialog.showModal();
    this.#board.look(id);
    this.show();
  }

  // The focus has gone back to where it was; with that, what was being written became a change.
  #closed() {
    this.#typing.stop();
    this.#id = null;
    this.#board.look(null);
  }

  #edit(field, value) {
    const card = this.#board.shown.cards[this.#id];
    if (!card || card[field] === value || (field === "title" && !value)) return;
    this.#board.edit(this.#id, { [field]: value }, this.#base);
    this.#base = this.#board.version(this.#id);
  }

  #delete() {
    const id = this.#id;
    this.#dialog.close();
    this.#board.remove(id);
  }

  #comment(event) {
    event.preventDefault();
    const text = find("comment").value.trim();
    if (!text) return;
    this.#typing.stop();
    this.#board.comment(this.#id, text);
    find("comment").value = "";
  }

  // Anew after a change; a field that is being written in is its writer's.
  show() {
    if (this.#id === null) return;
    const card = this.#board.shown.cards[this.#id];
    if (!card) {
      this.#dialog.close();
      return;
    }
    for (const [field, input] of Object.entries(this.#fields))
      if (document.activeElement !== input && input.value !== card[field]) input.value = card[field];
    this.#column.value = card.column;
    this.#showPeople();
    this.#showComments(card);
  }

  #showPeople() {
    const viewers = this.#board.viewers(this.#id);
    const typing = this.#board.typingAt(this.#id);
    const verb = (names, one, many) => (names.length > 1 ? many : one);
    setText(
      find("card-viewers"),
      viewers.length ? `${listOf(viewers)} ${verb(viewers, "looks", "look")} at this too` : "",
    );
    setText(
      find("typing"),
      typing.length ? `${listOf(typing)} ${verb(typing, "is", "are")} typing…` : "",
    );
  }

  #showComments(card) {
    const known = new Map([...find("comments").children].map((li) => [li.dataset.id, li]));
    const items = card.comments.map((one) => known.get(one.id) ?? this.#comments(one));
    setChildren(find("comments"), items);
  }

  #comments({ id, text, user, time: when }) {
    const said = when ? time.format(new Date(when)) : "not sent yet";
    const item = make("li", {}, make("p", {}, text), make("p", { className: "by" }, `${user}, ${said}`));
    if (when) item.dataset.id = id;
    return item;
  }
}

// A card in its column. It is made once and then kept up to date.
export class CardView {
  #open = make("button", { type: "button", className: "open" });
  #grip = make("button", { type: "button", className: "grip", "aria-describedby": "keys" });
  #meta = make("div", { className: "meta" });

  // open(id) is called when it is to be shown whole.
  constructor(id, open) {
    this.element = make("li", { className: "card" });
    this.element.dataset.id = id;
    this.#grip.innerHTML =
      '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="6" cy="4" r="1.2"/>' +
      '<circle cx="10" cy="4" r="1.2"/><circle cx="6" cy="8" r="1.2"/><circle cx="10" cy="8" r="1.2"/>' +
      '<circle cx="6" cy="12" r="1.2"/><circle cx="10" cy="12" r="1.2"/></svg>';
    this.#open.addEventListener("click", () => open(id));
    this.element.append(this.#open, this.#grip, this.#meta);
  }

  show(card, { viewers, typing, isPending }) {
    setText(this.#open, card.title);
    this.#grip.setAttribute("aria-label", `Move ${card.title}`);
    const notes = [];
    const count = card.comments.length;
    if (count) notes.push(make("span", {}, `${count} ${count > 1 ? "comments" : "comment"}`));
    if (isPending) notes.push(make("span", { className: "unsent" }, "Not sent yet"));
    if (typing.length) notes.push(make("span", {}, `${listOf(typing)} typing…`));
    if (viewers.length) notes.push(this.#viewers(viewers));
    this.#meta.replaceChildren(...notes);
  }

  #viewers(users) {
    const faces = make("span", { className: "avatars" });
    const seen = `${listOf(users)} ${users.length > 1 ? "look" : "looks"} at this`;
    faces.append(make("span", { className: "unseen" }, seen));
    faces.append(...users.map((user) => avatar(user, { small: true })));
    return faces;
  }
}

// A column and its cards.
export class ColumnView {
  #column;
  #hooks;
  #count = make("span", { className: "count" });
  #list = make("ol", { className: "cards" });
  #add = make("button", { type: "button", className: "quiet add" }, "Add a card");
  #form;

  // hooks: add(column, title), viewOf(id), which makes a card's view or has it from another column
  constructor(column, hooks) {
    this.#column = column;
    this.#hooks = hooks;
    const name = make("h2", { id: `column-${column.id}` }, column.name);
    this.#list.dataset.column = column.id;
    this.#list.setAttribute("aria-labelledby", name.id);
    this.#form = this.#makeForm();
    const properties = { className: "column", "aria-labelledby": name.id };
    const header = make("header", {}, name, this.#count);
    this.element = make("section", properties, header, this.#list, this.#add, this.#form);
  }

  #makeForm() {
    const label = `Title of a card in ${this.#column.name}`;
    const input = make("input", { type: "text", maxLength: 200, "aria-label": label });
    const form = make("form", { className: "new", hidden: true }, input);
    form.append(make("button", { type: "submit" }, "Add"));
    this.#add.addEventListener("click", () => {
      form.hidden = false;
      this.#add.hidden = true;
      input.focus();
    });
    const close = () => {
      form.hidden = true;
      this.#add.hidden = false;
    };
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      close();
      this.#add.focus();
    });
    form.addEventListener("focusout", (event) => {
      if (!form.contains(event.relatedTarget) && !input.value.trim()) close();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (input.value.trim()) this.#hooks.add(this.#column.id, input.value.trim());
      input.value = "";
    });
    return form;
  }

  show(board, state, pending) {
    const cards = cardsIn(state, this.#column.id);
    const views = cards.map((card) => {
      const view = this.#hooks.viewOf(card.id);
      const [viewers, typing] = [board.viewers(card.id), board.typingAt(card.id)];
      view.show(card, { viewers, typing, isPending: pending.has(card.id) });
      return view.element;
    });
    setText(this.#count, String(cards.length));
    setChildren(this.#list, views);
  }
}
