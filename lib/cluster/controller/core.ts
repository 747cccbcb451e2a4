/**
 * The scheduling core of a controller: it decides, node.ts does. Events go in, actions come out; there is no I/O, no
 * clock and no randomness here, so that a simulator can run whole clusters with faults from a seed.
 */
import { unreachable } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { isTableName } from "../../columns/names.js";
import type { Holding } from "../../wire/messages.js";
import { dropCalls, failCall, findCall, takeCall } from "./calls/calls.js";
import { addHolding, removeHolding } from "./tables/catalog.js";
import { describeSilence, expireCarriers, loseCarrier, onCarrierEvent, registerCarrier } from "./carriers.js";
import { describeBye, recordDeparture } from "./departures.js";
import { onAnswer, takeErrands } from "./calls/errands.js";
import type { Action, Event } from "./events.js";
import * as failures from "./calls/failures.js";
import { followFound, takePointers } from "./tables/looking.js";
import { scheduleAll, scheduleCall, scheduleWorker } from "./schedule/schedule.js";
import { speculate } from "./schedule/speculation.js";
import { requestWake, workersMax, type Call, type ControllerState, type Step, type Worker } from "./state.js";
import { failIfStranded, onDeclined, onDone, onDroppedTasks, onFailed, onLostTasks, onPartial, onSlice } from "./calls/tasks.js";

/** What to do about an event at the time `nowMs` of a steady clock; `state` is updated in place. */
export function on(state: ControllerState, event: Event, nowMs: number): Action[] {
  const step: Step = { state, nowMs, actions: [] };
  switch (event.kind) {
    case "registered": onRegistered(step, event); break;
    case "carrierRegistered": onCarrierRegistered(step, event); break;
    case "called": onCalled(step, event); break;
    case "cancelled": onCancelled(step, event.clientId, event.id); break;
    case "queryCancelled": onQueryCancelled(step, event); break;
    case "credit": onCredit(step, event); break;
    case "clientLost": dropCalls(step, event.clientId); break;
    case "unsendable": onUnsendable(step, event); break;
    case "stopping": onStopping(step, event.finish); break;
    case "pointers": takePointers(step, event.epoch, event.pointed); break;
    case "tick": onTick(step); break;
    default: onWorkerEvent(step, event);
  }
  return step.actions;
}

type WorkerEvent = Exclude<Event, { kind: "registered" | "carrierRegistered" | "called" | "cancelled" | "queryCancelled" | "credit" | "clientLost" | "unsendable" | "stopping" | "pointers" | "tick" }>;

/** Events of processes that are registered; of others they are too late. */
function onWorkerEvent(step: Step, event: WorkerEvent): void {
  const worker = step.state.workers.get(event.workerId);
  if (worker === undefined) {
    onCarrierEvent(step, event);
    return;
  }
  worker.lastHeardMs = step.nowMs;
  switch (event.kind) {
    case "holdings": onHoldings(step, worker, event.added, event.removed); return;
    case "broken": worker.broken = event.tables.filter(({ name }) => isTableName(name)); return;
    case "ready": onReady(step, worker, event); return;
    case "heartbeat": return;
    case "partial": onPartial(step, worker, event); return;
    case "slice": onSlice(step, worker, event); return;
    case "answer": onAnswer(step, worker, event); return;
    case "done": schedule(step, onDone(step, worker, event)); return;
    case "failed": schedule(step, onFailed(step, worker, event)); return;
    case "declined": schedule(step, onDeclined(step, worker, event.taskId)); return;
    case "workerLost": loseWorker(step, worker, event); return;
    default: unreachable(event);
  }
}

function onCalled(step: Step, { clientId, call, body }: Event & { kind: "called" }): void {
  const calls = call.verb === "groupby" ? [takeCall(step, clientId, call, body)] : takeErrands(step, clientId, call, body);
  for (const taken of calls) schedule(step, taken);
}

