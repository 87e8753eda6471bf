// kanban.js CHECK URL...: examples/kanban by its clients. See system.js.
"use strict";
const assert = require("assert");
const { connect, emit, event, fail, get, id, member, once, readme, refusal, run, token, tool, waitUntil } =
  require("./system.js");

const [ANN, BOB, EVE, DAN] = ["ann", "bob", "eve", "dan"].map(id);
const [W, P, T] = ["w1", "p1", "t1"].map(id);
const IDS = { workspaceId: W, projectId: P, taskId: T };

// What was published before has come to them when this has.
let marks = 0;
async function settle(...users) {
  const n = ++marks;
  await emit(...users.map((u) => ({ type: "user:mark", data: { userId: u.name, n } })));
  for (const u of users) await u.hears("user:mark", { n });
}

// A member of what is named, in it.
async function inRooms(name, rooms, url, claims) {
  for (const [field, id] of Object.entries(rooms))
    await member("add", `${field.replace("Id", "")}:${id}`, name);
  const user = await connect(name, url, claims);
  await user.does("room:join", rooms);
  return user;
}

async function heartbeat(url) {
  const text = await get("/socket.io/?EIO=4&transport=polling", url);
  return JSON.parse(text.slice(1));
}

run({
  async transports(url) {
    const ways = [["websocket"], ["polling"], ["polling", "websocket"]];
    await member("add", `task:${T}`, ANN);
    for (const transports of ways) {
      const ann = await connect(ANN, url, {}, { transports });
      await ann.does("room:join", { taskId: T });
      const { engine } = ann.socket.io;
      await waitUntil("upgraded", () => engine.transport.name === transports.at(-1));
      await event("comment:created", { taskId: T, commentId: "c1" });
      await ann.hears("comment:created");
      ann.leaves();
    }
  },

  async heartbeat(url) {
    const { pingInterval, pingTimeout } = await heartbeat(url);
    assert.deepStrictEqual([pingInterval, pingTimeout], [25000, 20000]);
  },

  // The user is in userId, or in sub; the rest of the claims is the application's.
  async token(url) {
    const claims = { sub: undefined, userId: ANN, email: "ann@example.org" };
    const ann = await connect(ANN, url, claims);
    const query = { token: token({ sub: BOB, email: "bob@example.org" }) };
    const bob = await connect(BOB, url, {}, { auth: {}, query });
    await settle(ann, bob);
  },

  async refused(url) {
    const bad = (claims, more) => ({ auth: { token: token(claims) + (more ?? "") } });
    assert.match(await refusal({}, url), /^a token is needed: auth.token/);
    assert.match(await refusal({ auth: { token: "nonsense" } }, url), /not a token/);
    assert.match(await refusal({ query: { token: "nonsense" } }, url), /not a token/);
    assert.match(await refusal(bad({ sub: ANN, exp: 1000000000 }), url), /^expired/);
    assert.match(await refusal(bad({ sub: ANN }, "x"), url), /signature/);
    assert.match(await refusal(bad({ email: "ann@example.org" }), url), /sub/);
  },

  // On two nodes, with two devices: the first makes her seen, the last away ends it.
  async presence(a, b) {
    const bob = await inRooms(BOB, { workspaceId: W }, a);
    await member("add", `workspace:${W}`, ANN);
    const first = await connect(ANN, b);
    await bob.hears("presence:user_online", { userId: ANN });
    const second = await connect(ANN, a);
    await first.does("presence:update", { status: "away" });
    await second.does("presence:update", { status: "away" });
    await bob.hears("presence:user_online", { userId: ANN, status: "away" });
    await second.does("presence:update", { status: "online" });
    await bob.hears("presence:user_online", { userId: ANN, status: "online" });
    first.leaves();
    await second.does("presence:update", { status: "offline" });
    await bob.hears("presence:user_offline", { userId: ANN });
    await second.does("presence:update", { status: "online" });
    await bob.hears("presence:user_online", { userId: ANN });
    await bob.mayNot("bad_message", "presence:update", { status: "asleep" });
    bob.heardNo("presence:user_offline");
    second.leaves();
    await bob.hears("presence:user_offline", { userId: ANN });
  },

  async joining(url) {
    const ann = await connect(ANN, url);
    for (const [field, id] of Object.entries(IDS)) {
      const room = `${field.replace("Id", "")}:${id}`;
      await ann.mayNot("forbidden", "room:join", { [field]: id });
      await member("add", room, ANN);
      const reply = await ann.does("room:join", { [field]: id });
      assert.deepStrictEqual(reply.rooms, [room]);
    }
    const reply = await ann.does("room:join", { ...IDS, taskId: "t9" });
    assert.deepStrictEqual(reply.rooms, [`workspace:${W}`, `project:${P}`]);
    assert.strictEqual(reply.refused[0].room, "task:t9");
    await ann.does("room:leave", { taskId: T });
    await event("comment:created", { taskId: T, commentId: "c1" });
    await event("task:created", { taskId: T, projectId: P });
    await ann.hears("task:created");
    ann.heardNo("comment:created");
    // Its rights go, and it goes with them.
    await member("remove", `project:${P}`, ANN);
    await ann.hears("connection:error", { message: "a membership has changed" });
    await event("task:created", { taskId: "t2", projectId: P });
    await settle(ann);
    ann.heardNo("task:created");
  },

  // Who is in which room hears which event.
  async routing(a, b) {
    const work = await inRooms(id("work"), { workspaceId: W }, a);
    const project = await inRooms(id("project"), { projectId: P }, b);
    const task = await inRooms(id("task"), { taskId: T }, a);
    const both = await inRooms(id("both"), { projectId: P, taskId: T }, b);
    const all = [work, project, task, both];
    async function goesTo(type, data, ...users) {
      await event(type, data);
      for (const u of users) assert.deepStrictEqual(await u.hears(type), data);
      await settle(...all);
      for (const u of all) u.heardNo(type);
    }
    const at = { taskId: T, projectId: P };
    await goesTo("task:created", { ...at, title: "One" }, project, both);
    await goesTo("task:updated", { ...at, title: "Two" }, project, task, both);
    await goesTo("task:moved", { ...at, column: "done" }, project, both);
    await goesTo("task:deleted", at, project, both);
    for (const what of ["created", "updated", "deleted"])
      await goesTo(`comment:${what}`, { taskId: T, commentId: "c1", text: "é" }, task, both);
    for (const what of ["joined", "left", "role_changed"])
      await goesTo(`member:${what}`, { workspaceId: W, userId: EVE, role: "admin" }, work);
    await goesTo("user:invited", { userId: id("task"), by: "work" }, task);
  },

  // The same events, by those who keep the membership.
  async members(url) {
    const ann = await inRooms(ANN, { workspaceId: W }, url);
    await member("add", `workspace:${W}`, EVE, "viewer");
    await ann.hears("member:joined", { workspaceId: W, userId: EVE, role: "viewer" });
    await member("role", `workspace:${W}`, EVE, "admin");
    await ann.hears("member:role_changed", { workspaceId: W, userId: EVE, role: "admin" });
    await member("remove", `workspace:${W}`, EVE);
    await ann.hears("member:left", { workspaceId: W, userId: EVE });
  },

  async viewing(a, b) {
    const ann = await inRooms(ANN, { taskId: T }, a);
    const bob = await inRooms(BOB, { taskId: T }, b);
    await ann.does("presence:viewing", { taskId: T });
    await bob.hears("presence:users_viewing", { taskId: T, users: [ANN] });
    await bob.does("presence:viewing", { taskId: T });
    await ann.hears("presence:users_viewing", { taskId: T, users: [ANN, BOB] });
    await ann.does("presence:viewing", {});
    await bob.hears("presence:users_viewing", { taskId: T, users: [BOB] });
    await ann.mayNot("forbidden", "presence:viewing", { taskId: "t2" });
  },

  async typing(a, b) {
    const ann = await inRooms(ANN, { taskId: T }, a);
    const bob = await inRooms(BOB, { taskId: T }, b);
    ann.says("typing:start", { taskId: T });
    await bob.hears("typing:user_typing", { taskId: T, userId: ANN });
    ann.says("typing:stop", { taskId: T });
    await bob.hears("typing:user_stopped", { taskId: T, userId: ANN });
    // Nobody types for another, nor where he is not.
    ann.says("typing:start", { taskId: T, commentId: "c1", userId: EVE });
    await bob.hears("typing:user_typing", { taskId: T, commentId: "c1", userId: ANN });
    await ann.mayNot("forbidden", "typing:start", { taskId: "t2" });
    await settle(ann);
    ann.heardNo("typing:user_typing", "typing:user_stopped");
    ann.leaves();
    await bob.hears("typing:user_stopped", { taskId: T, userId: ANN });
  },

  // What a client gets that waits for no acknowledgement.
  async errors(url) {
    const ann = await connect(ANN, url);
    const wrong = [
      ["room:join", { taskId: "t1" }, /not allowed/],
      ["room:join", { taskId: "a b" }, /taskId/],
      ["room:join", { taskId: "" }, /taskId/],
      ["room:join", {}, /room/],
      ["room:join", T, /./],
      ["presence:update", { status: 7 }, /status/],
      ["typing:start", { commentId: "c1" }, /taskId/],
      ["typing:start", { taskId: T, commentId: { id: "c1" } }, /commentId/],
      ["task:destroy", { taskId: T }, /task:destroy/],
    ];
    for (const [type, data, why] of wrong) {
      ann.says(type, data);
      const { message } = await ann.hears("connection:error");
      assert.match(message, why, `${type} ${JSON.stringify(data)}`);
    }
    assert.strictEqual(ann.socket.connected, true);
  },

  // A back end is told too what is wrong with what it emits. Of ids the catalog may ask more.
  async ids() {
    const refused = async (type, data, ...options) => {
      const done = await tool("collab-emit", ["-t", type, "-d", JSON.stringify(data), ...options]);
      assert.strictEqual(done.status, 1, type);
      return done.errors;
    };
    assert.match(await refused("task:updated", { taskId: T }), /projectId/);
    assert.match(await refused("task:updated", { taskId: "t:1", projectId: P }), /taskId/);
    assert.match(await refused("member:joined", { workspaceId: W, userId: [] }), /userId/);
    const strict = ["-c", process.env.STRICT];
    const id = "clh3x2k0v0000qz8f7c5m4n1p";
    assert.match(await refused("task:updated", { taskId: T, projectId: id }, ...strict), /cuid/i);
    await event("task:updated", { taskId: id, projectId: id });
  },

  async limits(url) {
    const one = await inRooms(ANN, { taskId: T }, url);
    const two = await connect(ANN, url);
    const bob = await inRooms(BOB, { taskId: T }, url);
    const retries = async (user, limit) => {
      for (let i = 0; i < 20; i++) {
        const reply = await user.asks("typing:start", { taskId: T, commentId: `c${i}` });
        if (reply.code !== "rate_limited") continue;
        assert.strictEqual(reply.data.limit, limit);
        assert(reply.data.retry_after_ms > 0);
        return;
      }
      fail("no limit");
    };
    // Of a user over all connections; of a room, over all users.
    await two.does("room:join", { taskId: T });
    await retries(one, "user");
    await two.mayNot("rate_limited", "room:leave", { taskId: T });
    await retries(bob, "room");
    assert(one.socket.connected && two.socket.connected && bob.socket.connected);
  },

  async metrics(url) {
    await connect(ANN, url);
    await connect(BOB, url);
    const text = await get("/metrics", url);
    assert.match(text, /^collab_connections\{.*\} 2$/m);
    assert.match(text, /^collab_sessions\{.*\} 2$/m);
    assert.match(text, /^collab_connections_opened_total\{.*\} \d+$/m);
    const stats = JSON.parse(await get("/api/v1/ws/stats", url));
    assert.strictEqual(stats.clients, 2);
    assert.strictEqual(JSON.parse(await get("/health", url)).ready, true);
  },

  async compression(url) {
    const ann = await inRooms(ANN, { taskId: T }, url);
    const text = "a long comment, ".repeat(300);
    await event("comment:created", { taskId: T, commentId: "c1", text });
    await ann.hears("comment:created", { text });
    const [, saved] = /^collab_compression_saved_bytes_total\{.*\} (\d+)$/m.exec(await get("/metrics", url));
    assert(saved > 4000, saved);
  },

  // What was missed comes before anything else, and the rooms are those that they were.
  async reconnecting(url) {
    await member("add", `project:${P}`, ANN);
    const options = { reconnection: true, reconnectionDelay: 200, reconnectionDelayMax: 30000 };
    const ann = await connect(ANN, url, {}, options);
    await ann.does("room:join", { projectId: P });
    await event("task:created", { taskId: T, projectId: P });
    await ann.hears("task:created");
    const back = once(ann.socket, "connect");
    const gone = once(ann.socket, "disconnect");
    ann.socket.io.engine.close();
    await gone;
    await event("task:moved", { taskId: T, projectId: P, column: "done" });
    await back;
    assert.strictEqual(ann.socket.recovered, true);
    await ann.hears("task:moved", { column: "done" });
    await event("task:deleted", { taskId: T, projectId: P });
    await ann.hears("task:deleted");
  },

  // What was for her while she was away comes first when she is back, on another node.
  async offline(a, b) {
    const away = await connect(ANN, a);
    away.leaves();
    const waiting = [["user:invited", 1], ["user:assigned", 2], ["user:invited", 3]];
    await emit(...waiting.map(([type, n]) => ({ type, data: { userId: ANN, n } })));
    const ann = await connect(ANN, b);
    await event("user:invited", { userId: ANN, n: 4 });
    await waitUntil("all have come", () => ann.events.some((e) => e.args[0].n === 4));
    const came = ann.events.filter((e) => e.type.startsWith("user:"));
    assert.deepStrictEqual(came.map((e) => [e.type, e.args[0].n]), [...waiting, ["user:invited", 4]]);
    assert.deepStrictEqual(came.slice(0, 3).map((e) => e.args[1].offline), [true, true, true]);
  },

  // Two people edit one task. Who was behind is told, with what came first; changes of different
  // fields are both taken.
  async conflicts(a, b) {
    const at = { taskId: T, projectId: P };
    const grant = { publish: ["project:*", "task:*"] };
    const ann = await inRooms(ANN, { projectId: P }, a, grant);
    const bob = await inRooms(BOB, { projectId: P }, b, grant);
    const say = (type, data) => ({ type, data: { ...at, ...data } });
    await event("task:created", at);
    for (const u of [ann, bob]) {
      const [, meta] = await u.args("task:created");
      assert.strictEqual(meta.version, 0);
    }
    const first = await ann.does("publish", say("task:moved", { column: "done", expectedVersion: 0 }));
    assert.strictEqual(first.version, 1);
    const second = await bob.mayNot("conflict", "publish",
      say("task:moved", { column: "doing", expectedVersion: 0 }));
    assert.strictEqual(second.data.version, 1);
    assert.strictEqual(second.data.event.data.column, "done");
    assert.strictEqual(second.data.event.user, ANN);
    await bob.does("publish", say("task:updated", { title: "Two", expectedVersion: 1 }));
    await ann.does("publish", say("task:updated", { colour: "red", expectedVersion: 1 }));
    await bob.mayNot("conflict", "publish", say("task:updated", { colour: "blue", expectedVersion: 1 }));
    const [, meta] = await bob.args("task:updated", { colour: "red" });
    assert.deepStrictEqual([meta.version, meta.user], [3, ANN]);
  },

  async readme(url) {
    const said = [];
    const print = { log: (...args) => said.push(args), warn: (...args) => fail("README", ...args) };
    await member("add", "project:p1", ANN);
    await member("add", "task:t1", ANN);
    const { socket } = readme("kanban", url, "token", "console")(token({ sub: ANN }), print);
    await once(socket, "connect");
    await waitUntil("it has joined", async () => (await get("/api/v1/ws/stats", url)).includes("project:p1"));
    await emit({ type: "task:moved", user: BOB, data: { taskId: "t1", projectId: "p1", column: "done" } });
    await waitUntil("it is told", () => said.length);
    assert.deepStrictEqual(said[0], [{ taskId: "t1", projectId: "p1", column: "done" }, BOB, 1]);
  },

  // What is stored elsewhere, by a program that looks there.
  async database(url) {
    const ann = await connect(ANN, url);
    await ann.does("room:join", { projectId: "mine" });
    const reply = await ann.mayNot("forbidden", "room:join", { projectId: "theirs" });
    assert.strictEqual(reply.message, "the authorization helper says no");
  },

  // Redis goes and comes, by another hand. Meanwhile a node serves those that it has.
  async alone(a, b) {
    const claims = { rooms: ["task:*"] };
    const on = async (name, url) => {
      const user = await connect(name, url, claims);
      await user.does("room:join", { taskId: T });
      return user;
    };
    const [ann, bob, eve] = [await on(ANN, a), await on(BOB, a), await on(EVE, b)];
    const health = async (url) => JSON.parse(await get("/health", url));
    ann.says("typing:start", { taskId: T });
    await bob.hears("typing:user_typing");
    await eve.hears("typing:user_typing");
    console.log("connected");
    for (const url of [a, b]) await waitUntil("degraded", async () => (await health(url)).degraded);
    assert.match((await health(a)).reasons[0], /redis/i);
    const reply = await ann.does("typing:start", { taskId: T, commentId: "c1" });
    assert.strictEqual(reply.degraded, true);
    await bob.hears("typing:user_typing", { commentId: "c1" });
    const late = await on(DAN, a);
    ann.says("typing:start", { taskId: T, commentId: "c2" });
    await late.hears("typing:user_typing", { commentId: "c2" });
    await ann.mayNot("unavailable", "room:join", { projectId: P });
    eve.heardNo("typing:user_typing");
    console.log("alone");
    for (const url of [a, b]) await waitUntil("well", async () => !(await health(url)).degraded);
    await event("comment:created", { taskId: T, commentId: "c1" });
    for (const u of [ann, bob, eve, late]) await u.hears("comment:created");
    assert(ann.socket.connected && bob.socket.connected && eve.socket.connected);
  },
});
