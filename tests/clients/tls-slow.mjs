// tls-slow.mjs HOST:PORT REQUEST: sends a request by TLS, a byte of what TLS makes of it at a time,
// and prints the answer. \r and \n in REQUEST stand for what they are called.
import net from "node:net";
import tls from "node:tls";
import { Duplex } from "node:stream";

const [address, request] = process.argv.slice(2);
const [, host, port] = /^(.*):(\d+)$/.exec(address);
const socket = net.connect({ host, port: Number(port), noDelay: true });

function eachByte(bytes, done) {
  if (bytes.length === 0) return done();
  socket.write(bytes.subarray(0, 1), () => setImmediate(eachByte, bytes.subarray(1), done));
}

const wire = new Duplex({
  read() {},
  write: (bytes, _, done) => eachByte(bytes, done),
  final: (done) => socket.end(done),
});
socket.on("data", (bytes) => wire.push(bytes));
socket.on("end", () => wire.push(null));

const client = tls.connect({ socket: wire, host });
client.on("data", (bytes) => process.stdout.write(bytes, () => process.exit(0)));
client.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
client.write(request.replaceAll("\\r", "\r").replaceAll("\\n", "\n"));
