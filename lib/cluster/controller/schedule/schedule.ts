/**
 * Who does what next. An idle worker gets, of the most urgent call, shards whose columns it has cached; else shards it
 * is the preferred reader of; else, after a short wait that leaves those to their own readers, any it can read. A worker
 * that is soon done gets what it is near to ahead, so that it does not wait for the message.
 */
import type { ShardRef } from "../../../wire/messages.js";
import { giveTask } from "./assign.js";
import { chooseBatch, chooseBlocks, chooseRun } from "./batches.js";
import { chunkRows } from "../../../columns/dtypes.js";
import { readerRank, readersOf, rowsOf } from "../tables/catalog.js";
import { knownShardMs } from "./habits.js";
import { lowOf } from "./latest.js";
import { mayDo } from "../calls/errands.js";
import { isMixed } from "./pace.js";
import { dequeue, inTurn, isOnlyOne, rotate } from "./queues.js";
import { isEnough, takeBudget, taskSlicesMax, type SliceBudget, type SliceStream } from "../calls/slices.js";
import { ordinalStates, requestWake, type Call, type ControllerState, type Step, type Task, type Worker } from "../state.js";

/** A batch is at most this much work, so that a slow worker holds up little and another call waits no longer for its turn. */
const batchMsMax = 10;
/** The same while no other call waits and partials are large, each one more of which costs much to make and to merge. */
const largeBatchMsMax = 100;
/** Bytes from which on a partial is large. */
const largePartialBytes = 128 * 1024;
/** A batch is not cut below this much work, where sending messages would cost more than sharing saves; so large it is while other calls come. */
const batchMsMin = 5;
/** A batch may be so many times its size to be the last one. */
const lastBatchFactor = 1.25;
/** Shards of a batch while nothing of the call itself says what they cost. */
const probeShardsMax = 16;
/** Waiting shards looked at for one batch, a small and a large one, so that a call of very many delays nobody. */
const lookMin = 64;
const lookMax = 512;
/** Waiting for the preferred reader: never longer than this, and not at all where tasks are shorter than the other. */
const waitMsMax = 250;
const waitFromTaskMs = 5;

/** Hands work to one worker whose offer stands, from whichever call comes first in turn. */
export function scheduleWorker(step: Step, worker: Worker): void {
  if (worker.taskId !== undefined) {
    assignAhead(step, worker, step.state.tasks.get(worker.taskId)!);
    return;
  }
  for (const call of callsInTurn(step.state)) {
    if (isResting(step, call)) continue;
    if (call.errand !== null) {
      if (assignErrand(step, call, worker)) return;
      continue;
    }
    if (call.stream !== null) {
      if (assignSlices(step, call, call.stream, worker)) return;
      continue;
    }
    const size = batchSize(step, call, worker);
    const waiting = findWaiting(step.state, call, worker, size);
    if (assignNear(step, call, worker, { waiting, size }) || assignAny(step, call, worker, { waiting, size })) return;
  }
}

/** Gives a worker more of the call it works for, for when its task is over, unless that is late or another call waits for its turn, or is expected. */
function assignAhead(step: Step, worker: Worker, { queryId, isLate }: Task): void {
  const call = step.state.calls.get(queryId)!;
  if (isLate || call.waitingCount === 0 || !isOnlyOne(step.state.queues) || isMixed(step) || isResting(step, call)) return;
  const size = batchSize(step, call, worker);
  if (size > 0) assignNear(step, call, worker, { waiting: findWaiting(step.state, call, worker, size), size });
}

