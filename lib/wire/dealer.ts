/** The end of a client or a worker: one DEALER connected to one controller. */
import { BquerydError, toBquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { shortAddress, splitAddress } from "./addresses.js";
import type { Channel, Channels } from "./catalogue.js";
import { createIntroduction, type Introduction } from "./introduction.js";
import type { KeyPair } from "./keys.js";
import { decodeFrames, encodeFrames, type Decoded } from "./frames.js";
import { Outbox } from "./outbox.js";
import { messagesOf } from "./packets.js";
import { flushMs } from "./router.js";
import { openDealerSocket, type RawSocket, type Refusal } from "./sockets.js";

/** What a Dealer needs to know, and whom it tells. */
export interface DealerOptions<C extends Channel> {
  /** The controller's address: `tcp://127.0.0.1:14300`, with its public key where it has keys of its own. */
  readonly address: string;
  /** The keys of this process. With them it talks only to the owner of the key of the address, or else of its own key. */
  readonly keys?: KeyPair | undefined;
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
  /**
   * The two ends do not take each other's keys (FORBIDDEN). That is uncertain where connections just end again and again
   * before they are complete, as they do too at somebody who is no controller. It is tried again, and told again each time.
   */
  onRefused?(error: BquerydError, isCertain: boolean): void;
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
/** Between a connection that ended and the next attempt; longer and longer between those that were refused. */
const redialMs = 100;
const redialMsMax = 1_000;
/** So many connections in succession that ended before they were complete may have been refused. */
const brokenMost = 3;

/**
 * A Dealer that connects on its own, now and whenever the connection ends; throws CONFIG when the address is no address,
 * or when it is that of a controller with keys and this process has none.
 */
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
  readonly #introduction: Introduction | undefined;
  #socket: RawSocket;
  #redialTimer: NodeJS.Timeout | undefined;
  /** Connections that were refused or broken since one was complete. */
  #failures = 0;
  #closing: Promise<void> | undefined;

  constructor(options: DealerOptions<C>) {
    this.#options = options;
    this.#outbox = new Outbox({
      laneBytesMax: options.outboxBytesMax ?? limits.outboxBytesMax,
      write: (_lane, frames) => this.#socket.send(frames),
      // A stream with a gap is worth less than a new one.
      onLaneLost: () => { this.#hangUp(this.#socket); },
    });
    this.#introduction = createIntroduction(options.address, options.keys);
    this.#socket = this.#dial();
  }

  send(header: Channels[C]["message"], body: readonly Uint8Array[] = []): void {
    const { channel, messageBytesMax } = this.#options;
    const introduced = this.#introduction?.introduce(header) ?? header;
    this.#outbox.push(controller, encodeFrames(channel, "message", introduced, body, messageBytesMax));
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#shut());
  }

  async #shut(): Promise<void> {
    clearTimeout(this.#redialTimer);
    // To who refuses us nothing gets out however long we wait.
    if (this.#failures === 0) await this.#outbox.flush(flushMs);
    this.#outbox.close();
    await this.#socket.close(flushMs);
  }

  #dial(): RawSocket {
    const { address, messageBytesMax } = this.#options;
    this.#outbox.hold();
    const socket = openDealerSocket({
      frameBytesMax: Math.min(messageBytesMax, limits.frameBytesMax),
      isIpv6: address.includes("["),
    }, this.#introduction);
    let isConnected = false;
    socket.on("handshake", () => {
      isConnected = true;
      this.#connected(socket);
    });
    // What fails before the handshake is zeromq's to try again; with keys it gives up after some failures.
    socket.on("disconnect", () => {
      if (isConnected) void this.#disconnected(socket);
      else this.#refused(socket, "broken");
    });
    socket.onRefused((refusal) => { this.#refused(socket, refusal); });
    connect(socket, address);
    // An owner's handler that throws is a defect: unhandled, it ends the process with its reason.
    void this.#receive(socket);
    return socket;
  }

  async #receive(socket: RawSocket): Promise<void> {
    for await (const frames of socket.receive()) {
      // Whoever takes the one message may close upon it: the next of the packet is nobody's then.
      for (const message of messagesOf(frames)) if (this.#closing === undefined) this.#take(message);
    }
  }

  #take(frames: Uint8Array[] | BquerydError): void {
    const message = frames instanceof BquerydError ? frames : tryDecode(this.#options, frames);
    if (message instanceof BquerydError) this.#options.onMalformed(message);
    else this.#options.onMessage(message.header, message.body);
  }

  #connected(socket: RawSocket): void {
    if (this.#closing !== undefined || socket !== this.#socket) return;
    this.#failures = 0;
    this.#options.onConnected?.();
    this.#outbox.resume();
  }

  /** What is queued waits for the next connection. */
  #refused(socket: RawSocket, refusal: Refusal | "broken"): void {
    if (this.#closing !== undefined || this.#redialTimer !== undefined || socket !== this.#socket) return;
    if (refusal !== "broken" || this.#introduction !== undefined) {
      void socket.close(0);
      this.#redial(Math.min(redialMs * 2 ** this.#failures, redialMsMax));
    }
    this.#failures += 1;
    // A controller that is being stopped breaks connections as well.
    if (refusal !== "broken" || this.#failures >= brokenMost) this.#options.onRefused?.(refusalError(this.#options, refusal), refusal !== "broken");
  }

  #redial(afterMs: number): void {
    this.#redialTimer = setTimeout(() => {
      this.#redialTimer = undefined;
      this.#socket = this.#dial();
    }, afterMs);
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
    this.#redial(redialMs);
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
    socket.connect(splitAddress(address).endpoint);
  } catch (cause) {
    void socket.close(0);
    throw new BquerydError("CONFIG", `'${address}' is not the address of a controller; give one like tcp://127.0.0.1:14300`, { details: { address }, cause });
  }
}

function refusalError({ address, keys }: { readonly address: string; readonly keys?: KeyPair | undefined }, refusal: Refusal | "broken"): BquerydError {
  const details = { address: shortAddress(address), ...(keys === undefined ? {} : { publicKey: keys.publicKey }) };
  const code = refusal === "broken" && keys === undefined ? "NO_CONTROLLER" : "FORBIDDEN";
  return new BquerydError(code, `${details.address} ${refusalSentence(address, keys, refusal)}`, { details });
}

function refusalSentence(address: string, keys: KeyPair | undefined, refusal: Refusal | "broken"): string {
  if (keys === undefined && refusal === "broken") return "ends connections before they are complete; look whether it is the address of a controller, and whether that wants a key: then set key_file";
  if (keys === undefined) return "takes only those who have a key, and this process has none; set key_file";
  if (refusal === "unknownKey") return `does not know the key of this process; add a line to its authorized_keys, with the roles it is to have: client ${keys.publicKey}`;
  if (refusal === "mismatch") return "has no keys, and this process talks only to who has; give the controller a key_file, or leave out the one of this process";
  return splitAddress(address).publicKey === undefined
    ? "does not have the key of this process, which is expected where no other is named; write the controller's public key behind its address: tcp://host:port/KEY"
    : "does not have the key that its address names; compare it with the one in the address that the controller logs when it starts";
}
