// people.mjs URL KEY_FILE REDIS_PID GATEWAY_PID PEOPLE EACH_ROOM: so many users, as many in each room
// with presence, come and go. Prints what that cost for each of them, in microseconds of CPU and
// in bytes of memory: "coming us GATEWAY REDIS", "staying bytes GATEWAY REDIS" and "going us GATEWAY
// REDIS".
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { WebSocket } from "ws";

const [url, keyFile, redisPid, gatewayPid, people, eachRoom] = process.argv.slice(2);
const AT_A_TIME = 100;
const key = readFileSync(keyFile, "utf8").trim();

function token(sub) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub, rooms: ["*"] })}`;
  return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
}

// Hundredths of a second that a process has had.
function ticks(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function residentBytes(pid) {
  return Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+) kB/)[1]) * 1024;
}

function come(id) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url}?token=${token(`u${id}`)}`);
    const rooms = [`project:p${Math.floor(id / eachRoom)}`];
    socket.on("error", reject);
    socket.on("open", () => socket.send(JSON.stringify({ type: "subscribe", ref: 1, data: { rooms } })));
    socket.on("message", (text) => text.includes("subscribed") && resolve(socket));
  });
}

// Until neither does more than to live on.
async function settled() {
  const IDLE_TICKS = 5;
  let before, now = 0;
  do {
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    now = ticks(redisPid) + ticks(gatewayPid);
  } while (now - before > IDLE_TICKS);
}

const of = [gatewayPid, redisPid];

function tell(what, unit, before, after, scale) {
  const each = after.map((now, i) => (((now - before[i]) * scale) / people).toFixed(0));
  console.log(what, unit, ...each);
}

async function measure(what, action) {
  const before = of.map(ticks);
  await action();
  await settled();
  tell(what, "us", before, of.map(ticks), 10000);
}

const sockets = [];
const bytes = of.map(residentBytes);
await measure("coming", async () => {
  for (let id = 0; id < people; id += AT_A_TIME)
    sockets.push(...(await Promise.all(Array.from({ length: AT_A_TIME }, (_, i) => come(id + i)))));
});
tell("staying", "bytes", bytes, of.map(residentBytes), 1);
await measure("going", async () => sockets.forEach((socket) => socket.terminate()));
process.exit(0);