function onRegistered(step: Step, { workerId, node, holdings }: Event & { kind: "registered" }): void {
  const { state, nowMs } = step;
  const earlier = state.workers.get(workerId);
  const carrier = state.carriers.get(workerId);
  if (carrier !== undefined) loseCarrier(step, carrier, "registered again as a worker", true);
  if (earlier === undefined && state.workers.size + state.carriers.size >= workersMax) {
    step.actions.push({ kind: "log", level: "warn", event: "peer.refused", facts: { worker: workerId, node, workers: workersMax } });
    return;
  }
  const worker: Worker = {
    id: workerId, node, shards: new Set(), broken: [], cached: new Map(), nonce: undefined, laterNonce: undefined, spentNonce: undefined, idleSinceMs: nowMs,
    taskId: undefined, nextTaskId: undefined, lastHeardMs: nowMs,
  };
  if (earlier !== undefined) forgetEarlier(step, earlier);
  state.workers.set(workerId, worker);
  takeHoldings(step, worker, holdings);
  followFound(step);
  failStranded(step);
  requestWake(step, nowMs + state.options.expiryMs);
  step.actions.push({ kind: "log", level: "info", event: "worker.registered", facts: { worker: workerId, node, shards: worker.shards.size } });
  scheduleAll(step);
}

function onCarrierRegistered(step: Step, event: Event & { kind: "carrierRegistered" }): void {
  const worker = step.state.workers.get(event.workerId);
  if (worker !== undefined) loseWorker(step, worker, { reason: `registered again as a ${event.role}`, saidBye: false });
  registerCarrier(step, event);
}

function onHoldings(step: Step, worker: Worker, added: readonly Holding[], removed: readonly string[]): void {
  for (const name of removed) dropHolding(step.state, worker, name);
  takeHoldings(step, worker, added);
  followFound(step);
  failStranded(step);
  scheduleAll(step);
}

function takeHoldings({ state }: Step, worker: Worker, holdings: readonly Holding[]): void {
  for (const holding of holdings) {
    const hasRoom = worker.shards.has(holding.name) || worker.shards.size < limits.shardsMax;
    if (!hasRoom || !isTableName(holding.name)) continue;
    worker.cached.delete(holding.name); // What it had decoded was of another generation.
    worker.shards.add(holding.name);
    addHolding(state.catalog, worker.id, holding);
  }
}

function dropHolding(state: ControllerState, worker: Worker, name: string): void {
  worker.shards.delete(name);
  worker.cached.delete(name);
  removeHolding(state.catalog, worker.id, name);
}

function onReady(step: Step, worker: Worker, { nonce, cached, running }: Event & { kind: "ready" }): void {
  for (const { shard, columns } of cached) {
    if (columns.length > 0 && worker.shards.has(shard)) worker.cached.set(shard, new Set(columns));
    else worker.cached.delete(shard);
  }
  if (nonce === worker.spentNonce) return; // A repeated message.
  if (running !== worker.taskId && isAtDoneOnce(step.state, worker)) {
    // Nothing short of its word that it did not begin the errand: this may be an old offer that comes again.
    worker.laterNonce = nonce;
    return;
  }
  // A worker answers a task before it offers itself again, so others than the one it runs never began.
  for (const taskId of [worker.nextTaskId, worker.taskId]) {
    if (taskId !== undefined && taskId !== running) schedule(step, onDeclined(step, worker, taskId));
  }
  if (running !== worker.taskId) return; // What it runs was taken back; it says when it has stopped.
  Object.assign(worker, { nonce, idleSinceMs: step.nowMs });
  if (running === undefined) step.state.idle.add(worker.id);
  scheduleWorker(step, worker);
}

function isAtDoneOnce({ tasks, calls }: ControllerState, { taskId = "" }: Worker): boolean {
  const task = tasks.get(taskId);
  return task !== undefined && failures.isDoneOnce(calls.get(task.queryId)!);
}

