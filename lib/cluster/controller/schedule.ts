/**
 * Who does what next. An idle worker gets, of the most urgent call, shards whose columns it has cached; else shards it
 * is the preferred reader of; else, after a short wait that leaves those to their own readers, any it can read.
 */
import type { ShardRef, WorkerReply } from "../../wire/messages.js";
import { chooseBatch, chooseBlocks, chooseRun } from "./batches.js";
import { chunkRows } from "../../columns/dtypes.js";
import { preferredReader, readersOf, rowsOf } from "./catalog.js";
import { lowOf } from "./latest.js";
import { dequeue, inTurn, isOnlyOne, rotate } from "./queues.js";
import { isEnough, takeBudget, taskSlicesMax, type SliceBudget, type SliceStream } from "./slices.js";
import { ordinalStates, requestWake, type Call, type ControllerState, type Step, type Task, type Worker } from "./state.js";

/** A batch is at most this much work, so that a slow worker holds up little and another call waits no longer for its turn. */
const batchMsMax = 10;
/** The same while no other call waits and partials are large, each one more of which costs much to make and to merge. */
const largeBatchMsMax = 100;
/** Bytes from which on a partial is large. */
const largePartialBytes = 128 * 1024;
/** A batch is not cut below this much work, where sending messages would cost more than sharing saves. */
const batchMsMin = 5;
/** A batch may be so many times its size to be the last one. */
const lastBatchFactor = 1.25;
/** Shards of a batch while nothing of the call itself says what they cost. */
const probeShardsMax = 16;
/** Waiting shards looked at for one batch, so that a call of very many delays nobody. */
const lookMax = 512;
/** Waiting for the preferred reader: never longer than this, and not at all where tasks are shorter than the other. */
const waitMsMax = 250;
const waitFromTaskMs = 5;

/** Hands work to one idle worker, from whichever call comes first in turn. */
export function scheduleWorker(step: Step, worker: Worker): void {
  for (const call of callsInTurn(step.state)) {
    if (isResting(step, call)) continue;
    if (call.stream !== null) {
      if (assignSlices(step, call, call.stream, worker)) return;
      continue;
    }
    const size = batchSize(step, call);
    const waiting = findWaiting(step.state, call, worker, size);
    if (assignNear(step, call, worker, { waiting, size }) || assignAny(step, call, worker, { waiting, size })) return;
  }
}

/** Hands the waiting shards of one call to idle workers, to each what it is nearest to first. */
export function scheduleCall(step: Step, call: Call): void {
  const { state } = step;
  if (!state.calls.has(call.queryId) || isResting(step, call)) return;
  if (call.stream !== null) {
    for (const workerId of state.idle) assignSlices(step, call, call.stream, state.workers.get(workerId)!);
    return;
  }
  for (const assignSome of [assignNear, assignAny]) {
    for (const workerId of state.idle) {
      if (call.waitingCount === 0) return;
      const worker = state.workers.get(workerId)!;
      const size = batchSize(step, call);
      assignSome(step, call, worker, { waiting: findWaiting(state, call, worker, size), size });
    }
  }
}

/** Hands whatever waits to whoever is idle. */
export function scheduleAll(step: Step): void {
  for (const call of callsInTurn(step.state)) {
    if (step.state.idle.size === 0) return;
    scheduleCall(step, call);
  }
}

/** Live: a call that is rotated while it is served comes again, and each time it is served an idle worker fewer is left. */
function* callsInTurn(state: ControllerState): Generator<Call> {
  for (const queryId of inTurn(state.queues)) yield state.calls.get(queryId)!;
}

function isResting(step: Step, call: Call): boolean {
  if (step.nowMs >= call.restUntilMs) return false;
  requestWake(step, call.restUntilMs);
  return true;
}

/** What a worker could take of a call, and how much of it at a time. */
interface Offer {
  readonly waiting: Waiting;
  readonly size: number;
}

/** Gives a worker a batch of what it has cached, else of what it is preferred for; tells whether there was any. */
function assignNear(step: Step, call: Call, worker: Worker, { waiting: { cached, preferred, others }, size }: Offer): boolean {
  if (hasLargePartials(call)) return assignBlocks(step, call, worker, { ordinals: [...cached, ...preferred, ...others], near: new Set(cached.length > 0 ? cached : preferred), size });
  const ordinals = cached.length > 0 ? cached : preferred;
  if (ordinals.length === 0) return false;
  assign(step, call, worker, chooseBatch(ordinals, size));
  return true;
}

