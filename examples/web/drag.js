// Cards are carried to another place: by a pointer, or by the keys while a grip has the focus.
// drop(cardId, column, index) is called when one is put down; say(text) tells what happens to those
// who don't see it.

const FAR_PX = 6; // from where a pressed pointer carries

export class Carrier {
  #root;
  #hooks;
  #carried = null; // card, list and index where it was; how it is carried
  isCarrying = false;

  // hooks: drop, cancel, say, title(cardId), columnName(column)
  constructor(root, hooks) {
    this.#root = root;
    this.#hooks = hooks;
    root.addEventListener("pointerdown", (event) => this.#press(event));
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("focusout", (event) => this.#blurred(event));
  }

  #lists() {
    return [...this.#root.querySelectorAll(".cards")];
  }

  #begin(card) {
    this.isCarrying = true;
    this.#carried = { card };
  }

  #end(isDropped) {
    const { card, ghost } = this.#carried;
    const list = card.parentElement;
    ghost?.remove();
    card.classList.remove("place");
    delete card.dataset.grabbed;
    this.isCarrying = false;
    this.#carried = null;
    if (!isDropped) return this.#hooks.cancel();
    this.#hooks.drop(card.dataset.id, list.dataset.column, [...list.children].indexOf(card));
  }

  // --- by a pointer ---

  // A mouse may take a card anywhere; a finger, which also scrolls, by its grip.
  #press(down) {
    const card = down.target.closest(".card");
    const isFinger = down.pointerType !== "mouse";
    if (!card || down.button !== 0 || (isFinger && !down.target.closest(".grip"))) return;
    const listening = new AbortController();
    const on = (type, listener) => addEventListener(type, listener, { signal: listening.signal });
    const finish = (isDropped) => {
      listening.abort();
      if (this.#carried?.ghost) this.#end(isDropped);
    };
    on("pointermove", (move) => {
      const far = Math.hypot(move.clientX - down.clientX, move.clientY - down.clientY) >= FAR_PX;
      if (!this.isCarrying && far) this.#lift(card, down);
      if (this.#carried?.ghost) this.#follow(move);
    });
    on("pointerup", () => finish(true));
    on("pointercancel", () => finish(false));
    on("keydown", (event) => event.key === "Escape" && finish(false));
  }

  #lift(card, down) {
    const box = card.getBoundingClientRect();
    const ghost = card.cloneNode(true);
    this.#begin(card);
    ghost.classList.add("ghost");
    ghost.setAttribute("aria-hidden", "true");
    ghost.style.width = `${box.width}px`;
    document.body.append(ghost);
    card.classList.add("place");
    this.#carried.ghost = ghost;
    this.#carried.grasp = [down.clientX - box.left, down.clientY - box.top];
    // The click that ends it opens nothing.
    const swallow = (click) => click.stopPropagation();
    addEventListener("click", swallow, { capture: true, once: true });
    addEventListener("pointerup", () => setTimeout(() => removeEventListener("click", swallow, true)), {
      once: true,
    });
  }

  #follow({ clientX, clientY }) {
    const { card, ghost, grasp } = this.#carried;
    ghost.style.left = `${clientX - grasp[0]}px`;
    ghost.style.top = `${clientY - grasp[1]}px`;
    const column = this.#root.querySelectorAll(".column");
    const under = [...column].find((one) => {
      const box = one.getBoundingClientRect();
      return clientX >= box.left && clientX < box.right;
    });
    if (!under) return;
    const list = under.querySelector(".cards");
    const below = [...list.children].find((one) => {
      const box = one.getBoundingClientRect();
      return one !== card && clientY < box.top + box.height / 2;
    });
    if (card.parentElement !== list || card.nextElementSibling !== (below ?? null))
      list.insertBefore(card, below ?? null);
  }

  // --- by keys ---

  #key(event) {
    const grip = event.target.closest(".grip");
    if (!grip) return;
    const isCarrying = this.isCarrying;
    if (event.key === " " || event.key === "Enter") {
      if (isCarrying) this.#putDown(grip);
      else this.#pickUp(grip);
    } else if (isCarrying && event.key === "Escape") {
      this.#end(false);
      this.#hooks.say("Put back");
      grip.focus();
    } else if (isCarrying && event.key.startsWith("Arrow")) {
      this.#carry(grip, event.key);
    } else {
      return;
    }
    event.preventDefault();
  }

  #place(card) {
    const list = card.parentElement;
    const at = [...list.children].indexOf(card) + 1;
    return `${this.#hooks.columnName(list.dataset.column)}, ${at} of ${list.children.length}`;
  }

  #pickUp(grip) {
    const card = grip.closest(".card");
    this.#begin(card);
    card.dataset.grabbed = "";
    this.#hooks.say(`Picked up: ${this.#place(card)}`);
  }

  #putDown(grip) {
    const { card } = this.#carried;
    this.#hooks.say(`Put down: ${this.#place(card)}`);
    this.#end(true);
    grip.focus();
  }

  #carry(grip, key) {
    const { card } = this.#carried;
    const lists = this.#lists();
    const list = card.parentElement;
    const index = [...list.children].indexOf(card);
    const to = lists[lists.indexOf(list) + (key === "ArrowRight") - (key === "ArrowLeft")];
    if (!to) return;
    const isUp = key === "ArrowUp";
    const others = [...to.children].filter((one) => one !== card);
    const at = to !== list ? index : isUp ? index - 1 : index + 1;
    if (at < 0) return;
    this.isMoving = true;
    to.insertBefore(card, others[at] ?? null);
    grip.focus();
    this.isMoving = false;
    this.#hooks.say(this.#place(card));
  }

  // Who goes elsewhere leaves the card where it was.
  #blurred() {
    if (this.isCarrying && !this.#carried.ghost && !this.isMoving) this.#end(false);
  }
}
