// Tests of examples/react/hooks.js: React, in a DOM, with a real gateway.
import assert from "node:assert/strict";
import { register } from "node:module";
import { after, afterEach, before, test } from "node:test";
import { Window } from "happy-dom";
import { io } from "socket.io-client";
import WebSocket from "ws";
import { Gateway, token, until } from "./gateway.mjs";

const window = new Window();
const { document, navigator } = window;
for (const [name, value] of Object.entries({ window, document, navigator }))
  Object.defineProperty(globalThis, name, { value, configurable: true });

// The hooks take React from where the tests have it.
const resolve = `export const resolve = (name, context, next) =>
  next(name, name === "react" ? { ...context, parentURL: "${import.meta.url}" } : context);`;
register(`data:text/javascript,${encodeURIComponent(resolve)}`);

const { createElement: h, StrictMode } = await import("react");
const { createRoot } = await import("react-dom/client");
const { Client } = await import("../../examples/web/collab.js");
const hooks = await import("../../examples/react/hooks.js");
const { SocketClient } = await import("../../examples/react/socketio.js");

let gateway;
let clients = [];
let roots = [];

before(async () => (gateway = await new Gateway().start()));
after(() => gateway.stop());
afterEach(async () => {
  for (const root of roots.splice(0)) root.unmount();
  for (const client of clients.splice(0)) client.close();
  if (!gateway.isRunning) await gateway.start();
});

function client(user, claims) {
  const made = new Client({
    url: gateway.url,
    token: token(user, claims),
    WebSocket,
    random: () => 0,
  });
  clients.push(made);
  made.connect();
  return made;
}

// Shows what a hook gives as JSON; what it gave last is in `seen.now`.
async function show(made, hook) {
  const element = document.createElement("div");
  const root = createRoot(element);
  const seen = { text: () => element.textContent, unmount: () => root.unmount() };
  roots.push(root);
  function Probe() {
    seen.now = hook();
    return JSON.stringify(seen.now, (key, value) => (key === "room" ? value.name : value));
  }
  const tree = h(StrictMode, null, h(hooks.CollabProvider, { client: made }, h(Probe)));
  root.render(tree);
  await until(() => seen.text(), "the component");
  return seen;
}

test("a hook without a provider says so", async () => {
  const faults = [];
  const onUncaughtError = (error) => faults.push(error.message);
  const root = createRoot(document.createElement("div"), { onUncaughtError });
  const Lost = () => hooks.useConnectionStatus();
  root.render(h(Lost));
  await until(() => faults.length > 0, "the fault");
  assert.match(faults[0], /no CollabProvider/);
});

test("useConnectionStatus follows the connection", async () => {
  const ann = client("ann");
  const seen = await show(ann, hooks.useConnectionStatus);
  await until(() => seen.now.state === "online", "online");
  await gateway.stop("SIGKILL");
  await until(() => seen.now.state !== "online", "the loss");
  assert.match(seen.text(), /"state":"(waiting|connecting)"/);
  ann.publish("x", 1, { rooms: ["r:1"] });
  await until(() => seen.now.pending === 1, "what waits");
  await gateway.start();
  await until(() => seen.now.state === "online" && seen.now.pending === 0, "online again");
});

test("useRoom is in the room while the component is there, and hears by the latest handlers", async () => {
  const [ann, bob] = [client("ann"), client("bob")];
  const heard = [];
  let factor = 1;
  const seen = await show(ann, () =>
    hooks.useRoom("r:1", { x: (event) => heard.push(event.data * factor) }),
  );
  await until(() => seen.now.state === "joined", "the room");
  await bob.publish("x", 1, { rooms: ["r:1"] });
  await until(() => heard.length === 1, "the event");
  factor = 10;
  await seen.now.publish("x", 2);
  await until(() => heard.length === 2, "the event");
  assert.deepEqual(heard, [1, 20]);
  seen.unmount();
  await bob.publish("x", 3, { rooms: ["r:1"] });
  await ann.request("ping");
  assert.equal(heard.length, 2);
});

test("useRoom says when a room is refused", async () => {
  const seen = await show(client("ann", { rooms: [] }), () => hooks.useRoom("r:1"));
  await until(() => seen.now.state === "refused", "the refusal");
  assert.equal(seen.now.error.code, "forbidden");
});