/** Gives a worker one stretch of whatever it can read, or whole blocks, those nearest to it first: they are better read anew than cut. */
function assignBlocks(step: Step, call: Call, worker: Worker, { ordinals, near, size }: { readonly ordinals: number[]; readonly near: ReadonlySet<number>; readonly size: number }): boolean {
  if (ordinals.length === 0) return false;
  const choose = call.habit.mergesRuns ? chooseRun : chooseBlocks;
  assign(step, call, worker, choose(ordinals.sort((a, b) => a - b), size, (ordinal) => near.has(ordinal)));
  return true;
}

/** Gives a worker a batch of what others are preferred for, if they have had their time; tells whether it did. */
function assignAny(step: Step, call: Call, worker: Worker, { waiting: { others }, size }: Offer): boolean {
  if (others.length === 0 || isWaitingForReaders(step, call, worker)) return false;
  assign(step, call, worker, chooseBatch(others, size));
  return true;
}

/**
 * Gives a worker the first waiting shards that it can read, if the client has room for their rows; tells whether it did.
 * Rows are wanted in the order of shards, so a shard further on is not taken for being cached.
 */
function assignSlices(step: Step, call: Call, stream: SliceStream, worker: Worker): boolean {
  if (call.waitingCount === 0 || stream.credit < 1 || isEnough(stream)) return false;
  const ordinals = nextInOrder(step.state, call, worker);
  const [first] = ordinals;
  const budget = first === undefined ? undefined : takeBudget(stream, first);
  if (budget === undefined) return false;
  assign(step, call, worker, ordinals.slice(0, budget.slices), budget);
  return true;
}

/** The first waiting ordinal that a worker can read, and those after it as long as their rows fit about one slice. */
function nextInOrder(state: ControllerState, call: Call, worker: Worker): number[] {
  const ordinals: number[] = [];
  let rows = 0;
  skipAssigned(call);
  for (let ordinal = call.firstWaiting; ordinal < call.shards.length && ordinals.length < taskSlicesMax; ordinal++) {
    const isReadable = call.ordinals[ordinal] === ordinalStates.waiting && canRead(state, call, worker, call.shards[ordinal]!);
    if (ordinals.length === 0 && !isReadable) continue;
    rows += rowsOf(state.catalog, call.shards[ordinal]!.name) ?? chunkRows;
    if (ordinals.length > 0 && (!isReadable || rows > chunkRows)) break;
    ordinals.push(ordinal);
  }
  return ordinals;
}

function canRead(state: ControllerState, call: Call, worker: Worker, shard: ShardRef): boolean {
  return readersOf(state.catalog, shard).has(worker.id) && call.excluded.get(shard.ordinal)?.has(worker.id) !== true;
}

function assign(step: Step, call: Call, worker: Worker, ordinals: readonly number[], budget: SliceBudget | null = null): void {
  const { state, nowMs } = step;
  const nonce = worker.nonce!;
  const task: Task = {
    id: state.options.makeId(), queryId: call.queryId, workerId: worker.id, open: new Set(ordinals),
    shardCount: ordinals.length, isRun: ordinals.at(-1)! - ordinals[0]! === ordinals.length - 1, partials: 0, assignedMs: nowMs, budget,
  };
  state.tasks.set(task.id, task);
  call.tasks.add(task.id);
  for (const ordinal of ordinals) call.ordinals[ordinal] = ordinalStates.running;
  call.waitingCount -= ordinals.length;
  call.firstAssignedMs ??= nowMs;
  if (call.waitingCount === 0) dequeue(state.queues, call.affinity, call.queryId);
  else rotate(state.queues, call.affinity, call.queryId);
  Object.assign(worker, { taskId: task.id, nonce: undefined, spentNonce: nonce });
  state.idle.delete(worker.id);
  step.actions.push({
    kind: "assign", workerId: worker.id, body: call.body,
    header: {
      type: "task", taskId: task.id, attempt: call.attempt, kind: "groupby", queryId: call.queryId, nonce,
      shards: ordinals.map((ordinal) => call.shards[ordinal]!), remainingMs: Math.max(0, call.deadlineMs - nowMs),
      ...(budget === null || call.stream === null ? {} : { rows: rowsAsked(call.stream, budget, ordinals) }),
      ...(call.absent === undefined ? {} : { absent: [...call.absent] }),
      ...(call.widened.length === 0 ? {} : { widened: [...call.widened] }),
    },
  });
}

function rowsAsked({ from }: SliceStream, { slices, rows }: SliceBudget, ordinals: readonly number[]): NonNullable<(WorkerReply & { type: "task" })["rows"]> {
  return { slices, rowsMax: rows === Infinity ? null : rows, from: ordinals.map((ordinal) => from[ordinal]!) };
}

