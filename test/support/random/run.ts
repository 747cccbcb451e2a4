/** Seeded random queries against DuckDB: in this process, and one in ten through a cluster. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom, type Random } from "../../../lib/base/clock.js";
import type { Table } from "../../../lib/client/table.js";
import { createEngine, type Engine } from "../../../lib/engine/engine.js";
import { encodeQuery } from "../../../lib/engine/query/bytes.js";
import { parseQuery } from "../../../lib/engine/query/query.js";
import { chance } from "./draw.js";
import { findDifference } from "./compare.js";
import { openCoverage, type Coverage } from "./coverage.js";
import { answerAsClient, valueRows } from "./local.js";
import { openOracle, type Oracle } from "./oracle.js";
import { drawLeniency, drawQuery, drawRowQuery, wanted, type WrittenQuery } from "./queries.js";
import { storeTable, type StoredShard } from "./store.js";
import { drawTable, type RandomTable, type Value } from "./tables.js";

/** Asks a running cluster over the data directory; given by those who can start one. */
export type AskCluster = (table: string, query: WrittenQuery) => Promise<Table>;

/** Starts a cluster over a directory of so many tables for the length of some work. */
export type WithCluster = (dataDir: string, tables: number, work: (ask: AskCluster) => Promise<void>) => Promise<void>;

/** What a run did, and the first difference it met. */
export interface RandomReport {
  readonly queries: number;
  readonly throughCluster: number;
  readonly tables: number;
  readonly groups: number;
  /** Queries refused because a whole number left its dtype. */
  readonly overflows: number;
  readonly coverage: Coverage;
  readonly failure: string | undefined;
}

/** What is run: `count` queries of a seed, or its one query of a number. */
export interface RandomOptions {
  readonly count: number;
  readonly seed: number;
  readonly only?: number;
  readonly withCluster?: WithCluster;
}

const queriesPerTable = 40;
/** Tables that are there at a time: together those of a long run would fill memory. */
const tablesPerRound = 40;
const shardsMax = 9;
const mebibyte = 2 ** 20;

/** Runs the queries of a seed until one fails. */
export async function runRandomQueries({ count, seed, only, withCluster }: RandomOptions): Promise<RandomReport> {
  const report = { queries: 0, throughCluster: 0, tables: 0, groups: 0, overflows: 0, coverage: openCoverage(wanted), failure: undefined as string | undefined };
  const oracle = await openOracle();
  try {
    const perRound = queriesPerTable * tablesPerRound;
    const [first, end] = only === undefined ? [0, count] : [only, only + 1];
    for (let number = first; number < end && report.failure === undefined; number += perRound) {
      await runRound(number, Math.min(end, number + perRound), { seed, oracle, report, withCluster });
    }
  } finally {
    oracle.close();
  }
  return report;
}

interface Run {
  readonly seed: number;
  readonly oracle: Oracle;
  readonly report: { -readonly [K in keyof RandomReport]: RandomReport[K] };
  readonly withCluster: WithCluster | undefined;
}

interface Ask {
  readonly number: number;
  /** Draws how the query is cut into tasks. */
  readonly random: Random;
  readonly table: RandomTable;
  readonly shards: readonly StoredShard[];
  readonly written: WrittenQuery;
}

