/** The calls of one client: sent to a controller, answered once each, and sent again elsewhere when it is lost. */
import { monotonicMs, randomId } from "../base/clock.js";
import { BquerydError, isErrorCode } from "../base/errors.js";
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
  /** Replies before the final one; an error it throws fails the call and cancels it at the controller. */
  onReply?(reply: Extract<ClientReply, { type: "accepted" | "partial" }>, body: readonly Uint8Array[]): void;
}

/** The final answer of a call that went well. */
export type Answer = Extract<ClientReply, { type: "result" }>;

/** A client's connection to the cluster. */
export interface Session {
  /** Asks and waits for the final answer; rejects with the error of the cluster, DEADLINE, CANCELLED or CONNECTION_LOST. */
  ask(call: Call): Promise<Answer>;
  close(): Promise<void>;
}

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
  settle(outcome: Answer | BquerydError): void;
}

const sendsMax = 3;
/** What a controller is given beyond the deadline to say itself that time is over, and what was outstanding. */
const graceMs = 500;

/** A session that connects at its first call. */
export function openSession(options: SessionOptions): Session {
  const clientId = randomId();
  const pending = new Map<string, Pending>();
  let link: Promise<Link> | undefined;
  let isClosed = false;
  let lastLost: string | undefined;

  async function connectLink(): Promise<Link> {
    const addresses = await options.findControllers();
    // The one just lost may still be listed: another is tried first.
    const address = addresses.find((candidate) => candidate !== lastLost) ?? addresses[0]!;
    return openLink({ address, clientId, messageBytesMax: options.messageBytesMax, expiryMs: options.expiryMs, onReply: receive, onMalformed: failAll, onLost: (reason) => { lose(address, reason); } });
  }

  function lose(address: string, reason: string): void {
    link = undefined;
    lastLost = address;
    for (const entry of [...pending.values()]) {
      if (entry.call.isSafe && entry.sends < sendsMax) send(entry);
      else entry.settle(new BquerydError("CONNECTION_LOST", `the controller ${address} was lost: ${reason}; ask again, or start one with bqueryd up`, { details: { address } }));
    }
  }

  function failAll(error: BquerydError): void {
    for (const entry of [...pending.values()]) entry.settle(error);
  }

  function send(entry: Pending): void {
    entry.sends += 1;
    link ??= connectLink();
    const used = link;
    used.then((open) => {
      if (!pending.has(entry.id)) return;
      const { verb, tables, columns, affinity, body } = entry.call;
      open.send({
        type: "call", id: entry.id, verb, tables: [...tables], columns: [...columns],
        ...(affinity === undefined ? {} : { affinity }), remainingMs: Math.max(0, entry.deadlineMs - monotonicMs()),
      }, body);
    }).catch((error: unknown) => {
      if (link === used) link = undefined;
      entry.settle(error instanceof BquerydError ? error : new BquerydError("INTERNAL", "the call could not be sent", { cause: error }));
    });
  }

  function cancel(entry: Pending): void {
    void link?.then((open) => { open.send({ type: "cancel", id: entry.id }); }, () => undefined);
  }

  function receive(header: ClientReply, body: Uint8Array[]): void {
    if (header.type === "welcome" || header.type === "heartbeat") return;
    // A reply to an unknown id is late: its call has ended.
    const entry = pending.get(header.id);
    if (entry === undefined) return;
    if (header.type === "result") entry.settle(header);
    else if (header.type === "error") entry.settle(errorOf(header));
    else deliver(entry, header, body);
  }

  function deliver(entry: Pending, header: Extract<ClientReply, { type: "accepted" | "partial" }>, body: Uint8Array[]): void {
    try {
      entry.call.onReply?.(header, body);
    } catch (error) {
      cancel(entry);
      entry.settle(error instanceof BquerydError ? error : new BquerydError("INTERNAL", "a partial answer could not be merged", { cause: error }));
    }
  }

  function ask(call: Call): Promise<Answer> {
    if (isClosed) return Promise.reject(new BquerydError("USAGE", "this rpc object is closed; connect again"));
    if (call.signal?.aborted === true) return Promise.reject(cancelled());
    return new Promise((resolve, reject) => {
      const id = randomId();
      const stop = (error: BquerydError): void => {
        cancel(entry);
        entry.settle(error);
      };
      const timer = setTimeout(() => { stop(late(call)); }, call.timeoutMs + graceMs);
      const onAbort = (): void => { stop(cancelled()); };
      const entry: Pending = {
        id, call, deadlineMs: monotonicMs() + call.timeoutMs, sends: 0,
        settle(outcome) {
          if (!pending.delete(id)) return;
          clearTimeout(timer);
          call.signal?.removeEventListener("abort", onAbort);
          if (outcome instanceof BquerydError) reject(outcome);
          else resolve(outcome);
        },
      };
      pending.set(id, entry);
      call.signal?.addEventListener("abort", onAbort, { once: true });
      send(entry);
    });
  }

  return {
    ask,
    async close() {
      isClosed = true;
      failAll(new BquerydError("CANCELLED", "the rpc object was closed while the call ran"));
      await (await link?.catch(() => undefined))?.close();
    },
  };
}

function errorOf({ code, message, details, origin }: Extract<ClientReply, { type: "error" }>): BquerydError {
  return new BquerydError(isErrorCode(code) ? code : "INTERNAL", message, { details, origin });
}

function cancelled(): BquerydError {
  return new BquerydError("CANCELLED", "the call was cancelled");
}

function late(call: Call): BquerydError {
  return new BquerydError("DEADLINE", `${call.verb} was not answered within ${call.timeoutMs / 1_000} s; raise timeout, or see rpc.info() for what runs`, { details: { timeoutMs: call.timeoutMs } });
}
