// tenants.js STEPS SEED TOKENS URL...: random joins, leaves, memberships and events of three tenants,
// held against a simple model. TOKENS has a line for each user, "TENANT USER TOKEN". Each client must
// get exactly the events of the rooms that it is in, and nothing of another tenant, ever.
"use strict";
const { spawn } = require("child_process");
const fs = require("fs");
const readline = require("readline");
const WebSocket = require("ws");

const [steps, seed, tokens, ...urls] = process.argv.slice(2);
const TENANTS = ["t1", "t2", "t3"];
let state = Number(seed);

// Marsaglia's xorshift: the same steps for the same seed.
function random(n) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % n;
}
const pick = (list) => list[random(list.length)];

const rooms = TENANTS.flatMap((t) =>
  [`tenant:${t}`, `tenant:${t}:project:p1`, `tenant:${t}:project:p2`, `tenant:${t}:channel:c1`]);
const members = new Map(rooms.map((room) => [room, new Set()]));

// A tool that answers each line that it reads by a line.
class Tool {
  constructor(...command) {
    const child = spawn(command[0], command.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
    this.input = child.stdin;
    this.answers = [];
    this.child = child;
    readline.createInterface({ input: child.stdout }).on("line", () => this.answers.shift()());
  }
  ask(document) {
    this.input.write(JSON.stringify(document) + "\n");
    return new Promise((resolve) => this.answers.push(resolve));
  }
}

class Client {
  constructor(line, url) {
    [this.tenant, this.user, this.token] = line.split(" ");
    this.joined = new Set();
    this.got = new Set();
    this.expected = new Set();
    this.replies = new Map();
    this.refs = 0;
    this.socket = new WebSocket(url, { headers: { Authorization: "Bearer " + this.token } });
    this.socket.on("message", (data) => this.receive(JSON.parse(data)));
    this.socket.on("close", (code) => fail(`${this.user}: closed with ${code}`));
    this.welcome = new Promise((resolve) => (this.welcomed = resolve));
  }
  receive(message) {
    if (message.type === "hello") this.welcomed();
    else if (message.ref !== undefined) this.replies.get(message.ref)(message);
    else if (message.type === "probe") this.take(message);
  }
  take(message) {
    if (!message.room.startsWith(`tenant:${this.tenant}`) && !message.room.startsWith("user:"))
      fail(`${this.user} of ${this.tenant} got an event of ${message.room}`);
    if (this.got.has(message.data.n)) fail(`${this.user} got ${message.data.n} twice`);
    this.got.add(message.data.n);
  }
  ask(type, data) {
    const ref = ++this.refs;
    this.socket.send(JSON.stringify({ type, data, ref }));
    return new Promise((resolve) => this.replies.set(ref, resolve));
  }
  may(room) {
    return room === `user:${this.user}` || members.get(room)?.has(this.user) ||
      room === `tenant:${this.tenant}:channel:c1`; // its token's grant
  }
}

function fail(why) {
  console.error(why);
  process.exit(1);
}

async function join(c) {
  await arrive();
  const room = random(10) ? pick(rooms) : pick([`tenant:${c.tenant}:*`, "tenant:*", "*", "tenant"]);
  const reply = await c.ask("subscribe", [room]);
  const done = reply.type === "subscribed" && reply.data.rooms.includes(room);
  if (done !== Boolean(c.may(room)))
    fail(`${c.user}, ${room}: ${JSON.stringify(reply)}, though may is ${c.may(room)}`);
  if (done) c.joined.add(room);
}

async function leave(c) {
  await arrive();
  const room = pick(rooms);
  await c.ask("unsubscribe", [room]);
  c.joined.delete(room);
}

async function grant(c) {
  const room = pick(rooms.filter((r) => r.startsWith(`tenant:${c.tenant}`)));
  if (members.get(room).has(c.user)) return;
  await member.ask({ op: "add", room, user: c.user });
  members.get(room).add(c.user);
}

async function revoke(c) {
  const [room, set] = pick([...members].filter(([, s]) => s.has(c.user)).concat([[]]));
  if (!room) return;
  await member.ask({ op: "remove", room, user: c.user });
  set.delete(c.user);
  for (const other of clients)
    if (other.user === c.user && !other.may(room)) other.joined.delete(room);
}

let events = 0;
let underWay = false; // an event is
async function emit() {
  underWay = true;
  const to = [...new Set([pick(rooms), pick(rooms)])].slice(0, 1 + random(2));
  const n = ++events;
  await emitter.ask({ type: "probe", rooms: to, data: { n } });
  for (const c of clients) if (to.some((room) => c.joined.has(room))) c.expected.add(n);
}

// To a user, who has a client on each node: all that was published before has come when this has.
async function mark(user) {
  const n = ++events;
  const all = clients.filter((c) => c.user === user);
  for (const c of all) c.expected.add(n);
  await emitter.ask({ type: "probe", rooms: [`user:${user}`], data: { n } });
  while (!all.every((c) => c.got.has(n))) await new Promise((resolve) => setImmediate(resolve));
}

// What was published just before somebody comes or goes may still be on its way to the node, and be
// delivered to who is there by then: so it is waited for. Of rights that go nothing is waited for.
async function arrive() {
  if (!underWay) return;
  underWay = false;
  await mark(clients[0].user);
}

async function settle() {
  for (const c of clients) await mark(c.user);
  for (const c of clients) {
    const more = [...c.got].filter((n) => !c.expected.has(n));
    const less = [...c.expected].filter((n) => !c.got.has(n));
    if (more.length || less.length) fail(`${c.user}: got ${more} too much, lacks ${less}`);
  }
}

const member = new Tool("collab-member", "load");
const emitter = new Tool("collab-emit", "--receipts", "-q");
const clients = fs.readFileSync(tokens, "utf8").split("\n").filter(Boolean)
  .flatMap((line, i) => [new Client(line, urls[i % urls.length]),
    new Client(line, urls[(i + 1) % urls.length])]);

async function main() {
  await Promise.all(clients.map((c) => c.welcome));
  for (let i = 0; i < Number(steps); i++) {
    await pick([join, join, join, leave, grant, grant, revoke, emit, emit, emit])(pick(clients));
    if (i % 500 === 499) await settle();
  }
  await settle();
  const delivered = clients.reduce((sum, c) => sum + c.got.size, 0);
  console.log(`${steps} steps, ${events} events, ${delivered} deliveries`);
  process.exit(0);
}
main();
