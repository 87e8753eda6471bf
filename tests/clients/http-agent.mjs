// http-agent.mjs URL COUNT: so many requests, one after the other, by Node's own HTTP client over a
// connection that is kept alive. Prints how many connections that took.
import http from "node:http";

const [url, count] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const sockets = new Set();

function get() {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    request.on("socket", (socket) => sockets.add(socket)).on("error", reject);
  });
}

for (let i = 0; i < Number(count); i++) {
  const status = await get();
  if (status !== 200) throw new Error(`status ${status}`);
}
console.log(sockets.size);
agent.destroy();
