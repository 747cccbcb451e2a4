/** What must hold of a controller's state between any two events. For tests and the simulator. */
import { limits } from "../../base/limits.js";
import type { Shard } from "./tables/catalog.js";
import { isEnough, taskSlicesMax } from "./calls/slices.js";
import { ordinalStates, workersMax, type Call, type ControllerState, type Task, type Worker } from "./state.js";
import { hasReader } from "./calls/tasks.js";

/** The broken rules of a state, as sentences; none when all is well. */
export function invariants(state: ControllerState): string[] {
  return [
    ...check(state.calls.values(), "call", ({ queryId }) => queryId, (call) => rulesOfCall(state, call)),
    ...check(state.tasks.values(), "task", ({ id }) => id, (task) => rulesOfTask(state, task)),
    ...check(state.workers.values(), "worker", ({ id }) => id, (worker) => rulesOfWorker(state, worker)),
    ...check(state.carriers.values(), "carrier", ({ id }) => id, ({ id, lastHeardMs }) => [
      [!state.workers.has(id), "it is no worker"],
      [state.wakeAtMs <= lastHeardMs + state.options.expiryMs, "a tick is due when its silence counts"],
    ]),
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
  const tasks = [...call.tasks].flatMap((taskId) => state.tasks.get(taskId) ?? []);
  const open = tasks.flatMap((task) => [...task.open]);
  return [
    [call.ordinals.length === call.shards.length, "it has as many ordinals as shards"],
    [call.shards.every(({ ordinal }, index) => ordinal === index), "its shards are numbered in order"],
    [call.waitingCount === counts[waiting] && call.answeredCount === counts[answered]! + counts[leftOut]!, "its shards are counted"],
    [call.leftOut.length === call.lacking + counts[leftOut]!, "the shards it goes without are named"],
    [call.scope.isPartialAllowed || call.leftOut.every(({ name }) => call.scope.pinned?.has(name) === false), "it goes without shards only where it may"],
    ...rulesOfStream(state, call),
    [call.ordinals.subarray(0, call.firstWaiting).every((stands) => stands !== waiting), "no shard waits before the first that does"],
    [open.length === counts[running]! + call.doubled.size && new Set(open).size === counts[running], "every running shard is open in one task, or in two where it is doubled"],
    [open.every((ordinal) => call.ordinals[ordinal] === running), "every open shard is running"],
    [everyOf(call.doubled, (ordinal) => isOpenInTwo(tasks, ordinal)), "a doubled shard is open in two tasks, of different workers"],
    [isEnough(call.stream) || call.shards.every((shard) => call.ordinals[shard.ordinal] !== waiting || isHeldBack(call, shard.ordinal) || hasReader(state, call, shard)), "every waiting shard has a reader"],
    [call.waitingCount > 0 === (state.queues.get(call.affinity)?.has(call.queryId) === true), "it is queued while shards wait"],
    [call.tasks.size > 0 || call.waitingCount > 0, "it goes on while there is something left to do"],
    [call.tries.every((count) => count < call.triesMax), "no shard is tried too often"],
    [state.clients.get(call.clientId)?.get(call.id) === call.queryId, "its client is known by it"],
    [state.wakeAtMs <= call.deadlineMs, "a tick is due at its deadline"],
  ];
}

function isOpenInTwo(tasks: readonly Task[], ordinal: number): boolean {
  const at = tasks.filter(({ open }) => open.has(ordinal));
  return at.length === 2 && at[0]!.workerId !== at[1]!.workerId;
}

/** A shard that a call for a few rows may turn out not to need is judged when it is the first unfinished one. */
function isHeldBack({ stream }: Call, ordinal: number): boolean {
  return stream !== null && stream.rowsMax !== null && ordinal > stream.head;
}

function rulesOfStream(state: ControllerState, { stream, ordinals, tasks }: Call): Rule[] {
  const budgets = [...tasks].map((taskId) => state.tasks.get(taskId)?.budget ?? null);
  if (stream === null) return [[budgets.every((budget) => budget === null), "its tasks send partials"]];
  const asked = budgets.reduce((sum, budget) => sum + (budget?.slices ?? 0), 0);
  const { head, rows, rowsBefore, credit, heldFrom, rowsMax } = stream;
  return [
    [budgets.every((budget) => budget !== null && budget.slices >= 0), "its tasks send no more slices than they may"],
    [credit >= 0 && credit + asked <= limits.sliceCreditMax + budgets.length * taskSlicesMax, "its slices are bounded"],
    [ordinals.subarray(0, head).every((stands) => stands >= ordinalStates.answered), "shards before the first unfinished one are finished"],
    [head === ordinals.length || ordinals[head]! < ordinalStates.answered, "the first unfinished shard is unfinished"],
    [rowsBefore === rows.subarray(0, head).reduce((sum, count) => sum + count, 0), "the rows before it are counted"],
    [heldFrom > head && (heldFrom === Infinity || rowsMax !== null), "what is held back comes after an unfinished shard of a call for a few rows"],
    [!isEnough(stream) || tasks.size > 0, "it ends when it has enough"],
  ];
}

function rulesOfTask(state: ControllerState, task: Task): Rule[] {
  return [
    [state.calls.get(task.queryId)?.tasks.has(task.id) === true, "its call is live and knows it"],
    [hasTask(state.workers.get(task.workerId), task.id), "its worker is live and has it"],
  ];
}

function hasTask(worker: Worker | undefined, taskId: string): boolean {
  return worker !== undefined && (worker.taskId === taskId || worker.nextTaskId === taskId);
}

function rulesOfWorker(state: ControllerState, worker: Worker): Rule[] {
  return [
    [worker.taskId === undefined || state.tasks.has(worker.taskId), "it has a live task or none"],
    [worker.nextTaskId === undefined || (worker.taskId !== undefined && state.tasks.has(worker.nextTaskId)), "it has a live task ahead of none but a running one"],
    [worker.nextTaskId === undefined || worker.nextTaskId !== worker.taskId, "it has no task twice"],
    [worker.nextTaskId === undefined || worker.nonce === undefined, "it offers nothing while it has a task ahead"],
    [(worker.nonce !== undefined && worker.taskId === undefined) === state.idle.has(worker.id), "it is idle while its offer stands and it has no task"],
    [everyOf(worker.shards, (name) => state.catalog.shards.get(name)?.holders.has(worker.id) === true), "the catalog knows its shards"],
    [everyOf(worker.cached.keys(), (name) => worker.shards.has(name)), "it has only shards cached that it holds"],
    [state.wakeAtMs <= worker.lastHeardMs + state.options.expiryMs, "a tick is due when its silence counts"],
  ];
}

function rulesOfShard({ workers }: ControllerState, { name, holders, byGeneration, byKept }: Shard): Rule[] {
  let [indexed, waiting] = [0, 0];
  for (const ids of byGeneration.values()) indexed += ids.size;
  for (const { prepared } of holders.values()) if (prepared === true) waiting += 1;
  const isHeld = holders.size > 0 && everyOf(holders.keys(), (workerId) => workers.get(workerId)?.shards.has(name) === true);
  const isIndexed = indexed + waiting === holders.size && everyOf(holders, ([workerId, { generation, prepared }]) => (prepared === true ? byKept : byGeneration).get(generation)?.has(workerId) === true);
  return isHeld && isIndexed ? noRules : [[isHeld, "it has holders, all live"], [isIndexed, "its holders are found by generation, and nobody else"]];
}

const noRules: Rule[] = [];

function rulesOfWhole({ calls, clients, queues, workers, carriers, idle, bodyBytes, options, looking, wakeAtMs }: ControllerState): Rule[] {
  let named = 0;
  for (const ids of clients.values()) named += ids.size;
  let bytes = 0;
  for (const call of calls.values()) bytes += call.bodyBytes;
  return [
    [everyOf(queues, ([affinity, queue]) => everyOf(queue, (queryId) => calls.get(queryId)?.affinity === affinity)), "queues hold live calls of their affinity"],
    [everyOf(queues.values(), (queue) => queue.size > 0), "no queue is empty"],
    [named === calls.size && everyOf(clients.values(), (ids) => ids.size > 0), "clients are known by their calls alone"],
    [looking === undefined || wakeAtMs <= looking.untilMs, "a tick is due when pointers have waited long enough"],
    [everyOf(idle, (workerId) => workers.has(workerId)), "idle workers are live"],
    [bytes === bodyBytes && bytes <= options.queueBytesMax, "bytes of bodies are counted and bounded"],
    [calls.size <= options.queueTasksMax && workers.size + carriers.size <= workersMax, "calls and workers are bounded"],
  ];
}

function everyOf<T>(items: Iterable<T>, isSo: (item: T) => boolean): boolean {
  for (const item of items) if (!isSo(item)) return false;
  return true;
}
