// Tests of examples/web/model.js: what a board's state is made of.
import assert from "node:assert/strict";
import { test } from "node:test";
import { apply, cardsIn, merge, newState, positionAt } from "../../examples/web/model.js";

const created = (cardId, rest) => ({
  type: "card:created",
  user: "ann",
  data: { cardId, title: cardId, column: "todo", position: 0, ...rest },
});
const edited = (cardId, base, fields, rest) => ({
  type: "card:edited",
  user: "bob",
  data: { cardId, base, ...fields },
  ...rest,
});
const deleted = (cardId, base) => ({ type: "card:deleted", user: "bob", data: { cardId, base } });
const comment = (cardId, commentId) => ({
  type: "comment:added",
  user: "ann",
  time: commentId,
  data: { cardId, commentId, text: commentId },
});

function stateOf(...events) {
  const state = newState();
  for (const event of events) apply(state, event);
  return state;
}

test("a change counts unless its field was changed since its base", () => {
  const state = stateOf(created("a"));
  assert.equal(apply(state, edited("a", 0, { title: "one" })), "applied");
  assert.equal(apply(state, edited("a", 0, { text: "two" })), "applied");
  assert.equal(apply(state, edited("a", 0, { title: "three" })), "conflict");
  assert.equal(apply(state, edited("a", 2, { title: "four" })), "applied");
  assert.equal(state.cards.a.title, "four");
  assert.equal(state.cards.a.version, 3);
});

test("the gateway's versions count, where it has some", () => {
  const state = stateOf({ ...created("a"), version: 0 });
  assert.equal(apply(state, edited("a", 0, { title: "one" }, { version: 1 })), "applied");
  assert.equal(apply(state, edited("a", 0, { title: "one" }, { version: 1 })), "old");
  assert.equal(apply(state, edited("a", 0, { title: "two" }, { version: 2 })), "applied");
  assert.equal(state.cards.a.version, 2);
});

test("what is deleted stays so", () => {
  const state = stateOf(created("a"), edited("a", 0, { title: "one" }));
  assert.equal(apply(state, deleted("a", 0)), "conflict");
  assert.equal(apply(state, deleted("a", 1)), "applied");
  assert.equal(apply(state, edited("a", 1, { title: "two" })), "conflict");
  assert.equal(apply(state, created("a")), "old");
  assert.deepEqual(Object.keys(state.cards), []);
  assert.equal(state.gone.a.title, "one");
});

test("an event that comes twice changes nothing the second time", () => {
  const events = [created("a"), edited("a", 0, { title: "one" }), comment("a", "c1")];
  const state = stateOf(...events);
  const once = structuredClone(state);
  for (const event of events) assert.notEqual(apply(state, event), "applied");
  assert.deepEqual(state, once);
});

test("positions between others", () => {
  const state = stateOf(created("a", { position: 1 }), created("b", { position: 2 }));
  assert.deepEqual(cardsIn(state, "todo").map(({ id }) => id), ["a", "b"]);
  assert.equal(positionAt(state, "todo", 0, "x"), 0);
  assert.equal(positionAt(state, "todo", 1, "x"), 1.5);
  assert.equal(positionAt(state, "todo", Infinity, "x"), 3);
  assert.equal(positionAt(state, "todo", 1, "a"), 3);
  assert.equal(positionAt(state, "done", 0, "x"), 0);
});

// Any number that is the same at each run.
function random(seed) {
  return (below) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
}

// Of authors who know more or less of what happened before.
function randomEvents(any, count) {
  const all = [];
  const state = newState();
  for (let n = 0; n < count; n++) {
    const id = "abcdefgh"[any(8)];
    const base = any((state.cards[id]?.version ?? 0) + 1);
    const kinds = [
      () => created(id),
      () => edited(id, base, { title: `t${n}` }),
      () => edited(id, base, { text: `x${n}` }),
      () => comment(id, `c${n}`),
      () => (any(5) ? comment(id, `d${n}`) : deleted(id, base)),
    ];
    const isKnown = state.cards[id] || state.gone[id];
    all.push(isKnown ? kinds[any(kinds.length)]() : created(id));
    apply(state, all.at(-1));
  }
  return all;
}

test("who missed events and is told the state comes to the same", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const any = random(seed);
    const events = randomEvents(any, 60);
    const complete = stateOf(...events);
    const late = stateOf(...events.slice(0, any(60)));
    merge(late, complete);
    assert.deepEqual(sorted(late), sorted(complete), `seed ${seed}`);
    const before = any(60);
    const told = stateOf(...events.slice(0, any(60)));
    const joined = newState();
    merge(joined, stateOf(...events.slice(0, Math.max(before, 1))));
    merge(joined, told);
    for (const event of events.slice(before)) apply(joined, event);
    merge(joined, complete);
    assert.deepEqual(sorted(joined), sorted(complete), `seed ${seed}, joined`);
  }
});

function sorted(state) {
  const copy = structuredClone(state);
  for (const card of Object.values(copy.cards))
    card.comments.sort((a, b) => (a.id < b.id ? -1 : 1));
  return copy;
}
