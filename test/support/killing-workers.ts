/** A stream of queries while workers are killed: every answer must be right and none may be lost. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BquerydError } from "../../lib/base/errors.js";
import { seededRandom } from "../../lib/base/clock.js";
import { connect, type Rpc } from "../../lib/index.js";
import { startBqueryd } from "../../misc/support/process.js";
import { until } from "./until.js";
import { writeShards } from "./write-table.js";

/** What came of it. */
export interface DeathsReport {
  readonly answers: number;
  readonly kills: number;
  readonly wrong: readonly string[];
  /** Error codes of calls that were not answered. */
  readonly failed: readonly string[];
  readonly retries: number;
}

/** More than a chunk. */
const rowsPerShard = 70_000;
const shardCount = 8;
const streams = 4;

/**
 * Starts `bqueryd up` with two workers over a set of 8 shards, asks from several callers without a pause, and `kills`
 * times kills a worker drawn from the seed with SIGKILL, each time waiting until two are up again.
 */
export async function killWorkersUnderLoad({ kills, seed }: { kills: number; seed: number }): Promise<DeathsReport> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-deaths-"));
  const random = seededRandom(seed);
  try {
    await writeShards(Array.from({ length: shardCount }, (_, shard) => join(folder, `numbers-${shard}.bcolzs`)), numberColumns());
    const up = await startBqueryd(["up", "--workers=2", `--data-dir=${folder}`, `--registry-dir=${join(folder, "registry")}`]);
    try {
      return await loadAndKill(folder, kills, (workers) => workers[Math.floor(random() * workers.length)]!);
    } catch (cause) {
      throw new Error(`the load failed; the last of the log:\n${up.stderr().slice(-4_000)}`, { cause });
    } finally {
      up.signal("SIGTERM");
      await up.ended;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function numberColumns(): Parameters<typeof writeShards>[1] {
  const rows = rowsPerShard * shardCount;
  return [
    { name: "k", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row % 10)) },
    { name: "v", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row)) },
  ];
}

/** Group k holds the rows k, k + 10, ...: their sum and count. */
function expectedRows(): string {
  const perGroup = (rowsPerShard * shardCount) / 10;
  return JSON.stringify(Array.from({ length: 10 }, (_, k) => ({ k, v: k * perGroup + 5 * perGroup * (perGroup - 1), n: perGroup })));
}

async function loadAndKill(folder: string, kills: number, choose: (workers: number[]) => number): Promise<DeathsReport> {
  const rpc = await connectWhenUp(join(folder, "registry"));
  const report = { answers: 0, kills: 0, wrong: [] as string[], failed: [] as string[], retries: 0 };
  let isOver = false;
  const load = Array.from({ length: streams }, async () => {
    while (!isOver) await askOnce(rpc, report);
  });
  try {
    for (; report.kills < kills; report.kills++) {
      const victim = choose(await workersWhenTwo(rpc));
      const answered = report.answers;
      await until("queries are under way", () => report.answers >= answered + streams);
      process.kill(victim, "SIGKILL");
      await until("the killed worker is gone from info()", async () => !(await workerPids(rpc)).includes(victim));
    }
    const answered = report.answers;
    await workersWhenTwo(rpc);
    await until("queries go on", () => report.answers >= answered + 2 * streams);
  } finally {
    isOver = true;
    await Promise.all(load);
    await rpc.close();
  }
  return report;
}

async function askOnce(rpc: Rpc, report: { answers: number; wrong: string[]; failed: string[]; retries: number }): Promise<void> {
  try {
    const table = await rpc.groupby("numbers", ["k"], [["v", "sum"], ["*", "count", "n"]], [], { cache: false });
    report.answers += 1;
    report.retries += table.summary.retries;
    const rows = JSON.stringify(table.rows());
    if (rows !== expectedRows()) report.wrong.push(rows);
  } catch (error) {
    report.failed.push(error instanceof BquerydError ? `${error.code}: ${error.message}` : String(error));
  }
}

async function connectWhenUp(registryDir: string): Promise<Rpc> {
  let rpc: Rpc | undefined;
  await until("a controller is up", async () => {
    try {
      rpc = await connect({ registry_dir: registryDir });
      return true;
    } catch (error) {
      if (error instanceof BquerydError && error.code === "NO_CONTROLLER") return false;
      throw error;
    }
  });
  await workersWhenTwo(rpc!);
  return rpc!;
}

async function workersWhenTwo(rpc: Rpc): Promise<number[]> {
  let pids: number[] = [];
  await until("two workers hold all shards", async () => {
    const { workers } = await rpc.info();
    pids = workers.filter(({ shards }) => shards === shardCount).map(({ pid }) => pid);
    return pids.length === 2;
  });
  return pids;
}

async function workerPids(rpc: Rpc): Promise<number[]> {
  const { workers } = await rpc.info();
  return workers.map(({ pid }) => pid);
}
