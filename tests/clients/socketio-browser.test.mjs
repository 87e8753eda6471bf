// socket.io-client in a browser, on a page of another origin than the gateway's. CHROMIUM is the
// browser.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { Gateway, catalog, launch, patience, token } from "./gateway.mjs";

const package_ = createRequire(import.meta.url).resolve("socket.io-client/package.json");
const script = readFileSync(join(dirname(package_), "dist/socket.io.min.js"));

let browser, gateway, page, site;

before(async () => {
  site = createServer((request, response) => {
    const isScript = request.url === "/io.js";
    response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : "<!doctype html><title>t</title><script src=/io.js></script>");
  });
  await new Promise((listening) => site.listen(0, "127.0.0.1", listening));
  const origin = `http://127.0.0.1:${site.address().port}`;
  const kept = catalog({ name: "kept", rooms: { "*": {} }, events: { "*": { publish: "joined" } } });
  gateway = await new Gateway("--origin", origin, "--catalog", kept).start();
  browser = await launch(chromium);
  page = await browser.newPage();
  page.setDefaultTimeout(patience);
  await page.goto(origin);
});

after(async () => {
  site.close();
  await browser?.close();
  await gateway?.stop();
});

// Connects in the page, joins a room, and hears there what it publishes itself.
function talk(transports) {
  return page.evaluate(
    async ([url, auth, transports]) => {
      const options = { auth, transports, forceNew: true, withCredentials: true, reconnectionDelay: 50 };
      const socket = (window.socket = io(url, options));
      const upgraded = transports.length > 1 && new Promise((r) => socket.io.engine.once("upgrade", r));
      await new Promise((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("connect_error", reject);
      });
      await upgraded;
      const joined = await socket.emitWithAck("subscribe", { rooms: ["project:p1"] });
      const heard = new Promise((resolve) => socket.once("note", resolve));
      const note = { type: "note", room: "project:p1", data: "\u{1f600}" };
      const published = await socket.emitWithAck("publish", note);
      const data = await heard;
      return [joined.ok, published.ok, data, socket.io.engine.transport.name];
    },
    [gateway.origin, { token: token("ann") }, transports],
  );
}

for (const [transports, last] of [
  [["polling"], "polling"],
  [["websocket"], "websocket"],
  [["polling", "websocket"], "websocket"],
])
  test(`a browser connects by ${transports.join(", then ")}`, async () => {
    assert.deepEqual(await talk(transports), [true, true, "\u{1f600}", last]);
    await page.evaluate(() => window.socket.disconnect());
  });

test("a browser is back, and recovered, after a restart", async () => {
  await talk(["polling", "websocket"]);
  await page.evaluate(() => {
    window.gone = new Promise((resolve) => window.socket.once("disconnect", resolve));
    window.back = new Promise((resolve) => window.socket.once("connect", resolve));
  });
  await gateway.stop("SIGKILL");
  await page.evaluate(() => window.gone);
  await gateway.start();
  await page.evaluate(() => window.back);
  assert.equal(await page.evaluate(() => window.socket.recovered), true);
});
