/**
 * The worker's state machine: it decides, node.ts does. Events go in, instructions come out; there is no I/O, no clock
 * and no randomness here. A worker runs one task at a time. While idle it offers one nonce to all its controllers; the
 * first task that names it wins, every other is declined.
 */
import { unreachable } from "../../base/errors.js";
import type { AbsentColumn, Block, BrokenTable, Cost, Holding, ShardRef, WidenedColumn, WorkerMessage, WorkerReply } from "../../wire/messages.js";
import type { Failure } from "./failure.js";

/** The columns of a shard that the compute thread now holds decoded; an empty list means none any more. */
export interface CacheChange {
  readonly shard: string;
  readonly columns: readonly string[];
}

/** A task as the compute thread runs it. */
export interface ComputeTask {
  readonly taskId: string;
  /** The query as the client encoded it. */
  readonly query: Uint8Array;
  readonly shards: readonly ShardRef[];
  readonly remainingMs: number;
  /** Asks for rows, in place of partials. */
  readonly rows?: RowsAsked;
  /** The dtypes of columns that a shard may lack; absent where that is an error. */
  readonly absent?: readonly AbsentColumn[];
  /** What holds the dtypes of columns that are not of one in all shards of the call. */
  readonly widened?: readonly WidenedColumn[];
}

/** How many slices and rows a task may send, and where each of its shards goes on. */
export type RowsAsked = NonNullable<(WorkerReply & { type: "task" })["rows"]>;

/** A stretch of a shard's rows, encoded. */
export interface RowSlice {
  readonly ordinal: number;
  readonly from: number;
  readonly next: number | null;
  readonly rows: number;
  readonly bytes: Uint8Array;
}

/** What happens to a worker. A link is the connection to one controller, named by its address. */
export type WorkerEvent =
  | { readonly kind: "linked"; readonly link: string }
  | { readonly kind: "unlinked"; readonly link: string }
  | { readonly kind: "received"; readonly link: string; readonly header: WorkerReply; readonly body: readonly Uint8Array[] }
  | { readonly kind: "holdingsChanged"; readonly added: readonly Holding[]; readonly removed: readonly string[] }
  /** All that cannot be opened now, in place of what could not before. */
  | { readonly kind: "tablesBroken"; readonly tables: readonly BrokenTable[] }
  | { readonly kind: "computeUp" }
  | { readonly kind: "computeLost"; readonly failure: Failure; readonly error?: unknown }
  | { readonly kind: "block"; readonly taskId: string; readonly block: Block; readonly partial: Uint8Array }
  | { readonly kind: "slice"; readonly taskId: string; readonly slice: RowSlice }
  /** A block of the running task is larger than a message may be. */
  | { readonly kind: "blockRefused"; readonly taskId: string; readonly failure: Failure }
  | { readonly kind: "taskDone"; readonly taskId: string; readonly cost: Cost; readonly cacheChanges: readonly CacheChange[] }
  | { readonly kind: "taskFailed"; readonly taskId: string; readonly failure: Failure; readonly cacheChanges: readonly CacheChange[] }
  | { readonly kind: "tick" }
  /** Finish the running task, then leave. */
  | { readonly kind: "stop"; readonly reason: string }
  /** Hand the running task back and leave at once. */
  | { readonly kind: "stopNow"; readonly reason: string };

/** What node.ts is to do. */
export type Instruction =
  | { readonly kind: "send"; readonly link: string; readonly header: WorkerMessage; readonly body: readonly Uint8Array[] }
  | { readonly kind: "run"; readonly task: ComputeTask }
  | { readonly kind: "cancel"; readonly taskId: string }
  | { readonly kind: "reconnect"; readonly link: string }
  | { readonly kind: "welcomed"; readonly link: string; readonly controllerId: string; readonly node: string }
  | { readonly kind: "leave"; readonly reason: string };

/** Facts about this worker that never change, and the source of its nonces. */
export interface WorkerIdentity {
  readonly workerId: string;
  readonly node: string;
  readonly pid: number;
  readonly version: string;
  readonly dataDir: string;
  readonly startedMs: number;
  readonly expiryMs: number;
  readonly newNonce: () => string;
}

interface Link {
  lastHeardMs: number;
  /** Cache changes this controller has not been told of. */
  readonly untold: Map<string, readonly string[]>;
}

