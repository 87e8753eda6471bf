// What the types of examples/react let through and what not; compiled, never run.
import { io, type Socket } from "socket.io-client";
import {
  CollabProvider,
  useClient,
  useConnectionStatus,
  usePresence,
  useRoom,
  useTyping,
} from "../../examples/react/hooks.js";
import { SocketClient } from "../../examples/react/socketio.js";
import { Client } from "../../examples/web/collab.js";

interface Events {
  "task:moved": (data: { taskId: string }) => void;
}
interface Messages {
  "room:join": (data: { projectId: string }) => void;
}

const plain = new Client<Events>({ url: "ws://127.0.0.1:4000/ws", token: "t" });
const socket: Socket<Events, Messages> = io();
const socketio = new SocketClient(socket);
// @ts-expect-error a socket is no client
const none = <CollabProvider client={socket} />;

function Task({ id }: { id: string }) {
  const { room, state, error, publish } = useRoom(
    `task:${id}`,
    { "task:moved": (event) => console.log(event.user, event.data, event.version) },
    { onGap: (why) => console.log(why) },
  );
  const { users, key, stop } = useTyping(`task:${id}`, { taskId: id }, { idle: 2000 });
  const people = usePresence(`task:${id}`, { join: "came" });
  const { state: connection, pending, retryAt } = useConnectionStatus();
  const user: string | null = useClient().user;
  publish("task:moved", { taskId: id }, { key: "k" }).then(({ version }) => version);
  // @ts-expect-error no such state
  const isAsleep = state === "asleep";
  // @ts-expect-error no such name
  usePresence(`task:${id}`, { joined: "came" });
  // @ts-expect-error it is a list
  const first: string = users;
  return (
    <ul onKeyDown={key} onBlur={stop} title={connection}>
      {people.map(({ user, status }) => <li key={user}>{status}</li>)}
      {[room.name, error?.code, users.join(), pending, retryAt, user, isAsleep, first]}
    </ul>
  );
}

export const page = [
  none,
  <CollabProvider client={plain}><Task id="t1" /></CollabProvider>,
  <CollabProvider client={socketio}><Task id="t1" /></CollabProvider>,
];
