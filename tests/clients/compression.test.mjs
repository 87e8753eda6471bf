// permessage-deflate: ws, socket.io-client and a browser against gateways of ours. CHROMIUM is the
// browser.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { io } from "socket.io-client";
import WebSocket from "ws";
import { Gateway, catalog, launch, patience, token } from "./gateway.mjs";

const AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const large = { text: "the same again, ".repeat(1000), odd: "\u{1f600}\u0000\"" };
const file = catalog({ name: "all", rooms: { "*": {} }, events: { "*": { publish: "joined", class: "live" } } });

let gateway;

before(async () => {
  gateway = await new Gateway("--catalog", file, "--origin", "*").start();
});

after(() => gateway.stop());

async function metric(name, of = gateway) {
  const text = await (await fetch(`${of.origin}/metrics`)).text();
  return Number(new RegExp(`^collab_${name}\\{.*\\} (.*)$`, "m").exec(text)[1]);
}

// How much some metrics grow by what is done.
async function growth(names, what) {
  const values = () => Promise.all(names.map((name) => metric(name)));
  const before = await values();
  await what();
  return (await values()).map((value, i) => value - before[i]);
}

// A client of the library ws that is in the room a:b.
class Client {
  #events = [];
  #waiting = [];

  constructor(perMessageDeflate, of = gateway) {
    const headers = { Authorization: `Bearer ${token("ann")}` };
    this.socket = new WebSocket(of.url, ["collab.v1"], { headers, perMessageDeflate });
    this.socket.on("upgrade", (answer) => (this.agreed = answer.headers["sec-websocket-extensions"]));
    this.socket.on("message", (text) => {
      this.#events.push(JSON.parse(text));
      this.#waiting.shift()?.();
    });
  }

  async hears(type) {
    for (;;) {
      const i = this.#events.findIndex((e) => e.type === type);
      if (i >= 0) return this.#events.splice(i, 1)[0];
      await new Promise((resolve, reject) => {
        this.#waiting.push(resolve);
        this.socket.once("close", (code) => reject(new Error(`closed: ${code}`)));
      });
    }
  }

  async joins() {
    await this.hears("connection.ack");
    this.socket.send('{"type":"subscribe","data":["a:b"]}');
    await this.hears("subscribed");
    return this;
  }

  publish(data, options = {}) {
    this.socket.send(JSON.stringify({ type: "publish", data: { room: "a:b", type: "note", data } }), options);
  }

  get bytesRead() {
    return this.socket._socket.bytesRead;
  }
}

test("an event is compressed once for those who agreed to it", async () => {
  const [a, b, plain] = await Promise.all([true, true, false].map((d) => new Client(d).joins()));
  assert.deepEqual([a.agreed, b.agreed, plain.agreed], [AGREED, AGREED, undefined]);
  const read = [a, b, plain].map((c) => c.bytesRead);
  const names = ["compressed_total", "compressed_sent_total", "compression_saved_bytes_total"];
  const [once, sent, saved] = await growth(names, async () => {
    plain.publish(large);
    for (const client of [a, b, plain]) assert.deepEqual((await client.hears("note")).data, large);
  });
  assert.deepEqual([once, sent], [1, 2]);
  const [byA, byB, byPlain] = [a, b, plain].map((c, i) => c.bytesRead - read[i]);
  assert.ok(byA < 1000 && byB < 1000 && byPlain > 16000, `${byA} ${byB} ${byPlain}`);
  assert.ok(saved > 30000);
  for (const client of [a, b, plain]) client.socket.close();
});

test("what is small is sent as it is", async () => {
  const client = await new Client(true).joins();
  const [sent] = await growth(["compressed_sent_total"], async () => {
    const data = "x".repeat(800);
    client.publish(data);
    assert.equal((await client.hears("note")).data, data);
  });
  assert.equal(sent, 0);
  client.socket.close();
});

