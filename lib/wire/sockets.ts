/** The only file that imports zeromq: sockets with the options this protocol needs, counted while they are open. */
import { Context, Dealer, Reply, Router } from "zeromq";
import { BquerydError } from "../base/errors.js";
import { createTurn } from "../base/turn.js";
import { encodeZ85, type KeyPair } from "./keys.js";
import { answerZap, zapDomain, zapEndpoint, type Admit } from "./zap.js";

/**
 * What became of a message: `sent` (on its way), `full` (try again later), `unreachable` (that peer is gone). Nobody
 * waits inside zeromq: a second send while one waits fails with EBUSY.
 */
export type SendOutcome = "sent" | "full" | "unreachable";

/** A zeromq socket whose sends never wait. */
export interface RawSocket {
  send(frames: Uint8Array[]): Promise<SendOutcome>;
  /** Whole messages as they come, until the socket is closed. Their frames are Buffers. */
  receive(): AsyncIterable<Uint8Array[]>;
  /** Tells whether a message has come that `receive` has not yielded. */
  hasMessage(): boolean;
  /** A connection is complete (`handshake`) or has ended (`disconnect`). */
  on(event: "handshake" | "disconnect", listener: () => void): void;
  /** A connection was refused. A DEALER does not try again by itself then. */
  onRefused(listener: (refusal: Refusal) => void): void;
  /** Binds a ROUTER. Fails with the system's code, EADDRINUSE for one. */
  bind(endpoint: string): Promise<void>;
  /** Connects a DEALER, trying again and again by itself until it succeeds or is closed. */
  connect(endpoint: string): void;
  /** The bound endpoint, with its port. */
  endpoint(): string;
  /**
   * Closes, and gives zeromq `lingerMs` to put on the wire what was sent. Resolves when a bound port is free again and
   * nothing listens for its events: a thread that ends while zeromq does aborts the process.
   */
  close(lingerMs: number): Promise<void>;
}

/**
 * Why a connection was refused before it was complete. `unknownKey`: the other end does not know our key. `mismatch`: one
 * end has keys and the other has none, or at a ROUTER, the other expects another key of it.
 */
export type Refusal = "unknownKey" | "mismatch";

/** Messages inside zeromq, each way and for each peer; beyond it senders queue in our own outbox, which counts bytes. */
const highWaterMark = 256;
/** What CURVE adds to a frame, which zeromq counts against its limit: command name, nonce, authenticator and flags. */
const curveBytes = 33;
/** What zeromq says of ends that do not agree on keys, at either end; other failures are those of strangers to its protocol. */
const mismatchCodes: readonly string[] = ["ERR_ZMTP_MECHANISM_MISMATCH", "ERR_ZMTP_CRYPTOGRAPHIC"];
/** zeromq closes its listener, and what tells of its events, on another thread, within milliseconds. */
const closedMsMax = 500;

/** All sockets of a process share its turns: reading may take so long in each. */
const turn = createTurn(10);
let openSockets = 0;

/** How many zeromq sockets this thread has open. Tests assert it: no list of Node's shows them. */
export function openSocketCount(): number {
  return openSockets;
}

/** Bytes of messages that all sockets of this thread have taken and given since it began. */
export interface Traffic {
  bytesIn: number;
  bytesOut: number;
}

const traffic: Traffic = { bytesIn: 0, bytesOut: 0 };

/** What the sockets of this thread have moved until now. */
export function socketTraffic(): Readonly<Traffic> {
  return { ...traffic };
}

/** What both kinds of socket need to know. */
export interface SocketOptions {
  /** A peer that sends a larger frame is disconnected. */
  readonly frameBytesMax: number;
  /** The host is an IPv6 address. */
  readonly isIpv6: boolean;
}

/** A ROUTER that reports unreachable peers. With `guard` only those connect whose key it admits. */
export function openRouterSocket(options: SocketOptions, guard?: { readonly keys: KeyPair; readonly admit: Admit }): RawSocket {
  const gate = guard === undefined ? undefined : openGate(guard.admit);
  const secured = guard === undefined || gate === undefined ? {} : { ...curveOptions(guard.keys, options), curveServer: true, zapDomain, zapEnforceDomain: true, context: gate.context };
  const socket = new Router({ ...zeromqOptions(options), ...secured, mandatory: true });
  let isBound = false;
  return wrap(socket, {
    async bind(endpoint) {
      // First: nobody is let in while nobody answers for keys.
      await gate?.open();
      await socket.bind(endpoint);
      isBound = true;
    },
    async unbound() {
      if (isBound) await next(socket, "close");
      gate?.close();
    },
    connect: () => { throw new Error("a ROUTER binds"); },
  });
}

