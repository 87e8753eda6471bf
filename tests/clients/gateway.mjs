// For tests of clients in JavaScript: gateways of their own, and waiting for what must come. Who
// imports it has Redis at $COLLAB_REDIS, and collabd on PATH.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import jsonwebtoken from "jsonwebtoken";
import patience from "./patience.js";

const directory = mkdtempSync(join(tmpdir(), "collab-client-"));
const keyFile = join(directory, "key");
const key = randomBytes(32).toString("hex");
writeFileSync(keyFile, key, { mode: 0o600 });

const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(directory, { recursive: true });
});

// A token for a user; claims in seconds from now where they are times.
export function token(user, claims = {}) {
  const all = { sub: user, rooms: ["*"], publish: ["*"], ...claims };
  if (all.exp) all.exp += Math.floor(Date.now() / 1000);
  return jsonwebtoken.sign(all, key, { noTimestamp: true });
}

// The name of a file with that catalog.
export function catalog(content) {
  const file = join(directory, `${randomBytes(6).toString("hex")}.json`);
  writeFileSync(file, JSON.stringify(content));
  return file;
}

// A browser, which $CHROMIUM is, by playwright-core's chromium.
export function launch(chromium) {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
  args.push("--disable-background-networking", "--disable-component-update", "--disable-sync");
  return chromium.launch({ executablePath: process.env.CHROMIUM, args, timeout: patience });
}

export class Gateway {
  #child;
  #port = 0;
  #options;

  constructor(...options) {
    this.#options = options;
  }

  // Again after stop(): at the same port.
  async start() {
    const options = ["--port", this.#port, "--key-file", keyFile, ...this.#options];
    const child = spawn("collabd", options.map(String), { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    running.add(child);
    let said = "";
    child.stderr.on("data", (bytes) => (said += bytes));
    this.#port = await new Promise((resolve, reject) => {
      child.stdout.on("data", (line) => resolve(/:(\d+)\s/.exec(line)[1]));
      child.on("exit", (code) => reject(new Error(`collabd ended with ${code}: ${said}`)));
    });
    return this;
  }

  get origin() {
    return `http://127.0.0.1:${this.#port}`;
  }

  get url() {
    return `ws://127.0.0.1:${this.#port}/ws`;
  }

  // Whether it has reached Redis, so that events go to all nodes.
  async isWhole() {
    const health = await (await fetch(`${this.origin}/health`)).json();
    return !health.degraded;
  }

  get isRunning() {
    return running.has(this.#child);
  }

  signal(name) {
    this.#child.kill(name);
  }

  async stop(signal = "SIGTERM") {
    const child = this.#child;
    running.delete(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    child.kill("SIGCONT");
    await ended;
  }
}

export { patience };

export async function until(condition, what = condition.toString()) {
  const end = Date.now() + patience;
  while (Date.now() < end) {
    const found = await condition();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`waited in vain for: ${what}`);
}
