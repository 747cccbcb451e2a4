/** Tasks: what their workers say about them, and what becomes of the shards they leave unanswered. */
import { isAligned } from "../../../engine/tree.js";
import { addCosts } from "../../../wire/costs.js";
import type { Block, Cost, ShardRef } from "../../../wire/messages.js";
import { callOff, canRestart, failCall, finishIfWhole, leaveOut, releaseTask, restartCall, restartOverNewSet, settleHead } from "./calls.js";
import { isHeldByOther, readersOf } from "../tables/catalog.js";
import { leaveDoubles, overtake } from "../schedule/doubles.js";
import type { Body, SliceEvent, TaskFailed } from "../events.js";
import { mayDo } from "./errands.js";
import * as failures from "./failures.js";
import { note } from "../schedule/latest.js";
import { enqueue } from "../schedule/queues.js";
import { observe } from "../schedule/running-mean.js";
import { holdFrom, isEnough, takeSlice } from "./slices.js";
import { ordinalStates, type Call, type ControllerState, type Failure, type Step, type Task, type Worker } from "../state.js";

/** How long a call rests after a failure that a pause may heal. */
const restMs = 100;

/** A task with its call and worker. */
interface Assignment {
  readonly task: Task;
  readonly call: Call;
  readonly worker: Worker;
}

/** Hands a partial on to the client and marks its shards answered. One that is late, repeated or out of place is dropped. */
export function onPartial(step: Step, worker: Worker, { taskId, block, body }: { taskId: string; block: Block; body: Body }): void {
  const assignment = findAssignment(step.state, worker, taskId);
  if (assignment === undefined) return;
  const { task, call } = assignment;
  const ordinals = openOrdinals(task, call, block);
  if (ordinals === undefined) return;
  for (const ordinal of ordinals) {
    task.open.delete(ordinal);
    call.ordinals[ordinal] = ordinalStates.answered;
  }
  call.answeredCount += ordinals.length;
  overtake(step, call, task, ordinals);
  task.partials += 1;
  call.workers.add(worker.id);
  const bytes = body.reduce((sum, frame) => sum + frame.length, 0);
  observe(call.partialBytes, bytes);
  observe(call.habit.partialBytes, bytes);
  step.actions.push({ kind: "forward", clientId: call.clientId, header: { type: "partial", id: call.id, attempt: call.attempt, block }, body });
}

/** Hands a slice of rows on to the client. One that is late, repeated or more than was asked for is dropped. */
export function onSlice(step: Step, worker: Worker, slice: SliceEvent): void {
  const assignment = findAssignment(step.state, worker, slice.taskId);
  if (assignment === undefined) return;
  const { task, call } = assignment;
  const { ordinal, from, next, rows, body } = slice;
  const { stream } = call;
  if (stream === null || task.budget === null || !task.open.has(ordinal) || !takeSlice(stream, task.budget, slice)) return;
  if (next === null) {
    task.open.delete(ordinal);
    call.ordinals[ordinal] = ordinalStates.answered;
    call.answeredCount += 1;
    settleHead(call, stream);
  }
  call.workers.add(worker.id);
  step.actions.push({ kind: "forward", clientId: call.clientId, header: { type: "slice", id: call.id, attempt: call.attempt, ordinal, from, next, rows }, body });
  if (isEnough(stream)) stopOtherTasks(step, call);
  else if (next === null) failIfStranded(step, call, [stream.head]);
}

/** Takes back what is not wanted any more. A task that has sent all it may ends by itself, and says what it cost. */
function stopOtherTasks(step: Step, call: Call): void {
  for (const taskId of [...call.tasks]) {
    const task = step.state.tasks.get(taskId)!;
    if (task.budget === null || task.budget.slices <= 0 || task.budget.rows <= 0) continue;
    callOff(step, task);
    letWait(step, call, task);
  }
  finishIfWhole(step, call);
}

