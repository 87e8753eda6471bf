// hostile.mjs HOST:PORT TOKEN FILE...: plays what hostile or broken peers do, a case after the other, and
// holds the answers against those that the cases state. Meanwhile a control client has to be served,
// and at the end the gateway has to hold no more memory, descriptors and connections than after the
// first round. Prints TAP.
//
// A file has a JSON array of cases: {"name", "do": [STEP...], "answer": ANSWER}. Steps:
//
//   "BYTES"                    sends them; each character is a byte
//   ["times", N, "BYTES"]      sends them so many times
//   ["upgrade", "HEADERS"]     opens a WebSocket, with a good token, by these header lines besides
//   ["frame", HEAD, "BYTES"]   sends a masked frame; HEAD is its first byte
//   ["frames", N, HEAD, "BYTES"]  so many of them
//   ["text", "JSON"]           sends a text message; "%N:BYTES%" in it stands for BYTES N times
//   ["texts", N, "JSON"]       so many of them
//   ["end"]                    ends our side of the connection
//   ["wait"]                   waits for the gateway to end it
//
// ANSWER is what comes back, in order: statuses ("400"), texts ("error:bad_message", else the
// message's type), "pong", "close:CODE", which it answers; "200 x pong" is so many of them; and "end" when the gateway ended the connection. With
// "served" it did what it should: a ping is answered.
//
// With $TLS_PORT the cases are played by TLS, at that port.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { get } from "node:http";
import net from "node:net";
import tls from "node:tls";
import WebSocket from "ws";

const [address, token, ...files] = process.argv.slice(2);
const [, host, port] = /^(.*):(\d+)$/.exec(address);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const MORE_BYTES = Number(process.env.MORE_BYTES ?? 4 << 20);
const TLS_PORT = Number(process.env.TLS_PORT ?? 0);
const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 20000);

// --- what a peer sends ---

function expand(text) {
  return text.replace(/%(\d+):(.*?)%/gs, (_, n, bytes) => bytes.repeat(Number(n)));
}

function frame(head, payload, length = payload.length) {
  const size = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const bytes = Buffer.alloc(6 + size + payload.length);
  bytes[0] = head;
  bytes[1] = 0x80 | (size === 0 ? length : size === 2 ? 126 : 127);
  if (size === 2) bytes.writeUInt16BE(length, 2);
  if (size === 8) bytes.writeBigUInt64BE(BigInt(length), 2);
  payload.copy(bytes, 6 + size);
  return bytes;
}

const upgradeRequest = (headers) =>
  `GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n` +
  `Sec-WebSocket-Protocol: collab.v1\r\nAuthorization: Bearer ${token}\r\n${headers}\r\n`;

const latin1 = (text) => Buffer.from(text, "latin1");

const steps = {
  times: (peer, n, bytes) => peer.write(Buffer.concat(Array(n).fill(latin1(bytes)))),
  async upgrade(peer, headers = "") {
    peer.write(latin1(upgradeRequest(headers)));
    await peer.hears("connection.ack");
  },
  frame: (peer, head, bytes, length) => peer.write(frame(head, latin1(expand(bytes)), length)),
  frames: (peer, n, head, bytes) =>
    peer.write(Buffer.concat(Array(n).fill(frame(head, latin1(bytes))))),
  text: (peer, json) => peer.write(frame(0x81, Buffer.from(expand(json)))),
  texts(peer, n, json) {
    for (let i = 0; i < n; i++) steps.text(peer, json);
  },
  end: (peer) => peer.socket.end(),
  wait: (peer) => peer.hears("end"),
};

// --- what it hears ---

class Peer {
  heard = [];
  #bytes = Buffer.alloc(0);
  #inFrames = false;
  #woken = () => {};

  constructor() {
    const peer = { host, port: TLS_PORT || Number(port), allowHalfOpen: true };
    this.socket = TLS_PORT ? tls.connect(peer) : net.connect(peer);
    this.socket.on("data", (bytes) => this.#take(bytes));
    this.socket.on("end", () => this.#note("end"));
    this.socket.on("error", () => this.#note("end"));
  }

  write(bytes) {
    if (!this.heard.includes("end")) this.socket.write(bytes);
  }

  // Until it has heard that, or so many things, or the end.
  async hears(what, count = Infinity) {
    const until = Date.now() + PATIENCE_MS;
    while (!this.heard.includes(what) && told(this).length < count) {
      if (this.heard.includes("end") || Date.now() > until) return;
      await new Promise((resolve) => {
        this.#woken = resolve;
        setTimeout(resolve, 100);
      });
    }
  }

  #note(what) {
    if (this.heard.at(-1) !== "end") this.heard.push(what);
    this.#woken();
  }

  #take(bytes) {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (this.#inFrames ? this.#takeFrame() : this.#takeResponse());
  }

  #takeResponse() {
    const end = this.#bytes.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = this.#bytes.toString("latin1", 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#bytes.length < end + 4 + length) return false;
    const status = /^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? "nonsense";
    this.#bytes = this.#bytes.subarray(end + 4 + length);
    this.#inFrames = status === "101";
    if (!this.#inFrames) this.#note(status);
    return true;
  }

  #takeFrame() {
    const b = this.#bytes;
    if (b.length < 2) return false;
    const size = b[1] < 126 ? 0 : b[1] === 126 ? 2 : 8;
    if (b.length < 2 + size) return false;
    const length = size === 0 ? b[1] : size === 2 ? b.readUInt16BE(2) : Number(b.readBigUInt64BE(2));
    if (b.length < 2 + size + length) return false;
    this.#hear(b[0] & 15, b.subarray(2 + size, 2 + size + length));
    this.#bytes = b.subarray(2 + size + length);
    return true;
  }

