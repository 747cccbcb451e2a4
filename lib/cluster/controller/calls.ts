/** Calls: how one is taken, restarted and ended. Each that is taken gets one final answer, unless its client is gone. */
import { BquerydError, errorCodes } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { noCost } from "../../wire/costs.js";
import type { ClientMessage, ShardRef } from "../../wire/messages.js";
import { resolveShards } from "./catalog.js";
import type { Body } from "./events.js";
import * as failures from "./failures.js";
import type { GoneGeneration } from "./generations.js";
import { dequeue, enqueue } from "./queues.js";
import { createMean } from "./running-mean.js";
import { ordinalStates, requestWake, type Call, type ControllerState, type Failure, type Step, type Task } from "./state.js";

/** Takes a call and queues it, or refuses it. Undefined when there is nothing to schedule. */
export function takeCall(step: Step, clientId: string, asked: ClientMessage & { type: "call" }, body: Body): Call | undefined {
  const { state } = step;
  if (state.clients.get(clientId)?.has(asked.id) === true) return undefined; // A repeated message.
  const bodyBytes = body.reduce((sum, frame) => sum + frame.byteLength, 0);
  const shards = resolveOrRefuse(state, asked, bodyBytes);
  if ("code" in shards) {
    step.actions.push({ kind: "refuse", clientId, header: failures.errorHeader(asked.id, shards) });
    logFailure(step, { clientId, id: asked.id, tables: asked.tables }, shards);
    return undefined;
  }
  const call = createCall(step, { clientId, asked, body, bodyBytes, shards });
  state.calls.set(call.queryId, call);
  state.bodyBytes += bodyBytes;
  const calls = state.clients.get(clientId);
  if (calls === undefined) state.clients.set(clientId, new Map([[call.id, call.queryId]]));
  else calls.set(call.id, call.queryId);
  requestWake(step, call.deadlineMs);
  accept(step, call);
  return call;
}

/** The call of a client by the id the client gave it. */
export function findCall(state: ControllerState, clientId: string, id: string): Call | undefined {
  const queryId = state.clients.get(clientId)?.get(id);
  return queryId === undefined ? undefined : state.calls.get(queryId);
}

/** Begins a call again over what is held now, after a generation it read is gone; fails it when that cannot be. */
export function restartCall(step: Step, call: Call, gone: GoneGeneration): void {
  call.gone.push(gone);
  const shards = call.attempt === 1 ? resolveAgain(step.state, call) : undefined;
  if (shards === undefined) {
    failCall(step, call, failures.generationGone(gone.name, step.state.options.origin));
    return;
  }
  cancelTasks(step, call);
  call.attempt += 1;
  call.retries += 1;
  Object.assign(call, freshProgress(shards));
  call.excluded.clear();
  accept(step, call);
}

