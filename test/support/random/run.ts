/** Seeded random queries against DuckDB: in this process, and one in ten through a cluster. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom, type Random } from "../../../lib/base/clock.js";
import type { Table } from "../../../lib/client/table.js";
import { createEngine } from "../../../lib/engine/engine.js";
import type { Query } from "../../../lib/engine/query.js";
import { parseTimestamp } from "../../../lib/columns/timestamps.js";
import { findDifference } from "./compare.js";
import { answerLocally, rowsOf } from "./local.js";
import { openOracle } from "./oracle.js";
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
    const tables = await drawTables(random, dataDir, Math.ceil(options.count / queriesPerTable));
    report.tables = tables.length;
    for (const { table } of tables) await oracle.load(table);
    const asks = drawAsks(random, tables, options.count);
    await runAsks(asks, { random, dataDir, oracle, report, withCluster: options.withCluster });
  } finally {
    oracle.close();
    await rm(dataDir, { recursive: true, force: true });
  }
  return report;
}

interface Stored {
  readonly table: RandomTable;
  readonly shards: readonly StoredShard[];
}

interface Ask extends Stored {
  readonly number: number;
  readonly query: Query;
}

interface Run {
  readonly random: Random;
  readonly dataDir: string;
  readonly oracle: Awaited<ReturnType<typeof openOracle>>;
  readonly report: { queries: number; throughCluster: number; groups: number; failure: string | undefined };
  readonly withCluster: ((dataDir: string, work: (ask: AskCluster) => Promise<void>) => Promise<void>) | undefined;
}

async function drawTables(random: Random, dataDir: string, count: number): Promise<Stored[]> {
  const stored: Stored[] = [];
  for (let k = 0; k < count; k++) {
    const table = drawTable(random, `table${k}`, 7);
    stored.push({ table, shards: await storeTable(random, dataDir, table) });
  }
  return stored;
}

function drawAsks(random: Random, tables: readonly Stored[], count: number): Ask[] {
  return Array.from({ length: count }, (_, number) => {
    const stored = tables[Math.floor(number / queriesPerTable)]!;
    return { ...stored, number, query: drawQuery(random, stored.table) };
  });
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
      await check(ask, run, async () => tableRows(await askCluster(ask.table.name, ask.query)));
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
    // A sum beyond int64 is an error here and a wider number there.
    if (error instanceof Error && "code" in error && error.code === "OVERFLOW" && (await hasWideSum(ask, run))) return;
    run.report.failure = describe(ask, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

async function hasWideSum(ask: Ask, run: Run): Promise<boolean> {
  const { rows } = await run.oracle.answer(ask.table, ask.query);
  return rows.some((row) => row.some((value) => typeof value === "bigint" && BigInt.asIntN(64, value) !== value));
}

function describe({ number, table, shards, query }: Ask, difference: string): string {
  const shapes = table.columns.map(({ name, shape }) => `${name}: ${shape}`).join("; ");
  const where = JSON.stringify(query, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
  return `query ${number} of ${table.name} (${table.rows} rows, ${shards.length} shards cut at ${table.cuts.join(",")}; ${shapes})\n${where.slice(0, 2_000)}\n${difference}`;
}

function tableRows(table: Table): Value[][] {
  const columns = table.columns.map(({ name, dtype }) => ({ dtype, column: table.column(name) }));
  return Array.from({ length: table.numRows }, (_, row) => columns.map(({ dtype, column }) => {
    const cell = column.get(row);
    if (cell === null) return null;
    if (dtype === "timestamp") return parseTimestamp(String(cell))!;
    return dtype === "int64" ? BigInt(cell) : cell;
  }));
}
