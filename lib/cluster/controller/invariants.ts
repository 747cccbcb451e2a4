/** What must hold of a controller's state between any two events. For tests and the simulator. */
import { limits } from "../../base/limits.js";
import type { Shard } from "./catalog.js";
import { isEnough, taskSlicesMax } from "./slices.js";
import { ordinalStates, workersMax, type Call, type ControllerState, type Task, type Worker } from "./state.js";
import { hasReader } from "./tasks.js";

/** The broken rules of a state, as sentences; none when all is well. */
export function invariants(state: ControllerState): string[] {
  return [
    ...check(state.calls.values(), "call", ({ queryId }) => queryId, (call) => rulesOfCall(state, call)),
    ...check(state.tasks.values(), "task", ({ id }) => id, (task) => rulesOfTask(state, task)),
    ...check(state.workers.values(), "worker", ({ id }) => id, (worker) => rulesOfWorker(state, worker)),
    ...check(state.catalog.shards.values(), "shard", ({ name }) => name, (shard) => rulesOfShard(state, shard)),
    ...check([state], "state", () => "as a whole", rulesOfWhole),
  ];
}

type Rule = readonly [holds: boolean, sentence: string];

function check<T>(items: Iterable<T>, kind: string, nameOf: (item: T) => string, rulesOf: (item: T) => readonly Rule[]): string[] {
  const sentences: string[] = [];
  for (const item of items) {
    for (const [holds, sentence] of rulesOf(item)) if (!holds) sentences.push(`${kind} ${nameOf(item)}: ${sentence}`);
  }
  return sentences;
}

function rulesOfCall(state: ControllerState, call: Call): Rule[] {
  const { waiting, running, answered, leftOut } = ordinalStates;
  const counts = [0, 0, 0, 0];
  for (const stands of call.ordinals) counts[stands]! += 1;
  const open = [...call.tasks].flatMap((taskId) => [...state.tasks.get(taskId)?.open ?? []]);
  return [
    [call.ordinals.length === call.shards.length, "it has as many ordinals as shards"],
    [call.shards.every(({ ordinal }, index) => ordinal === index), "its shards are numbered in order"],
    [call.waitingCount === counts[waiting] && call.answeredCount === counts[answered]! + counts[leftOut]!, "its shards are counted"],
    [call.leftOut.length === call.lacking + counts[leftOut]!, "the shards it goes without are named"],
    [call.leftOut.length === 0 || call.scope.isPartialAllowed, "it goes without shards only where it may"],
    ...rulesOfStream(state, call),
    [call.ordinals.subarray(0, call.firstWaiting).every((stands) => stands !== waiting), "no shard waits before the first that does"],
    [open.length === counts[running] && new Set(open).size === open.length, "every running shard is open in exactly one task"],
    [open.every((ordinal) => call.ordinals[ordinal] === running), "every open shard is running"],
    [isEnough(call.stream) || call.shards.every((shard) => call.ordinals[shard.ordinal] !== waiting || hasReader(state, call, shard)), "every waiting shard has a reader"],
    [call.waitingCount > 0 === (state.queues.get(call.affinity)?.has(call.queryId) === true), "it is queued while shards wait"],
    [call.tasks.size > 0 || call.waitingCount > 0, "it goes on while there is something left to do"],
    [call.tries.every((count) => count < state.options.attemptsMax), "no shard is tried too often"],
    [state.clients.get(call.clientId)?.get(call.id) === call.queryId, "its client is known by it"],
    [state.wakeAtMs <= call.deadlineMs, "a tick is due at its deadline"],
  ];
}

function rulesOfStream(state: ControllerState, { stream, ordinals, tasks }: Call): Rule[] {
  const budgets = [...tasks].map((taskId) => state.tasks.get(taskId)?.budget ?? null);
  if (stream === null) return [[budgets.every((budget) => budget === null), "its tasks send partials"]];
  const asked = budgets.reduce((sum, budget) => sum + (budget?.slices ?? 0), 0);
  const { head, rows, rowsBefore, credit } = stream;
  return [
    [budgets.every((budget) => budget !== null && budget.slices >= 0), "its tasks send no more slices than they may"],
    [credit >= 0 && credit + asked <= limits.sliceCreditMax + budgets.length * taskSlicesMax, "its slices are bounded"],
    [ordinals.subarray(0, head).every((stands) => stands >= ordinalStates.answered), "shards before the first unfinished one are finished"],
    [head === ordinals.length || ordinals[head]! < ordinalStates.answered, "the first unfinished shard is unfinished"],
    [rowsBefore === rows.subarray(0, head).reduce((sum, count) => sum + count, 0), "the rows before it are counted"],
    [!isEnough(stream) || tasks.size > 0, "it ends when it has enough"],
  ];
}

function rulesOfTask(state: ControllerState, task: Task): Rule[] {
  return [
    [state.calls.get(task.queryId)?.tasks.has(task.id) === true, "its call is live and knows it"],
    [state.workers.get(task.workerId)?.taskId === task.id, "its worker is live and has no other"],
  ];
}

function rulesOfWorker(state: ControllerState, worker: Worker): Rule[] {
  return [
    [worker.taskId === undefined || state.tasks.has(worker.taskId), "it has a live task or none"],
    [worker.taskId === undefined || worker.nonce === undefined, "it offers nothing while it works"],
    [(worker.nonce !== undefined) === state.idle.has(worker.id), "it is idle while its offer stands"],
    [everyOf(worker.shards, (name) => state.catalog.shards.get(name)?.holders.has(worker.id) === true), "the catalog knows its shards"],
    [everyOf(worker.cached.keys(), (name) => worker.shards.has(name)), "it has only shards cached that it holds"],
    [state.wakeAtMs <= worker.lastHeardMs + state.options.expiryMs, "a tick is due when its silence counts"],
  ];
}

function rulesOfShard({ workers }: ControllerState, { name, holders, byGeneration }: Shard): Rule[] {
  let indexed = 0;
  for (const ids of byGeneration.values()) indexed += ids.size;
  const isHeld = holders.size > 0 && everyOf(holders.keys(), (workerId) => workers.get(workerId)?.shards.has(name) === true);
  const isIndexed = indexed === holders.size && everyOf(holders, ([workerId, { generation }]) => byGeneration.get(generation)?.has(workerId) === true);
  return isHeld && isIndexed ? noRules : [[isHeld, "it has holders, all live"], [isIndexed, "its holders are found by generation, and nobody else"]];
}

const noRules: Rule[] = [];

function rulesOfWhole({ calls, clients, queues, workers, idle, bodyBytes, options }: ControllerState): Rule[] {
  let named = 0;
  for (const ids of clients.values()) named += ids.size;
  let bytes = 0;
  for (const call of calls.values()) bytes += call.bodyBytes;
  return [
    [everyOf(queues, ([affinity, queue]) => everyOf(queue, (queryId) => calls.get(queryId)?.affinity === affinity)), "queues hold live calls of their affinity"],
    [everyOf(queues.values(), (queue) => queue.size > 0), "no queue is empty"],
    [named === calls.size && everyOf(clients.values(), (ids) => ids.size > 0), "clients are known by their calls alone"],
    [everyOf(idle, (workerId) => workers.has(workerId)), "idle workers are live"],
    [bytes === bodyBytes && bytes <= options.queueBytesMax, "bytes of bodies are counted and bounded"],
    [calls.size <= options.queueTasksMax && workers.size <= workersMax, "calls and workers are bounded"],
  ];
}

function everyOf<T>(items: Iterable<T>, isSo: (item: T) => boolean): boolean {
  for (const item of items) if (!isSo(item)) return false;
  return true;
}
