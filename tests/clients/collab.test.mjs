// Tests of examples/web/collab.js against a real gateway.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { afterEach, test } from "node:test";
import WebSocket from "ws";
import { BEGINNING, Client, CollabError } from "../../examples/web/collab.js";
import { Gateway, catalog, token, until } from "./gateway.mjs";

const started = [];
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await (one.stop ?? one.close).call(one);
});

async function gateway(...options) {
  const g = await new Gateway(...options).start();
  started.push(g);
  return g;
}

function client(g, options = {}) {
  const c = new Client({ url: g.url, token: token("ann"), WebSocket, random: () => 0, ...options });
  started.push(c);
  return c;
}

function online(c) {
  return until(() => c.status.state === "online", "a connection");
}

function states(c) {
  const seen = [];
  c.onStatus(({ state }) => seen.at(-1) !== state && seen.push(state));
  return seen;
}

test("it shows its token and learns who it is", async () => {
  const c = client(await gateway("--node", "n1"));
  const seen = states(c);
  assert.equal(c.status.state, "closed");
  c.connect();
  c.connect();
  await online(c);
  assert.deepEqual(seen, ["connecting", "online"]);
  assert.equal(c.user, "ann");
  assert.equal(c.node, "n1");
  assert.match(c.connection, /^[a-z2-7]{16}$/);
});

test("events reach the handlers of their type, of a family, and of the room", async () => {
  const c = client(await gateway());
  const heard = [];
  const room = c.room("project:p1");
  room.on("task:moved", (e) => heard.push(["room", e.data.n]));
  c.on("task:moved", (e) => heard.push(["type", e.data.n]));
  c.on("task:*", (e) => heard.push(["family", e.data.n]));
  c.room("project:p2").on("*", () => heard.push("another room"));
  const off = c.on("*", () => heard.push("all"));
  c.connect();
  await room.join();
  off();
  await room.publish("task:moved", { taskId: "t1", projectId: "p1", n: 1 });
  await until(() => heard.length === 3, "three handlers");
  assert.deepEqual(heard, [["room", 1], ["type", 1], ["family", 1]]);
});

// In a process of its own: a test runner takes what nobody caught for its own matter.
test("a handler that fails keeps nobody else from hearing", () => {
  const script = `
    import { Client } from "./examples/web/collab.js";
    process.on("uncaughtException", (error) => console.log(error.message));
    const client = new Client({ url: "ws://127.0.0.1:1", WebSocket: class { close() {} } });
    client.onStatus(() => { throw new Error("mine"); });
    client.onStatus((status) => console.log(status.state));
    client.connect();
    setImmediate(() => process.exit());
  `;
  const root = new URL("../..", import.meta.url);
  const options = { cwd: root, input: script, encoding: "utf8" };
  const { stdout } = spawnSync(process.execPath, ["--input-type=module"], options);
  assert.equal(stdout, "connecting\nmine\n");
});

test("requests resolve and reject by their ref", async () => {
  const c = client(await gateway());
  await assert.rejects(c.request("ping"), { code: "offline" });
  c.connect();
  await online(c);
  const all = await Promise.allSettled([
    c.request("subscribe", { rooms: ["project:p1"] }),
    c.request("subscirbe"),
    c.request("ping"),
  ]);
  assert.deepEqual(all[0].value.rooms, ["project:p1"]);
  assert.ok(all[1].reason instanceof CollabError);
  assert.equal(all[1].reason.code, "unknown_type");
  assert.equal(all[2].status, "fulfilled");
});

test("a room that is refused says why, and the others are joined", async () => {
  const c = client(await gateway(), { token: token("ann", { rooms: ["team:*"] }) });
  const joined = c.room("team:t1").join();
  const refused = c.room("secret:s1").join();
  c.connect();
  await joined;
  await assert.rejects(refused, { code: "forbidden" });
  await assert.rejects(c.room("secret:s2").join(), { code: "forbidden" });
});

test("a room is left when all who joined it have left it", async () => {
  const c = client(await gateway());
  const room = c.room("r:1");
  let heard = 0;
  c.on("x", () => heard++);
  c.connect();
  await Promise.all([room.join(), room.join()]);
  room.leave();
  await room.publish("x");
  await until(() => heard === 1, "the event");
  room.leave();
  await room.publish("x");
  await c.request("ping");
  assert.equal(heard, 1);
});

