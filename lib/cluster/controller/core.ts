/**
 * The scheduling core of a controller: it decides, node.ts does. Events go in, actions come out; there is no I/O, no
 * clock and no randomness here, so that a simulator can run whole clusters with faults from a seed.
 */
import { unreachable } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { isTableName } from "../../columns/names.js";
import type { Holding } from "../../wire/messages.js";
import { dropCalls, failCall, findCall, takeCall } from "./calls.js";
import { addHolding, removeHolding } from "./catalog.js";
import type { Action, CacheChange, Event } from "./events.js";
import * as failures from "./failures.js";
import { scheduleAll, scheduleCall, scheduleWorker } from "./schedule.js";
import { requestWake, workersMax, type Call, type ControllerState, type Step, type Worker } from "./state.js";
import { failIfStranded, onDeclined, onDone, onFailed, onLostTask, onPartial, onSlice } from "./tasks.js";

/** What to do about an event at the time `nowMs` of a steady clock; `state` is updated in place. */
export function on(state: ControllerState, event: Event, nowMs: number): Action[] {
  const step: Step = { state, nowMs, actions: [] };
  switch (event.kind) {
    case "registered": onRegistered(step, event); break;
    case "called": schedule(step, takeCall(step, event.clientId, event.call, event.body)); break;
    case "cancelled": onCancelled(step, event.clientId, event.id); break;
    case "credit": onCredit(step, event); break;
    case "clientLost": dropCalls(step, event.clientId); break;
    case "unsendable": onUnsendable(step, event); break;
    case "stopping": onStopping(step, event.finish); break;
    case "tick": onTick(step); break;
    default: onWorkerEvent(step, event);
  }
  return step.actions;
}

type WorkerEvent = Exclude<Event, { kind: "registered" | "called" | "cancelled" | "credit" | "clientLost" | "unsendable" | "stopping" | "tick" }>;

/** Events of workers that are registered; of others they are too late. */
function onWorkerEvent(step: Step, event: WorkerEvent): void {
  const worker = step.state.workers.get(event.workerId);
  if (worker === undefined) return;
  worker.lastHeardMs = step.nowMs;
  switch (event.kind) {
    case "holdings": onHoldings(step, worker, event.added, event.removed); return;
    case "broken": worker.broken = event.tables.filter(({ name }) => isTableName(name)); return;
    case "ready": onReady(step, worker, event.nonce, event.cached); return;
    case "heartbeat": return;
    case "partial": onPartial(step, worker, event); return;
    case "slice": onSlice(step, worker, event); return;
    case "done": schedule(step, onDone(step, worker, event)); return;
    case "failed": schedule(step, onFailed(step, worker, event)); return;
    case "declined": schedule(step, onDeclined(step, worker, event.taskId)); return;
    case "workerLost": loseWorker(step, worker, event); return;
    default: unreachable(event);
  }
}

function onRegistered(step: Step, { workerId, node, holdings }: Event & { kind: "registered" }): void {
  const { state, nowMs } = step;
  const earlier = state.workers.get(workerId);
  if (earlier === undefined && state.workers.size >= workersMax) {
    step.actions.push({ kind: "log", level: "warn", event: "peer.refused", facts: { worker: workerId, node, workers: workersMax } });
    return;
  }
  const worker: Worker = {
    id: workerId, node, shards: new Set(), broken: [], cached: new Map(), nonce: undefined, spentNonce: undefined, idleSinceMs: nowMs,
    taskId: undefined, lastHeardMs: nowMs,
  };
  if (earlier !== undefined) forgetEarlier(step, earlier);
  state.workers.set(workerId, worker);
  takeHoldings(step, worker, holdings);
  failStranded(step);
  requestWake(step, nowMs + state.options.expiryMs);
  step.actions.push({ kind: "log", level: "info", event: "worker.registered", facts: { worker: workerId, node, shards: worker.shards.size } });
  scheduleAll(step);
}

function onHoldings(step: Step, worker: Worker, added: readonly Holding[], removed: readonly string[]): void {
  for (const name of removed) dropHolding(step.state, worker, name);
  takeHoldings(step, worker, added);
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

function onReady(step: Step, worker: Worker, nonce: string, cached: readonly CacheChange[]): void {
  for (const { shard, columns } of cached) {
    if (columns.length > 0 && worker.shards.has(shard)) worker.cached.set(shard, new Set(columns));
    else worker.cached.delete(shard);
  }
  if (nonce === worker.spentNonce) return; // A repeated message.
  // A worker answers a task before it offers itself again, so this one never began.
  if (worker.taskId !== undefined) schedule(step, onDeclined(step, worker, worker.taskId));
  Object.assign(worker, { nonce, idleSinceMs: step.nowMs });
  step.state.idle.add(worker.id);
  scheduleWorker(step, worker);
}

/** A live worker that registers again has a new connection and dropped the task it had; no shard is to blame. */
function forgetEarlier(step: Step, worker: Worker): void {
  if (worker.taskId !== undefined) onDeclined(step, worker, worker.taskId);
  forgetWorker(step.state, worker);
}

function loseWorker(step: Step, worker: Worker, { reason, saidBye }: { reason: string; saidBye: boolean }): void {
  onLostTask(step, worker, reason);
  forgetWorker(step.state, worker);
  step.actions.push({ kind: "log", level: saidBye ? "info" : "warn", event: "worker.lost", facts: { worker: worker.id, node: worker.node, reason } });
  failStranded(step);
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
  for (const call of [...state.calls.values()]) {
    if (nowMs >= call.deadlineMs) failCall(step, call, failures.deadlinePassed(call, workersOf(state, call), state.options.origin));
    else requestWake(step, call.deadlineMs);
  }
  for (const worker of [...state.workers.values()]) {
    const expiresMs = worker.lastHeardMs + state.options.expiryMs;
    if (nowMs >= expiresMs) loseWorker(step, worker, { reason: `nothing heard of it for ${Math.round(nowMs - worker.lastHeardMs)} ms`, saidBye: false });
    else requestWake(step, expiresMs);
  }
  scheduleAll(step);
}

function workersOf(state: ControllerState, call: Call): string[] {
  return [...call.tasks].map((taskId) => failures.describeWorker(state.workers.get(state.tasks.get(taskId)!.workerId)!));
}

function failStranded(step: Step): void {
  for (const call of [...step.state.calls.values()]) failIfStranded(step, call);
}

/** Hands out what a call has waiting again, if the event left it any. */
function schedule(step: Step, call: Call | undefined): void {
  if (call === undefined || !step.state.calls.has(call.queryId)) return;
  failIfStranded(step, call);
  scheduleCall(step, call);
}
