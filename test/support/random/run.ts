/** Seeded random queries against DuckDB: in this process, and one in ten through a cluster. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom, type Random } from "../../../lib/base/clock.js";
import type { Table } from "../../../lib/client/table.js";
import { wholeRange } from "../../../lib/columns/dtypes.js";
import { createEngine } from "../../../lib/engine/engine.js";
import { encodeQuery } from "../../../lib/engine/query/bytes.js";
import type { Query } from "../../../lib/engine/query/query.js";
import { findDifference } from "./compare.js";
import { answerLocally, rowsOf, valueRows } from "./local.js";
import { columnOf, openOracle } from "./oracle.js";
import { drawQuery } from "./queries.js";
import { storeTable, type StoredShard } from "./store.js";
import { drawTable, type RandomTable, type Value } from "./tables.js";

/** Asks a running cluster over the data directory; given by those who can start one. */
export type AskCluster = (table: string, query: Query) => Promise<Table>;

/** What a run did, and the first difference it met. */
export interface RandomReport {
  readonly queries: number;
  readonly throughCluster: number;
  readonly tables: number;
  readonly groups: number;
  readonly failure: string | undefined;
}

const queriesPerTable = 25;

/** Runs `count` queries drawn from a seed; `withCluster` starts a cluster over the directory for the length of its work. */
export async function runRandomQueries(options: {
  readonly count: number;
  readonly seed: number;
  readonly withCluster?: (dataDir: string, work: (ask: AskCluster) => Promise<void>) => Promise<void>;
}): Promise<RandomReport> {
  const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-random-"));
  const random = seededRandom(options.seed);
  const oracle = await openOracle();
  const report = { queries: 0, throughCluster: 0, tables: 0, groups: 0, failure: undefined as string | undefined };
  try {
    const asks: Ask[] = [];
    // One table's values at a time are held here: together they would be gigabytes.
    for (; asks.length < options.count; report.tables += 1) asks.push(...(await drawAsks(options.count - asks.length, report.tables, { random, dataDir, oracle })));
    await runAsks(asks, { random, dataDir, oracle, report, withCluster: options.withCluster });
  } finally {
    oracle.close();
    await rm(dataDir, { recursive: true, force: true });
  }
  return report;
}

interface Ask {
  readonly number: number;
  readonly table: RandomTable;
  readonly shards: readonly StoredShard[];
  readonly query: Query;
}

interface Run {
  readonly random: Random;
  readonly dataDir: string;
  readonly oracle: Awaited<ReturnType<typeof openOracle>>;
  readonly report: { queries: number; throughCluster: number; groups: number; failure: string | undefined };
  readonly withCluster: ((dataDir: string, work: (ask: AskCluster) => Promise<void>) => Promise<void>) | undefined;
}

/** At most `most` queries over a new table, which is then in the directory and the oracle. */
async function drawAsks(most: number, tableNumber: number, { random, dataDir, oracle }: Pick<Run, "random" | "dataDir" | "oracle">): Promise<Ask[]> {
  const filled = drawTable(random, `table${tableNumber}`, 7);
  const { name, rows, columns, cuts } = filled;
  const shards = await storeTable(random, dataDir, filled);
  await oracle.load(filled);
  return Array.from({ length: Math.min(most, queriesPerTable) }, (_, k) => ({
    number: tableNumber * queriesPerTable + k, table: { name, rows, columns, cuts }, shards, query: drawQuery(random, filled),
  }));
}

async function runAsks(asks: readonly Ask[], run: Run): Promise<void> {
  const isRemote = (ask: Ask): boolean => run.withCluster !== undefined && ask.number % 10 === 9;
  const engine = createEngine({ dataDir: run.dataDir, cacheBytes: 64 * 2 ** 20, queryBytes: 192 * 2 ** 20 });
  try {
    for (const ask of asks.filter((candidate) => !isRemote(candidate))) await check(ask, run, () => rowsOf(answerLocally(run.random, engine, ask.shards, ask.query)));
  } finally {
    engine.close();
  }
  await run.withCluster?.(run.dataDir, async (askCluster) => {
    for (const ask of asks.filter(isRemote)) {
      await check(ask, run, async () => valueRows(await askCluster(ask.table.name, ask.query)));
      run.report.throughCluster += 1;
    }
  });
}

async function check(ask: Ask, run: Run, answer: () => Value[][] | Promise<Value[][]>): Promise<void> {
  if (run.report.failure !== undefined) return;
  run.report.queries += 1;
  try {
    const rows = await answer();
    run.report.groups += rows.length;
    const difference = findDifference(rows, await run.oracle.answer(ask.table, ask.query), ask.query.keys.length);
    if (difference !== undefined) run.report.failure = describe(ask, difference);
  } catch (error) {
    // A sum beyond its dtype is an error here and a wider number there.
    if (error instanceof Error && "code" in error && error.code === "OVERFLOW" && (await hasWideSum(ask, run))) return;
    run.report.failure = describe(ask, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

async function hasWideSum(ask: Ask, run: Run): Promise<boolean> {
  const { rows } = await run.oracle.answer(ask.table, ask.query);
  return ask.query.measures.some(({ inputs: [input], op }, place) => {
    if (op !== "sum" || input === undefined) return false;
    const isUnsigned = ask.table.columns.some(({ name, dtype }) => name === columnOf(input) && dtype.startsWith("uint"));
    const { least, greatest } = wholeRange(isUnsigned ? "uint64" : "int64");
    return rows.map((row) => row[ask.query.keys.length + place]).some((value) => typeof value === "bigint" && (value < least || value > greatest));
  });
}

function describe({ number, table, shards, query }: Ask, difference: string): string {
  const shapes = table.columns.map(({ name, shape }) => `${name}: ${shape}`).join("; ");
  const asked = Buffer.from(encodeQuery(query)).toString();
  return `query ${number} of ${table.name} (${table.rows} rows, ${shards[0]!.name.endsWith(".bcolz") ? "segments" : "shards"} cut at ${table.cuts.join(",")}; ${shapes})\n${asked.slice(0, 2_000)}\n${difference}`;
}
