// The gateway that one would write with ws: the path names the room, Redis brings the events.
// ws.js REDIS-URL

"use strict";

const { createServer } = require("node:http");
const { createClient } = require("redis");
const { WebSocketServer } = require("ws");

const CHANNEL = "collab:room:";
const rooms = new Map();

async function main(url) {
  const redis = createClient({ url });
  await redis.connect();

  const http = createServer();
  const server = new WebSocketServer({ server: http });
  server.on("connection", async (socket, request) => {
    const room = decodeURIComponent(request.url.slice(1));
    if (!rooms.has(room)) {
      rooms.set(room, new Set());
      await redis.subscribe(CHANNEL + room, (text) => {
        for (const member of rooms.get(room)) member.send(text);
      });
    }
    rooms.get(room).add(socket);
    socket.on("close", () => rooms.get(room).delete(socket));
    socket.send("joined");
  });
  http.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () =>
    console.log(`ready http://127.0.0.1:${http.address().port}`),
  );
}

main(process.argv[2]);