test("it comes back to a gateway that was away, is in its rooms again and says that it missed", async () => {
  const rooms = { "*": { history: { length: 0 } } };
  const g = await gateway("--catalog", catalog({ rooms, events: { "*": {} } }));
  const c = client(g);
  const room = c.room("r:1");
  const seen = states(c);
  const heard = [];
  let gaps = 0;
  room.on("x", (e) => heard.push(e.data));
  room.onGap(() => gaps++);
  c.connect();
  await room.join();
  assert.equal(gaps, 0);
  await g.stop("SIGKILL");
  await until(() => c.status.state !== "online", "the loss");
  await g.start();
  await online(c);
  await until(() => g.isWhole());
  await room.publish("x", 1);
  await until(() => heard.length === 1, "the event");
  assert.equal(gaps, 1);
  assert.equal(seen[2], "waiting");
});

test("kept events that were missed come on return, once and in order, and no gap is told", async () => {
  const [g, other] = [await gateway(), await gateway()];
  const [a, b] = [client(g), client(other, { token: token("bob") })];
  const heard = [];
  let gaps = 0;
  a.room("task:t1").on("comment:created", (e) => heard.push(e.data.n));
  a.room("task:t1").onGap(() => gaps++);
  a.connect();
  b.connect();
  await a.room("task:t1").join();
  const say = (n) => b.publish("comment:created", { taskId: "t1", commentId: `c${n}`, n });
  await say(1);
  await until(() => heard.length === 1, "the first");
  await g.stop("SIGKILL");
  await until(() => a.status.state !== "online", "the loss");
  for (const n of [2, 3, 4]) await say(n);
  await g.start();
  await online(a);
  await say(5);
  await until(() => heard.length >= 5, "all");
  assert.deepEqual(heard, [1, 2, 3, 4, 5]);
  assert.equal(gaps, 0);
});

test("the whole history of a room, for who comes first", async () => {
  const g = await gateway();
  const [a, b] = [client(g), client(g, { token: token("bob") })];
  const heard = [];
  a.connect();
  for (const n of [1, 2]) await a.publish("comment:created", { taskId: "t2", commentId: `c${n}`, n });
  const joined = new Promise((resolve) => b.room("task:t2").onJoined(resolve));
  b.room("task:t2").on("*", (e) => heard.push(e.data.n));
  b.room("task:t2").join({ since: BEGINNING });
  b.connect();
  assert.equal(await joined, true);
  assert.deepEqual(heard, [1, 2]);
});

test("an event that is published twice under one key is one", async () => {
  const c = client(await gateway());
  const heard = [];
  c.room("task:t3").on("*", (e) => heard.push(e.data.n));
  c.connect();
  await c.room("task:t3").join();
  const say = (n, key) => c.publish("comment:created", { taskId: "t3", commentId: "c", n }, { key });
  const [first, again] = [await say(1, "k1"), await say(1, "k1")];
  await say(2, "k2");
  await until(() => heard.length === 2, "both");
  assert.deepEqual(heard, [1, 2]);
  assert.deepEqual(first.ids, again.ids);
});

test("back-off doubles up to thirty seconds, and random() says where in it", async () => {
  const delays = [];
  const c = client({ url: "ws://127.0.0.1:1/ws" }, { random: () => 0.02 });
  c.onStatus((s) => s.retryAt && delays.push(Math.round((s.retryAt - Date.now()) / 20)));
  c.connect();
  await until(() => delays.length >= 8, "eight attempts");
  assert.deepEqual(delays.slice(0, 8), [1, 2, 4, 8, 16, 30, 30, 30]);
});

test("what is published offline waits, and goes in order", async () => {
  const g = await gateway();
  const a = client(g);
  const b = client(g, { token: token("bob") });
  const heard = [];
  b.on("x", (e) => heard.push(e.data));
  b.connect();
  await b.room("r:1").join();
  const sent = [1, 2, 3].map((n) => a.publish("x", n, { rooms: ["r:1"] }));
  assert.equal(a.status.pending, 3);
  await assert.rejects(a.publish("x", 9, { rooms: ["r:1"], wait: false }), { code: "offline" });
  a.connect();
  const answers = await Promise.all(sent);
  await until(() => heard.length === 3, "the events");
  assert.deepEqual(answers[0].rooms, ["r:1"]);
  assert.deepEqual(heard, [1, 2, 3]);
  assert.equal(a.status.pending, 0);
});

