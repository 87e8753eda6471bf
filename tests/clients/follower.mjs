// follower.mjs TOKEN COUNT OUT ROOM[,ROOM]... URL...: COUNT clients that follow rooms as a careful one
// does: each remembers the last id of each room, and when its connection ends, makes a new one, to
// the next URL, and resumes there. What they are told goes to OUT.0, OUT.1, ..., a message a line.
// SIGUSR1 ends all connections at once; SIGUSR2 makes none until SIGUSR1 comes.
import { openSync, writeSync } from "node:fs";
import WebSocket from "ws";

const [token, count, out, roomList, ...urls] = process.argv.slice(2);
const rooms = roomList.split(",");
const clients = [];
let away = false;

function newer(a, b) {
  const [x, y] = [a.split("-").map(BigInt), b.split("-").map(BigInt)];
  return x[0] > y[0] || (x[0] === y[0] && x[1] > y[1]);
}

class Client {
  constructor(index) {
    this.file = openSync(`${out}.${index}`, "w");
    this.last = {};
    this.turn = index;
    this.connect();
  }
  connect() {
    this.timer = null;
    this.given_up = false;
    const url = urls[this.turn++ % urls.length];
    this.socket = new WebSocket(url, ["collab.v1"], {
      headers: { Authorization: "Bearer " + token },
      handshakeTimeout: 2000,
    });
    this.socket.on("open", () => this.join());
    this.socket.on("message", (data) => this.receive(data.toString()));
    this.socket.on("close", () => this.retry());
    this.socket.on("error", () => {});
  }
  join() {
    this.socket.send(
      JSON.stringify({ type: "subscribe", ref: 1, data: { rooms, since: this.last } }),
    );
  }
  retry() {
    this.socket = null;
    if (!away) this.timer = setTimeout(() => this.connect(), 20 + Math.random() * 80);
  }
  keep(room, id) {
    if (!this.last[room] || newer(id, this.last[room])) this.last[room] = id;
  }
  receive(text) {
    const message = JSON.parse(text);
    if (this.given_up) return;
    writeSync(this.file, text + "\n");
    if (message.id) this.keep(message.room, message.id);
    if (message.type === "subscribed" && message.data.last)
      for (const room in message.data.last) this.keep(room, message.data.last[room]);
    // Redis was away, or the room is not to be had now: another time, perhaps elsewhere.
    // What comes until then would hide what is missing before it.
    this.given_up =
      message.type === "error" || (message.type === "subscribed" && message.data.degraded);
    if (this.given_up)
      setTimeout(() => this.socket?.close(), 50);
  }
  drop() {
    this.socket?.terminate();
  }
}

process.on("SIGUSR1", () => {
  if (!away) clients.forEach((c) => c.drop());
  if (away) clients.forEach((c) => c.timer || c.socket || c.connect());
  away = false;
});
process.on("SIGUSR2", () => {
  away = true;
  clients.forEach((c) => c.drop());
});
for (let i = 0; i < Number(count); i++) clients.push(new Client(i));
setInterval(() => {}, 1 << 30); // also while there is no connection
