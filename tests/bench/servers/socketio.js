// The gateway that one would write with socket.io and its Redis adapter: the query names the room.
// socketio.js REDIS-URL

"use strict";

const { createServer } = require("node:http");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");
const { Server } = require("socket.io");

async function main(url) {
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);

  const http = createServer();
  const io = new Server(http, { adapter: createAdapter(publisher, subscriber) });
  io.on("connection", async (socket) => {
    await socket.join(socket.handshake.query.room);
    socket.emit("joined");
  });
  http.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () =>
    console.log(`ready http://127.0.0.1:${http.address().port}`),
  );
}

main(process.argv[2]);
