/** Tasks: what their workers say about them, and what becomes of the shards they leave unanswered. */
import { isAligned } from "../../engine/tree.js";
import { addCosts } from "../../wire/costs.js";
import type { Block, Cost, ShardRef } from "../../wire/messages.js";
import { canRestart, failCall, finishIfWhole, leaveOut, releaseTask, restartCall, restartOverNewSet, settleHead } from "./calls.js";
import { isHeldByOther, readersOf } from "./catalog.js";
import type { Body, SliceEvent, TaskFailed } from "./events.js";
import * as failures from "./failures.js";
import { note } from "./latest.js";
import { enqueue } from "./queues.js";
import { observe } from "./running-mean.js";
import { isEnough, takeSlice } from "./slices.js";
import { ordinalStates, type Call, type ControllerState, type Failure, type Step, type Task, type Worker } from "./state.js";

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
}

/** Takes back what is not wanted any more. A task that has sent all it may ends by itself, and says what it cost. */
function stopOtherTasks(step: Step, call: Call): void {
  for (const taskId of [...call.tasks]) {
    const task = step.state.tasks.get(taskId)!;
    if (task.budget === null || task.budget.slices <= 0 || task.budget.rows <= 0) continue;
    releaseTask(step.state, task);
    letWait(step, call, task);
    step.actions.push({ kind: "cancelTask", workerId: task.workerId, taskId });
  }
  finishIfWhole(step, call);
}

/** Ends a task that went well, and its call when nothing else is outstanding. */
export function onDone(step: Step, worker: Worker, { taskId, cost }: { taskId: string; cost: Cost }): Call | undefined {
  const assignment = findAssignment(step.state, worker, taskId);
  if (assignment === undefined) return undefined;
  const { task, call } = assignment;
  call.cost = addCosts(call.cost, cost);
  if (task.open.size > 0 && task.budget?.hasSent === true) return giveBack(step, assignment);
  if (task.open.size > 0) {
    return giveBack(step, assignment, { failure: failures.unanswered(call, task, worker), charged: task.open, exclude: true });
  }
  const tookMs = step.nowMs - task.assignedMs;
  observe(step.state.taskMs, tookMs);
  if (task.budget !== null) {
    releaseTask(step.state, task);
    finishIfWhole(step, call);
    return undefined;
  }
  // What the worker computed, without the way there and back, which a larger batch would not lengthen.
  const workMs = Math.min(tookMs, cost.scanMs + cost.mergeMs);
  observe(step.state.shardMs, workMs / task.shardCount);
  note(call.shardMs, workMs / task.shardCount);
  note(call.habit.shardMs, workMs / task.shardCount);
  if (task.isRun && task.shardCount > 1) call.habit.mergesRuns = task.partials === 1;
  releaseTask(step.state, task);
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
    releaseTask(step.state, task);
    restartCall(step, call, shard);
    return call;
  }
  if (failed.retry === "never") {
    releaseTask(step.state, task);
    failCall(step, call, failure);
    return undefined;
  }
  const exclude = failed.retry === "elsewhere" || failed.code === "GENERATION_GONE";
  if (!exclude) call.restUntilMs = step.nowMs + restMs;
  return giveBack(step, assignment, { failure, charged: shard === undefined ? task.open : new Set([shard.ordinal]), exclude });
}

/** Queues what a task left that its worker did not start. */
export function onDeclined(step: Step, worker: Worker, taskId: string): Call | undefined {
  const assignment = findAssignment(step.state, worker, taskId);
  return assignment === undefined ? undefined : giveBack(step, assignment);
}

/** Queues what the task of a worker that went away left. */
export function onLostTask(step: Step, worker: Worker, reason: string): Call | undefined {
  const assignment = worker.taskId === undefined ? undefined : findAssignment(step.state, worker, worker.taskId);
  if (assignment === undefined) return undefined;
  const { task, call } = assignment;
  const failure = failures.workerLost(call, task, worker, reason, step.state.options.origin);
  return giveBack(step, assignment, { failure, charged: task.open, exclude: false });
}

/** Fails a call of which a waiting shard has nobody left to read it, if a newer set cannot be read in its place, or goes on without. */
export function failIfStranded(step: Step, call: Call): void {
  const { state } = step;
  if (isEnough(call.stream)) return;
  const before = call.leftOut.length;
  for (let ordinal = call.firstWaiting; ordinal < call.shards.length; ordinal++) {
    const shard = call.shards[ordinal]!;
    if (call.ordinals[ordinal] !== ordinalStates.waiting || hasReader(state, call, shard)) continue;
    if (readersOf(state.catalog, shard).size === 0 && restartOverNewSet(step, call, shard)) return;
    const failure = (call.excluded.has(ordinal) ? call.failure : undefined) ?? failures.shardUnavailable(shard, state.options.origin);
    if (call.scope.isPartialAllowed) leaveOut(step, call, shard, failure);
    else {
      failCall(step, call, failure);
      return;
    }
  }
  if (call.leftOut.length > before) finishIfWhole(step, call);
}

/** Tells whether a live worker may still be given a shard of a call. */
export function hasReader(state: ControllerState, call: Call, shard: ShardRef): boolean {
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

/** Ends a task and lets its open ordinals wait again, or ends the call when one of them has been tried too often. */
function giveBack(step: Step, { task, call, worker }: Assignment, blame?: Blame): Call | undefined {
  releaseTask(step.state, task);
  letWait(step, call, task);
  if (isEnough(call.stream)) {
    finishIfWhole(step, call);
    return undefined;
  }
  const lost = blame === undefined ? [] : chargeTries(step, call, worker, blame);
  if (blame !== undefined && lost.length > 0) {
    if (!call.scope.isPartialAllowed) {
      failCall(step, call, blame.failure);
      return undefined;
    }
    for (const ordinal of lost) leaveOut(step, call, call.shards[ordinal]!, blame.failure);
  }
  if (task.open.size === lost.length) {
    finishIfWhole(step, call);
    return undefined;
  }
  if (blame !== undefined) {
    call.retries += 1;
    logRetry(step, { task, call, worker }, blame.failure);
  }
  return call;
}

/** Lets the open ordinals of a task that is over wait again. */
function letWait(step: Step, call: Call, task: Task): void {
  for (const ordinal of task.open) call.ordinals[ordinal] = ordinalStates.waiting;
  call.waitingCount += task.open.size;
  const [first] = task.open; // They are in ascending order.
  if (first === undefined) return;
  call.firstWaiting = Math.min(call.firstWaiting, first);
  enqueue(step.state.queues, call.affinity, call.queryId);
}

/** Counts a failed try of the charged ordinals; gives those that have used up their tries. */
function chargeTries(step: Step, call: Call, worker: Worker, { failure, charged, exclude }: Blame): number[] {
  call.failure = failure;
  const lost: number[] = [];
  for (const ordinal of charged) {
    call.tries[ordinal]! += 1;
    if (call.tries[ordinal]! >= step.state.options.attemptsMax) lost.push(ordinal);
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
