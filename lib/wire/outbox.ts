/**
 * The way out of a socket: a lane of messages for each peer, and one loop that sends for all of them in turn, because a
 * socket takes one send at a time. A lane that cannot move waits on its own; the others go on.
 */
import { unreachable } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { joinMessages, packetMessagesMax } from "./packets.js";
import type { SendOutcome } from "./sockets.js";

/** Why a lane was given up: its peer is gone, or took nothing while too much piled up. */
export type LaneLoss = "unreachable" | "stuck";

/** How an outbox sends, and whom it tells. */
export interface OutboxOptions {
  /** Bytes of one lane beyond which its peer counts as stuck. */
  readonly laneBytesMax: number;
  write(peer: string, frames: Uint8Array[]): Promise<SendOutcome>;
  /** Called when a lane was dropped with all it held; never from within `push`. */
  onLaneLost(peer: string, loss: LaneLoss): void;
}

/** A message. */
interface Parcel {
  readonly frames: Uint8Array[];
  readonly bytes: number;
  next: Parcel | undefined;
}

interface Lane {
  readonly peer: string;
  head: Parcel | undefined;
  tail: Parcel | undefined;
  bytes: number;
  /** Messages: small ones take more than their bytes. */
  count: number;
  /** Whether it has none but messages that may wait. */
  isWaiting: boolean;
}

/** Sends in a row before other work of the process gets its turn. */
const burstMax = 64;
/** Messages are sent together as long as they are small: of a large one the receiver is to have the next only when it took it. */
const packetBytesMax = 64 * 1024;
const packetFramesMax = 64;
/** How long a message waits for one that it may go with. */
const patienceMs = 5;
const retryMinMs = 1;
const retryMaxMs = 50;

/** The outbox of one socket. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #waiters = new Set<() => void>();
  /** Peers given up as stuck, until their owner is told: a message after the lost ones would hide the gap. */
  readonly #stuck = new Set<string>();
  #ready: Lane[] = [];
  #blocked: Lane[] = [];
  #state: "open" | "held" | "closed" = "open";
  #isRunning = false;
  #retryMs = retryMinMs;
  #retryTimer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /**
   * Queues a message for a peer. The frames must not change any more. One that may wait goes with the next that may not, or
   * some milliseconds later: what is sent together costs both ends little more than one message.
   */
  push(peer: string, frames: Uint8Array[], mayWait = false): void {
    if (this.#state === "closed" || this.#stuck.has(peer)) return;
    const lane = this.#lanes.get(peer) ?? this.#addLane(peer);
    append(lane, frames);
    if (lane.bytes <= this.#options.laneBytesMax && lane.count <= limits.outboxMessagesMax) {
      if (!mayWait) this.#release(lane);
      else if (lane.isWaiting) this.#patience ??= setTimeout(() => { this.#endPatience(); }, patienceMs);
      this.#start();
      return;
    }
    this.drop(peer);
    this.#stuck.add(peer);
    queueMicrotask(() => {
      this.#stuck.delete(peer);
      this.#options.onLaneLost(peer, "stuck");
    });
  }

  /** Bytes queued for a peer, without what zeromq has taken. */
  queuedBytes(peer: string): number {
    return this.#lanes.get(peer)?.bytes ?? 0;
  }

  /** Forgets what is queued for a peer. */
  drop(peer: string): void {
    this.#lanes.delete(peer);
    if (this.#lanes.size === 0) this.#wake();
  }

  /** Sends nothing until `resume`; messages go on queueing. */
  hold(): void {
    if (this.#state === "open") this.#state = "held";
  }

  /** Ends a `hold`. */
  resume(): void {
    if (this.#state === "held") this.#state = "open";
    this.#start();
  }

  /** Resolves when nothing is queued or `timeoutMs` have passed; at once while held. */
  async flush(timeoutMs: number): Promise<void> {
    if (this.#lanes.size === 0 || this.#state !== "open") return;
    this.#endPatience();
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiters.add(done);
    });
  }

  /** Forgets everything and sends nothing more. */
  close(): void {
    this.#state = "closed";
    this.#lanes.clear();
    this.#wake();
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#patience);
  }

  #addLane(peer: string): Lane {
    const lane: Lane = { peer, head: undefined, tail: undefined, bytes: 0, count: 0, isWaiting: true };
    this.#lanes.set(peer, lane);
    return lane;
  }

  #release(lane: Lane): void {
    if (!lane.isWaiting) return;
    lane.isWaiting = false;
    this.#ready.push(lane);
  }

  #endPatience(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    for (const lane of this.#lanes.values()) this.#release(lane);
    this.#start();
  }

  #start(): void {
    if (this.#isRunning || this.#state !== "open") return;
    this.#isRunning = true;
    // A `write` that throws is a defect: unhandled, it ends the process with its reason.
    void this.#run();
  }

  async #run(): Promise<void> {
    // What else its owner has to say at this moment goes with it.
    await Promise.resolve();
    for (let sends = 1; this.#ready.length > 0 && this.#state === "open"; sends++) {
      const lane = this.#ready.shift()!;
      if (lane.head === undefined || this.#lanes.get(lane.peer) !== lane) continue;
      const packet = firstOf(lane);
      const outcome = await this.#options.write(lane.peer, joinMessages(packet));
      if (this.#lanes.get(lane.peer) === lane) this.#settle(lane, outcome, packet.length);
      // Sends that succeed at once never leave the microtask queue, and receiving must not starve.
      if (sends % burstMax === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isRunning = false;
  }

  #settle(lane: Lane, outcome: SendOutcome, messages: number): void {
    switch (outcome) {
      case "sent":
        this.#retryMs = retryMinMs;
        for (let message = 0; message < messages; message++) removeFirst(lane);
        if (lane.head === undefined) this.drop(lane.peer);
        else this.#ready.push(lane);
        return;
      case "full":
        this.#blocked.push(lane);
        this.#retryTimer ??= setTimeout(() => { this.#retry(); }, this.#retryMs);
        return;
      case "unreachable":
        this.drop(lane.peer);
        this.#options.onLaneLost(lane.peer, "unreachable");
        return;
      default: unreachable(outcome);
    }
  }

  #retry(): void {
    this.#retryTimer = undefined;
    this.#retryMs = Math.min(2 * this.#retryMs, retryMaxMs);
    this.#ready = this.#ready.concat(this.#blocked);
    this.#blocked = [];
    this.#start();
  }

  #wake(): void {
    for (const done of this.#waiters) done();
  }
}

function append(lane: Lane, frames: Uint8Array[]): void {
  const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
  const parcel: Parcel = { frames, bytes, next: undefined };
  if (lane.tail === undefined) lane.head = parcel;
  else lane.tail.next = parcel;
  lane.tail = parcel;
  lane.bytes += bytes;
  lane.count += 1;
}

/** The first message of a lane, and those after it that may go with it. */
function firstOf({ head }: Lane): Uint8Array[][] {
  const packet: Uint8Array[][] = [];
  let [bytes, frames] = [0, 0];
  for (let parcel = head; parcel !== undefined && packet.length < packetMessagesMax; parcel = parcel.next) {
    bytes += parcel.bytes;
    frames += parcel.frames.length;
    if (packet.length > 0 && (bytes > packetBytesMax || frames > packetFramesMax)) break;
    packet.push(parcel.frames);
  }
  return packet;
}

function removeFirst(lane: Lane): void {
  const first = lane.head;
  if (first === undefined) return;
  lane.head = first.next;
  if (lane.head === undefined) lane.tail = undefined;
  lane.bytes -= first.bytes;
  lane.count -= 1;
}