/** Ends a task that went well, and its call when nothing else is outstanding. */
export function onDone(step: Step, worker: Worker, { taskId, cost }: { taskId: string; cost: Cost }): Call | undefined {
  const assignment = findAssignment(step.state, worker, taskId);
  if (assignment === undefined) return undefined;
  const { task, call } = assignment;
  call.cost = addCosts(call.cost, cost);
  // What is open was due, or was in a block of which another task had answered a part.
  if (task.open.size > 0 && (task.budget?.hasSent === true || task.isOvertaken)) return handBack(step, assignment);
  if (task.open.size > 0) {
    return handBack(step, assignment, { failure: failures.unanswered(call, task, worker), charged: task.open, exclude: true });
  }
  if (call.errand !== null) {
    releaseTask(step, task); // What it took says nothing of what shards cost.
    finishIfWhole(step, call);
    return undefined;
  }
  const tookMs = step.nowMs - task.startedMs;
  observe(step.state.taskMs, tookMs);
  if (task.budget !== null) {
    releaseTask(step, task);
    finishIfWhole(step, call);
    return call; // What was held back, or too far on, may be next for workers that are idle.
  }
  // What the worker computed, without the way there and back, which a larger batch would not lengthen.
  const workMs = Math.min(tookMs, cost.scanMs + cost.mergeMs);
  observe(step.state.shardMs, workMs / task.shardCount);
  note(call.shardMs, workMs / task.shardCount);
  note(call.habit.shardMs, workMs / task.shardCount);
  // What was answered from a cache of answers does not tell how long it takes to compute them.
  if (cost.partialCacheHits === 0) for (const { rowMs } of [call, call.habit]) note(rowMs, tookMs / Math.max(task.rows, 1));
  if (task.isRun && task.shardCount > 1) call.habit.mergesRuns = task.partials === 1;
  releaseTask(step, task);
  finishIfWhole(step, call);
  return undefined;
}

/** Tries what a failed task left elsewhere, again, or not at all. The call whose shards wait again, if any. */
export function onFailed(step: Step, worker: Worker, failed: TaskFailed): Call | undefined {
  const assignment = findAssignment(step.state, worker, failed.taskId);
  if (assignment === undefined) return undefined;
  const { task, call } = assignment;
  const failure = failures.failureOfTask(failed, worker);
  const shard = failedShard(task, call, failed);
  const isHeldElsewhere = shard !== undefined && isHeldByOther(step.state.catalog, shard, worker.id);
  if (failed.code === "GENERATION_GONE" && shard !== undefined && !isHeldElsewhere && canRestart(call)) {
    releaseTask(step, task);
    restartCall(step, call, shard);
    return call;
  }
  if (isEnough(call.stream)) return giveBack(step, assignment);
  // What it failed at has been answered by another task.
  if (task.isOvertaken && shard === undefined && failed.shard !== null) return handBack(step, assignment);
  if (isAhead(task, call, shard)) {
    call.retries += 1;
    logRetry(step, assignment, failure);
    return handBack(step, assignment);
  }
  if (failed.retry === "never") {
    releaseTask(step, task);
    failCall(step, call, failure);
    return undefined;
  }
  const exclude = failed.retry === "elsewhere" || failed.code === "GENERATION_GONE";
  if (!exclude) call.restUntilMs = step.nowMs + restMs;
  return handBack(step, assignment, { failure, charged: shard === undefined ? task.open : new Set([shard.ordinal]), exclude });
}

/** Queues what a task left that its worker did not start. */
export function onDeclined(step: Step, worker: Worker, taskId: string): Call | undefined {
  const assignment = findAssignment(step.state, worker, taskId);
  return assignment === undefined ? undefined : handBack(step, assignment);
}

/** Queues what the tasks of a worker left that is about to be forgotten; whether others can read it is seen after that. */
export function onDroppedTasks(step: Step, worker: Worker): void {
  for (const taskId of [worker.nextTaskId, worker.taskId]) {
    const assignment = taskId === undefined ? undefined : findAssignment(step.state, worker, taskId);
    if (assignment !== undefined) giveBack(step, assignment, blameWhereDoneOnce(step, assignment));
  }
}

