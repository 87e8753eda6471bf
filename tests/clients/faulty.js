// faulty.js [CERTIFICATE KEY]: a gateway of as much of collab.v1 as collab-bench speaks, whose faults
// are known: the path of the connection that publishes names one. It prints its address. With a
// certificate it speaks TLS.
"use strict";
const fs = require("fs");
const http = require("http");
const https = require("https");
const { WebSocketServer } = require("ws");

const rooms = new Map();
let published = 0;
let held = null;

function members(room) {
  if (!rooms.has(room)) rooms.set(room, new Set());
  return rooms.get(room);
}

function deliver(room, text) {
  for (const member of members(room)) member.send(text);
}

const faults = {
  none: deliver,
  lossy: (room, text) => published % 10 !== 0 && deliver(room, text),
  twice: (room, text) => {
    deliver(room, text);
    if (published % 10 === 0) deliver(room, text);
  },
  swapped: (room, text) => {
    if (published % 2 === 1) {
      held = text;
      return;
    }
    deliver(room, text);
    deliver(room, held);
  },
  astray: (room, text) => rooms.forEach((_, other) => deliver(other, text)),
  batches: (room, text) => {
    held = (held || "") + text;
    if (published % 5 !== 0) return;
    deliver(room, held);
    held = null;
  },
  closing: (room, text) => {
    deliver(room, text);
    if (published === 50) for (const member of members(room)) member.close(1011, "gave up");
  },
};

function connected(socket, request) {
  const fault = faults[request.url.slice(1)];
  socket.on("message", (bytes) => {
    const message = JSON.parse(bytes);
    if (message.type === "subscribe") {
      if (request.url === "/mute") return socket.send('{"type":"error","code":"forbidden"}');
      members(message.data.rooms[0]).add(socket);
      socket.send('{"type":"subscribed","ref":1}');
    } else {
      published++;
      fault(message.data.rooms[0], JSON.stringify(message.data));
    }
  });
}

const [certificate, key] = process.argv.slice(2);
const server = certificate
  ? https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) })
  : http.createServer();
new WebSocketServer({ server }).on("connection", connected);
server.listen(0, "127.0.0.1", () => console.log(`ready 127.0.0.1:${server.address().port}`));
