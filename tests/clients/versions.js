// versions.js CHECK URL...: examples/versions by its clients. See system.js.
"use strict";
const assert = require("assert");
const { connect, emit, event, fail, get, id, member, once, readme, run, token, tool, waitUntil } =
  require("./system.js");

const [ANN, BOB] = ["ann", "bob"].map(id);
const P = id("p1");
const TASK = { projectId: P, taskId: "k1" };

// What was published before has come to them when this has: they are in the project.
let marks = 0;
async function settle(...users) {
  const data = { projectId: P, taskId: "mark", commentId: ++marks };
  await event("comment:created", data);
  for (const u of users) await u.hears("comment:created", data);
}

// A member of projects, in them.
async function inside(name, url, ...projects) {
  const user = await connect(name, url);
  for (const projectId of projects) {
    await member("add", `project:${projectId}`, name);
    await user.does("join:project", { projectId });
  }
  return user;
}

run({
  async joining(url) {
    const ann = await connect(ANN, url);
    ann.says("join:project", { projectId: P });
    const { code, message } = await ann.hears("error");
    assert.deepStrictEqual([code, message], ["forbidden", "not allowed in this room"]);
    ann.says("join:project", {});
    assert.match((await ann.hears("error")).message, /projectId/);
    const bob = await inside(BOB, url, P);
    await member("add", `project:${P}`, ANN);
    ann.says("join:project", { projectId: P });
    await bob.hears("presence:join", { projectId: P, userId: ANN });
    await settle(ann, bob);
    ann.says("leave:project", { projectId: P });
    await bob.hears("presence:leave", { projectId: P, userId: ANN });
    await event("task:deleted", TASK);
    await bob.hears("task:deleted");
    await settle(bob);
    ann.heardNo("task:deleted", "comment:created", "error");
  },

  // Who disconnects leaves every room that the connection was in.
  async presence(a, b) {
    const [Q, R] = [id("p2"), id("p3")];
    const bob = await inside(BOB, b, P, Q, R);
    const ann = await inside(ANN, a, P, Q);
    for (const projectId of [P, Q]) await bob.hears("presence:join", { projectId, userId: ANN });
    ann.leaves();
    for (const projectId of [P, Q]) await bob.hears("presence:leave", { projectId, userId: ANN });
    await settle(bob);
    bob.heardNo("presence:leave", "presence:join");
  },

  async events(a, b) {
    const both = [await inside(ANN, a, P), await inside(BOB, b, P)];
    const task = { id: "k1", title: "é", labels: ["a"], points: 9007199254740993n.toString(), done: null };
    for (const [type, data] of [
      ["task:created", { ...TASK, task, userId: BOB }],
      ["task:updated", { ...TASK, task, userId: BOB }],
      ["task:status_changed", { ...TASK, task: { ...task, status: "done" }, userId: BOB }],
      ["comment:created", { ...TASK, comment: { id: "c1", text: "x" }, userId: BOB }],
      ["comment:updated", { ...TASK, comment: { id: "c1", text: "y" }, userId: BOB }],
      ["comment:deleted", { ...TASK, comment: { id: "c1", text: "y" }, userId: BOB }],
      ["task:deleted", { ...TASK, task, userId: BOB }],
    ]) {
      await event(type, data, { user: BOB });
      for (const u of both) {
        const [got, meta] = await u.args(type);
        assert.deepStrictEqual(got, data);
        assert.deepStrictEqual([meta.user, meta.room], [BOB, `project:${P}`]);
      }
    }
    const bad = await tool("collab-emit", ["-t", "task:updated", "-d", '{"taskId":"k1"}']);
    assert.deepStrictEqual([bad.status, /projectId/.test(bad.errors)], [1, true]);
  },

  async versions(a, b) {
    const both = [await inside(ANN, a, P), await inside(BOB, b, P)];
    const steps = [
      ["task:created", 0], ["task:updated", 1], ["task:status_changed", 2], ["comment:created", 2],
      ["comment:updated", 2], ["task:updated", 3], ["comment:deleted", 3], ["task:deleted", 3],
      ["task:created", 0],
    ];
    for (const [type, version] of steps) {
      const [receipt] = await event(type, TASK);
      assert.strictEqual(receipt.version, version, type);
      for (const u of both) assert.strictEqual((await u.args(type))[1].version, version, type);
    }
  },

  // Two who save from the same version: the second is told, and nobody hears of what it wanted.
  async conflict(url) {
    const ann = await inside(ANN, url, P);
    await event("task:created", TASK);
    await event("task:updated", { ...TASK, title: "one", expectedVersion: 0 }, { user: BOB });
    const data = JSON.stringify({ ...TASK, title: "two" });
    const late = await tool("collab-emit", ["-t", "task:updated", "-e", "0", "-d", data]);
    assert.strictEqual(late.status, 5);
    const { version, event: last } = JSON.parse(late.text);
    assert.deepStrictEqual([version, last.user, last.data.title], [1, BOB, "one"]);
    const moved = await tool("collab-emit", ["-t", "task:status_changed", "-e", "1", "-d", data]);
    assert.strictEqual(moved.status, 0);
    await ann.hears("task:updated", { title: "one" });
    const [, meta] = await ann.args("task:status_changed", { title: "two" });
    assert.strictEqual(meta.version, 2);
    ann.heardNo("task:updated");
  },

  async readme(url) {
    const [seen, conflicts] = [[], []];
    await member("add", "project:p1", ANN);
    const editing = new Map();
    const make = readme("versions", url, "token", "editing", "show", "conflict");
    const { socket } = make(token({ sub: ANN }), editing, (...args) => seen.push(args),
      (...args) => conflicts.push(args));
    socket.on("error", (e) => fail("README", e));
    await once(socket, "connect");
    await waitUntil("it has joined", async () => (await get("/api/v1/ws/stats", url)).includes("project:p1"));
    const data = { projectId: "p1", taskId: "k1", task: { title: "one" } };
    await emit({ type: "task:created", data }, { type: "task:updated", data });
    await waitUntil("it is shown", () => seen.length);
    assert.deepStrictEqual(seen[0], ["k1", { title: "one" }, 1]);
    editing.set("k1", 1);
    await event("task:status_changed", { ...data, task: { title: "two" } }, { user: BOB });
    await waitUntil("the conflict is seen", () => conflicts.length);
    assert.deepStrictEqual(conflicts[0], ["k1", { title: "two" }, BOB]);
  },

  // For the audit log, which has the same by another way: a line for each.
  async audit(url) {
    const ann = await inside(ANN, url, P);
    for (let n = 0; n < 5; n++) {
      await event(n ? "task:updated" : "task:created", { ...TASK, n }, { user: BOB });
      const [data, meta] = await ann.args(n ? "task:updated" : "task:created");
      console.log([meta.version, meta.user, data.n].join("|"));
    }
  },
});
