/** Stands in for the thread for merging: the number of shards of a job says what happens when its answer is asked for. */
import { parentPort } from "node:worker_threads";
import type { MergeRequest } from "../../lib/client/merge-messages.js";

/** Shards of a job that make the stub do something. */
export const stubShards = { exit: 1, crash: 2, forever: 3 };

if (parentPort !== null) {
  const shards = new Map<number, number>();
  parentPort.on("message", (request: MergeRequest) => {
    if (request.kind === "open") shards.set(request.job, request.shardCount);
    if (request.kind !== "finish") return;
    if (shards.get(request.job) === stubShards.exit) process.exit(3);
    if (shards.get(request.job) === stubShards.crash) throw new Error("a defect");
  });
}
