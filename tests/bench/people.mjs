// people.mjs URL KEY_FILE REDIS_PID GATEWAY_PID PEOPLE EACH_ROOM: so many users, as many in each room
// with presence, come and go. Prints for both what it cost, in microseconds of CPU for each of them:
// "coming GATEWAY REDIS" and "going GATEWAY REDIS".
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

async function measure(what, action) {
  const before = [gatewayPid, redisPid].map(ticks);
  await action();
  await settled();
  const us = [gatewayPid, redisPid].map((pid, i) => ((ticks(pid) - before[i]) * 10000) / people);
  console.log(what, ...us.map((one) => one.toFixed(0)));
}

const sockets = [];
await measure("coming", async () => {
  for (let id = 0; id < people; id += AT_A_TIME)
    sockets.push(...(await Promise.all(Array.from({ length: AT_A_TIME }, (_, i) => come(id + i)))));
});
await measure("going", async () => sockets.forEach((socket) => socket.terminate()));
process.exit(0);
