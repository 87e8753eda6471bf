// soak.mjs URL CLIENTS SECONDS: so many clients at a time, who come ($COLLAB_TOKEN), join two of 1,000
// rooms, publish to one, stay for some seconds, and go: most of them as one should, some by breaking
// the connection. For each that goes another comes, until the time is over; then all go. Says how many
// there were, and fails when none was welcomed.
import WebSocket from "ws";

const [url, clients, seconds] = process.argv.slice(2);
const until = Date.now() + Number(seconds) * 1000;
const AT_ONCE = 50; // that are on their way in
const counts = { came: 0, welcomed: 0, failed: 0, events: 0 };
let present = 0;
let arriving = 0;

const room = () => `room:${Math.floor(Math.random() * 1000)}`;

function leave(socket) {
  if (Math.random() < 0.2) socket.terminate();
  else socket.close();
}

function live(socket) {
  const [a, b] = [room(), room()];
  socket.send(JSON.stringify({ type: "subscribe", data: [a, b] }));
  socket.send(JSON.stringify({ type: "publish", data: { type: "soak", room: a, data: "x".repeat(100) } }));
  const stay = Math.min(Math.random() * 20000, Math.max(until - Date.now(), 0) + Math.random() * 1000);
  setTimeout(() => leave(socket), stay);
}

function come() {
  let welcomed = false;
  counts.came++;
  present++;
  arriving++;
  const socket = new WebSocket(url, ["collab.v1"], {
    headers: { Authorization: `Bearer ${process.env.COLLAB_TOKEN}` },
    perMessageDeflate: false,
  });
  socket.on("message", () => {
    if (welcomed) return counts.events++;
    welcomed = true;
    arriving--;
    counts.welcomed++;
    live(socket);
    fill();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    present--;
    if (!welcomed) arriving--;
    if (!welcomed) counts.failed++;
    fill();
  });
}

function fill() {
  while (Date.now() < until && present < Number(clients) && arriving < AT_ONCE) come();
  if (Date.now() < until || present) return;
  console.log(Object.entries(counts).map(([what, n]) => `${n} ${what}`).join(", "));
  process.exit(counts.welcomed && !counts.failed ? 0 : 1);
}

fill();
