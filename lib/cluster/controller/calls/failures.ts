/** Every failure the core can answer with, and its words. */
import { isErrorCode, type BquerydError, type ErrorCode } from "../../../base/errors.js";
import { formatNames } from "../../../base/quantities.js";
import type { ClientReply, ShardRef } from "../../../wire/messages.js";
import type { TaskFailed } from "../events.js";
import { ordinalStates, type Call, type Failure, type Task, type Worker } from "../state.js";

/** Names listed in an error; the count says how many there are. */
const namesMax = 5;

/** The header that gives a client its failure. */
export function errorHeader(id: string, { code, message, details, origin }: Failure): ClientReply & { type: "error" } {
  return { type: "error", id, code, message, details: { ...details }, origin };
}

/** A failure as another part of this process threw it. */
export function failureFrom({ code, message, details }: BquerydError, origin: string): Failure {
  return { code, message, details, origin };
}

/** A failure as a worker told it; a code outside the list becomes INTERNAL. */
export function failureOfTask(failed: TaskFailed, worker: Worker): Failure {
  const { message, details } = failed;
  return { code: isErrorCode(failed.code) ? failed.code : "INTERNAL", message, details, origin: describeWorker(worker) };
}

/** WORKER_LOST: a worker went away with shards unanswered. */
export function workerLost(call: Call, task: Task, worker: Worker, reason: string, origin: string): Failure {
  const shards = namesOf(call, task.open);
  const doing = call.errand === null ? "read" : "did";
  const advice = isDoneOnce(call) ? "it may have been done or not" : "ask again";
  const message = `${describeWorker(worker)} was lost (${reason}) while it ${doing} ${formatNames(shards, namesMax)}; ${advice}, and see the log of its node`;
  return { code: "WORKER_LOST", message, details: { worker: worker.id, node: worker.node, shards: shards.slice(0, namesMax), reason }, origin };
}

/** INTERNAL: a worker said it was done with shards it never answered. */
export function unanswered(call: Call, task: Task, worker: Worker): Failure {
  const shards = namesOf(call, task.open);
  const message = `${describeWorker(worker)} ended its task without an answer for ${formatNames(shards, namesMax)}; report this as a bug`;
  return { code: "INTERNAL", message, details: { worker: worker.id, shards: shards.slice(0, namesMax) }, origin: describeWorker(worker) };
}

/** SHARD_UNAVAILABLE: nobody is left who holds a shard. */
export function shardUnavailable({ name }: ShardRef, origin: string): Failure {
  const message = `no live worker holds ${name} any more; start a worker whose data_dir has it, or ask again`;
  return { code: "SHARD_UNAVAILABLE", message, details: { shard: name }, origin };
}

/** SHARD_UNAVAILABLE: a call came before any worker. */
export function noWorkers(origin: string): Failure {
  const message = "no worker is connected, so no table can be read; those of `bqueryd up` come back by themselves within seconds, else start one with `bqueryd worker --data-dir DIR`";
  return { code: "SHARD_UNAVAILABLE", message, details: { workers: 0 }, origin };
}

/** SHARD_UNAVAILABLE: of the shards of a table these are held by nobody. */
export function shardsLacking(names: readonly string[], origin: string): Failure {
  const message = `no live worker holds ${formatNames(names, namesMax)}; start a worker whose data_dir has them`;
  return { code: "SHARD_UNAVAILABLE", message, details: { shards: names.slice(0, namesMax) }, origin };
}

/** GENERATION_GONE: a call names generations of shards that nobody holds any more. */
export function pinnedGone(names: readonly string[], origin: string): Failure {
  const message = `no live worker holds ${formatNames(names, namesMax)}, of which the query names generations; ask without generations`;
  return { code: "GENERATION_GONE", message, details: { shards: names.slice(0, namesMax) }, origin };
}

/** Why a shard of a set is not in an answer whose call names generations of the others. */
export function unnamedGeneration(name: string): { code: ErrorCode; message: string } {
  return { code: "SHARD_UNAVAILABLE", message: `the query names no generation of ${name}, which its set has; ask without generations` };
}

/** GENERATION_GONE: the table was replaced under a call, and there is no way to restart it. */
export function generationGone(name: string, origin: string): Failure {
  const message = `the generation of ${name} that the query had begun to read is gone and cannot be replaced by a newer one; ask again`;
  return { code: "GENERATION_GONE", message, details: { table: name }, origin };
}

/** DEADLINE: the time of a call has run out, naming what was outstanding. */
export function deadlinePassed(call: Call, workers: readonly string[], origin: string): Failure {
  if (call.errand !== null) return errandLate(call, workers, origin);
  const outstanding = call.shards.length - call.answeredCount;
  const shards = call.shards.filter(({ ordinal }) => call.ordinals[ordinal]! < ordinalStates.answered).map(({ name }) => name);
  const idle = call.stream?.credit === 0 ? "waiting for the client to take the rows it was sent, whose loop is part of the time of the call" : "no worker had taken them";
  const where = workers.length === 0 ? idle : `workers at it: ${formatNames(workers, namesMax)}`;
  const message = `time ran out with ${outstanding} of ${call.shards.length} shards outstanding, ${formatNames(shards, namesMax)} (${where}); give the call a longer timeout`;
  return {
    code: "DEADLINE", message, origin,
    details: { outstanding, asked: call.shards.length, shards: shards.slice(0, namesMax), workers: workers.slice(0, namesMax) },
  };
}

