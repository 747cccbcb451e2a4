/** A cluster of real processes, each of which can be signalled alone: for benches, and for tests that kill. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { loadConfig } from "../../lib/base/config.js";
import { connectWith } from "../../lib/client/connect.js";
import type { Rpc } from "../../lib/index.js";
import { openRegistry } from "../../lib/registry/open.js";
import { until } from "../../test/support/until.js";
import { startBqueryd, type BquerydProcess } from "./process.js";

/** What a cluster is started with. */
export interface ClusterOptions {
  readonly dataDir: string;
  readonly workers: number;
  /** The folder of the registry; without it a temporary one, removed at the end. */
  readonly registryDir?: string;
  /** A Redis server with the registry, in place of the folder. */
  readonly redisUrl?: string;
  /** Whether the client keeps answers; without it every question is computed, or taken from the caches of workers. */
  readonly keepsAnswers?: boolean;
  /** Further flags of every process: `["--heartbeat=0.1"]`. */
  readonly flags?: readonly string[];
}

/** Processes that serve a data directory, and a client of them. */
export interface Cluster {
  readonly registryDir: string;
  readonly rpc: Rpc;
  /** All that were started, in that order, also those that have ended. */
  readonly controllers: readonly BquerydProcess[];
  readonly workers: readonly BquerydProcess[];
  /** Starts one more controller and waits until the registry lists it. */
  startController(): Promise<BquerydProcess>;
  /** Starts one more worker and waits until info() lists it. */
  startWorker(): Promise<BquerydProcess>;
  /** Ends every process and waits for it; throws naming those that had to be killed. */
  stop(): Promise<void>;
}

const startsWithinMs = 20_000;
const endsWithinMs = 15_000;
const clusterName = "default";

/** Calls `use` with a running cluster and stops that in any case. */
export async function withCluster<T>(options: ClusterOptions, use: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await startCluster(options);
  try {
    return await use(cluster);
  } finally {
    await cluster.stop();
  }
}

/** Starts a controller and workers and waits until all of them serve. Stopping is up to the caller. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const temporary = options.registryDir === undefined ? await mkdtemp(join(tmpdir(), "bqueryd-registry-")) : undefined;
  const registryDir = options.registryDir ?? temporary!;
  const redisUrl = options.redisUrl ?? "";
  const flags = [`--registry-dir=${registryDir}`, `--redis-url=${redisUrl}`, `--cluster=${clusterName}`, `--data-dir=${options.dataDir}`, ...(options.flags ?? [])];
  const controllers: BquerydProcess[] = [];
  const workers: BquerydProcess[] = [];
  let rpc: Rpc | undefined;

  async function startController(): Promise<BquerydProcess> {
    const started = await startBqueryd(["controller", ...flags]);
    controllers.push(started);
    await untilServing("controller", started, async () => (await listControllers(registryDir, redisUrl)).includes(started.pid));
    return started;
  }

  async function startWorker(): Promise<BquerydProcess> {
    const started = await startBqueryd(["worker", ...flags]);
    workers.push(started);
    await untilServing("worker", started, async () => (await listWorkers(rpc!)).includes(started.pid));
    return started;
  }

  async function stop(): Promise<void> {
    await rpc?.close();
    const killed = [...await endAll(workers), ...await endAll(controllers)];
    if (temporary !== undefined) await rm(temporary, { recursive: true });
    if (killed.length > 0) throw new Error(`these processes did not end within ${endsWithinMs} ms of SIGTERM:\n${killed.map(describe).join("\n")}`);
  }

  try {
    await startController();
    const kept = options.keepsAnswers === true ? {} : { answer_memory: "0" };
    rpc = await connectWith(loadConfig({ flags: { registry_dir: registryDir, redis_url: redisUrl, cluster: clusterName, ...kept } }));
    await Promise.all(Array.from({ length: options.workers }, startWorker));
    return { registryDir, rpc, controllers, workers, startController, startWorker, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function untilServing(role: string, started: BquerydProcess, isServing: () => Promise<boolean>): Promise<void> {
  await until(`a ${role} serves`, async () => {
    if (started.hasEnded) throw new Error(`a ${role} ended before it served:\n${describe(started)}`);
    return isServing();
  }, startsWithinMs);
}

async function listControllers(registryDir: string, redisUrl: string): Promise<number[]> {
  const registry = await openRegistry({ registryDir, redisUrl, cluster: clusterName });
  try {
    return (await registry.controllers()).map(({ pid }) => pid);
  } finally {
    await registry.close();
  }
}

async function listWorkers(rpc: Rpc): Promise<number[]> {
  const { workers } = await rpc.info();
  return workers.map(({ pid }) => pid);
}

/** Ends processes with SIGTERM, and those that do not heed it with SIGKILL: these are returned. */
async function endAll(processes: readonly BquerydProcess[]): Promise<BquerydProcess[]> {
  for (const running of processes) running.signal("SIGTERM");
  const allEnded = Promise.all(processes.map(({ ended }) => ended));
  const timeout = new AbortController();
  await Promise.race([allEnded, delay(endsWithinMs, undefined, { signal: timeout.signal }).catch(() => undefined)]);
  timeout.abort();
  const killed = processes.filter(({ hasEnded }) => !hasEnded);
  for (const running of killed) running.signal("SIGKILL");
  await allEnded;
  return killed;
}

function describe({ pid, stderr }: BquerydProcess): string {
  return `${pid}: ${stderr().trim()}`;
}
