/** How a worker, a downloader or a mover introduces itself to controllers. */
import type { Config } from "../base/config.js";
import { version } from "../base/version.js";
import { clusterMark } from "../registry/cluster-mark.js";
import type { Holding, ProcessRole, WorkerMessage } from "../wire/messages.js";

/** Facts about a process that never change. */
export interface Standing {
  readonly workerId: string;
  readonly node: string;
  readonly pid: number;
  readonly version: string;
  readonly dataDir: string;
  /** Of the steady clock. */
  readonly startedMs: number;
  /** The mark of the cluster in whose registry it finds controllers; undefined where it is told of them. */
  readonly cluster?: string | undefined;
}

/** What it holds, and as what. */
export interface Registering {
  readonly role: ProcessRole;
  /** None of downloaders and movers. */
  readonly holdings: Holding[];
  readonly nowMs: number;
}

/** The facts about this process under a configuration. */
export function standingOf(config: Config, { workerId, startedMs }: Pick<Standing, "workerId" | "startedMs">): Standing {
  const { node, dataDir, controllers } = config;
  return { workerId, node, pid: process.pid, version, dataDir, startedMs, cluster: controllers.length > 0 ? undefined : clusterMark(config) };
}

/** The first message of a connection. */
export function registration(standing: Standing, { role, holdings, nowMs }: Registering): WorkerMessage & { type: "register" } {
  const { workerId, node, pid, version: release, dataDir, startedMs, cluster } = standing;
  return { type: "register", workerId, role, node, pid, version: release, dataDir, uptimeMs: nowMs - startedMs, holdings, ...(cluster === undefined ? {} : { cluster }) };
}
