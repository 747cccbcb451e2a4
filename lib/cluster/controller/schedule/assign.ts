/** Giving a task to a worker: the record of it, and the message that answers the worker's offer. */
import { chunkRows } from "../../../columns/dtypes.js";
import type { WorkerReply } from "../../../wire/messages.js";
import { rowsOf } from "../tables/catalog.js";
import { errandAction } from "../calls/errands.js";
import { knownShardMs } from "./habits.js";
import type { SliceBudget, SliceStream } from "../calls/slices.js";
import { requestWake, type Call, type ControllerState, type Step, type Task, type Worker } from "../state.js";

/** A worker gets no batch ahead while it runs one of more work than this. */
const aheadOfMsMax = 20;
/** How long after a task was given out it is seen whether it is late, and how often after that. */
export const lookMs = 250;

/** Gives a worker a task over ordinals of a call, which are running, against the offer it stands by. */
export function giveTask(step: Step, call: Call, worker: Worker, ordinals: readonly number[], budget: SliceBudget | null): Task {
  const { state, nowMs } = step;
  const nonce = worker.nonce!;
  const shards = ordinals.map((ordinal) => call.shards[ordinal]!);
  const task: Task = {
    id: state.options.makeId(), queryId: call.queryId, workerId: worker.id, open: new Set(ordinals), shardCount: ordinals.length,
    rows: shards.reduce((sum, { name }) => sum + (rowsOf(state.catalog, name) ?? chunkRows), 0),
    isRun: ordinals.at(-1)! - ordinals[0]! === ordinals.length - 1, partials: 0, startedMs: nowMs, budget, isLate: false, isOvertaken: false,
  };
  state.tasks.set(task.id, task);
  call.tasks.add(task.id);
  call.firstAssignedMs ??= nowMs;
  Object.assign(worker, { [worker.taskId === undefined ? "taskId" : "nextTaskId"]: task.id, nonce: undefined, spentNonce: nonce });
  state.idle.delete(worker.id);
  requestWake(step, nowMs + lookMs);
  if (call.errand !== null) {
    step.actions.push(errandAction(step, call, call.errand, task, nonce));
    return task;
  }
  step.actions.push({
    kind: "assign", workerId: worker.id, body: call.body,
    header: {
      type: "task", taskId: task.id, attempt: call.attempt, kind: "groupby", queryId: call.queryId, nonce, shards, remainingMs: Math.max(0, call.deadlineMs - nowMs),
      ...(hasMoreFor(state, call, ordinals.length) ? { offersNext: true } : {}),
      ...(budget === null || call.stream === null ? {} : { rows: rowsAsked(call.stream, budget, ordinals) }),
      ...(call.absent === undefined ? {} : { absent: [...call.absent] }),
      ...(call.widened.length === 0 ? {} : { widened: [...call.widened] }),
    },
  });
  return task;
}

/** Tells whether a task of so many shards is known to be short, and more waits than workers that are idle would take of it. */
function hasMoreFor({ idle }: ControllerState, call: Call, shardCount: number): boolean {
  const endsSoon = call.stream === null && shardCount * (knownShardMs(call) ?? Infinity) <= aheadOfMsMax;
  return endsSoon && call.waitingCount > idle.size * shardCount;
}

function rowsAsked({ from }: SliceStream, { slices, rows }: SliceBudget, ordinals: readonly number[]): NonNullable<(WorkerReply & { type: "task" })["rows"]> {
  return { slices, rowsMax: rows === Infinity ? null : rows, from: ordinals.map((ordinal) => from[ordinal]!) };
}
