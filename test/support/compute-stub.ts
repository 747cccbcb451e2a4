/** Stands in for the compute thread of a worker: what the first byte of a query names is what happens. */
import { parentPort, workerData } from "node:worker_threads";
import type { ComputeReply, ComputeRequest, ComputeSetup } from "../../lib/cluster/worker/compute/compute-messages.js";

/** What a query makes the stub do. */
export const stubQueries = {
  answer: Uint8Array.of(0),
  exit: Uint8Array.of(1),
  crash: Uint8Array.of(2),
  untilStopped: Uint8Array.of(3),
  forever: Uint8Array.of(4),
};

/** The data_dir that makes the stub unusable. */
export const unusableDataDir = "/unusable";

const cost = { shards: 1, shardsPruned: 0, rowsScanned: 0, chunksDecoded: 0, chunksPruned: 0, chunksFromStatistics: 0, partialCacheHits: 0, cacheHits: 0, bytesDecoded: 0, scanMs: 0, mergeMs: 0 };
const memory = { cacheBytes: 0, partialCacheBytes: 0, queryPeakBytes: 0 };

if (parentPort !== null) {
  const port = parentPort;
  const setup = workerData as ComputeSetup;
  const stopFlag = new Int32Array(setup.stopFlag);
  const post = (reply: ComputeReply): void => { port.postMessage([reply]); };
  if (setup.dataDir === unusableDataDir) {
    post({ kind: "unusable", failure: { code: "MEMORY_LIMIT", message: "no memory", details: {}, retry: "never", shard: null } });
  } else {
    port.on("message", (request: ComputeRequest) => {
      if (request.kind === "close") {
        port.close();
        return;
      }
      if (request.kind === "forget") return;
      const { taskId, query } = request.task;
      switch (query[0]) {
        case stubQueries.exit[0]: process.exit(3); break;
        case stubQueries.crash[0]: throw new Error("a defect");
        case stubQueries.untilStopped[0]:
          post({ kind: "block", taskId, block: { start: 0, size: 1 }, partial: Uint8Array.of(1) });
          while (Atomics.load(stopFlag, 0) !== request.run) Atomics.wait(stopFlag, 0, 0, 1);
          post({ kind: "failed", taskId, failure: { code: "CANCELLED", message: "stopped", details: {}, retry: "never", shard: null }, cacheChanges: [], memory });
          break;
        case stubQueries.forever[0]: for (;;) Atomics.wait(stopFlag, 0, Atomics.load(stopFlag, 0), 1_000);
        default: post({ kind: "done", taskId, cost, cacheChanges: [], memory });
      }
    });
    post({ kind: "up" });
  }
}