/** Who answers zeromq's questions about keys: one in a context, so that each guarded socket has a context of its own. */
function openGate(admit: Admit): { readonly context: Context; open(): Promise<void>; close(): void } {
  const context = new Context({ blocky: false });
  const socket = new Reply({ context, linger: 0 });
  openSockets += 1;
  async function answer(): Promise<void> {
    for await (const question of socket) if (!socket.closed) await socket.send(answerZap(question, admit));
  }
  let answering: Promise<void> | undefined;
  return {
    context,
    open: () => (answering === undefined ? socket.bind(zapEndpoint).then(() => { answering = answer(); }) : Promise.resolve()),
    close() {
      if (socket.closed) return;
      openSockets -= 1;
      socket.close();
    },
  };
}

function curveOptions(keys: KeyPair, { frameBytesMax }: SocketOptions) {
  return { curvePublicKey: encodeZ85(Buffer.from(keys.publicKey, "hex")), curveSecretKey: encodeZ85(keys.secret()), maxMessageSize: frameBytesMax + curveBytes };
}

/**
 * A DEALER that tries to connect every 100 ms at first, every second in the end. It chooses no routing id: the ROUTER
 * gives each connection a fresh one, so that nothing meant for an earlier one arrives, and none is refused as a double.
 * Not `immediate`: that loses what has come but is not read when the connection ends. With `security` it talks only to
 * the owner of `serverKey`.
 */
export function openDealerSocket(options: SocketOptions, security?: { readonly keys: KeyPair; readonly serverKey: string }): RawSocket {
  const secured = security === undefined ? {} : { ...curveOptions(security.keys, options), curveServerKey: encodeZ85(Buffer.from(security.serverKey, "hex")) };
  const socket = new Dealer({ ...zeromqOptions(options), ...secured, reconnectInterval: 100, reconnectMaxInterval: 1_000 });
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
  let isObserved = false;
  return {
    bind, connect,
    async send(frames) {
      try {
        await socket.send(frames);
        for (const frame of frames) traffic.bytesOut += frame.length;
        return "sent";
      } catch (cause) {
        return outcomeOf(cause);
      }
    },
    receive: () => receiveFrames(socket),
    on(event, listener) {
      isObserved = true;
      socket.events.on(event, listener);
    },
    onRefused(listener) {
      isObserved = true;
      socket.events.on("handshake:error:auth", () => { listener("unknownKey"); });
      socket.events.on("handshake:error:protocol", ({ error }) => {
        if (mismatchCodes.includes(error.code)) listener("mismatch");
      });
    },
    hasMessage: () => !socket.closed && socket.readable,
    endpoint: () => socket.lastEndpoint ?? "",
    async close(lingerMs) {
      if (socket.closed) return;
      openSockets -= 1;
      const over = [unbound(), ...(isObserved ? [next(socket, "end")] : [])];
      socket.linger = lingerMs;
      socket.close();
      await Promise.all(over);
    },
  };
}

function next(socket: Router | Dealer, event: "close" | "end"): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, closedMsMax);
    socket.events.on(event, () => {
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

/** An iterator of our own: zeromq's and a generator around it would put off every message twice. */
function receiveFrames(socket: Router | Dealer): AsyncIterable<Uint8Array[]> {
  return { [Symbol.asyncIterator]: () => ({ next: () => receiveNext(socket) }) };
}

async function receiveNext(socket: Router | Dealer): Promise<IteratorResult<Uint8Array[], undefined>> {
  // zeromq gives what is there at once, hundreds of messages in a row, and each may be a thousandth of a second of work.
  if (turn.isOver()) await turn.pass();
  if (socket.closed) return { done: true, value: undefined };
  try {
    const frames = await socket.receive();
    for (const frame of frames) traffic.bytesIn += frame.length;
    return { done: false, value: frames };
  } catch (cause) {
    // EAGAIN ends a read that waited. After many messages in a row zeromq puts one off, and then reads what may have been closed meanwhile.
    if (socket.closed && ["EAGAIN", "ENOTSOCK"].includes(codeOf(cause) ?? "")) return { done: true, value: undefined };
    throw cause;
  }
}

/** The system's code of a failure, EADDRINUSE for one. */
export function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
}
