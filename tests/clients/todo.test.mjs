// A client library on the system `todo` of examples: collab.js, by the catalog's own path and events.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { Client } from "../../examples/web/collab.js";
import { Gateway, token, until } from "./gateway.mjs";

const catalog = fileURLToPath(new URL("../../examples/todo/catalog.json", import.meta.url));
const workspace = "workspace:lib";
let gateway;
let clients = [];

before(async () => {
  gateway = await new Gateway("--catalog", catalog).start();
  for (const user of ["ann", "ben"])
    spawnSync("collab-member", ["-q", "add", workspace, user], { stdio: "inherit" });
});
after(() => gateway.stop());
afterEach(() => clients.splice(0).forEach((client) => client.close()));

async function client(user) {
  const made = new Client({
    url: `${gateway.origin.replace("http", "ws")}/api/v1/ws`,
    token: () => token(user, { rooms: [], publish: [] }),
    WebSocket,
    random: () => 0,
  });
  clients.push(made);
  made.connect();
  await until(() => made.status.state === "online", "a connection");
  return made;
}

const task = (taskId, more) => ({ workspaceId: "lib", taskId, ...more });

test("connects, has typed handlers, and knows the versions", async () => {
  const [ann, ben] = [await client("ann"), await client("ben")];
  const heard = [];
  ben.on("TASK_CREATED", ({ data, version }) => heard.push(["created", data.title, version]));
  ben.on("TASK_*", ({ type }) => heard.push([type]));
  const { version } = await ann.publish("TASK_CREATED", task("a", { title: "Buy milk" }));
  assert.equal(version, 0);
  await assert.rejects(ann.publish("TASK_UPDATED", { workspaceId: "none", taskId: "a" }), {
    code: "forbidden",
  });
  await until(() => heard.length === 2, "the event, twice");
  assert.deepEqual(heard, [["created", "Buy milk", 0], ["TASK_CREATED"]]);
});

test("comes back by itself, with what it missed and what it could not send", async () => {
  const [ann, ben] = [await client("ann"), await client("ben")];
  const heard = [];
  const room = ann.room(workspace);
  room.on("TASK_*", ({ data }) => heard.push(data.n));
  await room.join();
  await ben.publish("TASK_CREATED", task("b", { n: 1 }));
  await until(() => heard.length === 1, "the first");
  await gateway.stop();
  await until(() => [ann, ben].every(({ status }) => status.state === "waiting"), "the end");
  const sent = ben.publish("TASK_UPDATED", task("b", { n: 2 }), { key: "n2" });
  await gateway.start();
  assert.equal((await sent).version, 1);
  await until(() => heard.length === 2, "the second");
  assert.deepEqual(heard, [1, 2]);
});

test("helps with presence, typing and cursors", async () => {
  const [ann, ben] = [await client("ann"), await client("ben")];
  const heard = [];
  ann.on("USER_PRESENCE", ({ data }) => data.userId === "ben" && heard.push(data.status));
  ann.on("USER_TYPING", ({ user, data }) => heard.push(`${user} ${data.isTyping}`));
  ann.on("CURSOR_POSITION", ({ data }) => heard.push(data.position));
  await ben.setPresence("away");
  await until(() => heard.includes("away"), "presence");
  heard.length = 0;
  const room = ben.room(workspace);
  const names = { start: "USER_TYPING", stop: "USER_TYPING" };
  const typing = room.typing((isTyping) => ({ workspaceId: "lib", isTyping }), names);
  typing.key();
  typing.stop();
  await until(() => heard.length === 2, "typing");
  room.cursor("CURSOR_POSITION")({ workspaceId: "lib", position: { x: 1, y: 2 } });
  await until(() => heard.length === 3, "the cursor");
  assert.deepEqual(heard, ["ben true", "ben false", { x: 1, y: 2 }]);
});