test("a client compresses too, also in pieces", async () => {
  const client = await new Client({ threshold: 0 }).joins();
  const [received] = await growth(["compressed_received_total"], async () => {
    client.publish(large);
    assert.deepEqual((await client.hears("note")).data, large);
    const text = JSON.stringify({ type: "publish", data: { room: "a:b", type: "note", data: "hello" } });
    for (const letter of text.slice(0, -1)) client.socket.send(letter, { fin: false });
    client.socket.ping();
    client.socket.send("}", { fin: true });
    assert.equal((await client.hears("note")).data, "hello");
    client.publish(large, { compress: false });
    assert.deepEqual((await client.hears("note")).data, large);
  });
  assert.equal(received, 2);
  client.socket.close();
});

test("who wants a smaller window than ours is served without", async () => {
  const client = await new Client({ serverMaxWindowBits: 10 }).joins();
  assert.equal(client.agreed, undefined);
  client.publish(large);
  assert.deepEqual((await client.hears("note")).data, large);
  client.socket.close();
});

test("a bomb closes its sender alone", async () => {
  const [bomber, other] = await Promise.all([new Client(true).joins(), new Client(true).joins()]);
  const closed = new Promise((resolve) => bomber.socket.once("close", resolve));
  bomber.socket.send(Buffer.alloc(64 << 20), { binary: false });
  assert.equal(await closed, 1009);
  other.publish("still here");
  assert.equal((await other.hears("note")).data, "still here");
  other.socket.close();
});

test("--compress off agrees to nothing", async () => {
  const off = await new Gateway("--catalog", file, "--compress", "off").start();
  const client = await new Client(true, off).joins();
  assert.equal(client.agreed, undefined);
  client.publish(large);
  assert.deepEqual((await client.hears("note")).data, large);
  assert.equal(await metric("compressed_sent_total", off), 0);
  await off.stop();
});

for (const transports of [["websocket"], ["polling", "websocket"]])
  test(`Socket.IO by ${transports.join(", then ")}`, async () => {
    const socket = io(gateway.origin, {
      transports,
      auth: { token: token("ann") },
      forceNew: true,
      perMessageDeflate: { threshold: 0 },
    });
    const upgraded = transports.length > 1 && new Promise((r) => socket.io.engine.once("upgrade", r));
    await new Promise((resolve) => socket.once("connect", resolve));
    await upgraded;
    await socket.emitWithAck("subscribe", { rooms: ["a:b"] });
    const bytes = Buffer.alloc(5000, "abc");
    const names = ["compressed_sent_total", "compressed_received_total"];
    const [sent, received] = await growth(names, async () => {
      const heard = new Promise((resolve) => socket.once("note", resolve));
      await socket.emitWithAck("publish", { type: "note", room: "a:b", data: { large, bytes } });
      const data = await heard;
      assert.deepEqual(data.large, large);
      assert.ok(bytes.equals(data.bytes));
    });
    assert.ok(sent >= 1 && received >= 2, `${sent} ${received}`);
    socket.disconnect();
  });

test("a browser", async () => {
  const site = createServer((request, response) => response.end("<!doctype html><title>t</title>"));
  await new Promise((listening) => site.listen(0, "127.0.0.1", listening));
  const browser = await launch(chromium);
  const page = await browser.newPage();
  page.setDefaultTimeout(patience);
  await page.goto(`http://127.0.0.1:${site.address().port}`);
  const names = ["compressed_sent_total", "compressed_received_total"];
  const [sent, received] = await growth(names, async () => {
    const [agreed, back] = await page.evaluate(
      async ([url, data]) => {
        const socket = new WebSocket(url, "collab.v1");
        const hears = (type) =>
          new Promise((resolve) => {
            const look = ({ data }) => JSON.parse(data).type === type && resolve(JSON.parse(data));
            socket.addEventListener("message", look);
          });
        const say = (type, data) => socket.send(JSON.stringify({ type, data }));
        await hears("connection.ack");
        const joined = hears("subscribed");
        say("subscribe", ["a:b"]);
        await joined;
        const note = hears("note");
        say("publish", { room: "a:b", type: "note", data });
        return [socket.extensions, (await note).data];
      },
      [`${gateway.url}?token=${token("ann")}`, large],
    );
    assert.equal(agreed, AGREED);
    assert.deepEqual(back, large);
  });
  assert.equal(sent, 1);
  assert.ok(received >= 2);
  await browser.close();
  site.close();
});
