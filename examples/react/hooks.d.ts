import type { ReactElement, ReactNode } from "react";
import type { Client, CollabError, PresenceNames, Room, RoomEvent, Status } from "../web/collab.js";

/** What the hooks need of a client: the one of collab.js, or of socketio.js, has it. */
export type HooksClient = Pick<
  Client<any>,
  "user" | "status" | "onStatus" | "room" | "request" | "publish" | "signal"
>;

export function CollabProvider(props: { client: HooksClient; children?: ReactNode }): ReactElement;
export function useClient(): HooksClient;
export function useConnectionStatus(): Status;

export interface InRoom {
  room: Room<any>;
  state: "joining" | "joined" | "refused";
  error: CollabError | null;
  publish: Room<any>["publish"];
}

export function useRoom(
  name: string,
  handlers?: { [type: string]: (event: RoomEvent<any>) => void },
  options?: { onGap?: (why: unknown) => void },
): InRoom;

export function usePresence(
  name: string,
  names?: PresenceNames,
): { user: string; status: string }[];

export function useTyping(
  name: string,
  data?: object,
  options?: { start?: string; stop?: string; expires?: number; every?: number; idle?: number },
): { users: string[]; key(): void; stop(): void };
