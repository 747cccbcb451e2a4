/** The thread for merging: it does what its client says, in the order in which it is said. */
import { parentPort, type MessagePort } from "node:worker_threads";
import { toBquerydError, unreachable } from "../base/errors.js";
import { createCollector, taskGarbageBytesMax } from "../base/garbage.js";
import { limitOfMemory } from "../engine/engine.js";
import { decodeQuery } from "../engine/query/bytes.js";
import type { Query } from "../engine/query/query.js";
import { stopIfAsked } from "../engine/scan.js";
import type { MergeReply, MergeRequest } from "./merge-messages.js";
import { createMerger, renderGroups, type Merger } from "./merger.js";

interface Job {
  readonly query: Query;
  readonly merger: Merger;
}

if (parentPort !== null) serve(parentPort);

function serve(port: MessagePort): void {
  const jobs = new Map<number, Job>();
  const collect = createCollector(taskGarbageBytesMax);
  port.on("message", (request: MergeRequest) => {
    try {
      handle(request);
    } catch (cause) {
      jobs.delete(request.job);
      const { code, message, details } = toBquerydError(limitOfMemory(cause), "merge the partial answers");
      port.postMessage({ kind: "failed", job: request.job, code, message, details } satisfies MergeReply);
    }
    if (jobs.size === 0) collect();
  });

  function handle(request: MergeRequest): void {
    switch (request.kind) {
      case "open": jobs.set(request.job, openJob(request)); break;
      case "add": jobs.get(request.job)?.merger.add(request.block, request.bytes); break;
      case "finish": finish(request.job); break;
      case "drop": jobs.delete(request.job); break;
      default: unreachable(request);
    }
  }

  function finish(job: number): void {
    const found = jobs.get(job);
    // It has failed, which the client knows or is about to.
    if (found === undefined) return;
    const groups = renderGroups(found.query, found.merger);
    jobs.delete(job);
    port.postMessage({ kind: "finished", job, groups } satisfies MergeReply, [...buffersOf(groups, new Set())]);
  }
}

function openJob({ query: bytes, shardCount, bytesMax, stopFlag }: Extract<MergeRequest, { kind: "open" }>): Job {
  const flag = new Int32Array(stopFlag);
  const query = decodeQuery(bytes);
  return { query, merger: createMerger(query, shardCount, { bytesMax, stopIfAsked: () => { stopIfAsked(() => Atomics.load(flag, 0) !== 0); } }) };
}

/** The buffers of all arrays that a value is made of: they are handed over, not copied. */
function buffersOf(value: unknown, found: Set<ArrayBuffer>): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (typeof value === "object" && value !== null) for (const part of Object.values(value)) buffersOf(part, found);
  return found;
}
