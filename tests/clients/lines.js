// lines.js URL TOKEN: a client on the plain WebSocket that is driven by lines. What stands on standard
// input is sent, a message a line; what comes is printed, a message a line, and the end as
// "close CODE REASON". "end" closes; the end of the input does not.
"use strict";
const readline = require("readline");
const WebSocket = require("ws");

const [url, token] = process.argv.slice(2);
const headers = token ? { Authorization: "Bearer " + token } : {};
const socket = new WebSocket(url, { headers });
const waiting = [];

function send(line) {
  if (line === "end") socket.close(1000);
  else if (socket.readyState === WebSocket.OPEN) socket.send(line);
  else waiting.push(line);
}

socket.on("open", () => waiting.splice(0).forEach(send));
socket.on("message", (data) => console.log(data.toString()));
socket.on("error", (error) => console.log("error " + error.message));
socket.on("close", (code, reason) => {
  console.log(`close ${code} ${reason}`);
  process.exit(0);
});
readline.createInterface({ input: process.stdin }).on("line", send);