/** Answers a call that is answered whole and has no task left to report its cost. */
export function finishIfWhole(step: Step, call: Call): void {
  if (call.answeredCount < call.shards.length || call.tasks.size > 0) return;
  removeCall(step, call);
  step.actions.push({
    kind: "answer", clientId: call.clientId,
    header: {
      type: "result", id: call.id, value: null, cost: call.cost,
      queuedMs: (call.firstAssignedMs ?? step.nowMs) - call.arrivedMs, workers: call.workers.size, retries: call.retries,
    },
  });
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

/** Forgets a task; its worker is idle again only when it says so. */
export function releaseTask(state: ControllerState, task: Task): void {
  state.tasks.delete(task.id);
  state.calls.get(task.queryId)?.tasks.delete(task.id);
  const worker = state.workers.get(task.workerId);
  if (worker?.taskId === task.id) worker.taskId = undefined;
}

function resolveOrRefuse(state: ControllerState, asked: ClientMessage & { type: "call" }, bodyBytes: number): readonly ShardRef[] | Failure {
  const { origin, queueTasksMax, queueBytesMax } = state.options;
  if (state.stopping) return failures.controllerStopping(origin);
  if (state.calls.size >= queueTasksMax || state.bodyBytes + bodyBytes > queueBytesMax) {
    return failures.queueFull({ queued: state.calls.size, retryAfterMs: estimateWaitMs(state) }, origin);
  }
  if (state.workers.size === 0) return failures.noWorkers(origin);
  const shards = resolve(() => resolveShards(state.catalog, asked.tables), origin);
  if ("code" in shards) return shards;
  if (shards.length === 0) return failures.badCall("the call names no table; name at least one", origin);
  if (shards.length <= limits.shardsMax) return shards;
  return failures.badCall(`the call names ${shards.length} shards, more than ${limits.shardsMax}; ask for fewer at a time`, origin);
}

function resolveAgain(state: ControllerState, call: Call): readonly ShardRef[] | undefined {
  const shards = resolve(() => resolveShards(state.catalog, call.tables, call.gone), state.options.origin);
  return "code" in shards ? undefined : shards;
}

function resolve(doing: () => readonly ShardRef[], origin: string): readonly ShardRef[] | Failure {
  try {
    return doing();
  } catch (error) {
    if (error instanceof BquerydError) return failures.failureFrom(error, origin);
    throw error;
  }
}

interface NewCall {
  readonly clientId: string;
  readonly asked: ClientMessage & { type: "call" };
  readonly body: Body;
  readonly bodyBytes: number;
  readonly shards: readonly ShardRef[];
}

function createCall({ state, nowMs }: Step, { clientId, asked, body, bodyBytes, shards }: NewCall): Call {
  return {
    queryId: state.options.makeId(), clientId, id: asked.id, tables: asked.tables, columns: asked.columns,
    affinity: asked.affinity ?? clientId, body, bodyBytes, arrivedMs: nowMs, deadlineMs: nowMs + asked.remainingMs,
    attempt: 1, ...freshProgress(shards), excluded: new Map(), gone: [], failure: undefined, restUntilMs: 0,
    tasks: new Set(), workers: new Set(), shardMs: createMean(), firstAssignedMs: undefined, cost: noCost, retries: 0,
  };
}

function freshProgress(shards: readonly ShardRef[]): Pick<Call, "shards" | "ordinals" | "tries" | "waitingCount" | "answeredCount" | "firstWaiting"> {
  return {
    shards, ordinals: new Uint8Array(shards.length).fill(ordinalStates.waiting), tries: new Uint8Array(shards.length),
    waitingCount: shards.length, answeredCount: 0, firstWaiting: 0,
  };
}

function accept(step: Step, call: Call): void {
  const { clientId, id, queryId, attempt, shards } = call;
  enqueue(step.state.queues, call.affinity, queryId);
  step.actions.push({ kind: "forward", clientId, header: { type: "accepted", id, queryId, attempt, shards: [...shards] }, body: [] });
}

function removeCall(step: Step, call: Call): void {
  const { state } = step;
  cancelTasks(step, call);
  dequeue(state.queues, call.affinity, call.queryId);
  state.calls.delete(call.queryId);
  state.bodyBytes -= call.bodyBytes;
  const calls = state.clients.get(call.clientId)!;
  calls.delete(call.id);
  if (calls.size === 0) state.clients.delete(call.clientId);
}

function cancelTasks(step: Step, call: Call): void {
  for (const taskId of call.tasks) {
    const task = step.state.tasks.get(taskId)!;
    releaseTask(step.state, task);
    step.actions.push({ kind: "cancelTask", workerId: task.workerId, taskId });
  }
}

/** How long the calls that wait will take, as far as the mean of the past tells; between 0.1 s and 10 s. */
function estimateWaitMs(state: ControllerState): number {
  const workMs = (state.taskMs.value ?? 10) * state.calls.size / Math.max(1, state.workers.size);
  return Math.round(Math.min(Math.max(workMs, 100), 10_000));
}

function logFailure(step: Step, call: Pick<Call, "clientId" | "id" | "tables">, { code, message, origin }: Failure): void {
  const level = isOurs(code) ? "warn" : "info";
  const facts = { code, message, origin, client: call.clientId, call: call.id, tables: call.tables.slice(0, 5) };
  step.actions.push({ kind: "log", level, event: "query.failed", facts });
}

/** Tells failures that someone who runs the cluster may act on from those of whoever asked. */
function isOurs(code: Failure["code"]): boolean {
  return errorCodes[code].httpStatus >= 500;
}
