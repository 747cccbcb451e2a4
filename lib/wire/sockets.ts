/** The only file that imports zeromq: sockets with the options this protocol needs, counted while they are open. */
import { Dealer, Router } from "zeromq";
import { BquerydError } from "../base/errors.js";

/**
 * What became of a message: `sent` (on its way), `full` (try again later), `unreachable` (that peer is gone). Nobody
 * waits inside zeromq: a second send while one waits fails with EBUSY.
 */
export type SendOutcome = "sent" | "full" | "unreachable";

/** A zeromq socket whose sends never wait. */
export interface RawSocket {
  send(frames: Uint8Array[]): Promise<SendOutcome>;
  /** Whole messages as they come, until the socket is closed. */
  receive(): AsyncIterable<Uint8Array[]>;
  /** Tells whether a message has come that `receive` has not yielded. */
  hasMessage(): boolean;
  /** A connection is complete (`handshake`) or has ended (`disconnect`). */
  on(event: "handshake" | "disconnect", listener: () => void): void;
  /** Binds a ROUTER. Fails with the system's code, EADDRINUSE for one. */
  bind(endpoint: string): Promise<void>;
  /** Connects a DEALER, trying again and again by itself until it succeeds or is closed. */
  connect(endpoint: string): void;
  /** The bound endpoint, with its port. */
  endpoint(): string;
  /** Closes, and gives zeromq `lingerMs` to put on the wire what was sent. Resolves when a bound port is free again. */
  close(lingerMs: number): Promise<void>;
}

/** Messages inside zeromq, each way and for each peer; beyond it senders queue in our own outbox, which counts bytes. */
const highWaterMark = 256;
/** zeromq closes its listener on another thread, within milliseconds. */
const unboundMsMax = 500;

let openSockets = 0;

/** How many zeromq sockets this thread has open. Tests assert it: no list of Node's shows them. */
export function openSocketCount(): number {
  return openSockets;
}

/** What both kinds of socket need to know. */
export interface SocketOptions {
  /** A peer that sends a larger frame is disconnected. */
  readonly frameBytesMax: number;
  /** The host is an IPv6 address. */
  readonly isIpv6: boolean;
}

/** A ROUTER that reports unreachable peers. */
export function openRouterSocket(options: SocketOptions): RawSocket {
  const socket = new Router({ ...zeromqOptions(options), mandatory: true });
  let isBound = false;
  return wrap(socket, {
    async bind(endpoint) {
      await socket.bind(endpoint);
      isBound = true;
    },
    unbound: () => isBound ? nextClose(socket) : Promise.resolve(),
    connect: () => { throw new Error("a ROUTER binds"); },
  });
}

/**
 * A DEALER that tries to connect every 100 ms at first, every second in the end. It chooses no routing id: the ROUTER
 * gives each connection a fresh one, so that nothing meant for an earlier one arrives, and none is refused as a double.
 * Not `immediate`: that loses what has come but is not read when the connection ends.
 */
export function openDealerSocket(options: SocketOptions): RawSocket {
  const socket = new Dealer({ ...zeromqOptions(options), reconnectInterval: 100, reconnectMaxInterval: 1_000 });
  return wrap(socket, {
    bind: () => Promise.reject(new Error("a DEALER connects")),
    connect: (endpoint) => { socket.connect(endpoint); },
    unbound: () => Promise.resolve(),
  });
}

function zeromqOptions({ frameBytesMax, isIpv6 }: SocketOptions) {
  return {
    sendTimeout: 0, linger: 0, sendHighWaterMark: highWaterMark, receiveHighWaterMark: highWaterMark,
    maxMessageSize: frameBytesMax, ipv6: isIpv6,
  };
}

interface Ends extends Pick<RawSocket, "bind" | "connect"> {
  /** Resolves when the port, if one was bound, has been closed after this call. */
  unbound(): Promise<void>;
}

function wrap(socket: Router | Dealer, { bind, connect, unbound }: Ends): RawSocket {
  openSockets += 1;
  return {
    bind, connect,
    async send(frames) {
      try {
        await socket.send(frames);
        return "sent";
      } catch (cause) {
        return outcomeOf(cause);
      }
    },
    receive: () => receiveFrames(socket),
    on: (event, listener) => { socket.events.on(event, listener); },
    hasMessage: () => !socket.closed && socket.readable,
    endpoint: () => socket.lastEndpoint ?? "",
    async close(lingerMs) {
      if (socket.closed) return;
      openSockets -= 1;
      const free = unbound();
      socket.linger = lingerMs;
      socket.close();
      await free;
    },
  };
}

function nextClose(socket: Router): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, unboundMsMax);
    socket.events.on("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function outcomeOf(cause: unknown): SendOutcome {
  switch (codeOf(cause)) {
    case "EAGAIN": return "full";
    case "EHOSTUNREACH": return "unreachable";
    default: throw new BquerydError("INTERNAL", "cannot send on a zeromq socket; this is a defect of bqueryd", { cause });
  }
}

async function* receiveFrames(socket: Router | Dealer): AsyncIterable<Uint8Array[]> {
  for await (const frames of socket) yield frames.map(asBytes);
}

/** The same memory without Buffer's own methods, some of which mean something else than a Uint8Array's. */
function asBytes(frame: Buffer): Uint8Array {
  return new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
}

/** The system's code of a failure, EADDRINUSE for one. */
export function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
}
