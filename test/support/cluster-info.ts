/** Documents of a cluster for tests that show them. */
import { createCallCounts } from "../../lib/cluster/controller/answers/call-counts.js";
import type { OwnFacts } from "../../lib/cluster/controller/answers/report.js";
import type { CarrierInfo, ClusterInfo, WorkerInfo } from "../../lib/wire/documents.js";

/** A whole answer of info(), of a controller that has nobody, with what a test says otherwise. */
export function clusterInfo(more: Partial<ClusterInfo> = {}): ClusterInfo {
  return {
    id: "c", address: "tcp://127.0.0.1:14300", node: "here", pid: 1, version: "0.1.0", uptime: 60, messages_in: 0, messages_out: 0, malformed: 0, refused: 0, epoch: 0,
    served: { calls: 0, failures: 0, bytes_in: 0, bytes_out: 0 }, controllers: [], workers: [], downloaders: [], movers: [], clients: 0, calls: 0, queues: [], departures: [], warnings: [], ...more,
  };
}

/** A worker of such an answer, idle. */
export function workerInfo(more: Partial<WorkerInfo> = {}): WorkerInfo {
  return {
    id: "w", node: "here", pid: 2, role: "worker", busy: false, uptime: 60, last_seen: 0.1, data_dir: "/data", tables: 1, shards: 10, rows: 1_000,
    running: null, ...more,
  };
}

/** A downloader of such an answer, which waits. */
export function carrierInfo(more: Partial<CarrierInfo> = {}): CarrierInfo {
  return { id: "d", node: "here", pid: 3, role: "downloader", busy: false, uptime: 60, last_seen: 0.1, data_dir: "/data", doing: null, ...more };
}

/** What a controller that has just been started knows of itself. */
export function ownFacts(): OwnFacts {
  return { id: "c", address: "a", node: "n", pid: 1, version: "0", startedMs: 0, messagesIn: 0, messagesOut: 0, malformed: 0, refused: 0, calls: createCallCounts() };
}
