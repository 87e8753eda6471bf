// socketio.js CHECK URL [TOKEN]: one check of a gateway, or of eio-echo, by the npm library
// socket.io-client, for the newest release and an early one over each way to connect. Events are
// emitted by collab-emit. Says what it expected and fails when that does not come in time.
"use strict";
const assert = require("assert");
const { spawn } = require("child_process");
const { Buffer } = require("buffer");
const WebSocket = require("ws");
const patience = require("./patience.js");

const [check, url, token] = process.argv.slice(2);
const libraries = ["socket.io-client", "socket.io-client-4.0"];
const ways = [["websocket"], ["polling"], ["polling", "websocket"]];
const opened = [];
let doing = "nothing yet";

const late = setTimeout(() => {
  console.error("too late:", doing);
  process.exit(1);
}, patience);

// --- what the checks are made of ---

function open(way, options = {}, path = "") {
  const { io } = require(way.library);
  const socket = io(url + path, {
    transports: way.transports,
    auth: { token },
    forceNew: true,
    reconnection: false,
    ...options,
  });
  opened.push(socket);
  return socket;
}

function once(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

async function connected(way, options, path) {
  const socket = open(way, options, path);
  socket.once("connect_error", (e) => socket.expectsError || fail(e));
  await once(socket, "connect");
  return socket;
}

function fail(error) {
  console.error(doing, error);
  process.exit(1);
}

function ask(socket, ...args) {
  return new Promise((resolve) => socket.emit(...args, resolve));
}

async function joined(way, ...rooms) {
  const socket = await connected(way);
  assert.deepStrictEqual(await ask(socket, "subscribe", { rooms }), { ok: true, rooms });
  return socket;
}

// The next `count` arguments of an event.
function gather(socket, event, count) {
  const got = [];
  return new Promise((resolve) => {
    socket.on(event, function take(arg) {
      got.push(arg);
      if (got.length < count) return;
      socket.off(event, take);
      resolve(got);
    });
  });
}

function emit(...events) {
  const emitter = spawn("collab-emit", [], { stdio: ["pipe", "inherit", "inherit"] });
  emitter.stdin.end(events.map((e) => (typeof e === "string" ? e : JSON.stringify(e))).join("\n"));
  return once(emitter, "close");
}

// A client of the plain protocol that is in a room.
function plain(room) {
  const headers = { Authorization: "Bearer " + token };
  const socket = new WebSocket(url.replace("http", "ws") + "/ws", ["collab.v1"], { headers });
  opened.push(socket);
  socket.once("open", () => {
    socket.send(JSON.stringify({ type: "subscribe", data: { rooms: [room] } }));
  });
  return new Promise((resolve) => {
    socket.on("message", function look(text) {
      if (JSON.parse(text).type !== "subscribed") return;
      socket.off("message", look);
      resolve(socket);
    });
  });
}

function transport(socket) {
  return socket.io.engine.transport.name;
}

// --- the checks ---

const checks = {
  async token(way) {
    await connected(way);
    await connected(way, { auth: undefined, query: { token } });
    await connected(way, { auth: undefined, extraHeaders: { Authorization: "Bearer " + token } });
    await connected(way, { auth: (done) => setTimeout(done, 5, { token }) });
    await connected(way, { query: { token: "worse than auth.token" } });
  },

  async refused(way) {
    const wrong = [
      ["no.token.really", /not a token|header/],
      ["", /^a token is needed: auth.token/],
      [7, /^auth.token: must be a string$/],
    ];
    for (const [bad, why] of wrong) {
      const socket = open(way, { auth: { token: bad } });
      const [error] = await once(socket, "connect_error");
      assert.match(error.message, why);
      assert.deepStrictEqual(error.data, { code: "unauthenticated" });
      assert.strictEqual(socket.connected, false);
    }
  },

  async acknowledgements(way) {
    const socket = await connected(way);
    const rooms = ["project:p1", "no room"];
    const result = await ask(socket, "subscribe", { rooms });
    assert.strictEqual(result.ok, true);
    assert.deepStrictEqual(result.rooms, ["project:p1"]);
    assert.strictEqual(result.refused[0].code, "bad_room");
    const refusal = await ask(socket, "subscribe", { rooms: ["no room"] });
    assert.strictEqual(refusal.ok, false);
    assert.strictEqual(refusal.code, "bad_room");
    assert.match(refusal.message, /^room "no room"/);
    const unknown = await ask(socket, "no:such", 1, "two");
    assert.strictEqual(unknown.code, "unknown_type");
    const nothing = await ask(socket, "subscribe");
    assert.strictEqual(nothing.ok, false);
    if (socket.emitWithAck) {
      const left = await socket.timeout(patience).emitWithAck("unsubscribe", { rooms: ["project:p1"] });
      assert.deepStrictEqual(left, { ok: true, rooms: ["project:p1"] });
    }
  },

  async events(way) {
    const socket = await joined(way, "project:p1", "project:p2");
    const got = gather(socket, "note", 3);
    await emit(
      '{"type":"note","room":"project:p1","data":{"n":1,"s":"\\u001e \\ud83d\\ude00 \\u0000"}}',
      { type: "note", rooms: ["project:p1", "project:p2"], data: [2, null] },
      { type: "note", room: "project:p3", data: "for others" },
      { type: "connect", room: "project:p1", data: "a reserved name" },
      { type: "note", room: "project:p2" },
    );
    assert.deepStrictEqual(await got, [{ n: 1, s: "\u001e \u{1f600} \0" }, [2, null], null]);
    assert.strictEqual(socket.connected, true);
  },

  // Each sort of client hears what the other publishes.
  async publishing(way) {
    const other = await plain("project:p1");
    const socket = await joined(way, "project:p1");
    const own = once(socket, "note");
    const heard = once(other, "message");
    const note = { type: "note", room: "project:p1", data: { from: "Socket.IO" } };
    assert.strictEqual((await ask(socket, "publish", note)).ok, true);
    assert.deepStrictEqual((await own)[0], note.data);
    assert.deepStrictEqual(JSON.parse((await heard)[0]).data, note.data);
    const back = once(socket, "note");
    other.send(JSON.stringify({ type: "publish", data: { ...note, data: "plain" } }));
    assert.deepStrictEqual((await back)[0], "plain");
  },

  async binary(way) {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const other = await plain("project:p1");
    const socket = await joined(way, "project:p1");
    const heard = once(other, "message");
    const got = once(socket, "file");
    const data = { name: "x", parts: [bytes, Buffer.alloc(0)] };
    const result = await ask(socket, "publish", { type: "file", room: "project:p1", data });
    assert.strictEqual(result.ok, true);
    const [file] = await got;
    assert.deepStrictEqual(Buffer.from(file.parts[0]), bytes);
    assert.strictEqual(Buffer.from(file.parts[1]).length, 0);
    assert.deepStrictEqual(JSON.parse((await heard)[0]).data.parts, [
      { $binary: bytes.toString("base64") },
      { $binary: "" },
    ]);
    const many = gather(socket, "file", 2);
    await emit(
      { type: "file", room: "project:p1", data: { $binary: "AQID" } },
      {
        type: "file",
        room: "project:p1",
        data: [{ $binary: "AQID" }, { _placeholder: true, num: 9 }],
      },
    );
    const [alone, mixed] = await many;
    assert.deepStrictEqual(Buffer.from(alone), Buffer.from([1, 2, 3]));
    assert.deepStrictEqual(mixed[0], { $binary: "AQID" });
    const refusal = await ask(socket, "subscribe", { rooms: [Buffer.from("project:p1")] });
    assert.strictEqual(refusal.code, "bad_room");
  },

  async namespaces(way) {
    const main = await joined(way, "project:p1");
    const admin = main.io.socket("/admin", { auth: { token } });
    await once(admin, "connect");
    assert.notStrictEqual(admin.id, main.id);
    const nowhere = main.io.socket("/nowhere", { auth: { token } });
    const [error] = await once(nowhere, "connect_error");
    assert.strictEqual(error.message, "Invalid namespace");
    assert.strictEqual((await ask(admin, "subscribe", { rooms: ["project:p2"] })).ok, true);
    const inMain = gather(main, "note", 1);
    const inAdmin = gather(admin, "note", 1);
    await emit(
      { type: "note", room: "project:p1", data: "main" },
      { type: "note", room: "project:p2", data: "admin" },
    );
    assert.deepStrictEqual(await inMain, ["main"]);
    assert.deepStrictEqual(await inAdmin, ["admin"]);
    admin.disconnect();
    assert.strictEqual((await ask(main, "unsubscribe", { rooms: ["project:p1"] })).ok, true);
  },

  // The second argument, with what the event says beside its data.
  async meta(way) {
    const socket = await joined(way, "project:p1");
    const got = once(socket, "note");
    await emit({ type: "note", room: "project:p1", user: "bob", version: 3, data: 1 });
    const [data, meta] = await got;
    assert.strictEqual(data, 1);
    assert.strictEqual(meta.room, "project:p1");
    assert.strictEqual(meta.user, "bob");
    assert.strictEqual(meta.version, 3);
  },

  async disconnecting(way) {
    const socket = await connected(way);
    const reason = once(socket, "disconnect");
    const closed = once(socket.io.engine, "close");
    socket.disconnect();
    assert.deepStrictEqual((await reason)[0], "io client disconnect");
    await closed;
    socket.connect();
    await once(socket, "connect");
  },

  // At a short interval: many pings, and the client is still there.
  async heartbeat(way) {
    const socket = await connected(way);
    for (let i = 0; i < 5; i++) await once(socket.io.engine, "pong");
    assert.strictEqual(socket.connected, true);
  },

  // Nothing is lost or out of order while the client goes from polling to WebSocket.
  async order(way) {
    const socket = await joined(way, "project:p1");
    const count = 2000;
    const got = gather(socket, "step", count);
    const events = Array.from({ length: count }, (_, data) => ({
      type: "step",
      room: "project:p1",
      data,
    }));
    await emit(...events);
    (await got).forEach((n, i) => assert.strictEqual(n, i));
    assert.strictEqual(transport(socket), way.transports[way.transports.length - 1]);
  },

  async large(way) {
    const socket = await joined(way, "project:p1");
    const got = once(socket, "note");
    const data = "x\u00e9".repeat(60000);
    await emit({ type: "note", room: "project:p1", data });
    assert.deepStrictEqual((await got)[0], data);
    const gone = once(socket, "disconnect");
    socket.emit("publish", "x".repeat(300 * 1024));
    assert.match((await gone)[0], /^transport (close|error)$/);
  },

  // A message of the catalog's that closes.
  async close(way) {
    const socket = await connected(way, { reconnection: true });
    const gone = once(socket, "disconnect");
    socket.emit("goodbye");
    assert.strictEqual((await gone)[0], "io server disconnect");
    assert.strictEqual(socket.active, false);
  },

  // Against eio-echo.
  async echo(way) {
    const main = open(way);
    const auth = once(main, "auth");
    assert.deepStrictEqual(await auth, [{ token }]);
    const bytes = Buffer.from([1, 2, 3]);
    const [answer] = [await new Promise((r) => main.emit("message-with-ack", 1, bytes, (...a) => r(a)))];
    assert.deepStrictEqual([answer[0], Buffer.from(answer[1])], [1, bytes]);
    const back = once(main, "message-back");
    main.emit("message", { a: [bytes] }, "two");
    const [first, second] = await back;
    assert.deepStrictEqual([Buffer.from(first.a[0]), second], [bytes, "two"]);
    const custom = main.io.socket("/custom");
    await once(custom, "connect");
    const gone = once(main, "disconnect");
    custom.emit("go");
    await once(custom, "disconnect");
    assert.notStrictEqual((await gone)[0], "io client disconnect");
  },
};

// Until the word on standard input: then all that is asked for must have come again.
async function reconnecting() {
  const sockets = [];
  for (const library of libraries)
    for (const transports of ways)
      sockets.push(await connected({ library, transports }, { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 }));
  sockets.forEach((s) => (s.expectsError = true));
  const back = sockets.map(async (s) => {
    await once(s, "disconnect");
    await once(s, "connect");
  });
  console.log("connected");
  await Promise.all(back);
}

async function run() {
  for (const library of libraries) {
    for (const transports of ways) {
      doing = `${check}: ${library}, ${transports}`;
      await checks[check]({ library, transports });
      for (const socket of opened.splice(0)) socket.close();
    }
  }
}

(check === "reconnecting" ? reconnecting() : run())
  .then(() => process.exit(0), fail);
