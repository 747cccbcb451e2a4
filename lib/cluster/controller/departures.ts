/** Workers, downloaders and movers that left: why, and what became of their tasks. The latest are kept for people who ask. */
import { formatCounted } from "../../base/quantities.js";
import type { DepartureInfo } from "../../wire/documents.js";
import { describeProcess } from "./calls/failures.js";
import { isRegistered, type Call, type Carrier, type ControllerState, type Departure, type Step, type Task, type Worker } from "./state.js";

/** Departures kept; older ones are in the log alone. */
const departuresMax = 32;
/** How long info() warns of one. */
const recentMs = 300_000;

/** Why a process left. */
export interface Leaving {
  readonly reason: string;
  readonly isOrderly: boolean;
}

/**
 * Lets a worker leave, as `leave` does it, then logs and keeps what came of that. Actions of `leave` that fail calls are
 * taken for its consequences.
 */
export function recordDeparture(step: Step, worker: Worker, { reason, isOrderly }: Leaving, leave: () => void): void {
  const { state, nowMs, actions } = step;
  const tasks = [worker.taskId, worker.nextTaskId].flatMap((taskId) => (taskId === undefined ? [] : state.tasks.get(taskId) ?? []));
  const alone = tasks.filter((task) => !isDoubled(state.calls.get(task.queryId)!, task));
  const before = actions.length;
  leave();
  const givenBack = alone.filter(({ open, queryId }) => open.size > 0 && state.calls.has(queryId)).length;
  const elsewhere = tasks.length - alone.length;
  const failedCalls = actions.slice(before).filter((action) => action.kind === "answer" && action.header.type === "error").length;
  keepDeparture(step, { workerId: worker.id, role: "worker", node: worker.node, reason, isOrderly, atMs: nowMs, givenBack, elsewhere, failedCalls });
  const facts = { worker: worker.id, node: worker.node, reason, givenBack, elsewhere, failedCalls };
  actions.push({ kind: "log", level: isOrderly ? "info" : "warn", event: "worker.lost", facts });
}

/** Logs and keeps that a downloader or a mover left: what it was at is in the registry, for another to go on with. */
export function recordCarrierDeparture(step: Step, { id, role, node }: Carrier, { reason, isOrderly }: Leaving): void {
  keepDeparture(step, { workerId: id, role, node, reason, isOrderly, atMs: step.nowMs, givenBack: 0, elsewhere: 0, failedCalls: 0 });
  step.actions.push({ kind: "log", level: isOrderly ? "info" : "warn", event: `${role}.lost`, facts: { [role]: id, node, reason } });
}

function keepDeparture({ state: { departures } }: Step, departure: Departure): void {
  departures.push(departure);
  if (departures.length > departuresMax) departures.shift();
}

/** Why a process left that said so itself: it has finished its work by then, or handed it back. */
export function describeBye(reason: string): string {
  if (reason.startsWith("SIG")) return `drained after ${reason}`;
  if (reason.startsWith("memory limit")) return reason; // It did what it had to, and not what it was told.
  return reason.startsWith("kill") ? `drained, told to by ${reason}` : `drained: ${reason}`;
}

/** The departures as info() has them, the latest first. */
export function listDepartures(departures: readonly Departure[], nowMs: number): DepartureInfo[] {
  return departures.toReversed().map(({ workerId, role, node, reason, atMs, givenBack, elsewhere, failedCalls }) => {
    return { worker: workerId, role, node, reason, ago: secondsSince(atMs, nowMs), given_back: givenBack, elsewhere, failed_calls: failedCalls };
  });
}

/** A sentence for each process that was lost lately without a word, also where it is back since: it was paused, or cut off. */
export function warnOfDepartures(state: ControllerState, nowMs: number): string[] {
  return state.departures.filter(({ isOrderly, atMs }) => !isOrderly && nowMs - atMs < recentMs).toReversed().map((departure) => {
    const { workerId, role, node, reason, atMs, givenBack, failedCalls } = departure;
    const tasks = `${formatCounted(givenBack, "task")} given back, ${formatCounted(failedCalls, "call")} failed`;
    const isBack = isRegistered(state, workerId);
    const became = role === "worker" ? `: ${tasks}` : isBack ? "" : ": what it was at is taken over when its lease ends";
    return `${describeProcess({ id: workerId, role, node })} was lost ${Math.round(secondsSince(atMs, nowMs))} s ago (${reason})${isBack ? " and is back" : ""}${became}; see the log of its node`;
  });
}

function secondsSince(atMs: number, nowMs: number): number {
  return Math.round(nowMs - atMs) / 1_000;
}

function isDoubled({ doubled }: Call, { open }: Task): boolean {
  return open.size > 0 && [...open].every((ordinal) => doubled.has(ordinal));
}