/** What is never done twice has failed with the connection. */
function blameWhereDoneOnce(step: Step, { call, task, worker }: Assignment): Blame | undefined {
  if (!failures.isDoneOnce(call)) return undefined;
  return { failure: failures.workerLost(call, task, worker, "it registered again", step.state.options.origin), charged: task.open, exclude: false };
}

/** The same of a worker that went away: shards are to blame for the task it ran, and none for the one that it had ahead. */
export function onLostTasks(step: Step, worker: Worker, reason: string): void {
  const next = worker.nextTaskId === undefined ? undefined : findAssignment(step.state, worker, worker.nextTaskId);
  if (next !== undefined) giveBack(step, next);
  const assignment = worker.taskId === undefined ? undefined : findAssignment(step.state, worker, worker.taskId);
  if (assignment === undefined) return;
  const { task, call } = assignment;
  const failure = failures.workerLost(call, task, worker, reason, step.state.options.origin);
  giveBack(step, assignment, { failure, charged: task.open, exclude: false });
}

/**
 * Fails a call of which a waiting shard has nobody left to read it, if a newer set cannot be read in its place, or goes on
 * without. Only the `ordinals` given are looked at, by default all. Those that a call for a few rows may turn out not to
 * need wait until they are the first that is unfinished.
 */
export function failIfStranded(step: Step, call: Call, ordinals: Iterable<number> = ordinalsFrom(call.firstWaiting, call.shards.length)): void {
  const { state } = step;
  if (isEnough(call.stream)) return;
  if (call.errand !== null) {
    if (call.waitingCount > 0 && !hasReader(state, call, call.shards[0]!)) failCall(step, call, call.failure ?? failures.noTaker(call, state.options.origin));
    return;
  }
  const before = call.leftOut.length;
  const head = call.stream?.head;
  for (const ordinal of ordinals) {
    const shard = call.shards[ordinal]!;
    if (call.ordinals[ordinal] !== ordinalStates.waiting || hasReader(state, call, shard)) continue;
    if (call.stream !== null && holdFrom(call.stream, ordinal)) continue;
    if (readersOf(state.catalog, shard).size === 0 && restartOverNewSet(step, call, shard)) return;
    const failure = (call.excluded.has(ordinal) ? call.failure : undefined) ?? failures.shardUnavailable(shard, state.options.origin);
    if (endsWithout(step, call, [ordinal], failure)) return;
  }
  if (call.leftOut.length > before) finishIfWhole(step, call);
  if (call.stream !== null && call.stream.head !== head) failIfStranded(step, call, [call.stream.head]);
}

function* ordinalsFrom(start: number, end: number): Generator<number> {
  for (let ordinal = start; ordinal < end; ordinal++) yield ordinal;
}

/** Tells whether a live worker may still be given a shard of a call, or its errand. */
export function hasReader(state: ControllerState, call: Call, shard: ShardRef): boolean {
  if (call.errand !== null) return [...state.workers.keys()].some((workerId) => mayDo(call, workerId));
  const readers = readersOf(state.catalog, shard);
  const excluded = call.excluded.get(shard.ordinal);
  if (excluded === undefined) return readers.size > 0;
  return [...readers.keys()].some((workerId) => !excluded.has(workerId));
}

interface Blame {
  readonly failure: Failure;
  /** Ordinals that count a failed try. */
  readonly charged: ReadonlySet<number>;
  /** Whether the worker is not to have them again. */
  readonly exclude: boolean;
}

/** The same as giveBack, and sees whether what waits again has a reader: it may have lost the last one while it ran, or now. */
function handBack(step: Step, assignment: Assignment, blame?: Blame): Call | undefined {
  const call = giveBack(step, assignment, blame);
  if (call !== undefined) failIfStranded(step, call, call.stream === null ? assignment.task.open : [...assignment.task.open, call.stream.head]);
  return call;
}

/**
 * Tells whether a task failed at a shard that a call for a few rows may turn out not to need. It then waits until those
 * before it are finished: so what the call comes to does not depend on who was quicker.
 */