interface Running {
  readonly taskId: string;
  readonly link: string;
  /** Nobody waits for it any more: it was cancelled, or its controller is gone. */
  abandoned: boolean;
}

/** The state of one worker, updated in place by `on`. */
export interface WorkerState {
  readonly identity: WorkerIdentity;
  readonly holdings: Map<string, Holding>;
  broken: readonly BrokenTable[];
  readonly links: Map<string, Link>;
  readonly cached: Map<string, readonly string[]>;
  phase: "serving" | "stopping" | "left";
  stopReason: string;
  computeUp: boolean;
  /** The nonce on offer: set exactly while a task would be taken. */
  nonce: string | undefined;
  running: Running | undefined;
}

/** Columns described in one message at most, so that thousands of wide tables stay far from the header's limit. */
const columnsPerMessage = 50_000;

/** A worker that knows no controller, holds nothing and cannot compute yet. */
export function createWorkerState(identity: WorkerIdentity): WorkerState {
  return {
    identity, holdings: new Map(), broken: [], links: new Map(), cached: new Map(), phase: "serving", stopReason: "",
    computeUp: false, nonce: undefined, running: undefined,
  };
}

/** What to do about an event at the time `nowMs` of a steady clock; `state` is updated in place. */
export function on(state: WorkerState, event: WorkerEvent, nowMs: number): Instruction[] {
  if (state.phase === "left") return [];
  switch (event.kind) {
    case "linked": return register(state, event.link, nowMs);
    case "unlinked": return loseLink(state, event.link);
    case "received": return onReceived(state, event, nowMs);
    case "holdingsChanged": return onHoldingsChanged(state, event.added, event.removed);
    case "tablesBroken": state.broken = event.tables; return broadcast(state, { type: "broken", tables: [...event.tables] });
    case "computeUp": state.computeUp = true; return offer(state);
    case "computeLost": return onComputeLost(state, event.failure);
    case "block": return onBlock(state, event.taskId, event.block, event.partial);
    case "slice": return onSlice(state, event.taskId, event.slice);
    case "blockRefused": return onBlockRefused(state, event.taskId, event.failure);
    case "taskDone": return finishTask(state, { type: "done", taskId: event.taskId, cost: event.cost }, event.cacheChanges);
    case "taskFailed": return finishTask(state, failedMessage(event.taskId, event.failure), event.cacheChanges);
    case "tick": return onTick(state, nowMs);
    case "stop": return onStop(state, event.reason);
    case "stopNow": return onStopNow(state, event.reason);
    default: return unreachable(event);
  }
}

/** What must hold between any two events; throws naming what does not. For tests. */
export function checkInvariants(state: WorkerState): void {
  const { phase, nonce, running, computeUp, links } = state;
  const canTake = phase === "serving" && computeUp && running === undefined;
  if ((nonce !== undefined) !== canTake) throw new Error(`a nonce is on offer: ${nonce !== undefined}, a task could be taken: ${canTake}`);
  if (running !== undefined && !computeUp) throw new Error("a task runs without a compute thread");
  if (running !== undefined && !running.abandoned && !links.has(running.link)) throw new Error("a task runs for a controller that is gone");
  if (phase === "left" && running !== undefined) throw new Error("the worker left a task behind");
  for (const [shard, columns] of state.cached) if (columns.length === 0) throw new Error(`${shard} is listed as cached with no column`);
}

function register(state: WorkerState, link: string, nowMs: number): Instruction[] {
  // The controller forgets the tasks of an earlier registration, so their answers would reach nobody.
  const abandoned = abandonTaskOf(state, link);
  state.links.set(link, { lastHeardMs: nowMs, untold: new Map(state.cached) });
  const { workerId, node, pid, version, dataDir, startedMs } = state.identity;
  const [first, ...rest] = packHoldings(state.holdings.values());
  const instructions = [
    ...abandoned,
    send(link, { type: "register", workerId, role: "worker", node, pid, version, dataDir, uptimeMs: nowMs - startedMs, holdings: first! }),
    ...rest.map((added) => send(link, { type: "holdings", added, removed: [] })),
    ...(state.broken.length === 0 ? [] : [send(link, { type: "broken", tables: [...state.broken] })]),
  ];
  if (state.nonce !== undefined) instructions.push(sendReady(state, link, state.nonce));
  return instructions;
}

function loseLink(state: WorkerState, link: string): Instruction[] {
  state.links.delete(link);
  return abandonTaskOf(state, link);
}

