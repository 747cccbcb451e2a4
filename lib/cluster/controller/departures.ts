/** Workers that left: why, and what became of their tasks. The latest are kept for people who ask. */
import { formatCounted } from "../../base/quantities.js";
import type { DepartureInfo } from "../../wire/documents.js";
import { describeWorker } from "./calls/failures.js";
import type { Call, Departure, Step, Task, Worker } from "./state.js";

/** Departures kept; older ones are in the log alone. */
const departuresMax = 32;
/** How long info() warns of one. */
const recentMs = 300_000;

/** Why a worker left. */
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
  const departure: Departure = { workerId: worker.id, node: worker.node, reason, isOrderly, atMs: nowMs, givenBack, elsewhere, failedCalls };
  state.departures.push(departure);
  if (state.departures.length > departuresMax) state.departures.shift();
  const facts = { worker: worker.id, node: worker.node, reason, givenBack, elsewhere, failedCalls };
  actions.push({ kind: "log", level: isOrderly ? "info" : "warn", event: "worker.lost", facts });
}

/** Why a worker left that said so itself: it has finished its task by then, or handed it back. */
export function describeBye(reason: string): string {
  if (reason.startsWith("SIG")) return `drained after ${reason}`;
  if (reason.startsWith("memory limit")) return reason; // It did what it had to, and not what it was told.
  return reason.startsWith("kill") ? `drained, told to by ${reason}` : `drained: ${reason}`;
}

/** The departures as info() has them, the latest first. */
export function listDepartures(departures: readonly Departure[], nowMs: number): DepartureInfo[] {
  return departures.toReversed().map(({ workerId, node, reason, atMs, givenBack, elsewhere, failedCalls }) => {
    return { worker: workerId, node, reason, ago: secondsSince(atMs, nowMs), given_back: givenBack, elsewhere, failed_calls: failedCalls };
  });
}

/** A sentence for each worker that was lost lately without a word. */
export function warnOfDepartures(departures: readonly Departure[], nowMs: number): string[] {
  return departures.filter(({ isOrderly, atMs }) => !isOrderly && nowMs - atMs < recentMs).toReversed().map((departure) => {
    const { workerId, node, reason, atMs, givenBack, failedCalls } = departure;
    const became = `${formatCounted(givenBack, "task")} given back, ${formatCounted(failedCalls, "call")} failed`;
    return `${describeWorker({ id: workerId, node })} was lost ${Math.round(secondsSince(atMs, nowMs))} s ago (${reason}): ${became}; see the log of its node`;
  });
}

function secondsSince(atMs: number, nowMs: number): number {
  return Math.round(nowMs - atMs) / 1_000;
}

function isDoubled({ doubled }: Call, { open }: Task): boolean {
  return open.size > 0 && [...open].every((ordinal) => doubled.has(ordinal));
}
