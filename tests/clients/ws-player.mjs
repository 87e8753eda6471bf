// ws-player.mjs FIFO DIR: WebSocket clients, by the npm library ws, that do what comes from a FIFO, a
// command a line. What a client gets it writes to DIR/NAME.heard, a line each, with words in place
// of what differs from run to run, and without the time of now at the end of a message.
//
//   NAME connect URL [OPTION]...
//     protocol=TEXT         offers a subprotocol; may be repeated
//     header=NAME:VALUE     sends a header, a blank written as %20; may be repeated
//     pings                 tells of each ping that comes
//     silent                answers no ping
//     chatty                sends a message at each ping
//     paused                takes nothing from the connection once it is open
//   NAME send TEXT          a text message
//   NAME binary TEXT        a binary message
//   NAME raw HEX            these bytes, past the library
//   NAME pause, resume      takes nothing from the connection; takes again
//   NAME close [CODE]
//
// It writes "open PROTOCOL", messages as they are, "close CODE REASON", "refused STATUS: BODY" when
// the handshake fails, and "error: MESSAGE".
import { appendFileSync, createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import WebSocket from "ws";

const [fifo, dir] = process.argv.slice(2);
const clients = new Map();
const volatile = [
  [/"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/g, (time) => (isNow(time) ? '"NOW"' : time)],
  [/,"time":"NOW"}$/, "}"],
  [/"\d{13}-(\d+)"/g, '"ID-$1"'],
  [/\((\d+ [a-z]+ ago|in \d+ [a-z]+)\)/, "(...)"],
  [/"connection":"[a-z2-7]{16}"/, '"connection":"ID"'],
];

function isNow(time) {
  return Math.abs(Date.parse(JSON.parse(time)) - Date.now()) < 60000;
}

function hears(name, text) {
  const plain = volatile.reduce((t, [what, by]) => t.replace(what, by), text);
  appendFileSync(`${dir}/${name}.heard`, plain + "\n");
}

function values(options, name) {
  const prefix = name + "=";
  return options.filter((o) => o.startsWith(prefix)).map((o) => o.slice(prefix.length));
}

async function tellRefusal(name, response) {
  let body = "";
  for await (const piece of response) body += piece;
  hears(name, `refused ${response.statusCode}: ${body.trim()}`);
}

function connect(name, url, ...options) {
  const headers = values(options, "header").map((h) => decodeURIComponent(h).split(/:(.*)/));
  const socket = new WebSocket(url, values(options, "protocol"), {
    headers: Object.fromEntries(headers),
    autoPong: !options.includes("silent"),
    perMessageDeflate: false,
  });
  clients.set(name, socket);
  socket.on("open", () => hears(name, `open ${socket.protocol}`.trim()));
  if (options.includes("paused")) socket.on("upgrade", () => setImmediate(() => socket.pause()));
  socket.on("message", (data, binary) => hears(name, (binary ? "binary " : "") + data));
  socket.on("close", (code, reason) => hears(name, `close ${code} ${reason}`.trim()));
  socket.on("error", (error) => hears(name, `error: ${error.message}`));
  socket.on("unexpected-response", (_, response) => tellRefusal(name, response));
  if (options.includes("pings")) socket.on("ping", () => hears(name, "ping"));
  if (options.includes("chatty")) socket.on("ping", () => socket.send('{"type":"ping"}'));
}

const commands = {
  connect: (name, _, rest) => connect(name, ...rest.split(" ")),
  send: (_, socket, text) => socket.send(text),
  binary: (_, socket, text) => socket.send(Buffer.from(text)),
  raw: (_, socket, hex) => socket._socket.write(Buffer.from(hex, "hex")),
  pause: (_, socket) => socket.pause(),
  resume: (_, socket) => socket.resume(),
  close: (_, socket, code) => socket.close(code ? Number(code) : undefined),
};

for await (const line of createInterface({ input: createReadStream(fifo) })) {
  const [, name, command, rest] = /^(\S+) (\S+) ?(.*)$/s.exec(line);
  commands[command](name, clients.get(name), rest);
}
