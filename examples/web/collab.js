// A client of the plain protocol of collabd, collab-protocol(7), for browsers and Node. It has no
// dependencies; its types are in collab.d.ts.
//
//   const client = new Client({ url: "ws://127.0.0.1:4000/ws", token });
//   const room = client.room("project:p1");
//   room.on("task:moved", (event) => console.log(event.user, event.data));
//   room.join();
//   client.connect();
//
// It connects again by itself, as the protocol says when; it joins its rooms again, from the last
// event that it saw there; it keeps what is published while there is no connection, and sends it in
// order; it renews its token before that expires. A connection on which nothing is heard is ended
// here, since a browser does not see the pings of WebSocket.

// The place before the first event of every room.
export const BEGINNING = "0-0";

const PROTOCOL = "collab.v1";
const BACKOFF_FIRST_MS = 1000;
const BACKOFF_MAX_MS = 30000;
const REQUEST_MS = 15000;
const PONG_MS = 10000;
const TIMER_MAX_MS = 0x7fffffff;

// What the gateway answered, or why no answer came: code is one of the protocol's, or
//   offline    there is no connection, and it was not to wait for one
//   lost       the connection went before the answer came, so that it is not known what became of it
//   timeout    no answer came in time
//   closed     the client was closed, or the gateway will not have it
export class CollabError extends Error {
  constructor(code, message, data) {
    super(message);
    this.name = "CollabError";
    this.code = code;
    this.data = data;
  }
}

const PRESENCE = {
  online: "presence:user_online",
  offline: "presence:user_offline",
  join: "presence:user_joined",
  leave: "presence:user_left",
  user: "userId",
  status: "status",
};

// A list of functions that are called with what happens; add() returns what takes one out again.
class Listeners {
  #list = new Set();

  add(listener) {
    const own = (...what) => listener(...what);
    this.#list.add(own);
    return () => this.#list.delete(own);
  }

