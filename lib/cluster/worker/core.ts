/**
 * The worker's state machine: it decides, node.ts does. Events go in, instructions come out; there is no I/O, no clock
 * and no randomness here. A worker runs one task at a time. While idle it offers one nonce to all its controllers; the
 * first task that names it wins, every other is declined. While it runs a task of its only controller it offers one to
 * that, if it asks for it: the task that names it waits here, so that nothing has to travel between the two.
 */
import { unreachable } from "../../base/errors.js";
import { noCost } from "../../wire/costs.js";
import type { Block, BrokenTable, Holding, WorkerMessage, WorkerReply } from "../../wire/messages.js";
import { registration, type Standing } from "../registration.js";
import type { CacheChange, ComputeTask, ErrandAnswer, Instruction, RowSlice, WorkerEvent } from "./events.js";
import type { Failure } from "./failure.js";

/** Facts about this worker that never change, and the source of its nonces. */
export interface WorkerIdentity extends Standing {
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
  /** Whether its controller asked for an offer beside it. */
  readonly offersNext: boolean;
  /** It takes the place of a computation, and needs no compute thread. */
  readonly isErrand: boolean;
  /** Nobody waits for it any more: it was cancelled, or its controller is gone. */
  abandoned: boolean;
}

/** A task that was taken ahead, and that nothing has been done for. */
interface Next {
  readonly task: ComputeTask;
  readonly link: string;
  readonly offersNext: boolean;
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
  /** What runs when the running task is over. */
  next: Next | undefined;
}

/** Columns described in one message at most, so that thousands of wide tables stay far from the header's limit. */
const columnsPerMessage = 50_000;