function onReceived(state: WorkerState, { link, header, body }: WorkerEvent & { kind: "received" }, nowMs: number): Instruction[] {
  const known = state.links.get(link);
  if (known === undefined) return []; // Sent before the connection broke.
  known.lastHeardMs = nowMs;
  switch (header.type) {
    case "welcome": return [{ kind: "welcomed", link, controllerId: header.controllerId, node: header.node }];
    case "heartbeat": return header.known ? [] : register(state, link, nowMs);
    case "task": return onTask(state, link, header, body);
    case "cancelTask": return state.running?.taskId === header.taskId ? abandonTaskOf(state, link) : [];
    case "shutdown": return onStop(state, header.reason);
    default: return unreachable(header);
  }
}

function onTask(state: WorkerState, link: string, task: WorkerReply & { type: "task" }, body: readonly Uint8Array[]): Instruction[] {
  const { taskId, shards, remainingMs, nonce, rows, absent, widened } = task;
  if (state.running?.taskId === taskId) return []; // A repeated message.
  if (nonce !== state.nonce) {
    const reason = state.phase === "serving" ? "the offer was taken or withdrawn" : "the worker is stopping";
    return [send(link, { type: "declined", taskId, reason })];
  }
  state.nonce = undefined;
  state.running = { taskId, link, abandoned: false };
  const refusal = findRefusal(state, task, body);
  if (refusal !== undefined) return finishTask(state, failedMessage(taskId, refusal));
  const more = { ...(rows === undefined ? {} : { rows }), ...(absent === undefined ? {} : { absent }), ...(widened === undefined ? {} : { widened }) };
  return [{ kind: "run", task: { taskId, query: body[0]!, shards, remainingMs, ...more } }];
}

/** Why a task cannot be run at all. Names are checked against the holdings before any of them becomes a path. */
function findRefusal(state: WorkerState, { shards, rows }: WorkerReply & { type: "task" }, body: readonly Uint8Array[]): Failure | undefined {
  if (rows !== undefined && rows.from.length !== shards.length) {
    const message = `a task for rows says of ${rows.from.length} shards where they go on, and names ${shards.length}`;
    return { code: "BAD_MESSAGE", message, details: {}, retry: "never", shard: null };
  }
  if (body.length !== 1 || shards.length === 0) {
    const message = `a task carries a query frame and shards, not ${body.length} frames and ${shards.length} shards`;
    return { code: "BAD_MESSAGE", message, details: {}, retry: "never", shard: null };
  }
  const missing = shards.find(({ name }) => !state.holdings.has(name))?.name;
  if (missing === undefined) return undefined;
  const message = `${missing} is no longer on worker ${state.identity.workerId}; ask again`;
  return { code: "SHARD_UNAVAILABLE", message, details: { table: missing }, retry: "elsewhere", shard: missing };
}

function onHoldingsChanged(state: WorkerState, added: readonly Holding[], removed: readonly string[]): Instruction[] {
  for (const name of removed) state.holdings.delete(name);
  for (const holding of added) state.holdings.set(holding.name, holding);
  return packHoldings(added).flatMap((run, index) => {
    return broadcast(state, { type: "holdings", added: run, removed: index === 0 ? [...removed] : [] });
  });
}

function onBlock(state: WorkerState, taskId: string, block: Block, partial: Uint8Array): Instruction[] {
  const { running } = state;
  if (running === undefined || running.taskId !== taskId || running.abandoned) return [];
  return [send(running.link, { type: "partial", taskId, block }, [partial])];
}

function onSlice(state: WorkerState, taskId: string, { ordinal, from, next, rows, bytes }: RowSlice): Instruction[] {
  const { running } = state;
  if (running === undefined || running.taskId !== taskId || running.abandoned) return [];
  return [send(running.link, { type: "slice", taskId, ordinal, from, next, rows }, [bytes])];
}

function onBlockRefused(state: WorkerState, taskId: string, failure: Failure): Instruction[] {
  const { running } = state;
  if (running === undefined || running.taskId !== taskId || running.abandoned) return [];
  return [send(running.link, failedMessage(taskId, failure)), ...abandonTaskOf(state, running.link)];
}

function onComputeLost(state: WorkerState, failure: Failure): Instruction[] {
  state.computeUp = false;
  state.nonce = undefined;
  noteCacheChanges(state, [...state.cached.keys()].map((shard) => ({ shard, columns: [] })));
  const { running } = state;
  return running === undefined ? [] : finishTask(state, failedMessage(running.taskId, failure));
}

