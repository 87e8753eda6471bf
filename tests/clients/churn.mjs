// churn.mjs URL CONCURRENCY: opens connections one after the other, so many at a time, each of which
// waits for the gateway's welcome ($COLLAB_TOKEN) and closes. Writes "going" once the first have
// been welcomed; on SIGTERM it stops and writes how it went: "N welcomed, M failed", and of each kind
// of failure how many there were.
import WebSocket from "ws";

const [url, concurrency] = process.argv.slice(2);
const failures = new Map();
let welcomed = 0;
let failed = 0;
let running = 0;
let stopping = false;

function fail(why) {
  failed++;
  failures.set(why, (failures.get(why) ?? 0) + 1);
}

function end() {
  running--;
  if (!stopping) visit();
  else if (!running) report();
}

function visit() {
  let seen = false;
  running++;
  const socket = new WebSocket(url, ["collab.v1"], {
    headers: { Authorization: `Bearer ${process.env.COLLAB_TOKEN}` },
    perMessageDeflate: false,
  });
  socket.on("message", () => {
    if (seen) return;
    seen = true;
    if (++welcomed === Number(concurrency)) console.log("going");
    socket.close();
  });
  socket.on("error", (error) => fail(error.message));
  socket.on("close", (code) => {
    if (!seen && code !== 1006) fail(`closed with ${code}`);
    end();
  });
}

function report() {
  console.log(`${welcomed} welcomed, ${failed} failed`);
  for (const [why, count] of failures) console.log(`${count} ${why}`);
  process.exit();
}

process.on("SIGTERM", () => (stopping = true));
for (let i = 0; i < concurrency; i++) visit();
