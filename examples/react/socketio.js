// A socket of socket.io-client as a client for the hooks, in place of the one of collab.js:
//
//   const client = new SocketClient(io("http://127.0.0.1:4000", { auth }));
//   <CollabProvider client={client}> ... </CollabProvider>
//
// The gateway's catalog must say "socketio": {"meta": true}, as the built-in one does: by the second
// argument of an event it is known which room that is of.

import { CollabError, Room } from "../web/collab.js";

const REQUEST_MS = 15000;

export class SocketClient {
  #socket;
  #rooms = new Map();
  #listeners = new Set();
  #pending = 0;
  #error = null;

  user = null;

  constructor(socket) {
    this.#socket = socket;
    socket.onAny((type, data, meta) => this.#hear(type, data, meta));
    socket.on("connect", () => this.#connected());
    socket.on("disconnect", (why) => this.#lost(new CollabError("lost", why)));
    socket.on("connect_error", ({ data, message }) =>
      this.#lost(new CollabError(data?.code ?? "lost", message)),
    );
    if (socket.connected) this.#connected();
  }

  // As that of collab.js; when the library tries again it does not say.
  get status() {
    const { connected, active } = this.#socket;
    const state = connected ? "online" : active ? "waiting" : "closed";
    return { state, retryAt: null, pending: this.#pending, error: this.#error };
  }

  onStatus(listener) {
    const own = (status) => listener(status);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  #tell() {
    for (const listener of [...this.#listeners]) listener(this.status);
  }

  #lost(error) {
    this.#error = error;
    this.#tell();
  }

  // What the library has recovered is joined already.
  #connected() {
    this.#error = null;
    const wanted = [...this.#rooms.values()].filter((room) => room.wanted > 0);
    if (this.#socket.recovered) for (const room of wanted) room._in(true);
    else for (const room of wanted) this.#join(room, room.last !== null);
    this.#tell();
  }

  #hear(type, data, meta) {
    if (type === "connection.ack") this.user = data.user;
    const room = this.#rooms.get(meta?.room);
    if (room?.wanted > 0) room._hear({ type, ...meta, data });
  }

  room(name) {
    if (!this.#rooms.has(name)) this.#rooms.set(name, new Room(this, name));
    return this.#rooms.get(name);
  }

  _wants(room) {
    if (this.#socket.connected) this.#join(room, false);
  }

  _wantsNoMore(room) {
    this.request("unsubscribe", { rooms: [room.name] }).catch(() => {});
  }

  // With what was missed since the last event, where that is known.
  async #join(room, isAgain) {
    const since = room.last ? { [room.name]: room.last } : {};
    try {
      const { recovered, last } = await this.request("subscribe", { rooms: [room.name], since });
      room._in(isAgain ? recovered === true : undefined, last?.[room.name]);
    } catch (error) {
      if (error.code !== "offline" && error.code !== "lost") room._refused(error);
    }
  }

  // Resolves with the acknowledgement; rejects with a CollabError.
  request(type, data) {
    if (!this.#socket.connected)
      return Promise.reject(new CollabError("offline", `${type}: there is no connection`));
    return this.#ask(this.#socket.timeout(REQUEST_MS), type, data);
  }

  #ask(socket, type, data) {
    return new Promise((resolve, reject) => {
      socket.emit(type, data, (lost, reply) => {
        if (lost) reject(new CollabError("lost", `${type}: ${lost.message}`));
        else if (reply.ok) resolve(reply);
        else reject(new CollabError(reply.code, reply.message, reply.data));
      });
    });
  }

  // What is published while there is no connection the library keeps, and sends when there is one.
  async publish(type, data, { rooms } = {}) {
    const socket = this.#socket.timeout(0x7fffffff);
    this.#pending++;
    this.#tell();
    try {
      return await this.#ask(socket, "publish", { type, rooms, data });
    } finally {
      this.#pending--;
      this.#tell();
    }
  }

  async signal(type, data, { rooms } = {}) {
    this.#socket.volatile.emit("signal", { type, rooms, data });
  }
}
