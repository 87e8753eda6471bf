// offline.js URL TOKEN TRANSPORT DEVICE COUNT END: a Socket.IO client, by npm's socket.io-client, that
// waits for COUNT events "note", prints "N waited" or "N new" for each, and then ends: by `acknowledge`
// it acknowledges the last, waits for the answer and disconnects, by `die` it kills itself, by `stay` it
// goes on. DEVICE "" is none.
"use strict";
const { io } = require("socket.io-client");

const [url, token, transport, device, count, end] = process.argv.slice(2);
const auth = device ? { token, device } : { token };
const socket = io(url, { auth, transports: [transport], forceNew: true, reconnection: false });
let had = 0;

const ends = {
  acknowledge({ room, id }) {
    socket.emit("acknowledge", { ids: { [room]: id } }, (answer) => {
      console.log(answer.ok ? "acknowledged" : JSON.stringify(answer));
      socket.disconnect();
    });
  },
  die() {
    process.kill(process.pid, "SIGKILL");
  },
  stay() {},
};

socket.on("connect_error", (error) => {
  console.log(`refused: ${error.message}`);
  socket.disconnect();
});
socket.on("note", ({ n }, meta) => {
  console.log(n, meta.offline ? "waited" : "new");
  if (++had === Number(count)) ends[end](meta);
});
