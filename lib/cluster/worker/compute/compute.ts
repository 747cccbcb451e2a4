/**
 * The compute thread of a worker: it owns the engine and runs one task after another, synchronously. An error that is
 * not an operating one escapes and ends the thread, because the engine's memory can no longer be trusted; the message
 * thread then starts another.
 */
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { monotonicMs } from "../../../base/clock.js";
import { BquerydError, unreachable } from "../../../base/errors.js";
import { createCollector, taskGarbageBytesMax } from "../../../base/garbage.js";
import { createEngine, type Engine } from "../../../engine/engine.js";
import type { ComputeReply, ComputeRequest, ComputeSetup } from "./compute-messages.js";
import type { ComputeTask } from "../events.js";
import { failureOf, type Failure } from "../failure.js";

/** While tasks follow each other, bytes of arrays that they may leave uncollected: collecting takes as long as a small task. */
const busyGarbageBytesMax = 64 * 2 ** 20;
const idleMs = 50;
/** Copying fewer bytes takes less than handing over their buffer. */
const handedOverBytesMin = 4_096;

if (parentPort !== null) serve(parentPort, workerData as ComputeSetup);

function serve(port: MessagePort, setup: ComputeSetup): void {
  const stopFlag = new Int32Array(setup.stopFlag);
  let engine: Engine;
  try {
    engine = createEngine(setup);
  } catch (cause) {
    post(port, [{ kind: "unusable", failure: failureOf(cause, []) }]);
    return;
  }
  const [collectMuch, collectRest] = [createCollector(busyGarbageBytesMax), createCollector(taskGarbageBytesMax)];
  const idle = setTimeout(collectRest, idleMs).unref();
  port.on("message", (request: ComputeRequest) => {
    switch (request.kind) {
      case "run":
        runTask(port, engine, request, () => Atomics.load(stopFlag, 0) === request.run);
        collectMuch();
        idle.refresh();
        break;
      case "forget": engine.forget(request.names); break;
      case "close":
        engine.close();
        port.close();
        break;
      default: unreachable(request);
    }
  });
  post(port, [{ kind: "up" }]);
}

function runTask(port: MessagePort, engine: Engine, { task, remainingMs }: ComputeRequest & { kind: "run" }, isCancelled: () => boolean): void {
  const { taskId, query, shards, rows, absent, widened } = task;
  const deadlineMs = monotonicMs() + remainingMs;
  const isLate = () => monotonicMs() >= deadlineMs;
  const lastOrdinal = shards.at(-1)?.ordinal;
  // What comes last goes with the end of the task: a message between threads costs as much as a small task.
  let last: ComputeReply[] = [];
  const tell = (reply: ComputeReply, isLast: boolean): void => {
    if (isLast && last.length === 0) last = [reply];
    else post(port, [reply]);
  };
  try {
    const cost = engine.run({
      query, shards,
      shouldStop: () => isCancelled() || isLate(),
      onBlock: (block, partial) => { tell({ kind: "block", taskId, block, partial }, block.start + block.size > (lastOrdinal ?? 0)); },
      ...(rows === undefined ? {} : { rows: { ...rows, onSlice: (slice) => { tell({ kind: "slice", taskId, slice }, slice.ordinal === lastOrdinal && slice.next === null); } } }),
      ...(absent === undefined ? {} : { absent }),
      ...(widened === undefined ? {} : { widened }),
    });
    post(port, [...last, { kind: "done", taskId, cost, cacheChanges: engine.takeCacheChanges(), memory: engine.memory() }]);
  } catch (cause) {
    if (!(cause instanceof BquerydError) || cause.code === "INTERNAL") throw cause;
    const stoppedLate = cause.code === "CANCELLED" && !isCancelled();
    const failure = stoppedLate ? lateFailure(task) : locate(cause, task);
    post(port, [...last, { kind: "failed", taskId, failure, cacheChanges: engine.takeCacheChanges(), memory: engine.memory() }]);
  }
}

function lateFailure({ shards }: ComputeTask): Failure {
  const message = `the time of the query ended while a worker computed ${shards.length} of its shards; allow more with timeout`;
  return failureOf(new BquerydError("DEADLINE", message, { details: { shards: shards.length } }), []);
}

/** The failure with its shard. A table that is not here may well be elsewhere. */
function locate(cause: BquerydError, { shards }: ComputeTask): Failure {
  const failure = failureOf(cause, shards);
  const isGone = cause.code === "NOT_FOUND" || cause.code === "UNKNOWN_TABLE";
  return isGone ? { ...failure, code: "SHARD_UNAVAILABLE", retry: "elsewhere" } : failure;
}

function post(port: MessagePort, replies: readonly ComputeReply[]): void {
  port.postMessage(replies, replies.flatMap(bufferOf));
}

/** What is handed over of a reply. Only what fills its buffer is; a view of something larger is copied by posting it. */
function bufferOf(reply: ComputeReply): ArrayBuffer[] {
  const bytes = reply.kind === "block" ? reply.partial : reply.kind === "slice" ? reply.slice.bytes : undefined;
  if (bytes === undefined || bytes.byteLength < bytes.buffer.byteLength || bytes.byteLength < handedOverBytesMin) return [];
  return bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : [];
}