/** A worker that knows no controller, holds nothing and cannot compute yet. */
export function createWorkerState(identity: WorkerIdentity): WorkerState {
  return {
    identity, holdings: new Map(), broken: [], links: new Map(), cached: new Map(), phase: "serving", stopReason: "",
    computeUp: false, nonce: undefined, running: undefined, next: undefined,
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
    case "errandDone": return onErrandDone(state, event.taskId, event.answer);
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
  const { phase, nonce, running, next, computeUp, links } = state;
  if ((nonce !== undefined) !== canTake(state)) throw new Error(`a nonce is on offer: ${nonce !== undefined}, a task could be taken: ${canTake(state)}`);
  if (next !== undefined && running === undefined) throw new Error("a task waits for none");
  if (next !== undefined && !links.has(next.link)) throw new Error("a task waits for a controller that is gone");
  if (running !== undefined && !running.isErrand && !computeUp) throw new Error("a task runs without a compute thread");
  if (running !== undefined && !running.abandoned && !links.has(running.link)) throw new Error("a task runs for a controller that is gone");
  if (phase !== "serving" && next !== undefined) throw new Error("a task waits in a worker that stops");
  if (phase === "left" && running !== undefined) throw new Error("the worker left a task behind");
  for (const [shard, columns] of state.cached) if (columns.length === 0) throw new Error(`${shard} is listed as cached with no column`);
}

function register(state: WorkerState, link: string, nowMs: number): Instruction[] {
  // The controller forgets the tasks of an earlier registration, so their answers would reach nobody.
  const abandoned = abandonTasksOf(state, link);
  state.links.set(link, { lastHeardMs: nowMs, untold: new Map(state.cached) });
  const [first, ...rest] = packHoldings(state.holdings.values());
  const instructions = [
    ...abandoned,
    send(link, registration(state.identity, { role: "worker", holdings: first!, nowMs })),
    ...rest.map((added) => send(link, { type: "holdings", added, removed: [] })),
    ...(state.broken.length === 0 ? [] : [send(link, { type: "broken", tables: [...state.broken] })]),
  ];
  if (state.nonce !== undefined && state.running === undefined) instructions.push(sendReady(state, link, state.nonce));
  return instructions;
}

function loseLink(state: WorkerState, link: string): Instruction[] {
  const abandoned = abandonTasksOf(state, link);
  state.links.delete(link);
  return abandoned;
}

function onReceived(state: WorkerState, { link, header, body }: WorkerEvent & { kind: "received" }, nowMs: number): Instruction[] {
  const known = state.links.get(link);
  if (known === undefined) return []; // Sent before the connection broke.
  known.lastHeardMs = nowMs;
  switch (header.type) {
    case "welcome": return [{ kind: "welcomed", link, controllerId: header.controllerId, node: header.node }];
    case "heartbeat": return header.known ? [] : register(state, link, nowMs);
    case "task": return onTask(state, link, header, { body, nowMs });
    case "errand": return onErrand(state, link, header, { body, nowMs });
    case "cancelTask": return onCancelTask(state, link, header.taskId);
    case "shutdown": return onStop(state, header.reason);
    case "refused": return []; // Its links log it; the next heartbeat asks to register again.
    case "look": return [{ kind: "look" }];
    case "setLogLevel": return [{ kind: "setLogLevel", level: header.level }];
    default: return unreachable(header);
  }
}

function onTask(state: WorkerState, link: string, task: WorkerReply & { type: "task" }, { body, nowMs }: { readonly body: readonly Uint8Array[]; readonly nowMs: number }): Instruction[] {
  const { taskId, shards, remainingMs, nonce, rows, absent, widened, offersNext = false } = task;
  if (state.running?.taskId === taskId || state.next?.task.taskId === taskId) return []; // A repeated message.
  if (nonce !== state.nonce) return [declineLate(state, link, taskId)];
  state.nonce = undefined;
  const refusal = findRefusal(state, task, body);
  if (refusal !== undefined) return [send(link, failedMessage(taskId, refusal)), ...offer(state)];
  const more = { ...(rows === undefined ? {} : { rows }), ...(absent === undefined ? {} : { absent }), ...(widened === undefined ? {} : { widened }) };
  const next: Next = { task: { taskId, query: body[0]!, shards, deadlineMs: nowMs + remainingMs, ...more }, link, offersNext };
  if (state.running === undefined) return run(state, next);
  state.next = next;
  return [];
}

/** An errand is begun at once or not at all: nothing is ever asked for beside it, and it is never taken ahead. */
function onErrand(state: WorkerState, link: string, { taskId, nonce, errand, remainingMs }: WorkerReply & { type: "errand" }, { body, nowMs }: { readonly body: readonly Uint8Array[]; readonly nowMs: number }): Instruction[] {
  if (state.running?.taskId === taskId) return []; // A repeated message.
  if (nonce !== state.nonce) return [declineLate(state, link, taskId)];
  state.nonce = undefined;
  if (state.running !== undefined) return [send(link, { type: "declined", taskId, reason: "the worker is at a task" }), ...offer(state)];
  state.running = { taskId, link, offersNext: false, isErrand: true, abandoned: false };
  return [{ kind: "runErrand", task: { taskId, errand, body, deadlineMs: nowMs + remainingMs } }, ...offer(state)];
}

function declineLate({ phase }: WorkerState, link: string, taskId: string): Instruction {
  const reason = phase === "serving" ? "the offer was taken or withdrawn" : "the worker is stopping";
  return send(link, { type: "declined", taskId, reason });
}

/** Starts a task, and offers to take the one after it where that is asked for. */
function run(state: WorkerState, { task, link, offersNext }: Next): Instruction[] {
  state.running = { taskId: task.taskId, link, offersNext, isErrand: false, abandoned: false };
  return [{ kind: "run", task }, ...offer(state)];
}

function onCancelTask(state: WorkerState, link: string, taskId: string): Instruction[] {
  if (state.next?.task.taskId === taskId && state.next.link === link) return dropNext(state);
  return state.running?.taskId === taskId && state.running.link === link ? abandonRunning(state) : [];
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

function onErrandDone(state: WorkerState, taskId: string, { form, bytes }: ErrandAnswer): Instruction[] {
  const { running } = state;
  if (running === undefined || running.taskId !== taskId) return [];
  const answer = running.abandoned ? [] : [send(running.link, { type: "answer", taskId, form }, [bytes])];
  return [...answer, ...finishTask(state, { type: "done", taskId, cost: noCost })];
}

function onBlockRefused(state: WorkerState, taskId: string, failure: Failure): Instruction[] {
  const { running } = state;
  if (running === undefined || running.taskId !== taskId || running.abandoned) return [];
  return [send(running.link, failedMessage(taskId, failure)), ...abandonRunning(state)];
}

function onComputeLost(state: WorkerState, failure: Failure): Instruction[] {
  state.computeUp = false;
  state.nonce = undefined;
  noteCacheChanges(state, [...state.cached.keys()].map((shard) => ({ shard, columns: [] })));
  const { running } = state;
  const declined = declineNext(state, "the compute thread ended");
  return running === undefined || running.isErrand ? declined : [...finishTask(state, failedMessage(running.taskId, failure)), ...declined];
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
  const declined = declineNext(state, "the worker is stopping");
  return state.running === undefined ? leave(state) : declined;
}

function onStopNow(state: WorkerState, reason: string): Instruction[] {
  const instructions = onStop(state, reason);
  const { running } = state;
  if (running === undefined) return instructions;
  const message = `worker ${state.identity.workerId} is stopping; its task runs elsewhere`;
  const failure: Failure = { code: "WORKER_LOST", message, details: {}, retry: "elsewhere", shard: null };
  return [...instructions, { kind: "cancel", taskId: running.taskId }, ...finishTask(state, failedMessage(running.taskId, failure))];
}

/** Ends the running task with its one answer, then starts the next, offers to take another, or leaves. */
function finishTask(state: WorkerState, answer: WorkerMessage & { taskId: string }, cacheChanges: readonly CacheChange[] = []): Instruction[] {
  const { running, next } = state;
  if (running === undefined || running.taskId !== answer.taskId) return [];
  state.running = undefined;
  state.next = undefined;
  noteCacheChanges(state, cacheChanges);
  const answers = running.abandoned ? [] : [send(running.link, answer)];
  if (state.phase === "stopping") return [...answers, ...leave(state)];
  return [...answers, ...(next === undefined ? offer(state) : run(state, next))];
}

/** Stops the tasks of one controller; nothing more is said about them. */
function abandonTasksOf(state: WorkerState, link: string): Instruction[] {
  const stopped = state.running?.link === link ? abandonRunning(state) : [];
  return state.next?.link === link ? [...stopped, ...dropNext(state)] : stopped;
}

function abandonRunning({ running }: WorkerState): Instruction[] {
  if (running === undefined || running.abandoned) return [];
  running.abandoned = true;
  return [{ kind: "cancel", taskId: running.taskId }];
}

function dropNext(state: WorkerState): Instruction[] {
  state.next = undefined;
  return offer(state);
}

/** Hands back the task that was taken ahead; it is not begun here. */
function declineNext(state: WorkerState, reason: string): Instruction[] {
  const { next } = state;
  state.next = undefined;
  return next === undefined ? [] : [send(next.link, { type: "declined", taskId: next.task.taskId, reason })];
}

function canTake({ phase, computeUp, next }: WorkerState): boolean {
  return phase === "serving" && computeUp && next === undefined;
}

/**
 * Offers a nonce when a task could be taken: to every controller while idle, else to the one whose task is running, if it
 * asked and is the only one. Beside others it would keep the worker from them for as long as it has something.
 */
function offer(state: WorkerState): Instruction[] {
  if (!canTake(state)) return [];
  const nonce = state.nonce ??= state.identity.newNonce();
  const { running } = state;
  if (running === undefined) return [...state.links.keys()].map((link) => sendReady(state, link, nonce));
  return running.abandoned || !running.offersNext || state.links.size > 1 ? [] : [sendReady(state, running.link, nonce, running.taskId)];
}

function sendReady(state: WorkerState, link: string, nonce: string, running?: string): Instruction {
  const { untold } = state.links.get(link)!;
  const cached = [...untold].map(([shard, columns]) => ({ shard, columns: [...columns] }));
  untold.clear();
  return send(link, { type: "ready", nonce, cached, ...(running === undefined ? {} : { running }) });
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
    columns += columnsOf(holding);
    if (columns > columnsPerMessage && run.length > 0) {
      run = [];
      runs.push(run);
      columns = columnsOf(holding);
    }
    run.push(holding);
  }
  return runs;
}

function columnsOf({ columns, kept = [] }: Holding): number {
  return kept.reduce((sum, generation) => sum + generation.columns.length, columns.length);
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
