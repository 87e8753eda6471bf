// recovery.js CHECK URL [URL] TOKEN [COUNT]: recovery of Socket.IO sessions, by npm's socket.io-client.
// `storm` has COUNT clients in several rooms, to which collab-emit publishes all the while; says
// `connected`, and is to be cut off then; its clients come back to the second URL. Each must be
// recovered, and have had each event of its rooms once and in order. The others are checks of one
// client. Fails when that does not come in time.
"use strict";
const assert = require("assert");
const { execFileSync, spawn } = require("child_process");
const { io } = require("socket.io-client");
const patience = require("./patience.js");

const [check, ...operands] = process.argv.slice(2);
const count = check === "storm" ? Number(operands.pop()) : 0;
const token = operands.pop();
const [url, next = url] = operands;
const rooms = 8;
let doing = "nothing yet";

const late = setTimeout(() => fail("too late"), patience);

function fail(why) {
  console.error(doing, why);
  process.exit(1);
}

function once(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

function ask(socket, ...args) {
  return new Promise((resolve) => socket.emit(...args, resolve));
}

function open(options = {}) {
  return io(url, {
    auth: { token },
    transports: ["websocket"],
    forceNew: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 300,
    ...options,
  });
}

async function joined(list, options) {
  const socket = open(options);
  await once(socket, "connect");
  assert.ok(!socket.recovered);
  assert.strictEqual((await ask(socket, "subscribe", { rooms: list })).ok, true);
  return socket;
}

// --- the emitter ---

const emitter = spawn("collab-emit", [], { stdio: ["pipe", "inherit", "inherit"] });
const emitted = {};

function emit(room, more = {}) {
  const n = (emitted[room] = (emitted[room] || 0) + 1);
  const event = { type: "step", room, data: { room, n }, ...more };
  emitter.stdin.write(JSON.stringify(event) + "\n");
}

// --- many ---

// What a client had of each room: the next must be the one after.
function follow(client) {
  client.had = {};
  client.socket.on("step", ({ room, n }) => {
    if (n !== (client.had[room] || 0) + 1)
      fail(`client ${client.index}: ${room}: ${n} after ${client.had[room]}`);
    client.had[room] = n;
    if (client.wanted) client.wanted();
  });
}

async function newClient(index) {
  // One in five hears nothing before it is cut off.
  const quiet = index % 5 === 0;
  const own = `project:p${index % rooms}`;
  const client = { index, rooms: quiet ? ["project:quiet"] : [own, "project:all"] };
  client.socket = await joined(client.rooms, { transports: index % 3 ? ["websocket"] : ["polling", "websocket"] });
  follow(client);
  return client;
}

function hasAll(client) {
  return client.rooms.every((room) => client.had[room] === emitted[room]);
}

function all(client) {
  return new Promise((resolve) => {
    client.wanted = () => hasAll(client) && resolve();
    client.wanted();
  });
}

async function storm() {
  const clients = [];
  let lost = 0, back = 0;
  for (let i = 0; i < count; i += 50)
    clients.push(...(await Promise.all(Array.from({ length: Math.min(50, count - i) }, (_, k) => newClient(i + k)))));
  const returned = clients.map(async ({ index, socket }) => {
    const id = socket.id;
    await once(socket, "disconnect");
    socket.io.uri = next;
    lost++;
    await once(socket, "connect");
    back++;
    if (!socket.recovered || socket.id !== id) fail(`client ${index} was not recovered`);
  });
  let turn = 0;
  const timer = setInterval(() => {
    emit(`project:p${turn++ % rooms}`);
    emit("project:all");
    if (lost > 0) emit("project:quiet");
    doing = `${clients.length} clients, ${lost} lost, ${back} back`;
  }, 20);
  await Promise.race(clients.slice(1, 5).map((c) => once(c.socket, "step")));
  console.log("connected");
  await Promise.all(returned);
  clearInterval(timer);
  emit("project:all");
  emit("project:quiet");
  await Promise.all(clients.map(all));
}

// --- one ---

// The connection breaks, something happens, and the client comes back.
async function again(socket, meanwhile) {
  socket.io.reconnection(false);
  socket.io.engine.close();
  await meanwhile();
  socket.io.reconnection(true);
  socket.connect();
  await Promise.race([once(socket, "connect"), once(socket, "connect_error").then(([e]) => fail(e))]);
}

const checks = {
  // What is published while it is away comes before what is published then.
  async away() {
    const socket = await joined(["project:p1", "project:p2"]);
    const heard = [];
    socket.on("step", ({ room, n }) => heard.push(`${room.slice(8)} ${n}`));
    const first = once(socket, "step");
    emit("project:p1");
    const args = await first;
    assert.match(args[1], /^[a-z2-7]{16}\.\d+$/);
    const live = once(socket, "live");
    emitter.stdin.write('{"type":"live","room":"project:p1","data":"no offset"}\n');
    assert.match((await live)[1], /^[a-z2-7]{16}\.\d+$/);
    await again(socket, async () => {
      const other = await joined(["project:p1", "project:p2"]);
      const there = new Promise((r) => other.on("step", ({ room, n }) => room === "project:p2" && n === 2 && r()));
      for (const room of ["p1", "p2", "p1", "p2"]) emit(`project:${room}`);
      await there;
    });
    assert.strictEqual(socket.recovered, true);
    const last = new Promise((r) => socket.on("step", ({ n }) => n === 9 && r()));
    emitted["project:p1"] = 8;
    emit("project:p1");
    await last;
    for (const [room, wanted] of [["p1", "1,2,3,9"], ["p2", "1,2"]])
      assert.strictEqual(heard.filter((h) => h.startsWith(room)).map((h) => h.slice(3)).join(), wanted);
  },

  async trimmed() {
    const socket = await joined(["short:s1", "project:p1"]);
    const first = once(socket, "step");
    emit("short:s1");
    await first;
    const { id } = socket;
    await again(socket, async () => {
      const other = await joined(["short:s1"]);
      const there = new Promise((r) => other.on("step", ({ n }) => n === 300 && r()));
      for (let i = 0; i < 299; i++) emit("short:s1");
      await there;
    });
    assert.strictEqual(socket.recovered, false);
    assert.notStrictEqual(socket.id, id);
  },

  async forgotten() {
    const socket = await joined(["project:p1"]);
    const first = once(socket, "step");
    emit("project:p1");
    await first;
    await again(socket, () => once(spawn("redis-cli", ["-s", process.env.REDIS_SOCKET, "flushall"]), "close"));
    assert.strictEqual(socket.recovered, false);
    assert.strictEqual((await ask(socket, "subscribe", { rooms: ["project:p1"] })).ok, true);
  },

  // Its node ends, and another takes over the port.
  async restarted() {
    const socket = await joined(["project:p1"]);
    console.log("connected");
    await once(socket, "disconnect");
    await once(socket, "connect");
    assert.strictEqual(socket.recovered, true);
  },

  // A client that went by itself begins anew.
  async left() {
    const socket = await joined(["project:p1"]);
    const { id, _pid } = socket;
    socket.disconnect();
    socket.connect();
    await once(socket, "connect");
    assert.strictEqual(socket.recovered, false);
    assert.notStrictEqual(socket.id, id);
    assert.notStrictEqual(socket._pid, _pid);
  },

  // And so does one who is told to go for good.
  async dismissed() {
    const socket = await joined(["project:p1"]);
    const { id, _pid } = socket;
    const gone = once(socket, "disconnect");
    execFileSync("collab-kick", ["--quiet", "--connection", id]);
    assert.deepStrictEqual((await gone)[0], "io server disconnect");
    socket.connect();
    await once(socket, "connect");
    assert.strictEqual(socket.recovered, false);
    assert.notStrictEqual(socket.id, id);
    assert.notStrictEqual(socket._pid, _pid);
  },

  // Whoever has learnt the private id still needs the user's token, and what the client says need
  // not be true.
  async strangers() {
    const owner = await joined(["project:p1"]);
    const heard = once(owner, "step");
    emit("project:p1");
    await heard;
    const pid = owner._pid;
    const offset = owner._lastOffset;
    const [run] = offset.split(".");
    const wrong = [
      { token: next, pid, offset },
      { token, pid: "a".repeat(32), offset },
      { token, pid, offset: "nonsense" },
      { token, pid, offset: `${run}.-1` },
      { token, pid, offset: `${run}.` },
      { token, pid, offset: `${"b".repeat(16)}.1` },
      { token, pid: pid + '"', offset },
      { token, pid: 7, offset: {} },
    ];
    for (const auth of wrong) {
      const socket = open({ auth });
      await once(socket, "connect");
      assert.strictEqual(socket.recovered, false);
      assert.notStrictEqual(socket.id, owner.id);
      assert.notStrictEqual(socket._pid, pid);
      socket.disconnect();
    }
    const refused = open({ auth: { token: "no.token.really", pid, offset } });
    const [error] = await once(refused, "connect_error");
    assert.deepStrictEqual(error.data, { code: "unauthenticated" });
  },

  // Where the catalog keeps nothing, nothing is promised.
  async off() {
    const socket = await joined(["project:p1"]);
    const heard = once(socket, "step");
    emit("project:p1");
    assert.strictEqual((await heard).length, 1);
    assert.strictEqual(socket._pid, undefined);
  },
};

(check === "storm" ? storm() : checks[check]()).then(() => process.exit(0), fail);
