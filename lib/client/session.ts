/** The calls of one client: sent to a controller, answered once each, and sent again elsewhere when it is lost. */
import { monotonicMs, randomId } from "../base/clock.js";
import { BquerydError, isErrorCode, toBquerydError } from "../base/errors.js";
import type { ClientMessage, ClientReply } from "../wire/messages.js";
import { openLink, type Link } from "./link.js";

/** What a client asks. */
export interface Call {
  readonly verb: Extract<ClientMessage, { type: "call" }>["verb"];
  readonly tables: readonly string[];
  readonly columns: readonly string[];
  readonly affinity?: string | undefined;
  readonly body: readonly Uint8Array[];
  /** Whether asking twice does no harm; others fail with CONNECTION_LOST when their controller is lost. */
  readonly isSafe: boolean;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What the call asks besides. */
  readonly asks?: Pick<Extract<ClientMessage, { type: "call" }>, "rows" | "missing" | "partial" | "generations" | "known">;
  /**
   * Replies before the final one; an error it throws fails the call and cancels it at the controller. `grant` says that so
   * many slices of an attempt were taken, now or later; it does nothing when the call is over.
   */
  onReply?(reply: News, body: readonly Uint8Array[], grant: Grant): void;
}

/** What a controller says of a call before its final answer. */
export type News = Extract<ClientReply, { type: "accepted" | "partial" | "slice" | "leftOut" }>;

/** Gives a controller credit for slices that were taken. */
export type Grant = (attempt: number, slices: number) => void;

/** The final answer of a call that went well. */
export type Answer = Extract<ClientReply, { type: "result" }>;

/** How a session finds controllers and how large and silent things may be. */
export interface SessionOptions {
  /** Addresses of controllers, now; throws NO_CONTROLLER when none is up. */
  findControllers(): Promise<readonly string[]>;
  readonly messageBytesMax: number;
  readonly expiryMs: number;
}

interface Pending {
  readonly id: string;
  readonly call: Call;
  readonly deadlineMs: number;
  sends: number;
  /** The link it was sent on last. */
  link: Link | undefined;
  settle(outcome: Answer | BquerydError): void;
}

const sendsMin = 3;
/** What a controller is given beyond the deadline to say itself that time is over, and what was outstanding. */
const graceMs = 500;

/** What asks a cluster. */
export type Asker = Pick<Session, "ask">;

