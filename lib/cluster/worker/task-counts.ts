/** What the tasks of a worker came to and cost: numbers that are read when somebody asks for metrics. */
import { addCosts, noCost } from "../../wire/costs.js";
import type { Cost } from "../../wire/messages.js";
import type { ComputeEvent } from "./compute/compute-thread.js";

/** Tasks that have ended. Updated in place by `countTask`. */
export interface TaskCounts {
  done: number;
  failed: number;
  /** Compute threads that ended without being told to. */
  computeLost: number;
  /** Of the tasks that were done. */
  cost: Cost;
}

/** Counts of nothing yet. */
export function createTaskCounts(): TaskCounts {
  return { done: 0, failed: 0, computeLost: 0, cost: noCost };
}

/** Counts what an event of the compute thread tells. */
export function countTask(counts: TaskCounts, event: ComputeEvent): void {
  if (event.kind === "taskFailed") counts.failed += 1;
  if (event.kind === "computeLost") counts.computeLost += 1;
  if (event.kind !== "taskDone") return;
  counts.done += 1;
  counts.cost = addCosts(counts.cost, event.cost);
}