function onTick(state: WorkerState, nowMs: number): Instruction[] {
  const instructions: Instruction[] = [];
  for (const [link, { lastHeardMs }] of state.links) {
    if (nowMs - lastHeardMs >= state.identity.expiryMs) {
      instructions.push(...loseLink(state, link), { kind: "reconnect", link });
    } else instructions.push(send(link, { type: "heartbeat" }));
  }
  return instructions;
}

function onStop(state: WorkerState, reason: string): Instruction[] {
  if (state.phase !== "serving") return [];
  state.phase = "stopping";
  state.stopReason = reason;
  state.nonce = undefined;
  return state.running === undefined ? leave(state) : [];
}

function onStopNow(state: WorkerState, reason: string): Instruction[] {
  const instructions = onStop(state, reason);
  const { running } = state;
  if (running === undefined) return instructions;
  const message = `worker ${state.identity.workerId} is stopping; its task runs elsewhere`;
  const failure: Failure = { code: "WORKER_LOST", message, details: {}, retry: "elsewhere", shard: null };
  return [{ kind: "cancel", taskId: running.taskId }, ...finishTask(state, failedMessage(running.taskId, failure))];
}

/** Ends the running task with its one answer, then offers to take another, or leaves. */
function finishTask(state: WorkerState, answer: WorkerMessage & { taskId: string }, cacheChanges: readonly CacheChange[] = []): Instruction[] {
  const { running } = state;
  if (running === undefined || running.taskId !== answer.taskId) return [];
  state.running = undefined;
  noteCacheChanges(state, cacheChanges);
  const answers = running.abandoned ? [] : [send(running.link, answer)];
  return [...answers, ...(state.phase === "stopping" ? leave(state) : offer(state))];
}

/** Stops the running task when it is this controller's; nothing more is said about it. */
function abandonTaskOf(state: WorkerState, link: string): Instruction[] {
  const { running } = state;
  if (running === undefined || running.link !== link || running.abandoned) return [];
  running.abandoned = true;
  return [{ kind: "cancel", taskId: running.taskId }];
}

/** Offers a fresh nonce to every controller when a task could be taken. */
function offer(state: WorkerState): Instruction[] {
  if (state.phase !== "serving" || !state.computeUp || state.running !== undefined) return [];
  const nonce = state.identity.newNonce();
  state.nonce = nonce;
  return [...state.links.keys()].map((link) => sendReady(state, link, nonce));
}

function sendReady(state: WorkerState, link: string, nonce: string): Instruction {
  const { untold } = state.links.get(link)!;
  const cached = [...untold].map(([shard, columns]) => ({ shard, columns: [...columns] }));
  untold.clear();
  return send(link, { type: "ready", nonce, cached });
}

function noteCacheChanges(state: WorkerState, changes: readonly CacheChange[]): void {
  for (const { shard, columns } of changes) {
    if (columns.length === 0) state.cached.delete(shard);
    else state.cached.set(shard, columns);
    for (const { untold } of state.links.values()) untold.set(shard, columns);
  }
}

/** The holdings cut into runs that fit a message each; one empty run when there are none. */
function packHoldings(holdings: Iterable<Holding>): Holding[][] {
  let run: Holding[] = [];
  const runs = [run];
  let columns = 0;
  for (const holding of holdings) {
    columns += holding.columns.length;
    if (columns > columnsPerMessage && run.length > 0) {
      run = [];
      runs.push(run);
      columns = holding.columns.length;
    }
    run.push(holding);
  }
  return runs;
}

function leave(state: WorkerState): Instruction[] {
  state.phase = "left";
  const reason = state.stopReason;
  return [...broadcast(state, { type: "bye", reason }), { kind: "leave", reason }];
}

function broadcast(state: WorkerState, header: WorkerMessage): Instruction[] {
  return [...state.links.keys()].map((link) => send(link, header));
}

function failedMessage(taskId: string, { code, message, details, retry, shard }: Failure): WorkerMessage & { type: "failed" } {
  return { type: "failed", taskId, code, message, details: { ...details }, retry, shard };
}

function send(link: string, header: WorkerMessage, body: readonly Uint8Array[] = []): Instruction {
  return { kind: "send", link, header, body };
}
