import type { Socket } from "socket.io-client";
import type { HooksClient } from "./hooks.js";

/** A client for the hooks, over a socket of socket.io-client. */
export class SocketClient implements HooksClient {
  constructor(socket: Socket<any, any>);
  readonly user: HooksClient["user"];
  readonly status: HooksClient["status"];
  onStatus: HooksClient["onStatus"];
  room: HooksClient["room"];
  request: HooksClient["request"];
  publish: HooksClient["publish"];
  signal: HooksClient["signal"];
}
