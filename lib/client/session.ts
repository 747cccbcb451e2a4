/** The calls of one client: sent to a controller, answered once each, and sent again elsewhere when it is lost. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs, randomId } from "../base/clock.js";
import { BquerydError, isErrorCode, toBquerydError } from "../base/errors.js";
import { shortAddress } from "../wire/addresses.js";
import type { KeyPair } from "../wire/keys.js";
import type { ClientMessage, ClientReply } from "../wire/messages.js";
import { openLink, type Link, type Refused } from "./link.js";

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
  /** Whether the caller shows how far it is, so that nobody else needs to. */
  readonly isShown?: boolean;
  /** What the call asks besides. */
  readonly asks?: Pick<Extract<ClientMessage, { type: "call" }>, "rows" | "missing" | "partial" | "generations" | "known" | "errands" | "worker" | "detached" | "query" | "generation" | "level" | "bucket" | "sources" | "sets" | "replicas" | "ticket" | "detail">;
  /**
   * Replies before the final one; an error it throws fails the call and cancels it at the controller. `grant` says that so
   * many slices of an attempt were taken, now or later; it does nothing when the call is over.
   */
  onReply?(reply: News, body: readonly Uint8Array[], grant: Grant): void;
  /** Is handed what ends the call as its signal does, at once and while it goes on; afterwards that does nothing. */
  onAsked?(end: () => void): void;
  /** What an errand came to, before the final answer; again when the call was sent again. */
  onAnswer?(form: "json" | "bytes", body: readonly Uint8Array[]): void;
}

/** What a controller says of a call before its final answer. */
export type News = Extract<ClientReply, { type: "accepted" | "partial" | "slice" | "leftOut" }>;

/** What a controller says first of a call. */
export type Accepted = Extract<News, { type: "accepted" }>;

/** Gives a controller credit for slices that were taken. */
export type Grant = (attempt: number, slices: number) => void;

/** The final answer of a call that went well. */
export type Answer = Extract<ClientReply, { type: "result" }>;

/** How a session finds controllers and how large and silent things may be. */
export interface SessionOptions {
  /** Addresses of controllers, now; throws NO_CONTROLLER when none is up. */
  findControllers(): Promise<readonly string[]>;
  readonly messageBytesMax: number;
  /** The keys of this client, where it has some. */
  readonly keys?: KeyPair | undefined;
  /** The mark of the cluster in whose registry controllers are found. */
  readonly cluster?: string | undefined;
  /** Silence beyond which a controller counts as lost. */
  readonly expiryMs: number;
}

interface Pending {
  readonly id: string;
  readonly call: Call;
  readonly deadlineMs: number;
  sends: number;
  /** The link it was sent on last, or is to be. */
  link: Link | undefined;
  /** Whether somebody may have it. */
  isOut: boolean;
  settle(outcome: Answer | BquerydError): void;
}

