// Types of collab.js. Events and Messages are what `collab-catalog types` prints for a catalog: with
// ServerToClientEvents, on("task:moved", ...) knows the data of that event.

type Handler<Data> = (data: Data, ...rest: never[]) => void;
type Data<Events, Type> = Type extends keyof Events
  ? Events[Type] extends (data: infer D, ...rest: never[]) => void
    ? D
    : never
  : unknown;
type TypeOf<Events> = (keyof Events & string) | (string & {});
type AnyEvents = { [type: string]: Handler<any> };

export interface RoomEvent<D = unknown, Type extends string = string> {
  readonly id?: string;
  readonly type: Type;
  readonly room: string;
  readonly rooms?: readonly string[];
  readonly user?: string;
  readonly time: string;
  readonly version?: number;
  readonly data: D;
}

export type Code =
  | "bad_message"
  | "unknown_type"
  | "bad_room"
  | "bad_event"
  | "unauthenticated"
  | "forbidden"
  | "too_many"
  | "not_found"
  | "unavailable"
  | "conflict"
  | "offline"
  | "lost"
  | "timeout"
  | "token"
  | "closed"
  | (string & {});

export class CollabError extends Error {
  constructor(code: Code, message: string, data?: unknown);
  readonly code: Code;
  readonly data?: any;
}

/** The place before the first event of every room. */
export const BEGINNING: string;

export type Off = () => void;

export interface Published {
  rooms: string[];
  ids?: unknown;
  version?: number;
  degraded?: boolean;
  reason?: string;
}

export interface PublishOptions {
  rooms?: readonly string[];
  /** Whether it may go again when it is not known whether it was taken. Default: false. */
  repeat?: boolean;
  /** Says which event it is, so that the gateway takes it once. It implies `repeat`. */
  key?: string;
  /** Whether it waits for a connection. Default: true. */
  wait?: boolean;
}

export interface Others<D> {
  readonly latest: ReadonlyMap<string, RoomEvent<D>>;
  drop(key: string): void;
  end(): void;
}

export interface OthersOptions<D> {
  /** The event that ends one. */
  then?: string;
  /** Milliseconds after which one is over by itself. Default: 6000. */
  expires?: number;
  /** What there is one of each for. Default: the user. */
  key?: (event: RoomEvent<D>) => string;
  /** Which are passed over. Default: those of the client's own user. */
  isOwn?: (event: RoomEvent<D>) => boolean;
}

export interface Typing {
  key(): void;
  stop(): void;
}

export interface TypingOptions {
  start?: string;
  stop?: string;
  every?: number;
  idle?: number;
}

export interface PresenceNames {
  online?: string;
  offline?: string;
  join?: string;
  leave?: string;
  user?: string;
  status?: string;
}

// By the names of a catalog that gives no others.
export interface Who {
  rooms: {
    room: string;
    users: string[];
    status?: { [user: string]: "online" | "away" | "offline" };
    count: number;
    viewing?: string[];
  }[];
}

export interface Presence {
  readonly users: ReadonlyMap<string, string>;
  end(): void;
}

export class Room<Events = AnyEvents> {
  readonly name: string;
  on<T extends TypeOf<Events>>(type: T, listener: (event: RoomEvent<Data<Events, T>>) => void): Off;
  onGap(listener: (why: unknown) => void): Off;
  onJoined(listener: (isRecovered: boolean | undefined) => void): Off;
  readonly last: string | null;
  join(options?: { since?: string }): Promise<void>;
  leave(): void;
  publish<T extends TypeOf<Events>>(
    type: T,
    data?: Data<Events, T>,
    options?: PublishOptions,
  ): Promise<Published>;
  signal<T extends TypeOf<Events>>(type: T, data?: Data<Events, T>): Promise<void>;
  who<Answer = Who>(): Promise<Answer>;
  typing(data: object | ((isTyping: boolean) => unknown), options?: TypingOptions): Typing;
  cursor(type?: string, options?: { every?: number }): (data: unknown) => void;
  others<D = unknown>(
    type: string,
    options?: OthersOptions<D>,
    listener?: (latest: ReadonlyMap<string, RoomEvent<D>>) => void,
  ): Others<D>;
  presence(
    listener?: (users: ReadonlyMap<string, string>) => void,
    names?: PresenceNames,
  ): Presence;
}

export type State = "closed" | "connecting" | "waiting" | "online";

export interface Status {
  readonly state: State;
  /** Milliseconds since 1970 at which it connects again, while it is waiting. */
  readonly retryAt: number | null;
  /** Events that were published and are not yet taken. */
  readonly pending: number;
  readonly error: CollabError | null;
}

export interface Options {
  url: string;
  /** A token, or what fetches one: at each connection, and before the present one expires. */
  token?: string | ((why: "connect" | "renew") => string | Promise<string>);
  /** A WebSocket of the browsers' kind. Default: the global one. */
  WebSocket?: new (url: string, protocols?: string[]) => any;
  /** Keeps what is published with `repeat` across a reload of the page. */
  outbox?: { load(): any[]; save(messages: any[]): void };
  random?: () => number;
}

export interface Notice {
  type: string;
  code?: Code;
  message?: string;
  data?: any;
}

export class Client<Events = AnyEvents> {
  constructor(options: Options);
  readonly user: string | null;
  readonly connection: string | null;
  readonly node: string | null;
  readonly status: Status;
  connect(): void;
  close(): void;
  on<T extends TypeOf<Events>>(type: T, listener: (event: RoomEvent<Data<Events, T>>) => void): Off;
  onStatus(listener: (status: Status) => void): Off;
  onNotice(listener: (notice: Notice) => void): Off;
  room(name: string): Room<Events>;
  request(type: string, data?: unknown, options?: { timeout?: number }): Promise<any>;
  authenticate(token: string): Promise<any>;
  publish<T extends TypeOf<Events>>(
    type: T,
    data?: Data<Events, T>,
    options?: PublishOptions,
  ): Promise<Published>;
  signal<T extends TypeOf<Events>>(
    type: T,
    data?: Data<Events, T>,
    options?: { rooms?: readonly string[] },
  ): Promise<void>;
  setPresence(status: "online" | "away" | "offline"): Promise<void>;
  setViewing(room: string | null): Promise<void>;
}
