// Hands events that were published to Redis for collabd on to the servers of socketio.js, in the
// way of socket.io: by its Redis emitter. It is the publisher of that comparison, not measured.
// socketio-emitter.js REDIS-URL

"use strict";

const { Emitter } = require("@socket.io/redis-emitter");
const { createClient } = require("redis");

const CHANNEL = "collab:room:";

async function main(url) {
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);

  const io = new Emitter(publisher);
  await subscriber.pSubscribe(CHANNEL + "*", (text, channel) =>
    io.to(channel.slice(CHANNEL.length)).emit("event", JSON.parse(text)),
  );
  console.log("ready");
}

main(process.argv[2]);