/** Hands the waiting shards of one call to idle workers, to each what it is nearest to first. */
export function scheduleCall(step: Step, call: Call): void {
  const { state } = step;
  if (!state.calls.has(call.queryId) || isResting(step, call)) return;
  if (call.errand !== null) {
    for (const workerId of state.idle) assignErrand(step, call, state.workers.get(workerId)!);
    return;
  }
  if (call.stream !== null) {
    for (const workerId of state.idle) assignSlices(step, call, call.stream, state.workers.get(workerId)!);
    return;
  }
  for (const assignSome of [assignNear, assignAny]) {
    for (const workerId of state.idle) {
      if (call.waitingCount === 0) return;
      const worker = state.workers.get(workerId)!;
      const size = batchSize(step, call, worker);
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

/** Gives a worker an errand that waits, if it may do that; tells whether it did. */
function assignErrand(step: Step, call: Call, worker: Worker): boolean {
  if (call.waitingCount === 0 || !mayDo(call, worker.id)) return false;
  assign(step, call, worker, [0]);
  return true;
}

/**
 * Gives a worker the first waiting shards that it can read, if the client has room for their rows; tells whether it did.
 * Rows are wanted in the order of shards, so a shard further on is not taken for being cached.
 */
function assignSlices(step: Step, call: Call, stream: SliceStream, worker: Worker): boolean {
  if (call.waitingCount === 0 || stream.credit < 1 || isEnough(stream)) return false;
  const ordinals = nextInOrder(step.state, call, worker, Math.min(call.shards.length, stream.heldFrom));
  const [first] = ordinals;
  const budget = first === undefined ? undefined : takeBudget(stream, first);
  if (budget === undefined) return false;
  assign(step, call, worker, ordinals.slice(0, budget.slices), budget);
  return true;
}

/**
 * The first waiting ordinal before `end` that a worker can read, and those after it as long as their rows fit about one
 * slice. What is many shards on is looked at when those before it are gone: no client has room for its rows earlier.
 */
function nextInOrder(state: ControllerState, call: Call, worker: Worker, end: number): number[] {
  const ordinals: number[] = [];
  let [rows, looked] = [0, 0];
  skipAssigned(call);
  for (let ordinal = call.firstWaiting; ordinal < end && ordinals.length < taskSlicesMax && looked < lookMax; ordinal++) {
    const isWaiting = call.ordinals[ordinal] === ordinalStates.waiting;
    looked += Number(isWaiting);
    const isReadable = isWaiting && canRead(state, call, worker, call.shards[ordinal]!);
    if (ordinals.length === 0 && !isReadable) continue;
    rows += rowsOf(state.catalog, call.shards[ordinal]!.name) ?? chunkRows;
    if (ordinals.length > 0 && (!isReadable || rows > chunkRows)) break;
    ordinals.push(ordinal);
  }
  return ordinals;
}

/** Tells whether a worker may be given a shard of a call. */
export function canRead(state: ControllerState, call: Call, worker: Worker, shard: ShardRef): boolean {
  return readersOf(state.catalog, shard).has(worker.id) && call.excluded.get(shard.ordinal)?.has(worker.id) !== true;
}

function assign(step: Step, call: Call, worker: Worker, ordinals: readonly number[], budget: SliceBudget | null = null): void {
  const { queues } = step.state;
  for (const ordinal of ordinals) call.ordinals[ordinal] = ordinalStates.running;
  call.waitingCount -= ordinals.length;
  if (call.waitingCount === 0) dequeue(queues, call.affinity, call.queryId);
  else rotate(queues, call.affinity, call.queryId);
  giveTask(step, call, worker, ordinals, budget);
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
  const lookMost = Math.min(lookMax, Math.max(lookMin, enough));
  let looked = 0;
  skipAssigned(call);
  for (let ordinal = call.firstWaiting; ordinal < call.shards.length && found.cached.length < enough; ordinal++) {
    if (call.ordinals[ordinal] !== ordinalStates.waiting) continue;
    if (looked >= lookMost && found.cached.length + found.preferred.length > 0) break;
    looked += 1;
    const near = nearness(state, call, worker, call.shards[ordinal]!);
    if (near !== undefined && found[near].length < enough) found[near].push(ordinal);
  }
  return found;
}

function skipAssigned(call: Call): void {
  while (call.firstWaiting < call.shards.length && call.ordinals[call.firstWaiting] !== ordinalStates.waiting) call.firstWaiting++;
}

/** How near a shard is to a worker; undefined where it may not be given that. */
function nearness(state: ControllerState, call: Call, worker: Worker, shard: ShardRef): keyof Waiting | undefined {
  const rank = readerRank(state.catalog, shard, worker.id);
  if (rank === undefined || call.excluded.get(shard.ordinal)?.has(worker.id) === true) return undefined;
  const wanted = call.scope.columns;
  const columns = wanted.length === 0 ? undefined : worker.cached.get(shard.name);
  if (columns !== undefined && wanted.every((column) => columns.has(column))) return "cached";
  return rank === "preferred" ? "preferred" : "others";
}

/**
 * Shards of the next batch of a worker: a share of what is left, within the bounds of time as far as the cost of a shard
 * is known. It is 0 when what the worker has is its share.
 */
function batchSize(step: Step, call: Call, worker: Worker): number {
  const { state } = step;
  const isLarge = hasLargePartials(call) && isOnlyOne(state.queues);
  const mostMs = isLarge ? largeBatchMsMax : isMixed(step) ? batchMsMin : batchMsMax;
  const known = knownShardMs(call) ?? state.shardMs.value;
  const share = shareOf(step, call, worker, { shardMs: known ?? Infinity, mostMs });
  if (share === 0) return 0;
  const shardMs = Math.max(known ?? 0, 0.001);
  // What shards cost together is not known as long as each is asked for alone.
  const least = isLarge && call.habit.mergesRuns ? Math.min(2, share) : 1;
  if (lowOf(call.shardMs) === undefined) return Math.max(least, Math.floor(Math.min(share, mostMs / shardMs, probeShardsMax)));
  return Math.max(least, Math.floor(Math.min(Math.max(share, batchMsMin / shardMs), mostMs / shardMs)));
}

function hasLargePartials({ partialBytes, habit }: Call): boolean {
  return (partialBytes.value ?? habit.partialBytes.value ?? 0) >= largePartialBytes;
}

/**
 * What one worker is to take next of what waits and of what others are still at, so that all who can read it end together:
 * its whole part, or the first of the fewest equal batches that are short enough. While nothing is known, half of its part.
 * What it still has itself counts as taken.
 */
function shareOf({ state, nowMs }: Step, call: Call, worker: Worker, { shardMs, mostMs }: { readonly shardMs: number; readonly mostMs: number }): number {
  skipAssigned(call);
  const next = call.shards[call.firstWaiting];
  const readers = Math.max(1, next === undefined ? state.workers.size : readersOf(state.catalog, next).size);
  if (shardMs === Infinity) return Math.ceil(call.waitingCount / (2 * readers));
  let left = call.waitingCount;
  let own = 0;
  for (const taskId of call.tasks) {
    const { shardCount, startedMs, workerId } = state.tasks.get(taskId)!;
    const isRunning = state.workers.get(workerId)?.taskId === taskId;
    const open = isRunning ? Math.max(0, shardCount - (nowMs - startedMs) / Math.max(shardMs, 0.001)) : shardCount;
    left += open;
    if (workerId === worker.id) own += open;
  }
  const part = left / readers - own;
  const batches = Math.max(1, Math.ceil(part * shardMs / mostMs));
  if (worker.taskId !== undefined) return Math.max(0, Math.min(call.waitingCount, Math.round(part / batches)));
  const share = Math.ceil(part / batches);
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
