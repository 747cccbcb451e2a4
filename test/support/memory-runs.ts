/** A worker that answers many mixed queries, and the memory that it holds on the way. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { withCluster } from "../../misc/support/cluster.js";
import { residentBytes } from "./process-facts.js";
import { oneOf } from "./random/draw.js";
import { openCoverage } from "./random/coverage.js";
import { drawQuery } from "./random/queries.js";
import { storeTable } from "./random/store.js";
import { drawTable, type FilledTable } from "./random/tables.js";
import { until } from "./until.js";

/** What a worker held after the first thousand queries, and after all; bytes. */
export interface MemoryReport {
  readonly queries: number;
  /** Queries refused, because a whole number left its dtype or the groups the little memory there is. */
  readonly refused: number;
  readonly earlyBytes: number;
  readonly lateBytes: number;
  readonly failure: string | undefined;
}

const tableCount = 8;
/** So many queries are drawn and then asked again and again: after two rounds whatever one needs at most has been needed before. */
const roundQueries = 500;
/** Before that, code is still being compiled and the memory set aside for queries touched for the first time. */
const warmQueries = 1_000;
/** Queries over which the least that is held counts: between collections of garbage it goes up and down. */
const windowQueries = 200;
const growthShareMax = 0.05;
const growthBytesMax = 20 * 2 ** 20;

/** Asks one worker so many queries, rounds of random ones over a few random tables, one after another. */
export async function askOneWorker({ count, seed }: { count: number; seed: number }): Promise<MemoryReport> {
  const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-memory-"));
  const random = seededRandom(seed);
  try {
    const tables: FilledTable[] = [];
    for (let k = 0; k < tableCount; k++) {
      const table = drawTable(random, `table${k}`, 4);
      await storeTable(random, dataDir, table);
      tables.push(table);
    }
    return await withCluster({ dataDir, workers: 1, flags: ["--cache-memory=8MB", "--query-memory=64MB", "--partial-cache-memory=4MB"] }, async ({ rpc, workers }) => {
      await until("all tables are known", async () => ((await rpc.files()) as unknown[]).length >= tableCount);
      const report = { queries: 0, refused: 0, earlyBytes: 0, lateBytes: 0, failure: undefined as string | undefined };
      const coverage = openCoverage({});
      const early = Math.min(count, warmQueries);
      const round = Array.from({ length: roundQueries }, () => {
        const table = oneOf(random, tables);
        return { tables: table.name, ...drawQuery(random, table, coverage) };
      });
      const [earlyBytes, lateBytes]: [number[], number[]] = [[], []];
      for (; report.queries < count && report.failure === undefined; report.queries++) {
        if (report.queries % 10 === 0 && report.queries >= early - windowQueries && report.queries < early) earlyBytes.push(residentBytes(workers[0]!.pid));
        if (report.queries % 10 === 0 && report.queries >= count - windowQueries) lateBytes.push(residentBytes(workers[0]!.pid));
        try {
          await rpc.groupby(round[report.queries % roundQueries]!);
        } catch (error) {
          if (error instanceof BquerydError && (error.code === "OVERFLOW" || error.code === "MEMORY_LIMIT")) report.refused += 1;
          else report.failure = `seed ${seed}, query ${report.queries}: ${String(error)}`;
        }
      }
      if (report.failure !== undefined) return report;
      report.earlyBytes = Math.min(...earlyBytes);
      report.lateBytes = Math.min(...lateBytes);
      if (report.lateBytes > report.earlyBytes * (1 + growthShareMax) + growthBytesMax) {
        report.failure = `the worker held ${report.earlyBytes} bytes after ${early} queries and ${report.lateBytes} after ${count}: more than 5 % and 20 MB over`;
      }
      return report;
    });
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}