/** A live worker that registers again has a new connection and dropped the tasks it had; no shard is to blame. */
function forgetEarlier(step: Step, worker: Worker): void {
  recordDeparture(step, worker, { reason: "registered again over a new connection", isOrderly: true }, () => {
    onDroppedTasks(step, worker);
    forgetWorker(step.state, worker);
  });
}

function loseWorker(step: Step, worker: Worker, { reason, saidBye }: { reason: string; saidBye: boolean }): void {
  recordDeparture(step, worker, { reason: saidBye ? describeBye(reason) : reason, isOrderly: saidBye }, () => {
    onLostTasks(step, worker, reason);
    forgetWorker(step.state, worker);
    failStranded(step);
  });
  followFound(step);
  // What the worker left, and a call that began again over another set, have shards for workers that are idle.
  scheduleAll(step);
}

function forgetWorker(state: ControllerState, worker: Worker): void {
  for (const name of worker.shards) removeHolding(state.catalog, worker.id, name);
  state.idle.delete(worker.id);
  state.workers.delete(worker.id);
}

function onCancelled(step: Step, clientId: string, id: string): void {
  const call = findCall(step.state, clientId, id);
  if (call !== undefined) failCall(step, call, failures.cancelledByClient(step.state.options.origin));
}

function onQueryCancelled(step: Step, { queryId, by }: Event & { kind: "queryCancelled" }): void {
  const call = step.state.calls.get(queryId);
  if (call !== undefined) failCall(step, call, failures.cancelledBy(by, step.state.options.origin));
}

/** Credit beyond the bound is none: a client that claims it has taken more than came is not believed. */
function onCredit(step: Step, { clientId, id, attempt, slices }: Event & { kind: "credit" }): void {
  const call = findCall(step.state, clientId, id);
  if (call === undefined || call.stream === null || call.attempt !== attempt) return;
  call.stream.credit = Math.min(call.stream.credit + slices, limits.sliceCreditMax);
  schedule(step, call);
}

function onUnsendable(step: Step, { clientId, id, message }: Event & { kind: "unsendable" }): void {
  const call = findCall(step.state, clientId, id);
  if (call !== undefined) failCall(step, call, { code: "MEMORY_LIMIT", message, details: {}, origin: step.state.options.origin });
}

function onStopping(step: Step, finish: boolean): void {
  step.state.stopping = true;
  if (finish) return;
  const failure = failures.controllerStopping(step.state.options.origin);
  for (const call of [...step.state.calls.values()]) failCall(step, call, failure);
}

function onTick(step: Step): void {
  const { state, nowMs } = step;
  state.wakeAtMs = Infinity;
  followFound(step);
  if (state.looking !== undefined) requestWake(step, state.looking.untilMs);
  for (const call of [...state.calls.values()]) {
    if (nowMs >= call.deadlineMs) failCall(step, call, failures.deadlinePassed(call, workersOf(state, call), state.options.origin));
    else requestWake(step, call.deadlineMs);
  }
  for (const worker of [...state.workers.values()]) {
    const expiresMs = worker.lastHeardMs + state.options.expiryMs;
    if (nowMs >= expiresMs) loseWorker(step, worker, { reason: describeSilence(worker, nowMs), saidBye: false });
    else requestWake(step, expiresMs);
  }
  expireCarriers(step);
  scheduleAll(step);
  speculate(step);
}

function workersOf(state: ControllerState, call: Call): string[] {
  return [...call.tasks].map((taskId) => failures.describeWorker(state.workers.get(state.tasks.get(taskId)!.workerId)!));
}

/** After an event that may have taken the last reader of any shard. */
function failStranded(step: Step): void {
  for (const call of [...step.state.calls.values()]) failIfStranded(step, call);
}

/** Hands out what a call has waiting again, if the event left it any. */
function schedule(step: Step, call: Call | undefined): void {
  if (call !== undefined) scheduleCall(step, call);
}
