/** A stream of queries while the Redis server with the registry fails: no answer may be wrong, and none may be lost. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BquerydError } from "../../lib/base/errors.js";
import { describeTable } from "../../lib/columns/read/describe.js";
import { connect, type Rpc } from "../../lib/index.js";
import { openRegistry } from "../../lib/registry/open.js";
import type { Pointers } from "../../lib/registry/pointers.js";
import type { Registry } from "../../lib/registry/registry.js";
import { withCluster, type Cluster } from "../../misc/support/cluster.js";
import { startRedis, type RedisServer } from "./redis.js";
import { until } from "./until.js";
import { writeShards } from "./write-table.js";

/** Ways for a server to fail. */
export const registryFaults = ["killed and started empty", "flushed", "frozen"] as const;
export type RegistryFault = (typeof registryFaults)[number];

/** What came of it. */
export interface RegistryFaultsReport {
  readonly answers: number;
  readonly wrong: readonly string[];
  /** Error codes of calls that were not answered. */
  readonly failed: readonly string[];
  /** Events about the registry that the controller logged, in order. */
  readonly logged: readonly string[];
}

const rowsPerShard = 20_000;
const shardCount = 4;
const streams = 3;
const backWithinMs = 60_000;

interface Load {
  answers: number;
  readonly wrong: string[];
  readonly failed: string[];
}

/**
 * Starts a controller and two workers over a Redis server, names the generations of a set of four shards in it, asks from
 * several callers without a pause, and lets the server fail in each of the ways given; after each waits until the
 * controller is listed again, the pointers are back and a new client is answered. Throws when that takes too long.
 */
export async function breakRegistryUnderLoad({ faults, frozenMs }: { faults: readonly RegistryFault[]; frozenMs: number }): Promise<RegistryFaultsReport> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-registry-faults-"));
  const server = await startRedis();
  try {
    const paths = Array.from({ length: shardCount }, (_, shard) => join(folder, `numbers-${shard}.bcolzs`));
    await writeShards(paths, numberColumns());
    return await withCluster({ dataDir: folder, workers: 2, redisUrl: server.url, flags: ["--heartbeat=0.2", "--expiry=3"] }, async (cluster) => {
      const registry = await openRegistry({ redisUrl: server.url, registryDir: "", cluster: "default" });
      try {
        return await loadAndBreak({ cluster, server, registry, paths }, faults, frozenMs);
      } finally {
        await registry.close();
      }
    });
  } finally {
    await server.remove();
    await rm(folder, { recursive: true });
  }
}

interface Parts {
  readonly cluster: Cluster;
  readonly server: RedisServer;
  readonly registry: Registry;
  readonly paths: readonly string[];
}

async function loadAndBreak({ cluster, server, registry, paths }: Parts, faults: readonly RegistryFault[], frozenMs: number): Promise<RegistryFaultsReport> {
  const { rpc } = cluster;
  await registry.movePointers(paths.map((path) => ({ table: basename(path), generation: describeTable(path).generation })), 0);
  const pointers = await registry.pointers();
  await until("the pointers are known", async () => (await rpc.info()).epoch === pointers.epoch);
  const load: Load = { answers: 0, wrong: [], failed: [] };
  let isOver = false;
  const asking = Array.from({ length: streams }, async () => {
    while (!isOver) await askOnce(rpc, load);
  });
  try {
    for (const fault of faults) {
      await untilMore(load);
      const before = logOf(cluster).length;
      await failOnce(server, fault, frozenMs, async () => {
        await until("the loss is logged", () => logOf(cluster).length === before + 1, backWithinMs);
        await untilMore(load);
      });
      await untilBack(registry, pointers, cluster);
      await untilMore(load);
      await askAnew(server.url, load);
    }
  } finally {
    isOver = true;
    await Promise.all(asking);
  }
  return { ...load, logged: logOf(cluster) };
}

function logOf({ controllers }: Cluster): string[] {
  return [...controllers[0]!.stderr().matchAll(/"event":"(registry\.[a-z]+)"/g)].map(([, event]) => event!);
}

/** Lets the server fail, until what is to be seen meanwhile was. */
async function failOnce(server: RedisServer, fault: RegistryFault, frozenMs: number, meanwhile: () => Promise<void>): Promise<void> {
  switch (fault) {
    case "killed and started empty":
      await server.kill();
      await meanwhile();
      await server.start();
      return;
    case "flushed":
      await server.ask("FLUSHALL");
      return;
    case "frozen": {
      server.freeze();
      const frozen = delay(frozenMs);
      await meanwhile();
      await frozen;
      server.thaw();
      return;
    }
  }
}

async function untilBack(registry: Registry, pointers: Pointers, cluster: Cluster): Promise<void> {
  await until("the controller is listed again", async () => {
    const listed = await registry.controllers().catch(() => []);
    return listed.some(({ pid }) => pid === cluster.controllers[0]!.pid);
  }, backWithinMs);
  await until("each loss is over", () => logOf(cluster).at(-1) !== "registry.lost", backWithinMs);
  await until("the pointers are back", async () => {
    const { epoch, tables } = await registry.pointers();
    return epoch === pointers.epoch && tables.size === pointers.tables.size;
  }, backWithinMs);
}

function untilMore(load: Load): Promise<void> {
  const answered = load.answers + load.failed.length;
  return until("queries go on", () => load.answers + load.failed.length >= answered + 2 * streams, backWithinMs);
}

/** What a new client is answered, which has to find the controller first. */
async function askAnew(redisUrl: string, load: Load): Promise<void> {
  const rpc = await connect({ redis_url: redisUrl });
  try {
    await askOnce(rpc, load);
  } finally {
    await rpc.close();
  }
}

async function askOnce(rpc: Rpc, load: Load): Promise<void> {
  try {
    const rows = JSON.stringify((await rpc.groupby("numbers", ["k"], [["v", "sum"]], [], { cache: false })).rows());
    load.answers += 1;
    if (rows !== expectedRows()) load.wrong.push(rows);
  } catch (error) {
    load.failed.push(error instanceof BquerydError ? `${error.code}: ${error.message}` : String(error));
  }
}

function numberColumns(): Parameters<typeof writeShards>[1] {
  const rows = Array.from({ length: rowsPerShard * shardCount }, (_, row) => BigInt(row));
  return [{ name: "k", dtype: "int64", values: rows.map((row) => row % 10n) }, { name: "v", dtype: "int64", values: rows }];
}

/** Group k holds the rows k, k + 10, ...: their sum. */
function expectedRows(): string {
  const perGroup = (rowsPerShard * shardCount) / 10;
  return JSON.stringify(Array.from({ length: 10 }, (_, k) => ({ k, v: k * perGroup + 5 * perGroup * (perGroup - 1) })));
}