test("what is refused is told to who published it, and holds up nothing", async () => {
  const c = client(await gateway(), { token: token("ann", { publish: ["r:1"] }) });
  c.connect();
  const no = c.publish("x", 1, { rooms: ["r:2"] });
  const yes = c.publish("x", 2, { rooms: ["r:1"] });
  await assert.rejects(no, { code: "forbidden" });
  assert.deepEqual((await yes).rooms, ["r:1"]);
});

test("an answer that is lost: told, or with `repeat` sent once more", async () => {
  const g = await gateway();
  const [a, b] = [client(g), client(g)];
  a.connect();
  b.connect();
  await Promise.all([online(a), online(b)]);
  g.signal("SIGSTOP");
  const told = a.publish("x", 1, { rooms: ["r:1"] });
  const again = b.publish("x", 2, { rooms: ["r:1"], repeat: true });
  told.catch(() => {});
  await g.stop("SIGKILL");
  await g.start();
  await assert.rejects(told, { code: "lost" });
  assert.deepEqual((await again).rooms, ["r:1"]);
});

test("an outbox that is kept goes with the next client", async () => {
  const g = await gateway();
  let kept = [];
  const outbox = { load: () => kept, save: (messages) => (kept = structuredClone(messages)) };
  const first = client(g, { outbox });
  first.publish("x", 1, { rooms: ["r:1"], repeat: true });
  first.publish("x", 2, { rooms: ["r:1"] }).catch(() => {});
  first.close();
  assert.deepEqual(kept, [{ type: "x", room: "r:1", data: 1 }]);
  const second = client(g, { outbox });
  assert.equal(second.status.pending, 1);
  second.connect();
  await until(() => second.status.pending === 0, "the outbox to empty");
  assert.deepEqual(kept, []);
});

test("a token that is not valid ends it, with the gateway's reason", async () => {
  const c = client(await gateway(), { token: token("ann", { exp: -3600 }) });
  const waiting = c.publish("x", 1, { rooms: ["r:1"] });
  c.connect();
  await assert.rejects(waiting, { code: "closed" });
  assert.equal(c.status.state, "closed");
  assert.match(c.status.error.message, /^expired /);
});

test("without a token it is closed in time, and does not come back", async () => {
  const c = client(await gateway("--auth-time", "100ms"), { token: undefined });
  c.connect();
  await until(() => c.status.error, "the end");
  assert.equal(c.status.state, "closed");
  assert.equal(c.status.error.data.code, 4500);
});

test("a token that expires ends the connection, and a fresh one opens the next", async () => {
  const g = await gateway("--leeway", "1s");
  const codes = [];
  let asked = 0;
  const c = client(g, {
    token: (why) => {
      if (why === "renew") throw new Error("no session");
      return token("ann", { exp: ++asked === 1 ? 2 : 3600 });
    },
  });
  c.onStatus((s) => s.state === "waiting" && codes.push(s.error.data.code));
  c.connect();
  await until(() => asked === 2 && c.status.state === "online", "the second connection");
  assert.deepEqual(codes, [4002]);
});

test("a token is renewed in band before it expires", async () => {
  const g = await gateway();
  const asked = [];
  const seen = [];
  const c = client(g, {
    token: async (why) => {
      asked.push(why);
      return token("ann", { exp: asked.length < 3 ? 3 : 3600 });
    },
  });
  c.onStatus((s) => seen.push(s.state));
  c.connect();
  await online(c);
  const first = c.connection;
  await until(() => asked.length === 3, "two renewals");
  await c.request("ping");
  assert.deepEqual(asked, ["connect", "renew", "renew"]);
  assert.equal(c.connection, first);
  assert.ok(!seen.includes("waiting"));
});

test("a token that can't be fetched is asked for again", async () => {
  let attempts = 0;
  const c = client(await gateway(), {
    token: () => {
      if (++attempts < 3) throw new Error("no session");
      return token("ann");
    },
  });
  c.connect();
  await online(c);
  assert.equal(attempts, 3);
});

