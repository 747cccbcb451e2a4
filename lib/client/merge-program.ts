/** The thread for merging: it does what its client says, in the order in which it is said. */
import { parentPort, type MessagePort } from "node:worker_threads";
import { monotonicMs } from "../base/clock.js";
import { toBquerydError, unreachable } from "../base/errors.js";
import { createCollector, taskGarbageBytesMax } from "../base/garbage.js";
import { limitOfMemory } from "../engine/engine.js";
import { decodeQuery } from "../engine/query/bytes.js";
import type { Query } from "../engine/query/query.js";
import { stopIfAsked } from "../engine/scan.js";
import type { MergeReply, MergeRequest, OrderedRows } from "./merge-messages.js";
import { createMerger, draftGroups, renderGroups, type Merger } from "./merger.js";
import { columnsOfRows, createCollecting } from "./row-taking.js";

interface GroupsJob {
  readonly kind: "groups";
  readonly query: Query;
  readonly merger: Merger;
}

interface RowsJob {
  readonly kind: "rows";
  readonly query: Query;
  readonly collecting: ReturnType<typeof createCollecting>;
}

type Job = GroupsJob | RowsJob;

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
      case "openRows": jobs.set(request.job, openRows(request)); break;
      case "add": {
        const job = jobs.get(request.job);
        if (job?.kind === "groups") job.merger.add(request.block, request.bytes);
        break;
      }
      case "rows": takeRows(request); break;
      case "draft": makeDraft(request.job); break;
      case "finish": finish(request.job); break;
      case "drop": jobs.delete(request.job); break;
      default: unreachable(request);
    }
  }

  function makeDraft(job: number): void {
    const found = jobs.get(job);
    if (found?.kind !== "groups") return;
    const draft = draftGroups(found.query, found.merger);
    port.postMessage({ kind: "drafted", job, draft } satisfies MergeReply, [...buffersOf(draft, new Set())]);
  }

  function finish(job: number): void {
    const found = jobs.get(job);
    // It has failed, which the client knows or is about to.
    if (found === undefined) return;
    const answer = found.kind === "groups" ? renderGroups(found.query, found.merger) : orderRows(found);
    jobs.delete(job);
    port.postMessage({ kind: "finished", job, answer } satisfies MergeReply, [...buffersOf(answer, new Set())]);
  }

  function takeRows({ job, reply, bytes }: Extract<MergeRequest, { kind: "rows" }>): void {
    const found = jobs.get(job);
    if (found?.kind !== "rows") return;
    found.collecting.take(reply, bytes === null ? [] : [bytes], () => undefined);
    port.postMessage({ kind: "taken", job } satisfies MergeReply);
  }
}

function openJob({ query: bytes, shardCount, bytesMax, stopFlag }: Extract<MergeRequest, { kind: "open" }>): Job {
  const query = decodeQuery(bytes);
  return { kind: "groups", query, merger: createMerger(query, shardCount, { bytesMax, stopIfAsked: stopBy(stopFlag) }) };
}

function openRows({ query: bytes, accepted, bytesMax, stopFlag }: Extract<MergeRequest, { kind: "openRows" }>): Job {
  const query = decodeQuery(bytes);
  const collecting = createCollecting(query, bytesMax, stopBy(stopFlag));
  collecting.take(accepted, [], () => undefined);
  return { kind: "rows", query, collecting };
}

function stopBy(stopFlag: SharedArrayBuffer): () => void {
  const flag = new Int32Array(stopFlag);
  return () => { stopIfAsked(() => Atomics.load(flag, 0) !== 0); };
}

function orderRows({ query, collecting }: RowsJob): OrderedRows {
  const startMs = monotonicMs();
  const { rows, ended, slices } = collecting.result();
  return { result: { columns: columnsOfRows(query, rows), numRows: rows.count }, ended, slices, mergedMs: monotonicMs() - startMs, renderedMs: 0 };
}

/** The buffers of all arrays that a value is made of: they are handed over, not copied. */
function buffersOf(value: unknown, found: Set<ArrayBuffer>): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (typeof value === "object" && value !== null) for (const part of Object.values(value)) buffersOf(part, found);
  return found;
}
