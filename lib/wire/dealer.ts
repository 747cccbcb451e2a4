/** The end of a client or a worker: one DEALER connected to one controller. */
import { BquerydError, toBquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { Channel, Channels } from "./catalogue.js";
import { decodeFrames, encodeFrames, type Decoded } from "./frames.js";
import { Outbox } from "./outbox.js";
import { flushMs } from "./router.js";
import { openDealerSocket, type RawSocket } from "./sockets.js";

/** What a Dealer needs to know, and whom it tells. */
export interface DealerOptions<C extends Channel> {
  /** The controller's address: `tcp://127.0.0.1:14300`. */
  readonly address: string;
  readonly channel: C;
  /** Bytes of one message, both ways. */
  readonly messageBytesMax: number;
  /** Bytes queued beyond which the connection is given up and made anew; by default limits.outboxBytesMax. */
  readonly outboxBytesMax?: number;
  onMessage(header: Channels[C]["reply"], body: Uint8Array[]): void;
  /** A message could not be read (BAD_MESSAGE), or the controller speaks another version (PROTOCOL_VERSION). */
  onMalformed(error: BquerydError): void;
  /** A connection is complete, the first or a later one: the controller knows nothing of earlier ones. */
  onConnected?(): void;
  /** The connection has ended. What was queued for it is dropped; what is sent from now on waits for the next one. */
  onDisconnected?(): void;
}

/** A connection that is made anew whenever it ends, until it is closed. */
export interface Dealer<C extends Channel> {
  /** Queues a message and returns. The body must not change any more. Throws MEMORY_LIMIT when it is too large. */
  send(header: Channels[C]["message"], body?: readonly Uint8Array[]): void;
  /** Gives what is queued a bounded time to get out, and closes. */
  close(): Promise<void>;
}

/** The one lane of a Dealer's outbox. */
const controller = "controller";
/** Between a connection that ended and the next attempt. */
const redialMs = 100;

/** A Dealer that connects on its own, now and whenever the connection ends; throws CONFIG when the address is no address. */
export function connectDealer<C extends Channel>(options: DealerOptions<C>): Dealer<C> {
  const dealer = new RedialingDealer(options);
  return { send: (header, body) => { dealer.send(header, body); }, close: () => dealer.close() };
}

/**
 * Each connection has a socket of its own. One that zeromq reconnects would bring messages of the old connection to a
 * controller that may be another process by now.
 */
class RedialingDealer<C extends Channel> {
  readonly #options: DealerOptions<C>;
  readonly #outbox: Outbox;
  #socket: RawSocket;
  #redialTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: DealerOptions<C>) {
    this.#options = options;
    this.#outbox = new Outbox({
      laneBytesMax: options.outboxBytesMax ?? limits.outboxBytesMax,
      write: (_lane, frames) => this.#socket.send(frames),
      // A stream with a gap is worth less than a new one.
      onLaneLost: () => { this.#hangUp(this.#socket); },
    });
    this.#socket = this.#dial();
  }

  send(header: Channels[C]["message"], body: readonly Uint8Array[] = []): void {
    const { channel, messageBytesMax } = this.#options;
    this.#outbox.push(controller, encodeFrames(channel, "message", header, body, messageBytesMax));
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#shut());
  }

  async #shut(): Promise<void> {
    clearTimeout(this.#redialTimer);
    await this.#outbox.flush(flushMs);
    this.#outbox.close();
    await this.#socket.close(flushMs);
  }

  #dial(): RawSocket {
    const { address, messageBytesMax } = this.#options;
    this.#outbox.hold();
    const socket = openDealerSocket({
      frameBytesMax: Math.min(messageBytesMax, limits.frameBytesMax),
      isIpv6: address.includes("["),
    });
    let isConnected = false;
    socket.on("handshake", () => {
      isConnected = true;
      this.#connected(socket);
    });
    // What fails before the handshake is zeromq's to try again.
    socket.on("disconnect", () => { if (isConnected) void this.#disconnected(socket); });
    connect(socket, address);
    // An owner's handler that throws is a defect: unhandled, it ends the process with its reason.
    void this.#receive(socket);
    return socket;
  }

  async #receive(socket: RawSocket): Promise<void> {
    for await (const frames of socket.receive()) {
      if (this.#closing !== undefined) continue;
      const message = tryDecode(this.#options, frames);
      if (message instanceof BquerydError) this.#options.onMalformed(message);
      else this.#options.onMessage(message.header, message.body);
    }
  }

  #connected(socket: RawSocket): void {
    if (this.#closing !== undefined || socket !== this.#socket) return;
    this.#options.onConnected?.();
    this.#outbox.resume();
  }

  /** Hangs up after what the controller said last was read. */
  async #disconnected(socket: RawSocket): Promise<void> {
    this.#outbox.hold();
    this.#outbox.drop(controller);
    do await new Promise((resolve) => setImmediate(resolve)); while (socket.hasMessage());
    this.#hangUp(socket);
  }

  #hangUp(socket: RawSocket): void {
    if (this.#closing !== undefined || this.#redialTimer !== undefined || socket !== this.#socket) return;
    this.#outbox.hold();
    this.#outbox.drop(controller);
    void socket.close(0);
    this.#redialTimer = setTimeout(() => {
      this.#redialTimer = undefined;
      this.#socket = this.#dial();
    }, redialMs);
    this.#options.onDisconnected?.();
  }
}

function tryDecode<C extends Channel>(options: DealerOptions<C>, frames: readonly Uint8Array[]): Decoded<Channels[C]["reply"]> | BquerydError {
  try {
    return decodeFrames(options.channel, "reply", frames, options.messageBytesMax);
  } catch (cause) {
    return toBquerydError(cause, "read a message");
  }
}

function connect(socket: RawSocket, address: string): void {
  try {
    socket.connect(address);
  } catch (cause) {
    void socket.close(0);
    throw new BquerydError("CONFIG", `'${address}' is not the address of a controller; give one like tcp://127.0.0.1:14300`, { details: { address }, cause });
  }
}