/** Waiting ordinals a worker can read, ascending, by how near they are to it. */
interface Waiting {
  readonly cached: number[];
  readonly preferred: number[];
  readonly others: number[];
}

/** Looks at the first waiting shards alone, but on until it has found something, and for no more than a batch needs. */
function findWaiting(state: ControllerState, call: Call, worker: Worker, size: number): Waiting {
  const found: Waiting = { cached: [], preferred: [], others: [] };
  const enough = 4 * size; // So that there are aligned blocks among them.
  let looked = 0;
  skipAssigned(call);
  for (let ordinal = call.firstWaiting; ordinal < call.shards.length && found.cached.length < enough; ordinal++) {
    if (call.ordinals[ordinal] !== ordinalStates.waiting) continue;
    if (looked >= lookMax && found.cached.length + found.preferred.length > 0) break;
    looked += 1;
    const shard = call.shards[ordinal]!;
    if (!canRead(state, call, worker, shard)) continue;
    const ordinals = found[nearness(state, call, worker, shard)];
    if (ordinals.length < enough) ordinals.push(ordinal);
  }
  return found;
}

function skipAssigned(call: Call): void {
  while (call.firstWaiting < call.shards.length && call.ordinals[call.firstWaiting] !== ordinalStates.waiting) call.firstWaiting++;
}

function nearness(state: ControllerState, call: Call, worker: Worker, shard: ShardRef): keyof Waiting {
  const columns = worker.cached.get(shard.name);
  const wanted = call.scope.columns;
  if (columns !== undefined && wanted.length > 0 && wanted.every((column) => columns.has(column))) return "cached";
  return preferredReader(state.catalog, shard) === worker.id ? "preferred" : "others";
}

/** Shards of the next batch: a share of what is left, within the bounds of time as far as the cost of a shard is known. */
function batchSize(step: Step, call: Call): number {
  const { state } = step;
  const isLarge = hasLargePartials(call) && isOnlyOne(state.queues);
  const mostMs = isLarge ? largeBatchMsMax : batchMsMax;
  const own = lowOf(call.shardMs);
  const known = own ?? lowOf(call.habit.shardMs) ?? state.shardMs.value;
  const share = shareOf(step, call, known ?? Infinity, mostMs);
  const shardMs = Math.max(known ?? 0, 0.001);
  // What shards cost together is not known as long as each is asked for alone.
  const least = isLarge && call.habit.mergesRuns ? Math.min(2, share) : 1;
  if (own === undefined) return Math.max(least, Math.floor(Math.min(share, mostMs / shardMs, probeShardsMax)));
  return Math.max(least, Math.floor(Math.min(Math.max(share, batchMsMin / shardMs), mostMs / shardMs)));
}

function hasLargePartials({ partialBytes, habit }: Call): boolean {
  return (partialBytes.value ?? habit.partialBytes.value ?? 0) >= largePartialBytes;
}

/**
 * What one worker is to take next of what waits and of what others are still at, so that all who can read it end together:
 * its whole part, or the first of the fewest equal batches that are short enough. While nothing is known, half of its part.
 */
function shareOf({ state, nowMs }: Step, call: Call, shardMs: number, mostMs: number): number {
  skipAssigned(call);
  const next = call.shards[call.firstWaiting];
  const readers = Math.max(1, next === undefined ? state.workers.size : readersOf(state.catalog, next).size);
  if (shardMs === Infinity) return Math.ceil(call.waitingCount / (2 * readers));
  let left = call.waitingCount;
  for (const taskId of call.tasks) {
    const { shardCount, assignedMs } = state.tasks.get(taskId)!;
    left += Math.max(0, shardCount - (nowMs - assignedMs) / Math.max(shardMs, 0.001));
  }
  const part = left / readers;
  const share = Math.ceil(part / Math.max(1, Math.ceil(part * shardMs / mostMs)));
  return call.waitingCount <= share * lastBatchFactor ? call.waitingCount : share;
}

/** Tells whether a worker is still to leave shards to their preferred readers, and asks for a tick when it is not. */
function isWaitingForReaders(step: Step, call: Call, worker: Worker): boolean {
  const taskMs = step.state.taskMs.value ?? 0;
  if (taskMs < waitFromTaskMs) return false;
  const untilMs = Math.max(worker.idleSinceMs, call.arrivedMs) + Math.min(taskMs, waitMsMax);
  if (step.nowMs >= untilMs) return false;
  requestWake(step, untilMs);
  return true;
}