  // A listener that fails is its owner's matter, and keeps nobody else from hearing it.
  call(...what) {
    for (const listener of [...this.#list]) {
      try {
        listener(...what);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  get size() {
    return this.#list.size;
  }
}

// Listeners by type; a type that ends with * hears all that begin so.
class Types {
  #byType = new Map();

  add(type, listener) {
    if (!this.#byType.has(type)) this.#byType.set(type, new Listeners());
    return this.#byType.get(type).add(listener);
  }

  call(event) {
    this.#byType.get(event.type)?.call(event);
    for (const [type, listeners] of this.#byType)
      if (type.endsWith("*") && event.type.startsWith(type.slice(0, -1))) listeners.call(event);
  }
}

// An id is EPOCH-SEQ; SEQ has no holes. Whether an event of that id was seen once that of `last` was;
// whether it is the very next.
function isSeen(id, last) {
  const [epoch, seq] = id.split("-").map(BigInt);
  const [lastEpoch, lastSeq] = last.split("-").map(BigInt);
  return epoch < lastEpoch || (epoch === lastEpoch && seq <= lastSeq);
}

function isNext(id, last) {
  const [epoch, seq] = id.split("-").map(BigInt);
  const [lastEpoch, lastSeq] = last.split("-").map(BigInt);
  return epoch === lastEpoch ? seq === lastSeq + 1n : epoch > lastEpoch && seq === 0n;
}

function mayComeBack(code) {
  return code !== 1000 && code !== 1008 && !(code >= 4500 && code <= 4999);
}

// One room, as long as somebody wants it: join() and leave() are counted.
export class Room {
  #client;
  #types = new Types();
  #joined = null; // the promise of being in it
  #settle = null;
  #gaps = new Listeners();
  #joins = new Listeners();
  #isIn = false;
  wanted = 0;
  last = null; // id of the last kept event that came
  isBehind = false; // what came after that is still to be had, and will come in its order

  constructor(client, name) {
    this.#client = client;
    this.name = name;
  }

  on(type, listener) {
    return this.#types.add(type, listener);
  }

  // Hears that events may have been missed here: it is for the application to fetch what it needs.
  onGap(listener) {
    return this.#gaps.add(listener);
  }

  // Hears each time that the client has come into the room, whether nothing was missed there since
  // the last time: true or false, and undefined when there was none.
  onJoined(listener) {
    return this.#joins.add(listener);
  }

  // Resolves once the client is in the room; rejects when the gateway refuses it. since: the id of
  // the last event known here from before, or BEGINNING; what came after it comes first, and when it
  // can't, a gap is told.
  join({ since } = {}) {
    if (this.wanted++ === 0) {
      if (since) this.last = since;
      this.#joined = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
      this.#joined.catch(() => {});
      this.#client._wants(this);
    }
    return this.#joined;
  }

  leave() {
    if (this.wanted === 0 || --this.wanted > 0) return;
    this.#settle.reject(new CollabError("closed", `${this.name}: left`));
    this.last = null;
    this.isBehind = this.#isIn = false;
    this.#client._wantsNoMore(this);
  }

  // An event to this room; see Client.publish().
  publish(type, data, options) {
    return this.#client.publish(type, data, { rooms: [this.name], ...options });
  }

  signal(type, data) {
    return this.#client.signal(type, data, { rooms: [this.name] });
  }

  // Who is there, by the gateway.
  who() {
    return this.#client.request("who", { rooms: [this.name] });
  }

  // Tells that the user is typing: key() at each key, stop() when the text was sent or left. It is
  // said at most every `every` ms, and is over when no key came for `idle` ms. Where one event tells
  // both, start and stop are the same, and data is a function of whether the user is typing.
  typing(data, names = {}) {
    const { start = "typing:user_typing", stop = "typing:user_stopped" } = names;
    const { every = 2000, idle = 4000 } = names;
    const about = typeof data === "function" ? data : () => data;
    let said = -Infinity;
    let timer = null;
    const over = () => {
      clearTimeout(timer);
      if (timer === null) return;
      timer = null;
      said = -Infinity;
      this.signal(stop, about(false)).catch(() => {});
    };
    const key = () => {
      clearTimeout(timer);
      timer = setTimeout(over, idle);
      if (Date.now() - said < every) return;
      said = Date.now();
      this.signal(start, about(true)).catch(() => {});
    };
    return { key, stop: over };
  }

  // A function that tells a place, such as a cursor's: the latest, at most every `every` ms.
  cursor(type = "cursor:moved", { every = 50 } = {}) {
    let next = null;
    let timer = null;
    const say = () => {
      timer = null;
      if (next === null) return;
      this.signal(type, next).catch(() => {});
      next = null;
      timer = setTimeout(say, every);
    };
    return (data) => {
      next = data;
      if (timer === null) say();
    };
  }

  // What others signal, the latest of each: a map that is read at any time, and a listener that is
  // told of each change. An entry goes when `then` comes, or by itself after `expires` ms.
  others(type, options = {}, listener = () => {}) {
    const { then, expires = 6000, key = (event) => event.user } = options;
    const { isOwn = (event) => event.user === this.#client.user } = options;
    const latest = new Map();
    const timers = new Map();
    const drop = (k) => {
      clearTimeout(timers.get(k));
      timers.delete(k);
      if (latest.delete(k)) listener(latest);
    };
    const ends = [
      this.on(type, (event) => {
        if (isOwn(event)) return;
        const k = key(event);
        clearTimeout(timers.get(k));
        timers.set(k, setTimeout(drop, expires, k));
        latest.set(k, event);
        listener(latest);
      }),
    ];
    if (then) ends.push(this.on(then, (event) => drop(key(event))));
    const end = () => {
      ends.forEach((off) => off());
      timers.forEach((timer) => clearTimeout(timer));
    };
    return { latest, drop, end };
  }

  // Who is in the room, by the gateway: a map of users, each "online" or "away", that is read at any
  // time, and a listener that is told of each change. names: the events and fields that the catalog
  // has for it.
  presence(listener = () => {}, names = {}) {
    const { online, offline, join, leave, user, status } = { ...PRESENCE, ...names };
    const users = new Map();
    const told = new Set(); // of whom there was news since we asked: the answer may be older
    const here = ({ data }) => {
      told.add(data[user]);
      users.set(data[user], data[status] ?? users.get(data[user]) ?? "online");
      listener(users);
    };
    const gone = ({ data }) => {
      told.add(data[user]);
      if (users.delete(data[user])) listener(users);
    };
    const ask = () => {
      told.clear();
      this.who().then(
        ({ rooms: [room = {}] = [] }) => {
          const now = new Map(Object.entries(room[status] ?? {}));
          for (const one of new Set([...users.keys(), ...now.keys()])) {
            if (told.has(one)) continue;
            if ((now.get(one) ?? "offline") === "offline") users.delete(one);
            else users.set(one, now.get(one));
          }
          listener(users);
        },
        () => {}, // a gateway that does not know: the events will tell
      );
    };
    const ends = [this.onJoined(ask)];
    for (const type of new Set([online, join])) ends.push(this.on(type, here));
    for (const type of new Set([offline, leave])) ends.push(this.on(type, gone));
    if (this.#isIn) ask();
    return { users, end: () => ends.forEach((off) => off()) };
  }

  // The client's calls.

  _hear(event) {
    if (event.id) {
      if (this.last && isSeen(event.id, this.last)) return false;
      if (this.isBehind && !isNext(event.id, this.last)) return false;
      this.last = event.id;
    }
    this.#types.call(event);
    return true;
  }

  // last: where the room's history stands.
  _in(isRecovered, last) {
    this.last = last ?? (isRecovered ? this.last : null);
    this.isBehind = false;
    this.#isIn = true;
    this.#settle.resolve();
    if (isRecovered === false) this.#gaps.call();
    this.#joins.call(isRecovered);
  }

  // In the room, at a node that can't read its history now.
  _inBehind() {
    this.isBehind = true;
    this.#settle.resolve();
  }

  _refused(error) {
    this.wanted = 0;
    this.#settle.reject(error);
  }

  _missed(why) {
    this.last = null;
    this.#gaps.call(why);
  }
}

export class Client {
  #options;
  #random;
  #socket = null;
  #token = null; // that the socket was opened with
  #state = "closed";
  #error = null;
  #retryAt = null;
  #failures = 0;
  #timers = { retry: null, renew: null, silence: null };
  #session = 0; // counts connections: what an old one still does is passed over
  #heartbeat = null;
  #refusal = null; // what the gateway said before it closed
  #isAcknowledged = false;
  #isReady = false; // the rooms are joined, so that the outbox may go
  #been = new Set(); // rooms that a connection before was in
  #requests = new Map();
  #nextRef = 1;
  #rooms = new Map();
  #asked = null; // rooms to be asked for in the next request
  #outbox = [];
  #isSending = false;
  #types = new Types();
  #statuses = new Listeners();
  #notices = new Listeners();
  #wake = () => this.#retryNow();

  user = null;
  connection = null;
  node = null;

  constructor(options) {
    this.#options = { WebSocket: globalThis.WebSocket, ...options };
    this.#random = options.random ?? Math.random;
    for (const message of options.outbox?.load() ?? [])
      this.#outbox.push({ message, repeat: true, resolve() {}, reject() {} });
  }

  // --- what it tells ---

  // state: closed, connecting, waiting (until retryAt) or online. pending: what was published and
  // is not yet taken. error: why it is not online.
  get status() {
    return {
      state: this.#state,
      retryAt: this.#retryAt,
      pending: this.#outbox.length,
      error: this.#error,
    };
  }

  onStatus(listener) {
    return this.#statuses.add(listener);
  }

  // Messages of the gateway that are neither events nor answers: errors, gaps and the like.
  onNotice(listener) {
    return this.#notices.add(listener);
  }

  on(type, listener) {
    return this.#types.add(type, listener);
  }

  #turn(state, error = this.#error) {
    this.#state = state;
    this.#error = error;
    this.#tell();
  }

  #tell() {
    this.#statuses.call(this.status);
  }

  // --- coming and going ---

  connect() {
    if (this.#state !== "closed") return;
    this.#failures = 0;
    globalThis.addEventListener?.("online", this.#wake);
    this.#open();
  }

  close() {
    this.#end(new CollabError("closed", "closed by its owner"));
  }

  // For good: what waits is told so, but for what a storage keeps.
  #end(error) {
    globalThis.removeEventListener?.("online", this.#wake);
    this.#drop(error);
    this.#retryAt = null;
    const isKept = (entry) => this.#options.outbox && entry.repeat;
    for (const entry of this.#outbox) if (!isKept(entry)) entry.reject(error);
    this.#outbox = this.#outbox.filter(isKept);
    this.#turn("closed", error);
  }

  // Lets go of the socket, whatever its state.
  #drop(error) {
    const socket = this.#socket;
    this.#session++;
    this.#socket = null;
    this.#isAcknowledged = this.#isReady = this.#isSending = false;
    this.#asked = null;
    for (const name of Object.keys(this.#timers)) clearTimeout(this.#timers[name]);
    for (const request of this.#requests.values()) request.reject(error);
    this.#requests.clear();
    if (socket && socket.readyState <= 1) socket.close(1000);
  }

  async #open() {
    const session = ++this.#session;
    this.#retryAt = null;
    this.#turn("connecting");
    try {
      this.#token = await this.#fetchToken("connect");
    } catch (error) {
      if (session === this.#session) this.#retry(new CollabError("token", String(error)));
      return;
    }
    if (session !== this.#session) return;
    const protocols = this.#token ? [PROTOCOL, `bearer.${this.#token}`] : [PROTOCOL];
    const socket = new this.#options.WebSocket(this.#options.url, protocols);
    const mine = (handle) => (event) => session === this.#session && handle(event);
    socket.onmessage = mine((event) => this.#hear(event.data));
    socket.onclose = mine((event) => this.#lost(event.code, event.reason));
    socket.onerror = () => {}; // a close follows, and says as much
    this.#socket = socket;
    this.#watch(session, REQUEST_MS);
  }

  async #fetchToken(why) {
    const { token } = this.#options;
    return typeof token === "function" ? token(why) : token;
  }

  #lost(code, reason) {
    const why = reason || (code === 1006 || !code ? "the connection was lost" : `closed: ${code}`);
    const error = new CollabError("lost", why, { code });
    if (mayComeBack(code)) this.#retry(error);
    else this.#end(new CollabError("closed", this.#refusal ?? why, { code }));
  }

  #retry(error) {
    this.#drop(error);
    const bound = Math.min(BACKOFF_FIRST_MS * 2 ** this.#failures++, BACKOFF_MAX_MS);
    const delay = this.#random() * bound;
    this.#retryAt = Date.now() + delay;
    this.#timers.retry = setTimeout(() => this.#open(), delay);
    this.#turn("waiting", error);
  }

  #retryNow() {
    if (this.#state !== "waiting") return;
    clearTimeout(this.#timers.retry);
    this.#open();
  }

  // --- the heartbeat ---

  // Ends a connection on which nothing comes for that long.
  #watch(session, ms) {
    clearTimeout(this.#timers.silence);
    this.#timers.silence = setTimeout(() => {
      if (session === this.#session) this.#lost(4000, "nothing heard for too long");
    }, ms);
  }

  #expectSigns() {
    const session = this.#session;
    clearTimeout(this.#timers.silence);
    this.#timers.silence = setTimeout(() => {
      if (session !== this.#session) return;
      this.#send({ type: "ping" });
      this.#watch(session, Math.min(this.#heartbeat, PONG_MS));
    }, this.#heartbeat);
  }

  // --- messages ---

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #hear(text) {
    const message = JSON.parse(text);
    if (this.#isAcknowledged) this.#expectSigns();
    if (message.room !== undefined) this.#hearEvent(message);
    else if (message.type === "connection.ack") this.#acknowledged(message);
    else this.#hearAnswer(message);
  }

  #hearEvent(event) {
    const room = this.#rooms.get(event.room);
    if (room && room.wanted > 0 && !room._hear(event)) return;
    this.#types.call(event);
  }

  #hearAnswer(message) {
    const isError = message.code !== undefined;
    const request = this.#requests.get(message.ref);
    if (!request) {
      if (isError) this.#refusal = message.message;
      if (message.type === "gap") this.#hearGap(message);
      if (message.type !== "pong") this.#notices.call(message);
      return;
    }
    this.#requests.delete(message.ref);
    if (isError) request.reject(new CollabError(message.code, message.message, message.data));
    else request.resolve(message.data);
  }

  #hearGap(message) {
    const name = message.data?.room;
    for (const room of this.#rooms.values())
      if (room.wanted && (!name || name === room.name)) room._missed(message.data);
  }

  #acknowledged(message) {
    const { data } = message;
    this.#requests.get(message.ref)?.resolve(data);
    this.#requests.delete(message.ref);
    this.#renewBefore(data.expires_s, Date.parse(message.time));
    if (this.#isAcknowledged) return;
    this.#isAcknowledged = true;
    this.#refusal = null;
    this.#failures = 0;
    this.user = data.user;
    this.connection = data.connection;
    this.node = data.node;
    this.#heartbeat = data.heartbeat.interval_ms;
    this.#expectSigns();
    this.#turn("online", null);
    this.#askForRooms([...this.#rooms.values()].filter((room) => room.wanted > 0));
  }

  // Resolves with the answer's data; rejects with a CollabError. It does not wait for a connection.
  request(type, data, { timeout = REQUEST_MS } = {}) {
    if (!this.#isAcknowledged)
      return Promise.reject(new CollabError("offline", `${type}: there is no connection`));
    const ref = this.#nextRef++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#requests.delete(ref);
        reject(new CollabError("timeout", `${type}: no answer came in time`));
      }, timeout);
      const settle = (how) => (what) => {
        clearTimeout(timer);
        how(what);
      };
      this.#requests.set(ref, { resolve: settle(resolve), reject: settle(reject) });
      this.#send({ type, ref, data });
    });
  }

  // --- the token ---

  // By the gateway's clock, since ours may differ: when a tenth of its time is left, or a minute.
  #renewBefore(expires_s, now) {
    clearTimeout(this.#timers.renew);
    if (!expires_s || typeof this.#options.token !== "function") return;
    const left = expires_s * 1000 - now;
    const wait = Math.max(left - Math.min(left / 10 + 1000, 60000), 1000);
    if (wait > TIMER_MAX_MS) return;
    const session = this.#session;
    this.#timers.renew = setTimeout(() => session === this.#session && this.#renew(session), wait);
  }

  // When it fails the connection ends as the old token does, and the next one asks anew.
  async #renew(session) {
    try {
      const token = await this.#fetchToken("renew");
      if (session === this.#session) await this.authenticate(token);
    } catch (error) {
      this.#notices.call({ type: "error", code: "token", message: error.message });
    }
  }

  // Puts another token of the same user in place of the one in force.
  authenticate(token) {
    return this.request("authenticate", { token });
  }

  // --- rooms ---

  room(name) {
    if (!this.#rooms.has(name)) this.#rooms.set(name, new Room(this, name));
    return this.#rooms.get(name);
  }

  // Rooms wanted in the same turn are asked for together.
  _wants(room) {
    if (!this.#isAcknowledged) return;
    if (this.#asked) {
      this.#asked.push(room);
      return;
    }
    const asked = (this.#asked = [room]);
    queueMicrotask(() => {
      if (this.#asked !== asked) return;
      this.#asked = null;
      this.#askForRooms(asked.filter((one) => one.wanted > 0));
    });
  }

  _wantsNoMore(room) {
    this.#been.delete(room.name);
    if (this.#isAcknowledged)
      this.request("unsubscribe", { rooms: [room.name] }).catch(() => {});
  }

  async #askForRooms(rooms) {
    const session = this.#session;
    if (rooms.length > 0) {
      const known = rooms.filter((room) => room.last).map((room) => [room.name, room.last]);
      const since = Object.fromEntries(known); // also without any: the answer says where we are then
      const data = { rooms: rooms.map((room) => room.name), since };
      for (const [name] of known) this.#been.add(name);
      try {
        this.#roomsJoined(rooms, await this.request("subscribe", data));
      } catch (error) {
        if (session !== this.#session) return;
        this.#roomsJoined(rooms, error.data?.refused ? error.data : this.#allRefused(rooms, error));
      }
    }
    if (session !== this.#session) return;
    this.#isReady = true;
    this.#flush();
  }

  #allRefused(rooms, { code, message }) {
    return { rooms: [], refused: rooms.map((room) => ({ room: room.name, code, message })) };
  }

  #roomsJoined(rooms, reply) {
    const refused = new Map((reply.refused ?? []).map((one) => [one.room, one]));
    const behind = [];
    const unknown = [];
    for (const room of rooms) {
      const no = refused.get(room.name);
      if (no?.code === "unavailable") {
        unknown.push(room);
        continue;
      }
      if (no) {
        room._refused(new CollabError(no.code, no.message));
        this.#notices.call({ type: "error", ...no });
        continue;
      }
      if (reply.degraded && room.last) {
        room._inBehind();
        behind.push(room);
        continue;
      }
      const recovered = this.#been.has(room.name) ? isRecovered(reply, room) : undefined;
      this.#been.add(room.name);
      room._in(recovered, reply.last?.[room.name]);
    }
    if (behind.length + unknown.length > 0) this.#askAgain(behind, unknown);
  }

  // A node without Redis has no history, and does not know who is a member; it will again.
  #askAgain(behind, unknown) {
    const session = this.#session;
    setTimeout(() => {
      if (session !== this.#session) return;
      const still = [...behind.filter((room) => room.isBehind), ...unknown];
      this.#askForRooms(still.filter((room) => room.wanted > 0));
    }, BACKOFF_FIRST_MS);
  }

  // --- publishing ---

  // Publishes an event; without rooms it goes where the catalog says. Resolves with the gateway's
  // answer. What is published while there is no connection waits for one. All go in order, each
  // once the one before was answered. With `repeat`, one whose answer was lost goes once more, so
  // that it can come twice: for events that say by a `key`, or in their data, which one they are.
  publish(type, data, { rooms, repeat = false, key, wait = true } = {}) {
    const event = { type };
    if (rooms?.length === 1) event.room = rooms[0];
    else if (rooms) event.rooms = rooms;
    if (key !== undefined) event.key = key;
    if (data !== undefined) event.data = data;
    if (!wait && !this.#isReady)
      return Promise.reject(new CollabError("offline", `${type}: there is no connection`));
    return new Promise((resolve, reject) => {
      const entry = { message: event, repeat: repeat || key !== undefined, resolve, reject };
      this.#outbox.push(entry);
      this.#outboxChanged();
      this.#flush();
    });
  }

  #outboxChanged() {
    const kept = this.#outbox.filter((entry) => entry.repeat).map((entry) => entry.message);
    this.#options.outbox?.save(kept);
    this.#tell();
  }

  async #flush() {
    if (this.#isSending) return;
    this.#isSending = true;
    const session = this.#session;
    while (this.#isReady && session === this.#session && this.#outbox.length > 0)
      await this.#sendFirst(session);
    if (session === this.#session) this.#isSending = false;
  }

  async #sendFirst(session) {
    const entry = this.#outbox[0];
    let settle;
    try {
      const answer = await this.request("publish", entry.message);
      settle = () => entry.resolve(answer);
    } catch (error) {
      if (await this.#mayGoAgain(entry, error, session)) return;
      settle = () => entry.reject(error);
    }
    const at = this.#outbox.indexOf(entry);
    if (at >= 0) this.#outbox.splice(at, 1);
    settle();
    this.#outboxChanged();
  }

  // What was refused for now goes again after a moment: too_many was not published for certain, of
  // the others that is not known.
  async #mayGoAgain(entry, error, session) {
    const unknown = ["lost", "timeout", "unavailable", "closed"].includes(error.code);
    if (error.code !== "too_many" && !(unknown && entry.repeat)) return false;
    if (session === this.#session) await new Promise((go) => setTimeout(go, BACKOFF_FIRST_MS));
    return true;
  }

  // What has no answer; an error that comes of it is a notice.
  async #say(type, data) {
    if (!this.#isReady) throw new CollabError("offline", `${type}: there is no connection`);
    this.#send({ type, data });
  }

  // Something that passes: never kept and never waiting.
  signal(type, data, { rooms } = {}) {
    const event = { type, data };
    if (rooms?.length === 1) event.room = rooms[0];
    else if (rooms) event.rooms = rooms;
    return this.#say("signal", event);
  }

  // --- presence ---

  // online, away or offline, for all to see.
  setPresence(status) {
    return this.#say("presence", { status });
  }

  // What the user looks at: the name of a room, or null.
  setViewing(room) {
    return this.#say("viewing", { rooms: room === null ? [] : [room] });
  }
}

// Whether a room was joined from where it was left, with all that happened since. One whose place
// was not known was not.
function isRecovered({ recovered = false, gaps = [] }, { name, last }) {
  if (!last) return false;
  return recovered || (gaps.length > 0 && !gaps.some((gap) => gap.room === name));
}
