/** The controller's end: one ROUTER for clients and workers alike. */
import { BquerydError, toBquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { Channel, Channels } from "./catalogue.js";
import { decodeFrames, encodeFrames, requireChannel } from "./frames.js";
import type { KeyPair } from "./keys.js";
import { Outbox } from "./outbox.js";
import { messagesOf } from "./packets.js";
import { codeOf, openRouterSocket, type RawSocket } from "./sockets.js";
import type { Admit } from "./zap.js";

/** A message as the controller gets it. */
export type Incoming = {
  [C in Channel]: { readonly channel: C; readonly header: Channels[C]["message"]; readonly body: Uint8Array[] };
}[Channel];

/** What a Router needs to know, and whom it tells. A peer is the routing id of one connection, in hexadecimal. */
export interface RouterOptions {
  /** Host or address to listen on. */
  readonly bind: string;
  /** A port, 0 for any free one, or the first free of a range whose ends both count. */
  readonly port: number | { readonly first: number; readonly last: number };
  /** Bytes of one message, both ways. */
  readonly messageBytesMax: number;
  /** Bytes queued for one peer beyond which it counts as stuck; by default limits.outboxBytesMax. */
  readonly outboxBytesMax?: number;
  /** With it only those connect whose key it admits, and what travels is encrypted. */
  readonly guard?: { readonly keys: KeyPair; readonly admit: Admit } | undefined;
  onMessage(peer: string, message: Incoming): void;
  /** The peer is gone, or took nothing until its outbox was full: what was queued for it is dropped. */
  onUnreachable(peer: string): void;
  /** A message could not be read (BAD_MESSAGE, PROTOCOL_VERSION). Where there is somebody to answer, that is done. */
  onMalformed(peer: string, error: BquerydError): void;
  /** Some connection has ended; zeromq does not say whose. A heartbeat to each peer finds out. */
  onDisconnect?(): void;
  /** Somebody could not connect: it has no keys, or does not know the one of this end. Not told of keys that `guard` refuses. */
  onRefused?(): void;
}

/** A bound ROUTER. */
export interface Router {
  /** Where dealers connect: `tcp://127.0.0.1:14300`. */
  readonly address: string;
  /**
   * Queues a message and returns. The body must not change any more. A peer that is gone is told to `onUnreachable`
   * later; throws MEMORY_LIMIT when the message is larger than `messageBytesMax`. One that may wait some milliseconds goes with
   * the next to that peer.
   */
  send<C extends Channel>(peer: string, channel: C, header: Channels[C]["reply"], body?: readonly Uint8Array[], mayWait?: boolean): void;
  /** Drops all that a peer says from now on, unread: zeromq cannot end its connection. */
  shutOut(peer: string): void;
  /** Bytes queued for a peer, without what the sockets have taken. */
  queuedBytes(peer: string): number;
  /** Takes no more messages, gives what is queued a bounded time to get out, closes, and resolves when the port is free. */
  close(): Promise<void>;
}

/** Milliseconds that byes and final answers get, first to leave our outbox, then to leave the process. */
export const flushMs = 500;
/** Peers remembered as shut out. They leave by themselves: they hear nothing any more. */
const shutOutMax = 20_000;
/** The id in an answer to a message whose own id could not be read. */
const noId = "0".repeat(32);

/** A Router listening; throws PORT_IN_USE when no port is free, CONFIG when the address cannot be bound. */
export async function bindRouter(options: RouterOptions): Promise<Router> {
  const socket = openRouterSocket({
    frameBytesMax: Math.min(options.messageBytesMax, limits.frameBytesMax),
    isIpv6: options.bind.includes(":"),
  }, options.guard);
  try {
    await bindFirstFree(socket, options);
  } catch (cause) {
    await socket.close(0);
    throw cause;
  }
  return startRouter(socket, options);
}

function startRouter(socket: RawSocket, options: RouterOptions): Router {
  const outbox = new Outbox({
    laneBytesMax: options.outboxBytesMax ?? limits.outboxBytesMax,
    write: (peer, frames) => socket.send([Buffer.from(peer, "hex"), ...frames]),
    onLaneLost: (peer) => { options.onUnreachable(peer); },
  });
  const address = socket.endpoint();
  const send: Router["send"] = (peer, channel, header, body = [], mayWait = false) => {
    outbox.push(peer, encodeFrames(channel, "reply", header, body, options.messageBytesMax), mayWait);
  };
  let closing: Promise<void> | undefined;
  const shutOut = new Set<string>();
  socket.on("disconnect", () => { if (closing === undefined) options.onDisconnect?.(); });
  socket.onRefused((refusal) => { if (refusal === "mismatch" && closing === undefined) options.onRefused?.(); });

  async function receive(): Promise<void> {
    for await (const frames of socket.receive()) {
      const routingId = frames.shift();
      if (closing !== undefined || routingId === undefined) continue;
      const peer = Buffer.from(routingId.buffer, routingId.byteOffset, routingId.length).toString("hex");
      for (const message of messagesOf(frames)) if (!shutOut.has(peer)) take(peer, message);
    }
  }

  function take(peer: string, frames: Uint8Array[] | BquerydError): void {
    const message = frames instanceof BquerydError ? frames : tryDecode(frames, options.messageBytesMax);
    if (!(message instanceof BquerydError)) options.onMessage(peer, message);
    else {
      if (!(frames instanceof BquerydError) && outbox.queuedBytes(peer) === 0) answerMalformed({ peer, frames, error: message, address, send });
      options.onMalformed(peer, message);
    }
  }

  // An owner's handler that throws is a defect: unhandled, it ends the process with its reason.
  const receiving = receive();
  async function shut(): Promise<void> {
    await outbox.flush(flushMs);
    outbox.close();
    await socket.close(flushMs);
    await receiving;
  }
  return {
    address, send,
    shutOut(peer) {
      shutOut.add(peer);
      const [oldest] = shutOut;
      if (shutOut.size > shutOutMax && oldest !== undefined) shutOut.delete(oldest);
    },
    queuedBytes: (peer) => outbox.queuedBytes(peer),
    close: () => (closing ??= shut()),
  };
}

function tryDecode(frames: readonly Uint8Array[], messageBytesMax: number): Incoming | BquerydError {
  try {
    const channel = requireChannel(frames);
    return channel === "client"
      ? { channel, ...decodeFrames(channel, "message", frames, messageBytesMax) }
      : { channel, ...decodeFrames(channel, "message", frames, messageBytesMax) };
  } catch (cause) {
    return toBquerydError(cause, "read a message");
  }
}

/** Answers in our version: a peer of another one reads in the first frame which this is. Strangers get nothing. */
function answerMalformed(bad: { peer: string; frames: readonly Uint8Array[]; error: BquerydError; address: string; send: Router["send"] }): void {
  const { peer, error, address, send } = bad;
  const tag = Buffer.from(bad.frames[0] ?? []).toString("latin1", 0, 3);
  if (tag === "bqc") {
    const { id = noId } = error.details;
    send(peer, "client", { type: "error", id: String(id), code: error.code, message: error.message, details: error.details, origin: address });
  } else if (tag === "bqw" && error.code === "PROTOCOL_VERSION") {
    send(peer, "worker", { type: "heartbeat", known: false });
  }
}

async function bindFirstFree(socket: RawSocket, options: RouterOptions): Promise<void> {
  const { first, last } = typeof options.port === "number" ? { first: options.port, last: options.port } : options.port;
  const host = options.bind.includes(":") ? `[${options.bind}]` : options.bind;
  // zeromq would take the port modulo 65,536.
  if (!(first >= 0 && last <= 65_535)) throw cannotBind(`${host}:${last}`, new Error("no such port"));
  for (let port = first; port <= last; port++) {
    try {
      await socket.bind(`tcp://${host}:${port === 0 ? "*" : port}`);
      return;
    } catch (cause) {
      if (codeOf(cause) !== "EADDRINUSE") throw cannotBind(`${host}:${port}`, cause);
    }
  }
  throw portInUse(host, first, last);
}

function cannotBind(address: string, cause: unknown): BquerydError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BquerydError("CONFIG", `cannot listen on ${address} (${reason}); set bind to an address of this machine and port to a free one`, { details: { address }, cause });
}

function portInUse(host: string, first: number, last: number): BquerydError {
  const ports = first === last ? `port ${first} of ${host} is` : `ports ${first} to ${last} of ${host} are all`;
  return new BquerydError("PORT_IN_USE", `${ports} in use by another process; stop it or set another port`, { details: { bind: host, first, last } });
}
