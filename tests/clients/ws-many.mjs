// ws-many.mjs URL TOKEN COUNT ROOM: so many WebSocket clients at once, by the npm library ws, all in
// one room. Tells when all of them have joined, when all have heard so many events, and how they
// were closed: "joined COUNT", "heard N COUNT", "closed CODE COUNT".
import WebSocket from "ws";

const [url, token, text, room] = process.argv.slice(2);
const count = Number(text);
const seen = new Map();

function tell(what) {
  seen.set(what, (seen.get(what) ?? 0) + 1);
  if (seen.get(what) === count) console.log(what, count);
}

function receive(client, message) {
  if (message.type === "connection.ack")
    client.socket.send(JSON.stringify({ type: "subscribe", data: [room] }));
  else if (message.type === "subscribed") tell("joined");
  else if (message.room === room) tell(`heard ${++client.heard}`);
  else console.error("unexpected:", message);
}

for (let i = 0; i < count; i++) {
  const client = { heard: 0, socket: new WebSocket(`${url}?token=${token}`) };
  client.socket.on("message", (data) => receive(client, JSON.parse(data)));
  client.socket.on("close", (code) => tell(`closed ${code}`));
  client.socket.on("error", (error) => console.error(error.message));
}