test("a gateway that says nothing any more is left", async () => {
  const g = await gateway("--ping-interval", "200ms", "--ping-timeout", "1h");
  const c = client(g);
  c.connect();
  await online(c);
  g.signal("SIGSTOP");
  await until(() => c.status.error, "the loss");
  assert.equal(c.status.error.message, "nothing heard for too long");
  g.signal("SIGCONT");
  await online(c);
});

test("typing is said once in a while, and ends by itself or when told", async () => {
  const g = await gateway();
  const [a, b] = [client(g), client(g, { token: token("bob") })];
  const heard = [];
  b.on("typing:*", (e) => heard.push(e.type.split("_")[1]));
  a.connect();
  b.connect();
  await Promise.all([a.room("task:t1").join(), b.room("task:t1").join()]);
  const typing = a.room("task:t1").typing({ taskId: "t1" }, { every: 5000, idle: 150 });
  for (let i = 0; i < 5; i++) typing.key();
  await until(() => heard.length === 2, "start and stop");
  typing.key();
  typing.stop();
  typing.stop();
  await until(() => heard.length === 4, "start and stop");
  assert.deepEqual(heard, ["typing", "stopped", "typing", "stopped"]);
});

test("of cursors the latest goes, and others see each until it expires", async () => {
  const g = await gateway();
  const [a, b] = [client(g), client(g, { token: token("bob") })];
  a.connect();
  b.connect();
  await Promise.all([a.room("r:1").join(), b.room("r:1").join()]);
  let heard = 0;
  b.on("cursor:moved", () => heard++);
  const others = b.room("r:1").others("cursor:moved", { expires: 2000 });
  const move = a.room("r:1").cursor("cursor:moved", { every: 100 });
  for (let x = 0; x <= 100; x++) move({ x });
  await until(() => others.latest.get("ann")?.data.x === 100, "the last place");
  assert.ok(heard <= 2);
  await until(() => others.latest.size === 0, "its end");
});

test("a client's own signals are not among those of others", async () => {
  const c = client(await gateway());
  const room = c.room("r:1");
  c.connect();
  await room.join();
  const others = room.others("cursor:moved");
  await room.signal("cursor:moved", {});
  await room.publish("x");
  assert.equal(others.latest.size, 0);
});

test("who was away, or would not be seen, is so from the first on", async () => {
  const g = await gateway();
  const all = ["ann", "bob", "eve"].map((user) => client(g, { token: token(user) }));
  const [room, ...others] = all.map((one) => one.room("project:p7"));
  const [ann, bob, eve] = all;
  bob.connect();
  eve.connect();
  await Promise.all(others.map((one) => one.join()));
  await Promise.all([bob.setPresence("away"), eve.setPresence("offline")]);
  ann.connect();
  await room.join();
  const status = async () => (await room.who()).rooms[0].status;
  await until(async () => (await status()).eve === "offline", "eve to be hidden");
  await until(async () => (await status()).bob === "away", "bob to be away");
  assert.deepEqual(await status(), { ann: "online", bob: "away", eve: "offline" });
  const seen = [];
  const { users } = room.presence((now) => seen.push(Object.fromEntries(now)));
  await until(() => users.has("bob"), "an answer");
  assert.deepEqual(seen.at(-1), { ann: "online", bob: "away" });
  assert.ok(seen.every((now) => now.bob !== "online" && !now.eve));
});

test("who comes while it is asked who is there stays", async () => {
  const g = await gateway();
  const [ann, bob] = [client(g), client(g, { token: token("bob") })];
  const request = ann.request;
  let answer = null;
  ann.request = async function (type, data) {
    const result = await request.call(this, type, data);
    if (type === "who") await new Promise((resolve) => (answer = resolve));
    return result;
  };
  const room = ann.room("r:1");
  const { users } = room.presence(() => {}, { join: "came", leave: "went" });
  ann.connect();
  bob.connect();
  await Promise.all([room.join(), bob.room("r:1").join()]);
  await until(() => answer, "an answer");
  await bob.room("r:1").publish("came", { userId: "cleo" });
  await until(() => users.has("cleo"), "cleo");
  answer();
  await new Promise(setImmediate);
  assert.ok(users.has("cleo"));
});