const sendsMin = 3;
/** What a controller is given beyond the deadline to say itself that time is over, and what was outstanding. */
const graceMs = 500;
/** Between two looks for a controller that is being started again, and for how many times the expiry one is looked for. */
const lookAgainMs = 100;
const lookExpiries = 2;

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
  /** The one that has been welcomed. */
  #met: Link | undefined;
  /** Those that take no more of our calls, open until the ones they have are over. */
  readonly #left = new Set<Link>();
  #addressCount = 0;
  /** When controllers were lost that have not welcomed us since. */
  readonly #lost = new Map<string, number>();
  /** The highest epoch of pointers that an answer carried: no later one may be of an earlier. */
  #epoch = 0;
  /** Addresses at which a controller has been met. */
  readonly #welcomed = new Set<string>();
  /** Why no controller is found, while it is looked for again. */
  #missing: BquerydError | undefined;
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
      // Of whole milliseconds: Node keeps a list for each length there is.
      const timer = setTimeout(() => { stop(this.#missing ?? (this.#welcomed.size === 0 ? unanswered(entry) : late(call))); }, Math.ceil(call.timeoutMs) + graceMs);
      const onAbort = (): void => { stop(cancelled()); };
      const entry: Pending = {
        id, call, deadlineMs: monotonicMs() + call.timeoutMs, sends: 0, link: undefined, isOut: false,
        settle: (outcome) => {
          if (!this.#pending.delete(id)) return;
          clearTimeout(timer);
          call.signal?.removeEventListener("abort", onAbort);
          this.#closeLeft();
          if (outcome instanceof BquerydError) reject(outcome);
          else resolve(outcome);
        },
      };
      this.#pending.set(id, entry);
      call.signal?.addEventListener("abort", onAbort, { once: true });
      call.onAsked?.(() => { if (this.#pending.has(id)) onAbort(); });
      this.#send(entry);
    });
  }

  /** Fails what is pending with CANCELLED and disconnects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#failAll(new BquerydError("CANCELLED", "the rpc object was closed while the call ran"));
    const link = await this.#link?.catch(() => undefined);
    await Promise.all([...this.#left, ...(link === undefined ? [] : [link])].map((one) => one.close()));
  }

  #send(entry: Pending): void {
    entry.sends += 1;
    entry.link = undefined;
    this.#link ??= this.#connect();
    const connecting = this.#link;
    connecting.then((link) => {
      if (!this.#pending.has(entry.id)) return;
      entry.link = link;
      // What must not be done twice waits until there is somebody who does it: to a dead controller it could not be sent but once.
      if (entry.call.isSafe || this.#met === link) sendCall(link, entry, this.#epoch);
    }, (error: unknown) => {
      if (this.#link === connecting) this.#link = undefined;
      entry.settle(toBquerydError(error, "reach a controller"));
    });
  }

  async #connect(): Promise<Link> {
    const addresses = await this.#findControllers();
    this.#addressCount = addresses.length;
    const address = chooseAddress(addresses, this.#lost, this.#clientId);
    const left = this.#takeLeft(address);
    if (left !== undefined) return left;
    const link: Link = openLink({
      address, clientId: this.#clientId, messageBytesMax: this.#options.messageBytesMax, keys: this.#options.keys, cluster: this.#options.cluster, expiryMs: this.#options.expiryMs,
      onReply: (header, body) => {
        if (header.type === "welcome") this.#meet(link);
        // A client that was silent for long, as one whose machine slept, is forgotten with all its calls.
        if (header.type === "heartbeat" && !header.known) this.#leave(link, "it had heard nothing of this client for long");
        else this.#receive(header, body);
      },
      onMalformed: (error) => { this.#failAll(error); },
      onLost: (reason, refusal) => { this.#lose(link, reason, refusal); },
    });
    this.#open = link;
    return link;
  }

  /** A client that has met a controller waits a while for one that is started again; others hear at once that none is up. */
  async #findControllers(): Promise<readonly string[]> {
    const untilMs = monotonicMs() + lookExpiries * this.#options.expiryMs;
    for (;;) {
      try {
        const addresses = await this.#options.findControllers();
        this.#missing = undefined;
        return addresses;
      } catch (cause) {
        const failure = toBquerydError(cause, "find a controller");
        const isOver = this.#welcomed.size === 0 || this.#pending.size === 0 || monotonicMs() + lookAgainMs > untilMs;
        this.#missing = failure.code === "NO_CONTROLLER" && !isOver ? failure : undefined;
        if (this.#missing === undefined) throw failure;
      }
      await delay(lookAgainMs);
    }
  }

  #meet(link: Link): void {
    this.#lost.delete(link.address);
    this.#welcomed.add(link.address);
    this.#met = link;
    for (const entry of [...this.#pending.values()]) if (entry.link === link && !entry.isOut) sendCall(link, entry, this.#epoch);
  }

  #leave(link: Link, reason: string): void {
    void link.close();
    this.#lose(link, reason);
  }

  /** Sends what the link carried again. */
  #lose(link: Link, reason: string, refusal?: Refused): void {
    this.#lost.set(link.address, monotonicMs());
    if (this.#open === link) this.#link = undefined;
    this.#left.delete(link);
    const isStranger = !this.#welcomed.has(link.address);
    for (const entry of [...this.#pending.values()].filter((candidate) => candidate.link === link)) {
      if (isStranger && entry.sends >= this.#addressCount) entry.settle(refusal?.error ?? unanswered(entry));
      else if ((entry.call.isSafe || !entry.isOut) && entry.sends < this.#sendsMax()) this.#send(entry);
      else entry.settle(refusal?.isCertain === true ? refusal.error : lost(entry, link, reason));
    }
  }

  /** A controller that is stopping, or knows less of the tables than this client has seen, does not keep a call from the others. */
  #fail(entry: Pending, error: BquerydError): void {
    const { link, call, sends } = entry;
    // Refused by one that is on its way out: nothing was done about it, and another one may be started in its place.
    const isUndone = error.code === "NO_CONTROLLER";
    const isForOthers = isUndone || (call.isSafe && (error.code === "CONNECTION_LOST" || error.code === "STALE"));
    const isRoundOver = sends >= this.#addressCount;
    if (link === undefined || !isForOthers || (isRoundOver && !isUndone) || sends >= this.#sendsMax()) {
      entry.settle(error);
      return;
    }
    if (isUndone) entry.isOut = false;
    if (this.#open === link) {
      this.#lost.set(link.address, monotonicMs());
      this.#left.add(link);
      this.#link = this.#open = undefined;
    }
    if (isRoundOver) void this.#sendLater(entry);
    else this.#send(entry);
    this.#closeLeft();
  }

  /** Time for a controller that is stopping to leave the list. */
  async #sendLater(entry: Pending): Promise<void> {
    entry.link = undefined;
    await delay(lookAgainMs);
    if (this.#pending.has(entry.id)) this.#send(entry);
  }

  /** How often a call is sent at most: once to every controller there is, and never less than a few times. */
  #sendsMax(): number {
    return Math.max(sendsMin, this.#addressCount + 1);
  }

  /** The connection to that controller, if it is still open: another one would end the calls that go over it. */
  #takeLeft(address: string): Link | undefined {
    const link = [...this.#left].find((one) => one.address === address);
    if (link === undefined) return undefined;
    this.#left.delete(link);
    this.#open = this.#met = link;
    return link;
  }

  #closeLeft(): void {
    for (const link of this.#left) {
      if ([...this.#pending.values()].some((entry) => entry.link === link)) continue;
      this.#left.delete(link);
      void link.close();
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
    if ("epoch" in header) this.#epoch = Math.max(this.#epoch, header.epoch ?? 0);
    if (header.type === "result") {
      // Who has ended all controllers waits for none to come back.
      if (entry.call.verb === "killall") this.#welcomed.clear();
      entry.settle(header);
    }
    else if (header.type === "error") this.#fail(entry, errorOf(header));
    else if (header.type === "answer") entry.call.onAnswer?.(header.form, body);
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
function sendCall(link: Link, entry: Pending, epoch: number): void {
  const { verb, tables, columns, affinity, body, asks = {} } = entry.call;
  entry.isOut = true;
  try {
    link.send({
      type: "call", id: entry.id, verb, tables: [...tables], columns: [...columns],
      ...(affinity === undefined ? {} : { affinity }), ...asks, ...(epoch === 0 ? {} : { epoch }), remainingMs: Math.max(0, entry.deadlineMs - monotonicMs()),
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

function lost({ call }: Pending, { address }: Link, reason: string): BquerydError {
  const shown = shortAddress(address);
  const advice = call.isSafe ? "ask again, or start one with bqueryd up" : `${call.verb} may or may not have happened, look before you ask again`;
  return new BquerydError("CONNECTION_LOST", `the controller ${shown} was lost: ${reason}; ${advice}`, { details: { address: shown } });
}

function unanswered({ link }: Pending): BquerydError {
  const address = link === undefined ? "any known address" : shortAddress(link.address);
  return new BquerydError("NO_CONTROLLER", `no controller answers at ${address}; look whether it is right, or start one with bqueryd up`, { details: { address } });
}

function late(call: Call): BquerydError {
  return new BquerydError("DEADLINE", `${call.verb} was not answered within ${call.timeoutMs / 1_000} s; raise timeout, or see rpc.info() for what runs`, { details: { timeoutMs: call.timeoutMs } });
}