  #hear(opcode, payload) {
    if (opcode === 8) this.write(frame(0x88, payload));
    if (opcode === 8) this.#note(`close:${payload.length > 1 ? payload.readUInt16BE(0) : payload.length ? "short" : ""}`);
    if (opcode === 10) this.#note("pong");
    if (opcode !== 1) return;
    const message = JSON.parse(payload.toString());
    if (message.ref === "served") this.#note("served");
    else this.#note(message.type === "error" ? `error:${message.code}` : message.type);
  }
}

// --- one case ---

function told(peer) {
  return peer.heard.filter((what) => what !== "connection.ack");
}

async function play(test) {
  const peer = new Peer();
  for (const step of test.do) {
    if (typeof step === "string") peer.write(latin1(expand(step)));
    else await steps[step[0]](peer, ...step.slice(1));
  }
  const last = test.answer.at(-1);
  if (last === "served") {
    steps.text(peer, '{"type":"ping","ref":"served"}');
    await peer.hears("served");
  } else {
    await peer.hears("end", last === "end" ? Infinity : test.answer.length);
  }
  peer.socket.destroy();
  const heard = told(peer);
  const unlike = JSON.stringify(heard) !== JSON.stringify(test.answer);
  return unlike ? `it heard ${JSON.stringify(heard)} instead of ${JSON.stringify(test.answer)}` : "";
}

// --- the control client ---

async function connectControl() {
  const socket = new WebSocket(`ws://${address}/ws`, ["collab.v1"], {
    headers: { Authorization: `Bearer ${token}` },
  });
  const waiting = new Map();
  socket.on("message", (text) => {
    const message = JSON.parse(text);
    const key = message.type === "event:control" ? `event ${message.data}` : message.type;
    waiting.get(key)?.();
  });
  const hears = (key) =>
    new Promise((resolve, reject) => {
      waiting.set(key, resolve);
      setTimeout(() => reject(new Error(`the control client waited in vain for ${key}`)), PATIENCE_MS);
    });
  const welcome = hears("connection.ack");
  await welcome;
  const joined = hears("subscribed");
  socket.send('{"type":"subscribe","data":["control:1"]}');
  await joined;
  let number = 0;
  return async () => {
    const back = hears(`event ${++number}`);
    const data = { type: "event:control", room: "control:1", data: number };
    socket.send(JSON.stringify({ type: "publish", data }));
    await back;
  };
}

// --- what it costs the gateway ---

function metrics() {
  return new Promise((resolve, reject) => {
    get(`http://${address}/metrics`, { agent: false }, async (response) => {
      let text = "";
      for await (const piece of response) text += piece;
      const value = (name) => Number(new RegExp(`^${name}\\{.*\\} (.*)$`, "m").exec(text)[1]);
      resolve({
        connections: value("collab_connections"),
        rooms: value("collab_rooms"),
        descriptors: value("process_open_fds"),
        bytes: value("process_resident_memory_bytes"),
      });
    }).on("error", reject);
  });
}

async function settled() {
  for (let tries = 0; tries < 200; tries++) {
    const now = await metrics();
    if (now.connections === 1) return now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return metrics();
}

// --- all ---

function many(answer) {
  const [, n, what] = /^(\d+) x (.*)$/.exec(answer) ?? [, 1, answer];
  return Array(Number(n)).fill(what);
}

const tests = files
  .flatMap((file) => JSON.parse(readFileSync(file, "utf8")))
  .map((test) => ({ ...test, answer: test.answer.flatMap(many) }));
const served = await connectControl();
const faults = new Map();
let first;
for (let round = 0; round < ROUNDS; round++) {
  for (const test of tests) {
    const [fault] = await Promise.all([play(test), served()]);
    if (fault) faults.set(test, fault);
  }
  first ??= await settled();
}
const last = await settled();

console.log(`1..${tests.length + 1}`);
tests.forEach((test, i) => {
  console.log(`${faults.has(test) ? "not ok" : "ok"} ${i + 1} - ${test.name}`);
  if (faults.has(test)) console.log(`# ${faults.get(test)}`);
});
const flat =
  last.connections === first.connections &&
  last.rooms === first.rooms &&
  last.descriptors <= first.descriptors &&
  last.bytes <= first.bytes + MORE_BYTES;
console.log(`${flat ? "ok" : "not ok"} ${tests.length + 1} - what it holds afterwards`);
console.log(`# after the first round ${JSON.stringify(first)}, at last ${JSON.stringify(last)}`);
process.exit(faults.size || !flat ? 1 : 0);
