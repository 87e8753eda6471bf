// What the checks of the systems for Socket.IO are made of: users who connect by the npm library
// socket.io-client and wait for what must come, and the application's own back end, by the tools.
// A file of checks hands them to run(); its arguments are CHECK URL..., a URL for each node.
"use strict";
const assert = require("assert");
const { spawn } = require("child_process");
const fs = require("fs");
const jwt = require("jsonwebtoken");
const { io } = require("socket.io-client");
const patience = require("./patience.js");

const [check, ...urls] = process.argv.slice(2);
const users = [];

// Checks share the nodes, and nothing else: every name is a check's own.
const id = (name) => `${name}-${check}`;

function fail(...why) {
  console.error(`${check}:`, ...why);
  for (const u of users) console.error(`${u.name} has`, JSON.stringify(u.events.map((e) => [e.type, ...e.args])));
  process.exit(1);
}

function token(claims) {
  const key = fs.readFileSync(process.env.KEY_FILE, "utf8").trim();
  return jwt.sign(claims, key, { noTimestamp: true });
}

function once(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

// Whether a value has at least what is asked for: of objects the members, of all else itself.
function isLike(value, like) {
  if (typeof like !== "object" || like === null || Array.isArray(like)) {
    try {
      assert.deepStrictEqual(value, like);
      return true;
    } catch {
      return false;
    }
  }
  return typeof value === "object" && value !== null &&
    Object.keys(like).every((key) => isLike(value[key], like[key]));
}

class User {
  constructor(name, socket) {
    this.name = name;
    this.socket = socket;
    this.events = []; // that came and were not yet waited for
    this.wanted = null;
    socket.onAny((type, ...args) => {
      this.events.push({ type, args });
      this.look();
    });
    users.push(this);
  }

  look() {
    if (!this.wanted) return;
    const { type, like, resolve } = this.wanted;
    const at = this.events.findIndex((e) => e.type === type && isLike(e.args[0], like));
    if (at < 0) return;
    this.wanted = null;
    resolve(this.events.splice(at, 1)[0].args);
  }

  // The next event of a type whose data is like this: its data. args() has all of its arguments.
  async hears(type, like = {}) {
    return (await this.args(type, like))[0];
  }
  args(type, like = {}) {
    return new Promise((resolve) => {
      this.wanted = { type, like, resolve };
      setTimeout(() => this.wanted?.resolve === resolve && fail(`${this.name} waits for`, type, like), patience / 2).unref();
      this.look();
    });
  }

  // Of these types nothing has come but what was waited for. Say before that what might have come
  // has: by something that came later.
  heardNo(...types) {
    const more = this.events.filter((e) => types.includes(e.type) || !types.length);
    if (more.length) fail(`${this.name} heard`, JSON.stringify(more));
  }

  says(type, ...args) {
    this.socket.emit(type, ...args);
  }
  asks(type, ...args) {
    return this.socket.timeout(patience / 2).emitWithAck(type, ...args);
  }
  // Asks and is not refused; is refused with this code.
  async does(type, data) {
    const reply = await this.asks(type, data);
    if (!reply.ok) fail(`${this.name}: ${type}:`, reply);
    return reply;
  }
  async mayNot(code, type, data) {
    const reply = await this.asks(type, data);
    assert.strictEqual(reply.ok, false, `${this.name}: ${type}`);
    assert.strictEqual(reply.code, code, reply.message);
    return reply;
  }
  leaves() {
    this.socket.disconnect();
  }
}

function open(options, url = urls[0]) {
  return io(url, { transports: ["websocket"], forceNew: true, reconnection: false, ...options });
}

// A user who has connected, with a token of these claims.
async function connect(name, url = urls[0], claims = {}, options = {}) {
  const socket = open({ auth: { token: token({ sub: name, ...claims }) }, ...options }, url);
  const user = new User(name, socket);
  socket.on("connect_error", (e) => user.mayFail || fail(name, e));
  await once(socket, "connect");
  return user;
}

// Why a client is not let in.
async function refusal(options, url) {
  const socket = open(options, url);
  socket.on("connect", () => fail("connected"));
  const [error] = await once(socket, "connect_error");
  assert.strictEqual(socket.active, false);
  socket.close();
  return error.message;
}

// --- the back end ---

// Runs a tool: its exit status and what it printed.
async function tool(command, args, input = "") {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  const out = { text: "", errors: "" };
  child.stdout.on("data", (data) => (out.text += data));
  child.stderr.on("data", (data) => (out.errors += data));
  child.stdin.on("error", () => {}); // one that has its options wrong reads nothing
  child.stdin.end(input);
  [out.status] = await once(child, "close");
  return out;
}

// Emits events, by type and data alone: the catalog finds the rooms.
async function emit(...events) {
  const done = await tool("collab-emit", ["--receipts"], events.map((e) => JSON.stringify(e)).join("\n"));
  if (done.status) fail("collab-emit", events, done.errors);
  return done.text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}
function event(type, data, more = {}) {
  return emit({ type, data, ...more });
}

async function member(...args) {
  const done = await tool("collab-member", ["-q", ...args]);
  if (done.status) fail("collab-member", args, done.errors);
}

async function get(path, url = urls[0]) {
  return (await fetch(url + path)).text();
}
async function waitUntil(what, condition) {
  const end = Date.now() + patience / 2;
  while (Date.now() < end) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  fail("waited in vain until", what);
}

// The first code below "A client" in a system's README, as a function of io and the names that it
// leaves open, with another URL.
function readme(system, url, ...names) {
  const text = fs.readFileSync(`${__dirname}/../../examples/${system}/README.md`, "utf8");
  const lines = text.split("\n## A client\n")[1].split("\n");
  const begin = lines.findIndex((line) => line.startsWith("    "));
  const count = lines.slice(begin).findIndex((line) => line && !line.startsWith("    "));
  const code = lines.slice(begin, begin + count).join("\n").replace("http://127.0.0.1:4000", url);
  const send = code.includes("function send(") ? "send" : "null";
  const make = new Function("io", ...names, `${code}\nreturn { socket, send: ${send} };`);
  return (...values) => make(io, ...values);
}

function run(checks) {
  setTimeout(() => fail("too late"), patience).unref();
  checks[check](...urls).then(() => process.exit(0), fail);
}

module.exports = {
  User, connect, emit, event, fail, get, id, member, once, open, readme, refusal, run, token, tool, waitUntil,
};
