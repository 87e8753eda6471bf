// What a board is: a state, made of the events that happened to it. Nothing here knows a network or
// a page.
//
// A card has a version: 0 when it is created, one more with each change. A change says on which
// version it was based; it counts unless one of its fields has been changed since. All who see the
// same events in the same order come to the same state, so that a conflict needs no referee; a
// gateway that keeps versions (collab-catalog(5)) refuses by the same rule what would not count.

export const COLUMNS = [
  { id: "todo", name: "To do" },
  { id: "doing", name: "Doing" },
  { id: "done", name: "Done" },
];

const FIELDS = { "card:edited": ["title", "text"], "card:moved": ["column", "position"] };

// Plain objects: it goes through JSON, to storage and to other browsers.
export function newState() {
  return { cards: {}, gone: {} };
}

// The fields that a change sets.
export function fieldsOf({ type, data }) {
  return (FIELDS[type] ?? []).filter((field) => data[field] !== undefined);
}

// Whether a change that was based on `base` comes too late for one of its fields.
function isLate(card, fields, base) {
  return fields.some((field) => (card.changed[field]?.version ?? 0) > base);
}

function create(state, { data, user, time, version = 0 }) {
  if (state.cards[data.cardId] || state.gone[data.cardId]) return "old";
  state.cards[data.cardId] = {
    id: data.cardId,
    title: data.title,
    text: data.text ?? "",
    column: data.column,
    position: data.position,
    version,
    user,
    time,
    changed: {}, // by field: version, user and time of its last change
    comments: [],
  };
  return "applied";
}

function change(card, event) {
  const { data, user, time } = event;
  const fields = fieldsOf(event);
  if (event.version !== undefined) {
    if (event.version <= card.version) return "old";
  } else if (isLate(card, fields, data.base ?? card.version)) {
    return "conflict";
  }
  card.version = event.version ?? card.version + 1;
  for (const field of fields) {
    card[field] = data[field];
    card.changed[field] = { version: card.version, user, time };
  }
  return "applied";
}

function remove(state, card, { data, user, time, version }) {
  if (version === undefined && (data.base ?? card.version) < card.version) return "conflict";
  state.gone[card.id] = { title: card.title, text: card.text, user, time };
  delete state.cards[card.id];
  return "applied";
}

function comment(card, { data, user, time }) {
  if (card.comments.some(({ id }) => id === data.commentId)) return "old";
  card.comments.push({ id: data.commentId, text: data.text, user, time });
  return "applied";
}

// What becomes of an event: "applied", "old" when it changes nothing any more, or "conflict".
export function apply(state, event) {
  const card = state.cards[event.data.cardId];
  if (event.type === "card:created") return create(state, event);
  if (!card) return state.gone[event.data.cardId] && FIELDS[event.type] ? "conflict" : "old";
  if (FIELDS[event.type]) return change(card, event);
  if (event.type === "card:deleted") return remove(state, card, event);
  if (event.type === "comment:added") return comment(card, event);
  return "old";
}

function mergeComments(card, comments) {
  for (const one of comments)
    if (!card.comments.some(({ id }) => id === one.id)) card.comments.push(one);
  card.comments.sort((a, b) => (a.time < b.time ? -1 : 1));
}

// Takes in what another knows: of each card the later version. In whatever order states are merged,
// the outcome is the same.
export function merge(state, other) {
  for (const card of Object.values(other.cards)) {
    const mine = state.cards[card.id];
    if (state.gone[card.id]) continue;
    if (!mine || card.version > mine.version) {
      state.cards[card.id] = structuredClone(card);
      if (mine) mergeComments(state.cards[card.id], mine.comments);
    } else {
      mergeComments(mine, card.comments);
    }
  }
  for (const [id, gone] of Object.entries(other.gone)) {
    state.gone[id] ??= gone;
    delete state.cards[id];
  }
}

// The cards of a column, from top to bottom.
export function cardsIn(state, column) {
  return Object.values(state.cards)
    .filter((card) => card.column === column)
    .sort((a, b) => a.position - b.position || (a.id < b.id ? -1 : 1));
}

// A position in a column so that a card stands at that index among the others.
export function positionAt(state, column, index, cardId) {
  const others = cardsIn(state, column).filter((card) => card.id !== cardId);
  const at = Math.min(index, others.length);
  const before = others[at - 1]?.position;
  const after = others[at]?.position;
  if (before === undefined) return (after ?? 1) - 1;
  return after === undefined ? before + 1 : (before + after) / 2;
}