/** A client's connection to the cluster; it connects at its first call. */
export class Session {
  readonly #options: SessionOptions;
  readonly #clientId = randomId();
  readonly #pending = new Map<string, Pending>();
  #link: Promise<Link> | undefined;
  /** What #link has become. */
  #open: Link | undefined;
  #addressCount = 0;
  /** When controllers were lost that have not welcomed us since. */
  readonly #lost = new Map<string, number>();
  /** Addresses at which a controller has been met. */
  readonly #welcomed = new Set<string>();
  #isClosed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Asks and waits for the final answer; rejects with the error of the cluster, DEADLINE, CANCELLED or CONNECTION_LOST. */
  ask(call: Call): Promise<Answer> {
    if (this.#isClosed) return Promise.reject(new BquerydError("USAGE", "this rpc object is closed; connect again"));
    if (call.signal?.aborted === true) return Promise.reject(cancelled());
    return new Promise((resolve, reject) => {
      const id = randomId();
      const stop = (error: BquerydError): void => {
        this.#cancel(entry);
        entry.settle(error);
      };
      const timer = setTimeout(() => { stop(this.#welcomed.size === 0 ? unanswered(entry) : late(call)); }, call.timeoutMs + graceMs);
      const onAbort = (): void => { stop(cancelled()); };
      const entry: Pending = {
        id, call, deadlineMs: monotonicMs() + call.timeoutMs, sends: 0, link: undefined,
        settle: (outcome) => {
          if (!this.#pending.delete(id)) return;
          clearTimeout(timer);
          call.signal?.removeEventListener("abort", onAbort);
          if (outcome instanceof BquerydError) reject(outcome);
          else resolve(outcome);
        },
      };
      this.#pending.set(id, entry);
      call.signal?.addEventListener("abort", onAbort, { once: true });
      this.#send(entry);
    });
  }

  /** Fails what is pending with CANCELLED and disconnects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#failAll(new BquerydError("CANCELLED", "the rpc object was closed while the call ran"));
    await (await this.#link?.catch(() => undefined))?.close();
  }

  #send(entry: Pending): void {
    entry.sends += 1;
    entry.link = undefined;
    this.#link ??= this.#connect();
    const connecting = this.#link;
    connecting.then((link) => {
      if (this.#pending.has(entry.id)) sendCall(link, entry);
    }, (error: unknown) => {
      if (this.#link === connecting) this.#link = undefined;
      entry.settle(toBquerydError(error, "reach a controller"));
    });
  }

  async #connect(): Promise<Link> {
    const addresses = await this.#options.findControllers();
    this.#addressCount = addresses.length;
    const address = chooseAddress(addresses, this.#lost, this.#clientId);
    const link: Link = openLink({
      address, clientId: this.#clientId, messageBytesMax: this.#options.messageBytesMax, expiryMs: this.#options.expiryMs,
      onReply: (header, body) => {
        if (header.type === "welcome") {
          this.#lost.delete(address);
          this.#welcomed.add(address);
        }
        // A client that was silent for long, as one whose machine slept, is forgotten with all its calls.
        if (header.type === "heartbeat" && !header.known) this.#leave(link, "it had heard nothing of this client for long");
        else this.#receive(header, body);
      },
      onMalformed: (error) => { this.#failAll(error); },
      onLost: (reason) => { this.#lose(link, reason); },
    });
    this.#open = link;
    return link;
  }

  #leave(link: Link, reason: string): void {
    void link.close();
    this.#lose(link, reason);
  }

  /** Sends what the link carried again, once to every controller there is and never less than a few times. */
  #lose(link: Link, reason: string): void {
    this.#lost.set(link.address, monotonicMs());
    if (this.#open === link) this.#link = undefined;
    const sendsMax = Math.max(sendsMin, this.#addressCount + 1);
    const isStranger = !this.#welcomed.has(link.address);
    for (const entry of [...this.#pending.values()].filter((candidate) => candidate.link === link)) {
      if (isStranger && entry.sends >= this.#addressCount) entry.settle(unanswered(entry));
      else if (entry.call.isSafe && entry.sends < sendsMax) this.#send(entry);
      else entry.settle(new BquerydError("CONNECTION_LOST", `the controller ${link.address} was lost: ${reason}; ask again, or start one with bqueryd up`, { details: { address: link.address } }));
    }
  }

  #failAll(error: BquerydError): void {
    for (const entry of [...this.#pending.values()]) entry.settle(error);
  }

  #cancel({ id, link }: Pending): void {
    link?.send({ type: "cancel", id });
  }

  #receive(header: ClientReply, body: Uint8Array[]): void {
    if (header.type === "welcome" || header.type === "heartbeat") return;
    // A reply to an unknown id is late: its call has ended.
    const entry = this.#pending.get(header.id);
    if (entry === undefined) return;
    if (header.type === "result") entry.settle(header);
    else if (header.type === "error") entry.settle(errorOf(header));
    else this.#deliver(entry, header, body);
  }

  #deliver(entry: Pending, header: News, body: Uint8Array[]): void {
    try {
      entry.call.onReply?.(header, body, (attempt, slices) => {
        if (this.#pending.get(entry.id) === entry) entry.link?.send({ type: "credit", id: entry.id, attempt, slices });
      });
    } catch (error) {
      this.#cancel(entry);
      entry.settle(toBquerydError(error, "merge a partial answer"));
    }
  }
}

/** The first address that was not lost, counted from one that differs by client; else the one lost longest ago. */
function chooseAddress(addresses: readonly string[], lost: ReadonlyMap<string, number>, clientId: string): string {
  const first = Number.parseInt(clientId.slice(0, 8), 16) % addresses.length;
  const inTurn = [...addresses.slice(first), ...addresses.slice(0, first)];
  return inTurn.reduce((best, address) => ((lost.get(address) ?? -1) < (lost.get(best) ?? -1) ? address : best));
}

/** Sends a call; one that cannot be sent, being too large, fails alone. */
function sendCall(link: Link, entry: Pending): void {
  const { verb, tables, columns, affinity, body, asks = {} } = entry.call;
  entry.link = link;
  try {
    link.send({
      type: "call", id: entry.id, verb, tables: [...tables], columns: [...columns],
      ...(affinity === undefined ? {} : { affinity }), ...asks, remainingMs: Math.max(0, entry.deadlineMs - monotonicMs()),
    }, body);
  } catch (error) {
    entry.settle(toBquerydError(error, "send the call"));
  }
}

function errorOf({ code, message, details, origin }: Extract<ClientReply, { type: "error" }>): BquerydError {
  return new BquerydError(isErrorCode(code) ? code : "INTERNAL", message, { details, origin });
}

function cancelled(): BquerydError {
  return new BquerydError("CANCELLED", "the call was cancelled");
}

function unanswered({ link }: Pending): BquerydError {
  const address = link?.address ?? "any known address";
  return new BquerydError("NO_CONTROLLER", `no controller answers at ${address}; look whether it is right, or start one with bqueryd up`, { details: { address } });
}

function late(call: Call): BquerydError {
  return new BquerydError("DEADLINE", `${call.verb} was not answered within ${call.timeoutMs / 1_000} s; raise timeout, or see rpc.info() for what runs`, { details: { timeoutMs: call.timeoutMs } });
}
