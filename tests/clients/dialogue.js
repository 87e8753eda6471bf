// dialogue.js URL TOKEN: plays a dialogue from standard input, as collab-protocol(7) prints them,
// against a gateway, by the npm library ws. "C: ..." is sent. "S: ..." must come, but for what
// differs from run to run; "S: 1008" is a close code. Fails when something does not come in time.
"use strict";
const fs = require("fs");
const WebSocket = require("ws");
const patience = require("./patience.js");

const [url, token] = process.argv.slice(2);
const lines = fs.readFileSync(0, "utf8").split("\n").filter(Boolean);
const volatile = [
  [/"\d{13}-\d+"/g, '"EVENT-ID"'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z/g, "TIME"],
  [/\(\d+ [a-z]+ ago\)/, "(AGO)"],
  [/"connection":"[a-z2-7]{16}"/, '"connection":"ID"'],
  [/"expires_s":\d{10}/, '"expires_s":N'],
  [/"reason":"[^"]+"/, '"reason":"WHY"'],
];
const received = []; // and not yet expected
let expected = null; // what must come now, and whom to tell

function plain(text) {
  return volatile.reduce((t, [what, by]) => t.replace(what, by), text);
}

function look() {
  const index = expected ? received.indexOf(expected.text) : -1;
  if (index < 0) return;
  received.splice(index, 1);
  expected.found();
  expected = null;
}

function expect(text) {
  const found = new Promise((resolve) => (expected = { text, found: resolve }));
  look();
  return found;
}

function receive(text) {
  received.push(plain(text));
  look();
}

async function play() {
  for (const line of lines) {
    const text = line.slice(3);
    if (line.startsWith("C: ")) socket.send(text);
    else await expect(/^\d+$/.test(text) ? text : plain(JSON.stringify(JSON.parse(text))));
  }
  clearTimeout(late);
  socket.close(1000);
}

const late = setTimeout(() => {
  console.error("expected:", expected?.text, "\nreceived:", received);
  process.exit(1);
}, patience);
const socket = new WebSocket(url, ["collab.v1"], { headers: { Authorization: "Bearer " + token } });
socket.on("message", (data) => receive(data.toString()));
socket.on("close", (code) => receive(String(code)));
socket.on("open", play);
