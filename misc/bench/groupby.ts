/** `bench groupby`: questions through client, controller and two workers, beside DuckDB and other peers. */
import { BquerydError } from "../../lib/base/errors.js";
import { withCluster } from "../support/cluster.js";
import { openDuckDb } from "../support/duckdb.js";
import { askWhole, cacheOfMode, measureBoth, requireRight, type Bench } from "./asking.js";
import { bcolzCases, measureBcolz } from "./bcolz.js";
import { cases, type Case } from "./cases.js";
import { prepareData, type DataRequest } from "./data.js";
import { prepareBcolz, prepareSorted } from "./derived.js";
import { measureInTurn, type Runs } from "./measure.js";
import { profileCase } from "./profile.js";
import { meansOf, type Result, type TimedResult } from "./report.js";
import { measureSorted, sortedCase } from "./sorted.js";
import { measureWorkers, workersCases } from "./workers.js";

/** What to measure; at least 3 warm-ups go before the timed runs. */
export interface GroupbyBench extends DataRequest {
  readonly runs: number;
  /** Names of cases; undefined for all but those that have to be named. */
  readonly only: readonly string[] | undefined;
  /** Whether to say of each question where its time goes, too. */
  readonly profile: boolean;
  /** Told each result as soon as it is there. */
  report(result: Result): void;
}

const workers = 2;
const peerThreads = 2;
const warmUps = 3;
/** What takes less than a millisecond is run more often, and first until its code is compiled. */
const shortRuns: Runs = { warmUps: 50, timed: 300 };
const shortCases = ["ping", "empty"];
const names = [...shortCases, ...cases.map(({ name }) => name), sortedCase, ...bcolzCases, ...workersCases];

/** Measures the cases, after all answers were seen to be right. Throws naming the first one that is wrong; USAGE. */
export async function benchGroupby(request: GroupbyBench): Promise<void> {
  const { signal, note, report, profile } = request;
  const isWanted = chooseCases(request.only);
  const { rows, databasePath, dataDir } = await prepareAll(request, isWanted);
  const peer = await openDuckDb({ path: databasePath, threads: peerThreads, isReadOnly: true });
  const chosen = cases.filter(({ name }) => isWanted(name));
  const timed: TimedResult[] = [];
  const take = (result: TimedResult): void => {
    timed.push(result);
    report(result);
  };
  try {
    await withCluster({ dataDir, workers, keepsAnswers: true }, async ({ rpc }) => {
      const bench: Bench = { rows, workers, rpc, peer, signal, runs: { warmUps, timed: request.runs } };
      for (const item of chosen) await requireRight(bench, item);
      note(`every answer is DuckDB's; ${workers} workers, DuckDB ${peer.version} with ${peerThreads} threads`);
      if (isWanted("ping")) take(await measureShort(bench, "ping", 0, () => rpc.ping()));
      if (isWanted("empty")) take(await measureEmpty(bench));
      for (const item of chosen) await measureCase(bench, item, take);
      if (isWanted(sortedCase)) take(await measureSorted(bench));
      for (const name of bcolzCases.filter(isWanted)) take(await measureBcolz(bench, name));
      if (workersCases.some(isWanted)) for (const result of await measureWorkers(bench, workersCases.filter(isWanted), dataDir)) take(result);
      for (const mean of meansOf(timed.filter(isOfQuestion))) report(mean);
      if (profile) for (const item of chosen) report(await profileCase(bench, item));
    });
  } finally {
    peer.close();
  }
}

/** Tells which cases to measure. Throws USAGE naming one that there is not. */
function chooseCases(only: readonly string[] | undefined): (name: string) => boolean {
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new BquerydError("USAGE", `there is no case '${unknown}'; use some of ${names.join(", ")}`);
  const onDemand = cases.filter(({ isOnDemand }) => isOnDemand).map(({ name }) => name);
  return (name) => (only === undefined ? !onDemand.includes(name) : only.includes(name));
}

async function prepareAll(request: GroupbyBench, isWanted: (name: string) => boolean): ReturnType<typeof prepareData> {
  const data = await prepareData(request);
  if (isWanted(sortedCase)) await prepareSorted(data, request);
  if (bcolzCases.some(isWanted)) await prepareBcolz(data, request);
  return data;
}

async function measureCase(bench: Bench, { name, query, sql, isQuestion }: Case, take: (result: TimedResult) => void): Promise<void> {
  const { rows, rpc, peer, runs, signal } = bench;
  for (const mode of ["warm", "bypass"] as const) {
    const { ours, theirs } = await measureBoth(bench, { ...query, cache: cacheOfMode[mode] }, sql);
    const cores = name === "histogram" ? { cores: workers } : {};
    take({ bench: name, mode, rows, times: ours, peer: { name: `duckdb ${peer.version}`, times: theirs }, ...cores });
  }
  if (!isQuestion) return;
  const [again] = await measureInTurn([() => askWhole(rpc, { ...query, cache: cacheOfMode.again })], runs, signal);
  take({ bench: name, mode: "again", rows, times: again!, peer: null });
}

function isOfQuestion({ bench }: TimedResult): boolean {
  return cases.some(({ name, isQuestion }) => isQuestion && name === bench);
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