test("useTyping shows who else types about the same", async () => {
  const [ann, bob] = [client("ann"), client("bob")];
  const room = bob.room("task:t1");
  await room.join();
  const seen = await show(ann, () => {
    hooks.useRoom("task:t1");
    return hooks.useTyping("task:t1", { taskId: "t1", commentId: "c1" }, { every: 0 });
  });
  await ann.room("task:t1").join();
  const typing = room.typing({ taskId: "t1", commentId: "c1" });
  const elsewhere = room.typing({ taskId: "t1", commentId: "c2" });
  elsewhere.key();
  typing.key();
  await until(() => seen.now.users.length === 1, "bob");
  assert.deepEqual(seen.now.users, ["bob"]);
  typing.stop();
  await until(() => seen.now.users.length === 0, "nobody");

  const heard = [];
  room.on("typing:*", ({ type, user }) => user === "ann" && heard.push(type));
  seen.now.key();
  await until(() => heard.length === 1, "the start");
  seen.unmount();
  await until(() => heard.length === 2, "the end");
  assert.deepEqual(heard, ["typing:user_typing", "typing:user_stopped"]);
  elsewhere.stop();
});

test("usePresence goes by the gateway's events", async () => {
  const [ann, bob] = [client("ann"), client("bob")];
  const names = { join: "came", leave: "went" };
  const seen = await show(ann, () => hooks.usePresence("r:2", names));
  await bob.room("r:2").join();
  await ann.room("r:2").join();
  await bob.room("r:2").publish("came", { userId: "cleo" });
  await until(() => seen.now.some(({ user }) => user === "cleo"), "cleo");
  assert.deepEqual(seen.now.find(({ user }) => user === "cleo"), { user: "cleo", status: "online" });
  await bob.room("r:2").publish("went", { userId: "cleo" });
  await until(() => !seen.now.some(({ user }) => user === "cleo"), "nobody");
});

// --- over socket.io-client ---

function socketClient(user) {
  const socket = io(gateway.origin, {
    auth: { token: token(user) },
    forceNew: true,
    reconnectionDelay: 10,
    reconnectionDelayMax: 50,
  });
  const made = new SocketClient(socket);
  clients.push({ close: () => socket.close() });
  return made;
}

test("the hooks over socket.io-client: events, signals, presence, status", async () => {
  const [ann, bob] = [socketClient("ann"), client("bob")];
  const heard = [];
  const handlers = { "comment:created": (event) => heard.push([event.user, event.data.commentId]) };
  const seen = await show(ann, () => ({
    ...hooks.useRoom("task:t2", handlers),
    people: hooks.usePresence("task:t2"),
    typing: hooks.useTyping("task:t2", { taskId: "t2" }),
    connection: hooks.useConnectionStatus(),
  }));
  const there = bob.room("task:t2");
  await there.join();
  await until(() => seen.now.state === "joined", "the room");
  await until(() => seen.now.people.length === 2, "both");
  assert.deepEqual(seen.now.people.map(({ user }) => user), ["ann", "bob"]);

  await there.publish("comment:created", { taskId: "t2", commentId: "c1" });
  const typing = there.typing({ taskId: "t2" });
  typing.key();
  await until(() => seen.now.typing.users.length === 1, "that bob types");
  typing.stop();
  await until(() => seen.now.typing.users.length === 0, "the end");
  assert.deepEqual(heard, [["bob", "c1"]]);

  await gateway.stop("SIGKILL");
  await until(() => seen.now.connection.state !== "online", "the loss");
  const sent = seen.now.publish("comment:created", { taskId: "t2", commentId: "c2" });
  await until(() => seen.now.connection.pending === 1, "what waits");
  await gateway.start();
  await sent;
  await until(() => heard.length === 2, "the event");
  assert.deepEqual(heard[1], ["ann", "c2"]);
  assert.equal(ann.status.state, "online");
});

test("over socket.io-client: a room that is refused, a token that is not valid", async () => {
  const seen = await show(socketClient("ann"), () => hooks.useRoom("nowhere:*"));
  await until(() => seen.now.state === "refused", "the refusal");
  assert.equal(seen.now.error.code, "bad_room");
  const socket = io(gateway.origin, { auth: { token: "nonsense" }, forceNew: true });
  const out = await show(new SocketClient(socket), hooks.useConnectionStatus);
  await until(() => out.now.state === "closed", "the refusal");
  assert.equal(out.now.error.code, "unauthenticated");
});
