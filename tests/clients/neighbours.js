// neighbours.js CHECK REDIS-SOCKET TOKEN URL URL: one check of two gateways beside two Node servers
// of socket.io that have @socket.io/redis-adapter, and a program with @socket.io/redis-emitter, on
// one Redis. Says what it expected and fails when that does not come in time.
"use strict";
const assert = require("assert");
const http = require("http");
const { Buffer } = require("buffer");
const { createAdapter } = require("@socket.io/redis-adapter");
const { Emitter } = require("@socket.io/redis-emitter");
const { createClient } = require("redis");
const { Server } = require("socket.io");
const { io, Manager } = require("socket.io-client");
const WebSocket = require("ws");
const patience = require("./patience.js");

const [check, redisSocket, token, ...urls] = process.argv.slice(2);
let emitter;
let redis;

setTimeout(() => {
  console.error("too late");
  process.exit(1);
}, patience);

function fail(error) {
  console.error(error);
  process.exit(1);
}

async function connectRedis() {
  const client = createClient({ socket: { path: redisSocket } });
  client.on("error", fail);
  return client.connect();
}

async function until(what, condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

// --- servers and clients ---

// A Node server. Its clients say which rooms they want to be in, and answer every question with its
// name.
async function serve(name) {
  const server = http.createServer();
  const all = new Server(server, {
    adapter: createAdapter(await connectRedis(), await connectRedis(), { requestsTimeout: patience }),
  });
  for (const path of ["/", "/admin"])
    all.of(path).on("connection", (socket) => {
      socket.data.server = name;
      socket.on("join", async (rooms, done) => {
        await socket.join(rooms);
        done();
      });
    });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { all, url: `http://127.0.0.1:${server.address().port}` };
}

// What a client hears goes into its log, but for the ends of trials. It answers `question`.
function note(client, socket) {
  client.log = [];
  client.socket = socket;
  socket.onAny((...args) => {
    const done = typeof args[args.length - 1] === "function" ? args.pop() : null;
    if (args[0] === "connection.ack") return;
    if (args[0] === "end") client.ended = args[1];
    else client.log.push(args);
    if (done) done(client.name);
  });
  socket.on("disconnect", (reason) => client.log.push(["disconnect", reason]));
  return new Promise((resolve) => socket.once("connect", resolve));
}

async function nodeClient(name, url, ...rooms) {
  const client = { name };
  await note(client, io(url, { transports: ["websocket"], forceNew: true, reconnection: false }));
  await new Promise((resolve) => client.socket.emit("join", rooms, resolve));
  return client;
}

// Of a gateway.
async function client(name, url, ...rooms) {
  const one = { name };
  const options = { transports: ["websocket"], auth: { token }, forceNew: true, reconnection: false };
  await note(one, io(url, options));
  if (rooms.length)
    assert.strictEqual((await one.socket.emitWithAck("subscribe", { rooms })).ok, true);
  return one;
}

// Of a gateway too, with collab.v1; it logs events as they come.
async function plainClient(name, url, ...rooms) {
  const headers = { Authorization: "Bearer " + token };
  const one = { name, log: [] };
  one.socket = new WebSocket(url.replace("http", "ws") + "/ws", "collab.v1", { headers });
  const ready = new Promise((resolve) => {
    one.socket.on("message", (text) => {
      const event = JSON.parse(text);
      if (event.type === "connection.ack") one.id = event.data.connection;
      else if (event.type === "subscribed") resolve();
      else if (event.type === "end") one.ended = event.data;
      else one.log.push(event);
    });
  });
  one.socket.on("close", (code) => one.log.push(["close", code]));
  await new Promise((resolve) => one.socket.once("open", resolve));
  one.socket.send(JSON.stringify({ type: "subscribe", data: rooms }));
  await ready;
  return one;
}

let trials = 0;

// What was emitted before, by the same, has come to them.
async function settled(by, clients) {
  const end = ++trials;
  by.emit("end", end);
  await until("the end", () => clients.every((one) => one.ended === end));
}

// They have heard this since last asked, and nothing else.
function heard(clients, ...expected) {
  for (const one of clients) {
    assert.deepStrictEqual(one.log, expected, one.name);
    one.log.length = 0;
  }
}

function sorted(list) {
  return [...list].sort();
}

// --- the checks ---

const checks = {
  // Rooms, several, all but some, everybody, one connection.
  async emitter() {
    const [a, b] = [await client("a", urls[0], "room:1", "room:3"), await client("b", urls[1], "room:2")];
    const all = [a, b];
    const data = { text: "ü\u0000\ud83d\ude00", n: [0, -1, 0.5, 1e-7, null, true, 9007199254740991] };
    emitter.to("room:1").emit("one", data, "more", 7);
    await settled(emitter, all);
    heard([a], ["one", data, "more", 7]);
    heard([b]);
    emitter.to(["room:1", "room:2", "room:3"]).emit("both");
    emitter.except("room:3").emit("but", 1);
    emitter.to("room:1").to("room:2").except("room:3").emit("but", 2);
    emitter.to(b.socket.id).emit("you");
    emitter.except(a.socket.id).emit("but you");
    emitter.to("room:9").to("nobody").emit("nobody");
    emitter.emit("everybody", new Date(0), undefined, NaN);
    await settled(emitter, all);
    const everybody = ["everybody", "1970-01-01T00:00:00.000Z", null, null];
    heard([a], ["both"], everybody);
    heard([b], ["both"], ["but", 1], ["but", 2], ["you"], ["but you"], everybody);
    emitter.volatile.compress(false).to("room:1").emit("volatile", 1);
    for (let i = 0; i < 200; i++) emitter.to("room:1").emit("in order", i);
    await settled(emitter, all);
    const many = Array.from({ length: 200 }, (_, i) => ["in order", i]);
    heard([a], ["volatile", 1], ...many);
  },

  async binary() {
    const a = await client("a", urls[0], "room:1");
    const p = await plainClient("p", urls[0], "room:1");
    const bytes = Buffer.from(Array.from({ length: 70000 }, (_, i) => i & 255));
    emitter.to("room:1").emit("bytes", { parts: [bytes, Buffer.alloc(0)] }, Buffer.from("x"));
    await settled(emitter, [a, p]);
    const [[name, { parts }, last]] = a.log;
    assert.strictEqual(name, "bytes");
    assert.ok(bytes.equals(parts[0]) && parts[1].length === 0);
    assert.strictEqual(last.toString(), "x");
    assert.deepStrictEqual(p.log[0].data, {
      parts: [{ $binary: bytes.toString("base64") }, { $binary: "" }],
    });
  },

  // Who speaks no Socket.IO gets the first argument, as an event's data.
  async plain() {
    const p = await plainClient("p", urls[0], "room:1", "room:2");
    emitter.to("room:1").emit("one", { a: 1 }, "more");
    emitter.to(["room:2", "room:1", "odd"]).emit("two");
    emitter.to(p.id).emit("you", 1);
    emitter.emit("x".repeat(129), "no name of an event");
    emitter.of("/admin").emit("elsewhere");
    await settled(emitter, [p]);
    const times = p.log.map(({ time }) => Date.parse(time));
    assert.ok(times.every((time) => Math.abs(time - Date.now()) < 60000));
    const rooms = ["room:2", "room:1"];
    p.log.forEach((event) => delete event.time);
    heard(
      [p],
      { type: "one", room: "room:1", data: { a: 1 } },
      { type: "two", room: "room:2", rooms, data: null },
      { type: "you", data: 1 },
    );
  },

  async rooms() {
    const [a, b] = [await client("a", urls[0], "room:1"), await client("b", urls[1])];
    const p = await plainClient("p", urls[1], "room:3");
    const all = [a, b, p];
    emitter.socketsJoin("room:2");
    emitter.in("room:1").socketsJoin(["room:4", "no room", 5]);
    emitter.except("room:1").socketsLeave("room:2");
    await settled(emitter, all);
    emitter.to("room:2").emit("two");
    emitter.to("room:4").emit("four");
    await settled(emitter, all);
    heard([a], ["two"], ["four"]);
    heard([b, p]);
    emitter.in(p.id).socketsLeave("room:3");
    emitter.in(b.socket.id).socketsJoin("room:2");
    await settled(emitter, all);
    emitter.to("room:3").emit("three");
    await a.socket.emitWithAck("publish", { type: "by a client", room: "room:2", data: 1 });
    await settled(emitter, all);
    heard([p]);
    await until("the event", () => a.log.length && b.log.length);
    heard([a, b], ["by a client", 1]);
  },

  async disconnecting() {
    const a = await client("a", urls[0], "room:1");
    const b = await client("b", urls[1], "room:1", "room:2");
    const p = await plainClient("p", urls[1], "room:3");
    emitter.in("room:1").except("room:2").disconnectSockets();
    emitter.in("room:3").disconnectSockets(true);
    await until("the ends", () => a.log.length && p.log.length);
    heard([a], ["disconnect", "io server disconnect"]);
    heard([p], ["close", 4501]);
    await settled(emitter, [b]);
    heard([b]);
    emitter.disconnectSockets(true);
    await until("the end", () => b.log.length);
    heard([b], ["disconnect", "io server disconnect"]);
  },

  // Out of a namespace, unless it says otherwise; the connection stays, and what else is on it. On a
  // Node server that is so, and here.
  async parting() {
    const [one] = await servers();
    for (const url of [one.url, urls[0]])
      for (const transport of ["websocket", "polling"]) {
        const manager = new Manager(url, { transports: [transport], reconnection: false });
        const [root, admin] = ["/", "/admin"].map((name) => ({ name, log: [] }));
        await Promise.all([root, admin].map((c) => note(c, manager.socket(c.name, { auth: { token } }))));
        const { engine } = manager;
        const gone = ["disconnect", "io server disconnect"];
        for (const by of [emitter, one.all]) {
          by.in(root.socket.id).disconnectSockets();
          await until("the end", () => root.log.length);
          heard([root], gone);
          emitter.of("/admin").emit("here");
          await until("a sign", () => admin.log.length);
          heard([admin], ["here"]);
          assert.strictEqual((await one.all.in(root.socket.id).fetchSockets()).length, 0);
          const back = new Promise((resolve) => root.socket.once("connect", resolve));
          root.socket.connect();
          await back;
          assert.strictEqual(manager.engine, engine);
        }
        const shut = new Promise((resolve) => engine.once("close", resolve));
        emitter.of("/admin").disconnectSockets(true);
        await shut;
        heard([root, admin], gone);
      }
  },

  // Gateways have no handlers: they say nothing, at once.
  async serverSide() {
    const a = await client("a", urls[0], "room:1");
    const [one, two] = await servers();
    two.all.on("question", (n, done) => done(n + 1));
    const told = new Promise((resolve) => two.all.on("told", resolve));
    emitter.serverSideEmit("told", { b: Buffer.from("x").toString() });
    assert.deepStrictEqual(await told, { b: "x" });
    const answers = await one.all.serverSideEmitWithAck("question", 1);
    assert.deepStrictEqual(answers.filter((value) => value !== undefined), [2]);
    assert.strictEqual(answers.length, 3);
    await settled(emitter, [a]);
    heard([a]);
  },

  // Clients of all four servers hear what is said on any of them, once.
  async bothWays() {
    const [one, two] = await servers();
    const nodes = [
      await nodeClient("n1", one.url, "room:1", "room:2"),
      await nodeClient("n2", two.url, "room:1"),
    ];
    const [a, b] = [await client("a", urls[0], "room:1", "room:2"), await client("b", urls[1], "room:1")];
    const p = await plainClient("p", urls[1], "room:1");
    const data = { n: 1, bytes: Buffer.from([1, 2]), text: "ü", big: 9007199254740991, half: 0.5 };
    await a.socket.emitWithAck("publish", { type: "a", room: "room:1", data });
    await a.socket.emitWithAck("publish", { type: "both", rooms: ["room:2", "room:1"], data: 2 });
    p.socket.send(JSON.stringify({ type: "publish", data: { type: "p", room: "room:1", data: 3 } }));
    await until("the last", () => [...nodes, a, b].every((c) => c.log.some(([type]) => type === "p")));
    one.all.to("room:1").emit("n", { from: "node" }, Buffer.from([3]));
    two.all.to(["room:1", "room:2"]).emit("n", 2);
    nodes[0].socket.emit("nothing");
    await settled(one.all, [...nodes, a, b, p]);
    await settled(two.all, [...nodes, a, b, p]);
    const before = [["a", data], ["both", 2], ["p", 3]];
    const from = (log, type) => log.filter(([name]) => name === type);
    for (const { log, name } of [...nodes, a, b]) {
      assert.strictEqual(log.length, 5, name);
      assert.deepStrictEqual(log.slice(0, 3), before, name);
      assert.deepStrictEqual(from(log, "n").length, 2, name);
      assert.ok(from(log, "n").some(([, first, bytes]) => first === 2 && !bytes));
      assert.ok(from(log, "n").some(([, first, bytes]) => first.from === "node" && bytes[0] === 3));
    }
    one.all.to("room:1").except("room:2").emit("but");
    one.all.to(b.socket.id).emit("you");
    one.all.local.emit("local");
    [...nodes, a, b, p].forEach((c) => (c.log.length = 0));
    await settled(one.all, [...nodes, a, b, p]);
    heard([nodes[0]], ["local"]);
    heard([nodes[1]], ["but"]);
    heard([a]);
    heard([b], ["but"], ["you"]);
  },

  // What a server asks is answered by all.
  async requests() {
    const [one, two] = await servers();
    const n = await nodeClient("n", two.url, "room:1");
    const a = await client("a", urls[0], "room:1", "room:2");
    const b = await client("b", urls[1]);
    const ids = async (target) => sorted((await target.fetchSockets()).map(({ id }) => id));
    assert.deepStrictEqual(await ids(one.all), sorted([n.socket.id, a.socket.id, b.socket.id]));
    assert.deepStrictEqual(await ids(one.all.in("room:1")), sorted([n.socket.id, a.socket.id]));
    assert.deepStrictEqual(await ids(one.all.in("room:1").except("room:2")), [n.socket.id]);
    assert.deepStrictEqual(await ids(one.all.in("room:9")), []);
    assert.deepStrictEqual(await ids(one.all.of("/admin")), []);
    const [found] = await one.all.in(a.socket.id).fetchSockets();
    assert.deepStrictEqual(sorted(found.rooms), sorted([a.socket.id, "room:1", "room:2"]));
    assert.deepStrictEqual(found.data, { user: "ann" });
    assert.strictEqual(found.handshake.address, "127.0.0.1");
    assert.ok(!JSON.stringify(found.handshake).includes(token));
    found.emit("found", 1);
    found.join("room:7");
    const rooms = await one.all.of("/").adapter.allRooms();
    for (const room of ["room:1", "room:2", a.socket.id, b.socket.id, n.socket.id])
      assert.ok(rooms.has(room), room);
    const inAdmin = await one.all.of("/admin").adapter.allRooms();
    assert.strictEqual(inAdmin.size, 0);
    one.all.in("room:7").emit("seven");
    await settled(one.all, [a, b, n]);
    heard([a], ["found", 1], ["seven"]);
    one.all.in("room:7").disconnectSockets();
    await until("the end", () => a.log.length);
    heard([a], ["disconnect", "io server disconnect"]);
    heard([b, n]);
  },

  // A server that was killed is not waited for.
  async killed() {
    const [one] = await servers();
    const a = await client("a", urls[0], "room:1");
    process.kill(Number(process.env.VICTIM), "SIGKILL");
    await counted(3);
    const [found] = await one.all.in("room:1").fetchSockets();
    assert.strictEqual(found.id, a.socket.id);
    assert.deepStrictEqual(await one.all.timeout(patience).to("room:1").emitWithAck("who"), ["a"]);
  },

  // A namespace that a new catalog has is listened to from then on.
  async reloaded() {
    const b = { name: "b" };
    await note(b, io(urls[0] + "/new", { auth: { token }, transports: ["websocket"], forceNew: true }));
    const channel = "socket.io-request#/new#";
    await until(channel, async () => (await redis.pubSubNumSub(channel))[channel] === 1);
    emitter.of("/new").emit("new");
    await settled(emitter.of("/new"), [b]);
    heard([b], ["new"]);
  },

  // By servers of before 2020.
  async oldRequests() {
    const a = await client("a", urls[0]);
    const answers = [];
    const subscriber = await connectRedis();
    await subscriber.subscribe("socket.io-response#/#", (text) => answers.push(JSON.parse(text)));
    const ask = (request) => redis.publish("socket.io-request#/#", JSON.stringify(request));
    await ask({ requestId: "q1", type: 2, sid: a.socket.id, room: "room:5" });
    await until("the answer", () => answers.length);
    await ask({ requestId: "q2", type: 0, rooms: ["room:5"] });
    await until("the answers", () => answers.length === 3);
    const empty = { requestId: "q2", sockets: [] };
    const full = { requestId: "q2", sockets: [a.socket.id] };
    assert.deepStrictEqual(answers.shift(), { requestId: "q1" });
    assert.deepStrictEqual(sorted(answers.map(JSON.stringify)), sorted([empty, full].map(JSON.stringify)));
    await ask({ requestId: "q3", type: 3, sid: a.socket.id, room: "room:5" });
    await until("the answer", () => answers.length === 3);
    await ask({ requestId: "q4", type: 4, sid: a.socket.id, close: true });
    await until("the end", () => answers.length === 4 && a.log.length);
    assert.deepStrictEqual(answers.slice(2), [{ requestId: "q3" }, { requestId: "q4" }]);
  },

  // Each client's answer comes to who asked; of those who know no acknowledgements none is awaited.
  async questions() {
    const [one, two] = await servers();
    const n = await nodeClient("n", two.url, "room:1");
    const a = await client("a", urls[0], "room:1");
    const b = await client("b", urls[1], "room:1");
    const p = await plainClient("p", urls[1], "room:1");
    const target = one.all.timeout(patience);
    assert.deepStrictEqual(sorted(await target.to("room:1").emitWithAck("who", 1)), ["a", "b", "n"]);
    assert.deepStrictEqual(await target.to(p.id).emitWithAck("who", 2), []);
    assert.deepStrictEqual(await target.to("room:9").emitWithAck("who", 3), []);
    const [found] = await one.all.in(a.socket.id).fetchSockets();
    assert.strictEqual(await found.timeout(patience).emitWithAck("you", Buffer.from("x")), "a");
    await settled(one.all, [n, a, b, p]);
    heard([a], ["who", 1], ["you", Buffer.from("x")]);
    heard([b, n], ["who", 1]);
    assert.deepStrictEqual(p.log.map(({ type }) => type), ["who", "who"]);
    b.socket.offAny();
    const { id } = b.socket;
    b.socket.io.engine.close();
    await until("the end", async () => !(await one.all.in(id).fetchSockets()).length);
    assert.deepStrictEqual(sorted(await target.to("room:1").emitWithAck("who", 4)), ["a", "n"]);
  },

  async namespaces() {
    const [one] = await servers();
    const a = await client("a", urls[0], "room:1");
    const b = { name: "b" };
    const p = await plainClient("p", urls[1], "room:1");
    await note(b, a.socket.io.socket("/admin", { auth: { token } }));
    await b.socket.emitWithAck("subscribe", { rooms: ["room:1"] });
    const n = await nodeClient("n", one.url + "/admin", "room:1");
    emitter.to("room:1").emit("main");
    emitter.of("/admin").to("room:1").emit("admin");
    one.all.of("/admin").emit("all of admin");
    await a.socket.emitWithAck("publish", { type: "both", room: "room:1", data: 1 });
    await until("the last", () => [a, b, n].every(({ log }) => log.some(([type]) => type === "both")));
    await settled(emitter, [a, p]);
    await settled(emitter.of("/admin"), [b, n]);
    const types = ({ log }) => sorted(log.map(([type]) => type));
    assert.deepStrictEqual(types(a), ["both", "main"]);
    assert.deepStrictEqual(types(b), ["admin", "all of admin", "both"]);
    assert.deepStrictEqual(types(n), ["admin", "all of admin", "both"]);
    assert.deepStrictEqual(sorted(p.log.map(({ type }) => type)), ["both", "main"]);
  },

  // A client that can be recovered keeps the last argument: that has to be the gateway's.
  async recovery() {
    const a = await client("a", urls[0], "room:1");
    const [one] = await servers();
    const n = await nodeClient("n", one.url, "room:1");
    emitter.to("room:1").emit("one", "text");
    await until("the event", () => a.log.length && n.log.length);
    const [[name, text, offset]] = a.log;
    assert.deepStrictEqual([name, text], ["one", "text"]);
    assert.match(offset, /^[a-z2-7]{16}\.[0-9]+$/);
    heard([n], ["one", "text"]);
    const keyed = { type: "kept", room: "room:1", data: 1, key: "k" };
    for (const message of [keyed, keyed, { type: "last", room: "room:1", data: 2 }])
      assert.strictEqual((await a.socket.emitWithAck("publish", message)).ok, true);
    await until("the last", () => n.log.some(([type]) => type === "last"));
    heard([n], ["kept", 1], ["last", 2]);
    const back = new Promise((resolve) => a.socket.once("connect", resolve));
    emitter.in("room:1").socketsJoin("room:2");
    emitter.to("room:2").emit("two");
    await until("the event", () => a.log.some(([type]) => type === "two"));
    a.log.length = 0;
    a.socket.io.reconnection(true);
    a.socket.io.engine.close();
    await back;
    assert.ok(a.socket.recovered);
    emitter.to("room:2").emit("two again");
    await until("the event", () => a.log.some(([type]) => type === "two again"));
  },

  // What collab-emit --socketio publishes, till the event `end`: for a Node server's client, printed.
  async listening() {
    const [one] = await servers();
    const n = await nodeClient("n", one.url, "room:1", "room:2");
    console.log("listening");
    await until("the end", () => n.ended !== undefined);
    for (const args of n.log) console.log(JSON.stringify(args));
  },
};

// Two Node servers, once all four count each other.
async function servers() {
  const both = [await serve("one"), await serve("two")];
  await counted(new Set(urls).size + both.length);
  return both;
}

async function counted(count) {
  for (const nsp of ["/", "/admin"]) {
    const channel = `socket.io-request#${nsp}#`;
    await until(channel, async () => (await redis.pubSubNumSub(channel))[channel] === count);
  }
}

async function main() {
  redis = await connectRedis();
  emitter = new Emitter(redis);
  await counted(new Set(urls).size);
  await checks[check]();
}

main().then(() => process.exit(0), fail);