function errandLate({ shards, affinity }: Call, workers: readonly string[], origin: string): Failure {
  const [name] = namesIn(shards);
  const where = workers.length === 0 ? `no worker had taken it from the queue of ${affinity}` : `at it: ${formatNames(workers, namesMax)}`;
  return { code: "DEADLINE", message: `time ran out over ${name} (${where}); give the call a longer timeout`, details: { errand: name }, origin };
}

/** SHARD_UNAVAILABLE: nobody is left who may do an errand. */
export function noTaker({ errand }: Call, origin: string): Failure {
  const workerId = errand?.workerId ?? null;
  if (workerId === null) return noWorkers(origin);
  return { code: "SHARD_UNAVAILABLE", message: `worker ${workerId.slice(0, 8)}, which was named, is not connected any more; leave worker out, or name one of rpc.info()`, details: { worker: workerId }, origin };
}

/** BAD_QUERY: what a call is to do does not fit its verb. */
export function badErrand(verb: string, origin: string): Failure {
  return { code: "BAD_QUERY", message: `a call of ${verb} says one errand of that kind, or with detached several; see PROTOCOL.md`, details: { verb }, origin };
}

/** BAD_QUERY: a query is to be ended, and none is named. */
export function unnamedQuery(origin: string): Failure {
  return { code: "BAD_QUERY", message: "cancel names no query; give the id of one that rpc.queries() lists, or its beginning", details: { verb: "cancel" }, origin };
}

/** NOT_FOUND or USAGE: the beginning of an id is that of no thing, or of several. */
export function notOne(what: string, start: string, found: number, origin: string): Failure {
  const details = { start, found };
  if (found === 0) return { code: "NOT_FOUND", message: `no ${what} has an id that begins with ${start}; rpc.${what === "query" ? "queries" : "info"}() lists them`, details, origin };
  return { code: "USAGE", message: `${start} begins the ids of ${found} ${what === "query" ? "queries" : `${what}s`}; give more of the one that is meant`, details, origin };
}

/** CANCELLED: somebody asked for it who need not be the client. */
export function cancelledBy(by: string, origin: string): Failure {
  return { code: "CANCELLED", message: `the call was cancelled by ${by}`, details: { by }, origin };
}

/** Tells whether what a call does is never done twice. */
export function isDoneOnce({ errand }: Pick<Call, "errand">): boolean {
  return errand?.errand.kind === "execute_code";
}

/** CANCELLED: the client asked for it. */
export function cancelledByClient(origin: string): Failure {
  return { code: "CANCELLED", message: "the call was cancelled by its client", details: {}, origin };
}

/** BUSY: the queue is full. */
export function queueFull(facts: { queued: number; retryAfterMs: number }, origin: string): Failure {
  const message = `the controller has ${facts.queued} calls to answer and takes no more; ask again in ${facts.retryAfterMs} ms`;
  return { code: "BUSY", message, details: facts, origin };
}

/** STALE: the client has seen a later state of the tables, and the registry does not tell it. */
export function behind(epoch: number, epochSeen: number, origin: string): Failure {
  const message = `the controller knows the pointers of tables as of epoch ${epoch}, and the client has seen ${epochSeen}; ask again when the registry is back, or connect anew`;
  return { code: "STALE", message, details: { epoch, epochSeen }, origin };
}

/** BUSY: the queries of the calls in the queue take all the memory there is for them. */
export function queueBytesFull(facts: { queued: number; queuedBytes: number; bytesMax: number; retryAfterMs: number }, origin: string): Failure {
  const message = `the ${facts.queued} calls that the controller has to answer take ${facts.queuedBytes} of the ${facts.bytesMax} bytes it keeps for queries, and it takes no more; ask again in ${facts.retryAfterMs} ms`;
  return { code: "BUSY", message, details: facts, origin };
}

/** NO_CONTROLLER: a call came to a controller that is on its way out, and nothing was done about it. */
export function controllerDraining(origin: string): Failure {
  return { code: "NO_CONTROLLER", message: "the controller is stopping and takes no more calls; ask again, of another controller or when this one was started again", details: {}, origin };
}

/** CONNECTION_LOST: the controller has no more time to finish a call. */
export function controllerStopping(origin: string): Failure {
  return { code: "CONNECTION_LOST", message: "the controller is stopping; ask another controller", details: {}, origin };
}

/** BAD_QUERY: the call cannot be for any table. */
export function badCall(message: string, origin: string): Failure {
  return { code: "BAD_QUERY", message, details: {}, origin };
}

/** A worker as people find it: its id as far as it is telling, and its node. */
export function describeWorker({ id, node }: Pick<Worker, "id" | "node">): string {
  return describeProcess({ id, node, role: "worker" });
}

/** A process as people find it. */
export function describeProcess({ id, role, node }: { readonly id: string; readonly role: string; readonly node: string }): string {
  return `${role} ${id.slice(0, 8)} on ${node}`;
}

function namesIn(shards: readonly ShardRef[]): string[] {
  return shards.map(({ name }) => name);
}

function namesOf(call: Call, ordinals: Iterable<number>): string[] {
  return Array.from(ordinals, (ordinal) => call.shards[ordinal]!.name);
}
