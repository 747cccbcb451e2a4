/**
 * Tasks that take too long are begun a second time, by an idle worker that holds the same shards: a worker that is slow,
 * swaps or was stopped holds up nobody who could be served by another. Tasks for rows are not begun twice, as slices come
 * in order, each from where the last one ended; they are taken from a worker that is silent, and go on where they stood.
 */
import { callOff, finishIfWhole } from "../calls/calls.js";
import { giveTask, lookMs } from "./assign.js";
import { isHeldBy } from "../tables/catalog.js";
import { medianOf } from "./latest.js";
import { canRead, scheduleAll } from "./schedule.js";
import { requestWake, type Call, type Step, type Task, type Worker } from "../state.js";
import { onDeclined } from "../calls/tasks.js";

/** A task is late when it takes so many times what others took for as many rows. */
const slowFactor = 3;
/** And never earlier than this: it takes that long now and then on a machine with much to do. */
const siblingsFloorMs = 250;
/** The same where only earlier calls tell, which may have found more of their columns decoded, or selected less. */
const habitFloorMs = 1_000;
/** A worker is doubted when it was silent for such a part of the time after which it counts as lost. */
const doubtfulPart = 0.5;
/** Idle workers looked at for one task. */
const helpersMax = 32;

/** Begins the tasks that are late a second time, where somebody is idle who can read what they have not answered. */
export function speculate(step: Step): void {
  const { state, nowMs } = step;
  if (state.tasks.size === 0) return;
  requestWake(step, nowMs + lookMs);
  if (state.idle.size === 0) return;
  const late = [...state.tasks.values()].flatMap((task) => {
    const reason = describeLateness(step, task);
    return reason === undefined ? [] : [{ task, reason }];
  });
  let hasFreed = false;
  for (const { task } of late) hasFreed = freeWorkAhead(step, task) || hasFreed;
  for (const { task, reason } of late) hasFreed = takeRowsBack(step, task, reason) || hasFreed;
  if (hasFreed) scheduleAll(step);
  // What one of them comes to may have ended the call of another.
  for (const { task, reason } of late) if (state.tasks.has(task.id)) beginAgain(step, task, reason);
}

/** Why a task that runs is late; undefined while it is not. */
function describeLateness({ state, nowMs }: Step, task: Task): string | undefined {
  const worker = state.workers.get(task.workerId)!;
  const call = state.calls.get(task.queryId)!;
  if (call.errand !== null || worker.taskId !== task.id) return undefined;
  if (isDoubtful(worker, nowMs, state.options.expiryMs)) return `nothing heard of its worker for ${Math.round(nowMs - worker.lastHeardMs)} ms`;
  const ranMs = nowMs - task.startedMs;
  if (task.budget !== null || ranMs <= siblingsFloorMs) return undefined;
  const lateMs = lateAfterMs(call, task);
  return ranMs > lateMs ? `it runs for ${Math.round(ranMs)} ms, where ${Math.round(lateMs)} ms would be long` : undefined;
}

/** How long a task may take, by what the finished ones of its call took, or of calls like it. */
function lateAfterMs({ rowMs, habit }: Call, { rows }: Task): number {
  const siblings = medianOf(rowMs);
  if (siblings !== undefined) return Math.max(siblingsFloorMs, slowFactor * siblings * Math.max(rows, 1));
  const usual = medianOf(habit.rowMs);
  return usual === undefined ? Infinity : Math.max(habitFloorMs, slowFactor * usual * Math.max(rows, 1));
}

function isDoubtful({ lastHeardMs }: Worker, nowMs: number, expiryMs: number): boolean {
  return nowMs - lastHeardMs >= doubtfulPart * expiryMs;
}

/** Lets what a late worker has ahead wait for another; tells whether there was any. */
function freeWorkAhead(step: Step, task: Task): boolean {
  task.isLate = true;
  const worker = step.state.workers.get(task.workerId);
  const taskId = worker?.nextTaskId;
  if (worker === undefined || taskId === undefined) return false;
  onDeclined(step, worker, taskId);
  step.actions.push({ kind: "cancelTask", workerId: worker.id, taskId });
  return true;
}

/** Lets a late task for rows wait for another worker, where one is idle that can read what comes next; tells whether it did. */
function takeRowsBack(step: Step, task: Task, reason: string): boolean {
  const { state } = step;
  const call = state.calls.get(task.queryId);
  const [next] = task.open;
  if (task.budget === null || call === undefined || next === undefined || !state.tasks.has(task.id)) return false;
  if (helpersOf(step).every((helper) => !canRead(state, call, helper, call.shards[next]!))) return false;
  call.retries += 1;
  logAgain(step, call, task, { reason, shards: task.open.size });
  onDeclined(step, state.workers.get(task.workerId)!, task.id);
  step.actions.push({ kind: "cancelTask", workerId: task.workerId, taskId: task.id });
  return true;
}

function beginAgain(step: Step, task: Task, reason: string): void {
  const { state } = step;
  const call = state.calls.get(task.queryId)!;
  if (task.open.size === 0) {
    // All its answers are there; only what it cost is not told.
    callOff(step, task);
    finishIfWhole(step, call);
    return;
  }
  if (task.budget !== null || step.nowMs < call.restUntilMs) return;
  for (const helper of helpersOf(step)) {
    const ordinals = sharable(step, call, task, helper);
    if (ordinals.length === 0) continue;
    const second = giveTask(step, call, helper, ordinals, null);
    for (const ordinal of ordinals) call.doubled.add(ordinal);
    call.retries += 1;
    logAgain(step, call, task, { reason, shards: ordinals.length, again: second.id, by: helper.id });
    return;
  }
}

function logAgain(step: Step, call: Call, task: Task, facts: Readonly<Record<string, unknown>>): void {
  const known = { query: call.queryId, task: task.id, worker: task.workerId };
  step.actions.push({ kind: "log", level: "info", event: "task.retried", facts: { ...known, ...facts } });
}

/** The idle workers, as far as they are looked at, that are not silent themselves. */
function helpersOf({ state, nowMs }: Step): Worker[] {
  const first = firstOf(state.idle, helpersMax).map((workerId) => state.workers.get(workerId)!);
  return first.filter((worker) => !isDoubtful(worker, nowMs, state.options.expiryMs));
}

/**
 * The open ordinals of a task that a worker may begin as well: those it holds exactly as they are read and that no other
 * task is at. One with a single try left is not risked: both tasks may fail at it.
 */
function sharable({ state }: Step, call: Call, { open }: Task, helper: Worker): number[] {
  return [...open].filter((ordinal) => {
    const shard = call.shards[ordinal]!;
    const isFree = !call.doubled.has(ordinal) && call.tries[ordinal]! + 1 < call.triesMax;
    return isFree && isHeldBy(state.catalog, shard, helper.id) && canRead(state, call, helper, shard);
  });
}

function firstOf<T>(items: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const item of items) {
    if (first.length >= count) break;
    first.push(item);
  }
  return first;
}
