/** `bench groupby`: the questions of db-benchmark through client, controller and two workers, beside DuckDB. */
import type { GroupbyQuery, Rpc, Table } from "../../lib/index.js";
import { withCluster } from "../support/cluster.js";
import { findDifference } from "../support/difference.js";
import { openDuckDb, type DuckDb } from "../support/duckdb.js";
import { cases, type Case } from "./cases.js";
import { prepareData, type DataRequest } from "./data.js";
import { measureInTurn, type Runs } from "./measure.js";
import type { TimedResult } from "./report.js";

/** What to measure; at least 3 warm-ups go before the timed runs. */
export interface GroupbyBench extends DataRequest {
  readonly runs: number;
  /** Told each result as soon as it is there. */
  report(result: TimedResult): void;
}

interface Bench {
  readonly rows: number;
  readonly rpc: Rpc;
  readonly peer: DuckDb;
  readonly runs: Runs;
  readonly signal: AbortSignal;
}

const workers = 2;
const peerThreads = 2;
const warmUps = 3;
/** What takes less than a millisecond is run more often, and first until its code is compiled. */
const shortRuns: Runs = { warmUps: 50, timed: 300 };
const modes = [{ mode: "warm", cache: "columns" }, { mode: "bypass", cache: false }] as const;

/** Measures all cases, after all answers were seen to be right. Throws naming the first one that is wrong. */
export async function benchGroupby(request: GroupbyBench): Promise<void> {
  const { signal, note, report } = request;
  const { rows, databasePath, dataDir } = await prepareData(request);
  const peer = await openDuckDb({ path: databasePath, threads: peerThreads });
  try {
    await withCluster({ dataDir, workers }, async ({ rpc }) => {
      const bench = { rows, rpc, peer, signal, runs: { warmUps, timed: request.runs } };
      for (const item of cases) await requireRight(bench, item);
      note(`every answer is DuckDB's; ${workers} workers, DuckDB ${peer.version} with ${peerThreads} threads`);
      report(await measureShort(bench, "ping", 0, () => rpc.ping()));
      report(await measureEmpty(bench));
      for (const item of cases) {
        for (const mode of modes) report(await measureCase(bench, item, mode));
      }
    });
  } finally {
    peer.close();
  }
}

async function requireRight({ rpc, peer, signal }: Bench, { name, query, sql }: Case): Promise<void> {
  const expected = await peer.read(`${sql} ORDER BY ALL`);
  for (const { mode, cache } of modes) {
    signal.throwIfAborted();
    const difference = findDifference(await rpc.groupby({ ...query, cache }), expected);
    if (difference !== undefined) throw new Error(`the answer to ${name}, ${mode}, is wrong: ${difference}`);
  }
}

async function measureCase({ rows, rpc, peer, runs, signal }: Bench, { name, query, sql }: Case, { mode, cache }: typeof modes[number]): Promise<TimedResult> {
  const [ours, theirs] = await measureInTurn([() => askWhole(rpc, { ...query, cache }), () => peer.fetch(sql)], runs, signal);
  return { bench: name, mode, rows, times: ours!, peer: { name: `duckdb ${peer.version}`, times: theirs! } };
}

/** The least that a query can be: what it takes is the way there and back. */
async function measureEmpty(bench: Bench): Promise<TimedResult> {
  const query = { tables: "one.bcolz", keys: [], measures: [["*", "count", "rows"]], cache: "columns" } as const;
  return measureShort(bench, "empty", 1, () => askWhole(bench.rpc, query));
}

async function measureShort({ signal }: Bench, name: string, rows: number, ask: () => Promise<unknown>): Promise<TimedResult> {
  const [times] = await measureInTurn([async () => { await ask(); }], shortRuns, signal);
  return { bench: name, mode: "warm", rows, times: times!, peer: null };
}

/** Asks, and has every column of the answer as an array. */
async function askWhole(rpc: Rpc, query: GroupbyQuery): Promise<void> {
  materialize(await rpc.groupby(query));
}

function materialize(table: Table): void {
  for (const { name } of table.columns) void table.column(name).values;
}