function isAhead(task: Task, { stream }: Call, shard: ShardRef | undefined): boolean {
  const ordinal = shard?.ordinal ?? [...task.open][0];
  return stream !== null && ordinal !== undefined && holdFrom(stream, ordinal);
}

/** Ends a task and lets its open ordinals wait again, or ends the call when one of them has been tried too often. */
function giveBack(step: Step, { task, call, worker }: Assignment, blame?: Blame): Call | undefined {
  releaseTask(step, task);
  letWait(step, call, task);
  if (isEnough(call.stream)) {
    finishIfWhole(step, call);
    return undefined;
  }
  const lost = blame === undefined ? [] : chargeTries(call, worker, blame);
  if (blame !== undefined && lost.length > 0 && endsWithout(step, call, lost, blame.failure)) return undefined;
  if (task.open.size === lost.length) {
    finishIfWhole(step, call);
    return call;
  }
  if (blame !== undefined) {
    call.retries += 1;
    logRetry(step, { task, call, worker }, blame.failure);
  }
  return call;
}

/**
 * Goes on without waiting shards, of a call that allows for it, and else fails it. Tells whether that was the end of the
 * call: what has come of the others may be enough.
 */
function endsWithout(step: Step, call: Call, ordinals: readonly number[], failure: Failure): boolean {
  if (!call.scope.isPartialAllowed) {
    failCall(step, call, failure);
    return true;
  }
  for (const ordinal of ordinals) leaveOut(step, call, call.shards[ordinal]!, failure);
  if (!isEnough(call.stream)) return false;
  stopOtherTasks(step, call);
  return true;
}

/** Lets the open ordinals of a task that is over wait again, but for those that another task is at. */
function letWait(step: Step, call: Call, task: Task): void {
  const left = leaveDoubles(call, task);
  for (const ordinal of left) call.ordinals[ordinal] = ordinalStates.waiting;
  call.waitingCount += left.length;
  const [first] = left;
  if (first === undefined) return;
  call.firstWaiting = Math.min(call.firstWaiting, first);
  enqueue(step.state.queues, call.affinity, call.queryId);
}

/** Counts a failed try of the charged ordinals; gives those that have used up their tries. */
function chargeTries(call: Call, worker: Worker, { failure, charged, exclude }: Blame): number[] {
  call.failure = failure;
  const lost: number[] = [];
  for (const ordinal of charged) {
    call.tries[ordinal]! += 1;
    if (call.tries[ordinal]! >= call.triesMax) lost.push(ordinal);
    if (exclude) call.excluded.set(ordinal, new Set([...call.excluded.get(ordinal) ?? [], worker.id]));
  }
  return lost;
}

/** The task when it is alive and this worker's. */
function findAssignment(state: ControllerState, worker: Worker, taskId: string): Assignment | undefined {
  const task = state.tasks.get(taskId);
  if (task === undefined || task.workerId !== worker.id) return undefined;
  return { task, call: state.calls.get(task.queryId)!, worker };
}

/** The ordinals of a block, clipped to the shards of the call, or of a run; undefined unless all are open in the task. */
function openOrdinals(task: Task, call: Call, block: Block): number[] | undefined {
  const end = isAligned(block) ? Math.min(block.start + block.size, call.shards.length) : block.start + block.size;
  const length = end - block.start;
  if (length < 1 || length > task.open.size) return undefined;
  const ordinals = Array.from({ length }, (_, offset) => block.start + offset);
  return ordinals.every((ordinal) => task.open.has(ordinal)) ? ordinals : undefined;
}

/** The shard of a task that its worker says failed; undefined when it names none that is open. */
function failedShard(task: Task, call: Call, { shard }: TaskFailed): ShardRef | undefined {
  return [...task.open].map((ordinal) => call.shards[ordinal]!).find(({ name }) => name === shard);
}

function logRetry(step: Step, { task, call, worker }: Assignment, { code, message }: Failure): void {
  const facts = { code, message, query: call.queryId, task: task.id, worker: worker.id, node: worker.node, shards: task.open.size };
  step.actions.push({ kind: "log", level: "info", event: "task.retried", facts });
}
