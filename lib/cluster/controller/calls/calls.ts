/** Calls: how one is taken, restarted and ended. Each that is taken gets one final answer, unless its client is gone. */
import { BquerydError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { noCost } from "../../../wire/costs.js";
import { parseTableName } from "../../../columns/names.js";
import { digestOf } from "../../../wire/digest.js";
import type { ClientMessage, LeftOut, ShardRef } from "../../../wire/messages.js";
import { describeUnreadable, listUnreadable, resolveBeside } from "../tables/broken.js";
import { chosenHoldings, columnDtypes, resolvePinned, resolveSomeShards, rowsOf, widenedColumns, type ResolvedShards } from "../tables/catalog.js";
import type { Body } from "../events.js";
import * as failures from "./failures.js";
import type { GoneGeneration } from "../tables/generations.js";
import { habitOf } from "../schedule/habits.js";
import { createLatest } from "../schedule/latest.js";
import { estimateWaitMs, noteEnd, noteTaken } from "../schedule/pace.js";
import { dequeue, enqueue } from "../schedule/queues.js";
import { logFailure, logRefusal, logSlow } from "./query-log.js";
import { createMean } from "../schedule/running-mean.js";
import { createStream, forgetRows, isEnough, moveHead, returnBudget } from "./slices.js";
import { ordinalStates, requestWake, type Call, type CallErrand, type ControllerState, type Failure, type Scope, type Step, type Task, type Worker } from "../state.js";

/** Takes a call and queues it, or refuses it. Undefined when there is nothing to schedule. */
export function takeCall(step: Step, clientId: string, asked: ClientMessage & { type: "call" }, body: Body): Call | undefined {
  const { state } = step;
  if (state.clients.get(clientId)?.has(asked.id) === true) return undefined; // A repeated message.
  const bodyBytes = body.reduce((sum, frame) => sum + frame.byteLength, 0);
  const scope = scopeOf(asked);
  const resolved = isBehind(state, asked) ? failures.behind(state.catalog.epoch, asked.epoch, state.options.origin) : resolveOrRefuse(state, scope, bodyBytes);
  if ("code" in resolved) {
    refuseCall(step, { clientId, id: asked.id, scope }, resolved);
    return undefined;
  }
  if (isKnown(asked, resolved)) {
    step.actions.push({ kind: "answer", clientId, header: { type: "result", id: asked.id, value: null, cost: noCost, queuedMs: 0, workers: 0, retries: 0, unchanged: true, ...epochOf(state) } });
    return undefined;
  }
  const call = createCall(step, { clientId, asked, scope, errand: null, body, bodyBytes, resolved });
  addCall(step, call);
  accept(step, call);
  finishIfWhole(step, call);
  return call;
}

/** Says no to a call that was not taken. */
export function refuseCall(step: Step, call: Pick<Call, "clientId" | "id" | "scope">, failure: Failure): void {
  step.actions.push({ kind: "refuse", clientId: call.clientId, header: failures.errorHeader(call.id, failure) });
  logRefusal(step, call, failure);
}

/** Records a call that is taken. */
export function addCall(step: Step, call: Call): void {
  const { state } = step;
  noteTaken(step, call.affinity);
  state.calls.set(call.queryId, call);
  state.bodyBytes += call.bodyBytes;
  const calls = state.clients.get(call.clientId);
  if (calls === undefined) state.clients.set(call.clientId, new Map([[call.id, call.queryId]]));
  else calls.set(call.id, call.queryId);
  requestWake(step, call.deadlineMs);
}

/** The call of a client by the id the client gave it. */
export function findCall(state: ControllerState, clientId: string, id: string): Call | undefined {
  const queryId = state.clients.get(clientId)?.get(id);
  return queryId === undefined ? undefined : state.calls.get(queryId);
}

/** Begins a call again over what is held now, after a generation it read is gone; fails it when that cannot be. */
export function restartCall(step: Step, call: Call, gone: GoneGeneration): void {
  call.gone.push(gone);
  const resolved = call.attempt === 1 ? resolveAgain(step.state, call) : undefined;
  if (resolved === undefined) failCall(step, call, failures.generationGone(gone.name, step.state.options.origin));
  else beginAgain(step, call, resolved);
}

/**
 * Begins a call again when a shard that nobody holds any more is of a set in whose place there is another one, as after
 * an import with fewer shards; tells whether it did. A set that only lost a shard is never taken for another.
 */
export function restartOverNewSet(step: Step, call: Call, { name, generation }: ShardRef): boolean {
  const resolved = call.attempt === 1 && call.scope.pinned === null ? resolveAgain(step.state, call) : undefined;
  const { base, shard } = parseTableName(name);
  if (resolved === undefined || shard === null) return false;
  const holdings = chosenHoldings(step.state.catalog);
  const before = new Map(call.shards.map((old) => [old.name, old.generation]));
  const members = resolved.shards.filter((member) => parseTableName(member.name).base === base);
  const isNew = members.every((member) => (holdings.get(member.name)?.set ?? null) !== null && before.get(member.name) !== member.generation);
  if (members.length === 0 || !isNew) return false;
  call.gone.push({ name, generation });
  beginAgain(step, call, resolved);
  return true;
}

function beginAgain(step: Step, call: Call, resolved: ResolvedShards): void {
  cancelTasks(step, call);
  call.attempt += 1;
  call.retries += 1;
  Object.assign(call, freshProgress(step.state, call.scope, resolved, call.streamAsked));
  call.excluded.clear();
  accept(step, call);
  finishIfWhole(step, call);
}

/** Tells whether a call of which a generation is gone is to be begun again at newer ones, or failed if it was before. */
export function canRestart(call: Call): boolean {
  return call.scope.pinned === null && (call.attempt === 1 || !call.scope.isPartialAllowed);
}

/** Answers a call that is answered, as far as is wanted, and has no task left to report its cost. */
export function finishIfWhole(step: Step, call: Call): void {
  if (call.tasks.size > 0 || !(call.answeredCount === call.shards.length || isEnough(call.stream))) return;
  if (call.leftOut.length > 0 && call.leftOut.length === call.shards.length + call.lacking) {
    failCall(step, call, call.failure ?? failures.shardsLacking(call.leftOut.map(({ name }) => name), step.state.options.origin));
    return;
  }
  removeCall(step, call);
  step.actions.push({
    kind: "answer", clientId: call.clientId,
    header: {
      type: "result", id: call.id, value: null, cost: call.cost,
      queuedMs: (call.firstAssignedMs ?? step.nowMs) - call.arrivedMs, workers: call.workers.size, retries: call.retries,
      ...(call.leftOut.length === 0 ? {} : { leftOut: call.leftOut }),
    },
  });
  logSlow(step, call);
}

/** Goes on without a waiting shard, of a call that allows for it. */
export function leaveOut(step: Step, call: Call, { ordinal, name }: ShardRef, failure: Failure): void {
  call.ordinals[ordinal] = ordinalStates.leftOut;
  call.tries[ordinal] = 0;
  call.waitingCount -= 1;
  call.answeredCount += 1;
  call.failure = failure;
  call.leftOut.push({ name, code: failure.code, message: failure.message, rows: rowsOf(step.state.catalog, name) });
  step.actions.push({ kind: "forward", clientId: call.clientId, header: { type: "leftOut", id: call.id, attempt: call.attempt, ordinal }, body: [] });
  if (call.waitingCount === 0) dequeue(step.state.queues, call.affinity, call.queryId);
  if (call.stream !== null) {
    forgetRows(call.stream, ordinal);
    settleHead(call, call.stream);
  }
  step.actions.push({ kind: "log", level: "warn", event: "shard.left-out", facts: { code: failure.code, message: failure.message, query: call.queryId, shard: name } });
}

/** Lets a stream move on past the shards that are finished. */
export function settleHead(call: Call, stream: NonNullable<Call["stream"]>): void {
  moveHead(stream, (ordinal) => call.ordinals[ordinal]! >= ordinalStates.answered);
}

/** Ends a call with an error, and with it its tasks. */
export function failCall(step: Step, call: Call, failure: Failure): void {
  removeCall(step, call);
  step.actions.push({ kind: "answer", clientId: call.clientId, header: failures.errorHeader(call.id, failure) });
  logFailure(step, call, failure);
}

/** Ends all calls of a client that is gone; there is nobody to answer. */
export function dropCalls(step: Step, clientId: string): void {
  for (const queryId of [...step.state.clients.get(clientId)?.values() ?? []]) removeCall(step, step.state.calls.get(queryId)!);
}

/** Forgets a task; its worker goes on with the one it has ahead, and is idle again only when it says so, or has said. */
export function releaseTask(step: Step, task: Task): void {
  const { state, nowMs } = step;
  state.tasks.delete(task.id);
  const call = state.calls.get(task.queryId);
  call?.tasks.delete(task.id);
  if (task.budget !== null && call !== undefined && call.stream !== null) returnBudget(call.stream, task.budget);
  const worker = state.workers.get(task.workerId);
  if (worker === undefined) return;
  if (worker.taskId === task.id) {
    // An offer made beside this task is told again when it is over.
    Object.assign(worker, { taskId: worker.nextTaskId, nextTaskId: undefined, nonce: undefined });
    if (worker.taskId !== undefined) state.tasks.get(worker.taskId)!.startedMs = nowMs;
    else if (worker.laterNonce !== undefined) standBy(step, worker, worker.laterNonce);
  } else if (worker.nextTaskId === task.id) worker.nextTaskId = undefined;
}

/** Lets an offer stand that came early; what waits for it is seen in a moment. */
function standBy(step: Step, worker: Worker, nonce: string): void {
  Object.assign(worker, { nonce, laterNonce: undefined, idleSinceMs: step.nowMs });
  step.state.idle.add(worker.id);
  requestWake(step, step.nowMs);
}

/** Forgets a task and tells its worker that its answer is no longer wanted. */
export function callOff(step: Step, task: Task): void {
  releaseTask(step, task);
  step.actions.push({ kind: "cancelTask", workerId: task.workerId, taskId: task.id });
}

function scopeOf({ tables, columns, missing, partial, generations }: ClientMessage & { type: "call" }): Scope {
  const pinned = generations === undefined ? null : new Map(generations.map(({ name, generation }) => [name, generation]));
  return { tables, columns, missingIsEmpty: missing === "empty", isPartialAllowed: partial === "allow", pinned };
}

function resolveOrRefuse(state: ControllerState, scope: Scope, bodyBytes: number): ResolvedShards | Failure {
  const { origin } = state.options;
  const refusal = findRefusal(state, { calls: 1, bodyBytes });
  if (refusal !== undefined) return refusal;
  if (scope.tables.length === 0) return failures.badCall("the call names no table; name at least one", origin);
  const resolved = resolve(() => resolveScope(state, scope, []), origin);
  if ("code" in resolved) return resolved;
  const { shards, lacking } = resolved;
  if (shards.length > limits.shardsMax) return failures.badCall(`the call names ${shards.length} shards, more than ${limits.shardsMax}; ask for fewer at a time`, origin);
  const gone = scope.isPartialAllowed ? [] : lacking.filter((name) => scope.pinned?.has(name) === true);
  if (gone.length > 0) return failures.pinnedGone(gone, origin);
  return lacking.length > 0 && shards.length === 0 ? failures.shardsLacking(lacking, origin) : resolved;
}

/** Why no more calls can be taken now, whatever they are about; undefined where they can. `bodyBytes` is of all of them. */
export function findRefusal(state: ControllerState, { calls, bodyBytes }: { readonly calls: number; readonly bodyBytes: number }): Failure | undefined {
  const { origin, queueTasksMax, queueBytesMax } = state.options;
  if (state.stopping) return failures.controllerDraining(origin);
  const queue = { queued: state.calls.size, retryAfterMs: estimateWaitMs(state) };
  if (state.calls.size + calls > queueTasksMax) return failures.queueFull(queue, origin);
  if (state.bodyBytes + bodyBytes > queueBytesMax) return failures.queueBytesFull({ ...queue, queuedBytes: state.bodyBytes, bytesMax: queueBytesMax }, origin);
  return state.workers.size === 0 ? failures.noWorkers(origin) : undefined;
}

function resolveScope(state: ControllerState, scope: Scope, gone: readonly GoneGeneration[]): ResolvedShards {
  const { catalog } = state;
  if (scope.pinned !== null) return resolvePinned(catalog, scope.tables, scope.pinned, scope);
  return resolveBeside(state, scope, () => resolveSomeShards(catalog, scope.tables, scope, gone));
}

function resolveAgain(state: ControllerState, call: Call): ResolvedShards | undefined {
  const resolved = resolve(() => resolveScope(state, call.scope, call.gone), state.options.origin);
  return "code" in resolved ? undefined : resolved;
}

function resolve(doing: () => ResolvedShards, origin: string): ResolvedShards | Failure {
  try {
    return doing();
  } catch (error) {
    if (error instanceof BquerydError) return failures.failureFrom(error, origin);
    throw error;
  }
}

/** Tells whether the client has the answer of these shards, and none is lacking. */
function isKnown({ known, rows }: ClientMessage & { type: "call" }, { shards, lacking }: ResolvedShards): boolean {
  return known !== undefined && rows === undefined && lacking.length === 0 && digestOf(shards) === known;
}

interface NewCall {
  readonly clientId: string;
  readonly asked: Pick<ClientMessage & { type: "call" }, "id" | "affinity" | "remainingMs" | "rows">;
  readonly scope: Scope;
  readonly errand: CallErrand | null;
  readonly body: Body;
  readonly bodyBytes: number;
  readonly resolved: ResolvedShards;
}

/** A call at its beginning, which nobody knows yet. */
export function createCall({ state, nowMs }: Step, { clientId, asked, scope, errand, body, bodyBytes, resolved }: NewCall): Call {
  const streamAsked = asked.rows ?? null;
  return {
    queryId: state.options.makeId(), clientId, id: asked.id, scope, errand, streamAsked,
    affinity: asked.affinity ?? clientId, body, bodyBytes, arrivedMs: nowMs, deadlineMs: nowMs + asked.remainingMs,
    attempt: 1, ...freshProgress(state, scope, resolved, streamAsked), triesMax: failures.isDoneOnce({ errand }) ? 1 : state.options.attemptsMax, excluded: new Map(), gone: [], failure: undefined, restUntilMs: 0,
    tasks: new Set(), doubled: new Set(), workers: new Set(), shardMs: createLatest(), rowMs: createLatest(), partialBytes: createMean(), habit: habitOf(state.habits, scope), firstAssignedMs: undefined, cost: noCost, retries: 0,
  };
}

type Progress = Pick<Call, "shards" | "lacking" | "absent" | "widened" | "ordinals" | "tries" | "waitingCount" | "answeredCount" | "firstWaiting" | "stream" | "leftOut">;

function freshProgress(state: ControllerState, scope: Scope, { shards, lacking }: ResolvedShards, streamAsked: Call["streamAsked"]): Progress {
  const { catalog } = state;
  const leftOut = describeLacking(state, scope, lacking);
  return {
    shards, lacking: lacking.length, leftOut, absent: scope.missingIsEmpty ? columnDtypes(catalog, shards, scope.columns) : undefined,
    widened: widenedColumns(catalog, shards, scope.columns),
    ordinals: new Uint8Array(shards.length).fill(ordinalStates.waiting), tries: new Uint8Array(shards.length),
    waitingCount: shards.length, answeredCount: 0, firstWaiting: 0,
    stream: streamAsked === null ? null : createStream(shards.length, streamAsked),
  };
}

function describeLacking(state: ControllerState, { pinned }: Scope, lacking: readonly string[]): LeftOut[] {
  if (lacking.length === 0) return [];
  const isUnnamed = (name: string): boolean => pinned?.has(name) === false;
  const { code, message } = failures.shardsLacking(lacking.filter((name) => !isUnnamed(name)), state.options.origin);
  const unreadable = new Map(listUnreadable(state).map((table) => [table.name, table]));
  return lacking.map((name): LeftOut => {
    const table = unreadable.get(name);
    if (isUnnamed(name)) return { name, ...failures.unnamedGeneration(name), rows: rowsOf(state.catalog, name) };
    return table === undefined ? { name, code, message, rows: null } : { name, code: table.code, message: describeUnreadable(table), rows: null };
  });
}

function accept(step: Step, call: Call): void {
  const { clientId, id, queryId, attempt, shards, stream } = call;
  if (call.waitingCount > 0) enqueue(step.state.queues, call.affinity, queryId);
  const widened = stream === null || call.widened.length === 0 ? {} : { widened: [...call.widened] };
  step.actions.push({ kind: "forward", clientId, header: { type: "accepted", id, queryId, attempt, shards: [...shards], ...widened, ...epochOf(step.state) }, body: [] });
}

/** Tells whether the client has seen pointers that are not known here: it must not go back in time. */
function isBehind({ catalog }: ControllerState, asked: ClientMessage & { type: "call" }): asked is ClientMessage & { type: "call"; epoch: number } {
  return asked.epoch !== undefined && asked.epoch > catalog.epoch;
}

function epochOf({ catalog }: ControllerState): { epoch?: number } {
  return catalog.epoch === 0 ? {} : { epoch: catalog.epoch };
}

function removeCall(step: Step, call: Call): void {
  const { state } = step;
  cancelTasks(step, call);
  dequeue(state.queues, call.affinity, call.queryId);
  state.calls.delete(call.queryId);
  noteEnd(step);
  state.bodyBytes -= call.bodyBytes;
  const calls = state.clients.get(call.clientId)!;
  calls.delete(call.id);
  if (calls.size === 0) state.clients.delete(call.clientId);
}

function cancelTasks(step: Step, call: Call): void {
  for (const taskId of [...call.tasks]) callOff(step, step.state.tasks.get(taskId)!);
  call.doubled.clear();
}
