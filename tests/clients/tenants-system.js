// tenants-system.js CHECK URL...: examples/tenants by its clients. See system.js.
"use strict";
const assert = require("assert");
const { connect, emit, event, fail, get, id, member, once, readme, refusal, run, token, waitUntil } =
  require("./system.js");

const [ANN, BOB, EVE] = ["ann", "bob", "eve"].map(id);
const [T1, T2] = ["t1", "t2"].map(id);
const PROJECT = { tenantId: T1, projectId: "p1" };
const CHANNEL = { tenantId: T1, channelId: "c1" };
const VERIFIED = { email: "someone@example.org", email_verified: true };

function room({ tenantId, projectId, channelId }) {
  const more = projectId ? `:project:${projectId}` : channelId ? `:channel:${channelId}` : "";
  return `tenant:${tenantId}${more}`;
}

// What was published before has come to them when this has.
let marks = 0;
async function settle(...users) {
  const n = ++marks;
  await emit(...users.map((u) => ({ type: "notification:new", data: { userId: u.name, n } })));
  for (const u of users) await u.hears("notification:new", { n });
}

const on = (name, url, options) => connect(name, url, VERIFIED, options);

// A user of a tenant, in its project and channel.
async function at(tenantId, name, url) {
  const [project, channel] = [{ ...PROJECT, tenantId }, { ...CHANNEL, tenantId }];
  for (const where of [{ tenantId }, project, channel]) await member("add", room(where), name);
  const user = await on(name, url);
  await user.does("join:project", project);
  await user.does("join:channel", channel);
  return user;
}

