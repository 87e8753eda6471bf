// What the types of two catalogs let through and what not; compiled, never run. kanban and versions
// are modules that collab-catalog printed.
import { io, type Socket } from "socket.io-client";
import { Client } from "collab";
import type { ClientToServerEvents, ServerToClientEvents } from "kanban";
import type * as versions from "versions";

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();

socket.on("task:moved", (data) => {
  const id: string | number = data.taskId;
  const base: number | undefined = data.expectedVersion;
  // @ts-expect-error a field that may be absent
  const sure: number = data.expectedVersion;
  return [id, base, sure];
});
socket.on("presence:user_online", ({ status }) => {
  const word: "online" | "away" | undefined = status;
  return word;
});
socket.on("user:invited", (data) => [data.userId]);
// @ts-expect-error no such event
socket.on("task:mooved", () => {});

socket.emit("room:join", { projectId: "p1" }, (reply) => {
  if (reply.ok) return reply.rooms.join();
  return reply.code;
});
socket.emit("presence:update", { status: "away" });
socket.emit("ping");
// @ts-expect-error no such status
socket.emit("presence:update", { status: "asleep" });
// @ts-expect-error the task is needed
socket.emit("typing:start", {});
// @ts-expect-error no such message
socket.emit("room:jion", { projectId: "p1" });

const versioned: Socket<versions.ServerToClientEvents, versions.ClientToServerEvents> = io();
versioned.emit("join:project", { projectId: "p1" });

const client = new Client<ServerToClientEvents>({ url: "ws://127.0.0.1:4000/ws" });
client.on("task:moved", (event) => {
  const id: string | number = event.data.taskId;
  // @ts-expect-error it is no string alone
  const text: string = event.data.taskId;
  return [id, text, event.room, event.version];
});
client.on("anything:else", (event) => {
  // @ts-expect-error nothing is known of its data
  return event.data.field;
});
client.publish("task:moved", { taskId: "t1", projectId: "p1" });
// @ts-expect-error the project is needed
client.publish("task:moved", { taskId: "t1" });