/** The queries of numbers from `first` on, over tables of their own. */
async function runRound(first: number, end: number, run: Run): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-random-"));
  const engine = createEngine({ dataDir, cacheBytes: 64 * mebibyte, queryBytes: 192 * mebibyte, partialCacheBytes: 16 * mebibyte });
  const remote: Ask[] = [];
  const tables: RandomTable[] = [];
  try {
    for (let number = first; number < end && run.report.failure === undefined;) {
      const tableNumber = Math.floor(number / queriesPerTable);
      const next = Math.min(end, (tableNumber + 1) * queriesPerTable);
      const asks = await drawAsks(tableNumber, number, next, dataDir, run);
      tables.push(asks[0]!.table);
      await runLocally(asks.filter((ask) => !isRemote(ask, run)), engine, run);
      remote.push(...asks.filter((ask) => isRemote(ask, run)));
      number = next;
    }
    if (remote.length > 0 && run.report.failure === undefined) await runThroughCluster(remote, dataDir, tables.length, run);
    for (const table of tables) await run.oracle.drop(table);
  } finally {
    engine.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function isRemote({ number }: Pick<Ask, "number">, { withCluster }: Run): boolean {
  return withCluster !== undefined && number % 10 === 9;
}

/** The queries of numbers `from` to `to` over their table, which is then in the directory and the oracle. */
async function drawAsks(tableNumber: number, from: number, to: number, dataDir: string, run: Run): Promise<Ask[]> {
  const { seed, oracle, report } = run;
  const random = randomOf(seed, -1 - tableNumber);
  const filled = drawTable(random, `table${tableNumber}`, shardsMax);
  const { name, rows, columns, cuts } = filled;
  const shards = await storeTable(random, dataDir, filled, { mixed: true });
  await oracle.load(filled);
  report.tables += 1;
  const table = { name, rows, columns, cuts };
  // A shard may lack what is null in all of its rows.
  const lenient = shards.some((shard) => shard.columns !== undefined && shard.columns.length < columns.length) ? { missing: "empty" as const } : {};
  return Array.from({ length: to - from }, (_, k) => {
    const number = from + k;
    const own = randomOf(seed, number);
    if (!isRemote({ number }, run)) return { number, random: own, written: { ...drawQuery(own, filled, report.coverage), ...lenient }, table, shards };
    // Rows are streamed, and tables looked for, by a cluster alone.
    const draw = chance(own, 0.4) ? drawRowQuery : drawQuery;
    return { number, random: own, written: { ...draw(own, filled, report.coverage), ...drawLeniency(own, report.coverage), ...lenient }, table, shards };
  });
}

/** Draws of one table or query, whatever was drawn before it. */
function randomOf(seed: number, number: number): Random {
  return seededRandom(Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(number + 0x1234_567, 0xc2b2_ae35));
}

async function runLocally(asks: readonly Ask[], engine: Engine, run: Run): Promise<void> {
  for (const ask of asks) await check(ask, run, () => answerAsClient(ask.random, engine, ask.shards, parseQuery(ask.written)));
}

async function runThroughCluster(asks: readonly Ask[], dataDir: string, tables: number, run: Run): Promise<void> {
  await run.withCluster!(dataDir, tables, async (askCluster) => {
    for (const ask of asks) {
      await check(ask, run, () => askCluster(ask.table.name, ask.written));
      run.report.throughCluster += 1;
    }
  });
}

async function check(ask: Ask, run: Run, answer: () => Promise<Table>): Promise<void> {
  const { oracle, report } = run;
  if (report.failure !== undefined) return;
  report.queries += 1;
  const query = parseQuery(ask.written);
  // DuckDB computes on a thread of its own, meanwhile.
  const [expected, found] = await Promise.allSettled([oracle.answer(ask.table, query), answerRows(answer)]);
  try {
    const rows = valueOf(found);
    if (rows === "OVERFLOW") {
      report.overflows += 1;
      if (!(await oracle.overflows(ask.table, query))) report.failure = describe(ask, run, "an OVERFLOW where nothing leaves its dtype");
      return;
    }
    report.groups += rows.length;
    const difference = findDifference(rows, valueOf(expected));
    if (difference !== undefined) report.failure = describe(ask, run, difference);
  } catch (error) {
    report.failure = describe(ask, run, error instanceof Error ? (error.stack ?? error.message).slice(0, 3_000) : String(error));
  }
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}

async function answerRows(answer: () => Promise<Table>): Promise<Value[][] | "OVERFLOW"> {
  let table: Table;
  try {
    table = await answer();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "OVERFLOW") return "OVERFLOW";
    throw error;
  }
  return valueRows(table);
}

function describe({ number, table, shards, written }: Ask, { seed }: Run, difference: string): string {
  const shapes = table.columns.map(({ name, shape, nullShare }) => `${name}: ${shape}, ${nullShare * 100} % null`).join("; ");
  const asked = Buffer.from(encodeQuery(parseQuery(written))).toString();
  return [
    `seed ${seed}, query ${number} of ${table.name} (${table.rows} rows, ${shards[0]!.name.endsWith(".bcolz") ? "segments" : shards[0]!.columns === undefined ? "shards" : "mixed shards"} cut at ${table.cuts.join(",")}; ${shapes})`,
    asked.slice(0, 4_000), difference, `again: npm run check -- random --seed ${seed} --only ${number}`,
  ].join("\n");
}