run({
  async places(url) {
    const value = token({ sub: ANN, ...VERIFIED });
    for (const options of [
      { auth: { token: value } },
      { auth: {}, extraHeaders: { Authorization: `Bearer ${value}` } },
      { auth: {}, query: { token: value } },
    ]) {
      const ann = await connect(ANN, url, {}, options);
      await settle(ann);
      ann.leaves();
    }
    assert.strictEqual(await refusal({}, url),
      "a token is needed: auth.token or token in the query or Authorization: Bearer");
  },

  // Nobody vouches for her address; nobody can be asked.
  async unverified(url) {
    const why = (claims) => refusal({ auth: { token: token({ sub: ANN, ...claims }) } }, url);
    assert.match(await why({ email: "ann@example.org" }), /email_verified/);
    assert.match(await why({ email_verified: false }), /email_verified/);
    assert.match(await why({ email_verified: "true" }), /email_verified/);
    await on(ANN, url);
  },

  // A program knows who exists and is verified; a token that says so by itself needs none.
  async asked(url) {
    const claims = (name, more) => ({ auth: { token: token({ sub: id(name), ...more }) } });
    await connect(id("verified"), url);
    for (const name of ["unverified", "unknown"])
      assert.strictEqual(await refusal(claims(name), url), "the authorization helper says no");
    await connect(id("unknown"), url, VERIFIED);
  },

  async joining(url) {
    await member("add", room({ tenantId: T1 }), ANN);
    const ann = await on(ANN, url);
    await event("notification:new", { userId: ANN, text: "hello" });
    await ann.hears("notification:new", { text: "hello" });
    const stats = JSON.parse(await get("/api/v1/ws/stats", url)).clients_per_room;
    assert.deepStrictEqual([stats[`user:${ANN}`], stats[`tenant:${T1}`]], [1, 1]);
    for (const [what, where] of [["project", PROJECT], ["channel", CHANNEL]]) {
      const refused = await ann.mayNot("forbidden", `join:${what}`, where);
      assert.strictEqual(refused.message, "not allowed in this room");
      await member("add", room(where), ANN);
      assert.deepStrictEqual((await ann.does(`join:${what}`, where)).rooms, [room(where)]);
      await ann.does(`leave:${what}`, where);
    }
    await ann.mayNot("bad_message", "join:project", { tenantId: T1 });
    await ann.mayNot("bad_message", "join:channel", { ...CHANNEL, channelId: "c:1" });
    await event("task:created", { ...PROJECT, taskId: "k1" });
    await settle(ann);
    ann.heardNo("task:created");
  },

  async events(a, b) {
    const ann = await at(T1, ANN, a);
    const bob = await at(T1, BOB, b);
    for (const [kind, ...what] of [
      ["task", "created", "updated", "deleted"],
      ["bug", "created", "updated"],
      ["feature", "created", "updated"],
    ])
      for (const how of what) {
        const data = { ...PROJECT, [`${kind}Id`]: "k1", title: "é" };
        await event(`${kind}:${how}`, data);
        for (const u of [ann, bob]) assert.deepStrictEqual(await u.hears(`${kind}:${how}`), data);
      }
    await event("message:new", { ...CHANNEL, messageId: "m1", text: "from the back end" });
    for (const u of [ann, bob]) await u.hears("message:new", { messageId: "m1" });
    await ann.does("message:send", { ...CHANNEL, text: "hello", userId: EVE });
    for (const u of [ann, bob])
      assert.deepStrictEqual(await u.hears("message:new"), { ...CHANNEL, text: "hello", userId: ANN });
    await ann.mayNot("forbidden", "message:send", { ...CHANNEL, channelId: "c2", text: "hello" });
    await ann.mayNot("bad_event", "message:send", { ...CHANNEL, text: 7 });
    await event("notification:new", { userId: BOB, text: "you" });
    await bob.hears("notification:new", { text: "you" });
    await settle(ann, bob);
    ann.heardNo("notification:new", "message:new");
  },

  async typing(a, b) {
    const ann = await at(T1, ANN, a);
    const bob = await at(T1, BOB, b);
    ann.says("typing:start", CHANNEL);
    await bob.hears("typing:start", { ...CHANNEL, userId: ANN });
    ann.says("typing:stop", CHANNEL);
    await bob.hears("typing:stop", { ...CHANNEL, userId: ANN });
    await ann.mayNot("forbidden", "typing:start", { ...CHANNEL, channelId: "c2" });
    await settle(ann, bob);
    for (const u of [ann, bob]) u.heardNo("typing:start", "typing:stop");
  },

  async people(a, b) {
    const ann = await at(T1, ANN, a);
    await ann.hears("room:users", { room: room(CHANNEL), count: 1 });
    const bob = await at(T1, BOB, b);
    await ann.hears("user:status", { userId: BOB, status: "online" });
    await ann.hears("room:users", { room: room(CHANNEL), count: 2 });
    const reply = await ann.does("room:who", CHANNEL);
    const status = { [ANN]: "online", [BOB]: "online" };
    assert.deepStrictEqual(reply.rooms, [
      { room: room(CHANNEL), users: [ANN, BOB], status, count: 2 },
    ]);
    await bob.does("status:update", { status: "away" });
    await ann.hears("user:status", { userId: BOB, status: "away" });
    bob.leaves();
    await ann.hears("user:status", { userId: BOB, status: "offline" });
    await ann.hears("room:users", { room: room(CHANNEL), count: 1 });
  },

  // Eve is of the other tenant, and knows all names.
  async isolation(a, b) {
    const ann = await at(T1, ANN, a);
    const eve = await at(T2, EVE, b);
    for (const where of [{ projectId: "p1" }, { channelId: "c1" }]) {
      const what = where.projectId ? "project" : "channel";
      await eve.mayNot("forbidden", `join:${what}`, { tenantId: T1, ...where });
      await eve.mayNot("forbidden", "room:who", { tenantId: T1, ...where });
    }
    await eve.mayNot("forbidden", "subscribe", { rooms: [room({ tenantId: T1 }), room(PROJECT)] });
    const page = await eve.does("sync", { rooms: [room(PROJECT)] });
    assert.deepStrictEqual([page.events, page.rooms], [[], { [room(PROJECT)]: { code: "forbidden" } }]);
    await eve.mayNot("forbidden", "message:send", { ...CHANNEL, text: "hello" });
    await eve.mayNot("forbidden", "typing:start", CHANNEL);
    await ann.does("message:send", { ...CHANNEL, text: "among us" });
    await ann.does("status:update", { status: "away" });
    await event("task:created", { ...PROJECT, taskId: "k1" });
    await event("task:created", { ...PROJECT, tenantId: T2, taskId: "k2" });
    await ann.hears("task:created", { taskId: "k1" });
    await eve.hears("task:created", { taskId: "k2" });
    await settle(ann, eve);
    for (const u of [ann, eve]) u.heardNo("task:created");
    for (const e of eve.events) assert(!JSON.stringify(e).includes(T1), JSON.stringify(e));
  },

  async heartbeat(url) {
    const text = await get("/socket.io/?EIO=4&transport=polling", url);
    assert.strictEqual(JSON.parse(text.slice(1)).pingInterval, 25000);
  },

  // The client of the README, while its gateway ends and is there again, by another hand.
  async readme(url) {
    const [shown, cache] = [[], new Map()];
    for (const where of [PROJECT, CHANNEL])
      await member("add", room({ ...where, tenantId: "t1" }), ANN);
    const make = readme("tenants", url, "token", "show", "cache");
    const { socket, send } = make(token({ sub: ANN, ...VERIFIED }), (s) => shown.push(s), cache);
    const waits = Array.from({ length: 20 }, () => socket.io.backoff.duration());
    assert(waits[0] <= 1500 && waits.every((ms) => ms <= 30000) && waits[19] === 30000, waits.join());
    socket.io.backoff.reset();
    await once(socket, "connect");
    const data = { tenantId: "t1", projectId: "p1", taskId: "k1" };
    await waitUntil("it has joined", async () => (await get("/api/v1/ws/stats", url)).includes("project:p1"));
    cache.set("task:k1", 1).set("task:k2", 2);
    await event("task:updated", data);
    await waitUntil("what has changed is forgotten", () => !cache.has("task:k1"));
    assert(cache.has("task:k2"));
    const gone = once(socket, "disconnect");
    console.log("connected");
    await gone;
    assert.deepStrictEqual(shown, ["online", "connecting"]);
    await member("add", room({ ...CHANNEL, tenantId: "t1" }), BOB);
    send("written offline");
    send("and more");
    console.log("written");
    await once(socket, "connect");
    const bob = await on(BOB, url);
    const point = { rooms: [room({ ...CHANNEL, tenantId: "t1" })], since: 0 };
    let events = [];
    await waitUntil("what was written has come", async () => {
      events = (await bob.does("sync", point)).events;
      return events.length >= 2;
    });
    assert.deepStrictEqual(events.map((e) => [e.data.text, e.data.userId]),
      [["written offline", ANN], ["and more", ANN]]);
    assert.strictEqual(shown.at(-1), "online");
  },
});
