/** `bench import`: what it takes to write, open, verify and append to tables, beside DuckDB or a limit of the machine. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { openTable } from "../../lib/columns/read/open.js";
import { findDifference } from "../support/difference.js";
import { withCluster } from "../support/cluster.js";
import { openDuckDb, type DuckDb } from "../support/duckdb.js";
import { runBqueryd } from "../support/process.js";
import { measureAppend } from "./append.js";
import { prepareData, prepareFiles, type BenchData, type BenchFiles, type DataRequest } from "./data.js";
import { measureInTurn, type Runs } from "./measure.js";
import type { Result } from "./report.js";

/** What to measure. */
export interface ImportBench extends DataRequest {
  readonly runs: number;
  /** Told each result as soon as it is there. */
  report(result: Result): void;
}

/** What every case works with. */
interface Bench {
  readonly rows: number;
  readonly files: BenchFiles;
  /** Empty at the start, removed at the end. */
  readonly scratch: string;
  /** Where the rows lie as a table of DuckDB's, `g1`. */
  readonly peer: DuckDb;
  readonly runs: Runs;
  readonly signal: AbortSignal;
}

const peerThreads = 2;
const manyShards = 1_000;

/** Measures all cases, after the rows that were imported were seen to be DuckDB's. Throws naming what is wrong. */
export async function benchImport(request: ImportBench): Promise<void> {
  const { signal, note, report, rows } = request;
  const data = await prepareData(request);
  const files = await prepareFiles(data, request);
  const peer = await openDuckDb({ path: data.databasePath, threads: peerThreads });
  const scratch = await mkdtemp(join(dirname(data.databasePath), "scratch-"));
  const bench = { rows, files, scratch, peer, signal, runs: { warmUps: 0, timed: request.runs } };
  try {
    for (const result of await importAll(bench, note)) report(result);
    report(await measureOpening(bench, data));
    report(await measureVerify(bench));
    report(await measureAppend({ ...bench, table: join(scratch, "tables", "csv_lz4.bcolz"), runs: { warmUps: 5, timed: 30 } }));
  } finally {
    peer.close();
    await rm(scratch, { recursive: true });
  }
}

/** Imports every format, sees that the tables hold what DuckDB has, and gives times and sizes. */
async function importAll(bench: Bench, note: (sentence: string) => void): Promise<Result[]> {
  const { files, scratch, peer } = bench;
  const folder = join(scratch, "tables");
  await mkdir(folder);
  const csv = await measureImport(bench, files.csvPath, "lz4", `read_csv('${files.csvPath}')`);
  const parquet = await measureImport(bench, files.parquetPath, "zstd", `read_parquet('${files.parquetPath}')`);
  await withCluster({ dataDir: folder, workers: 2 }, async ({ rpc }) => {
    for (const name of ["csv_lz4", "parquet_zstd"]) {
      const query = { tables: name, keys: ["id1"], measures: measuresOf, cache: false } as const;
      const difference = findDifference(await rpc.groupby(query), await peer.read(checkSql));
      if (difference !== undefined) throw new Error(`the table ${name} is wrong: ${difference}`);
    }
  });
  note(`the tables hold what DuckDB ${peer.version} has; it has ${peerThreads} threads, and so has the import`);
  return [...csv, ...parquet];
}

const columns = ["id4", "id5", "id6", "v1", "v2"] as const;
const measuresOf = [
  ["*", "count", "rows"], ...columns.map((name) => [name, "sum", name] as const), ["v3", "sum", "v3"],
  ["id2", "min", "least2"], ["id2", "max", "greatest2"], ["id3", "min", "least3"], ["id3", "max", "greatest3"],
] as const;
const checkSql = `SELECT id1, count(*) AS rows, ${columns.map((name) => `sum(${name}) AS ${name}`).join(", ")}, sum(v3) AS v3,
  min(id2) AS least2, max(id2) AS greatest2, min(id3) AS least3, max(id3) AS greatest3 FROM g1 GROUP BY id1 ORDER BY id1`;

/** Imports a file by a process of its own, as a user does, and into a new file of DuckDB's; the last table stays. */
async function measureImport(bench: Bench, path: string, codec: "lz4" | "zstd", source: string): Promise<Result[]> {
  const { scratch, peer, runs, signal, files } = bench;
  const format = path === files.csvPath ? "csv" : "parquet";
  const table = join(scratch, "tables", `${format}_${codec}.bcolz`);
  const theirs = join(scratch, "peer.duckdb");
  const [ourTimes, theirTimes] = await measureInTurn([
    async () => {
      await rm(table, { recursive: true, force: true });
      await runBqueryd(["import", path, table, "--codec", codec, "--json"], { signal });
    },
    async () => {
      await rm(theirs, { force: true });
      await peer.run(`ATTACH '${theirs}' AS written`);
      await peer.run(`CREATE TABLE written.g1 AS SELECT * FROM ${source}`);
      await peer.run("DETACH written");
    },
  ], runs, signal);
  const shared = { mode: "files", rows: bench.rows } as const;
  return [
    { ...shared, bench: format, times: ourTimes!, bytes: (await stat(path)).size, peer: { name: `duckdb ${peer.version}`, times: theirTimes! } },
    { ...shared, bench: codec, storedBytes: await sizeOf(table), peer: { name: "parquet, zstd", storedBytes: (await stat(files.parquetPath)).size } },
  ];
}

/** Opens a set of a thousand shards of one chunk each, with the statistics of every column. */
async function measureOpening({ scratch, runs, signal, files, rows }: Bench, { dataDir }: BenchData): Promise<Result> {
  const folder = join(scratch, "many");
  await mkdir(folder);
  const shards = Math.min(manyShards, rows);
  const source = rows > manyShards * 1_000 ? join(dataDir, "g1-0.bcolzs") : files.parquetPath;
  await runBqueryd(["import", source, join(folder, "many"), "--shards", String(shards), "--json"], { signal });
  const names = (await readdir(folder)).filter((name) => name.endsWith(".bcolzs"));
  const [times] = await measureInTurn([async () => {
    for (const name of names) {
      const table = openTable(join(folder, name));
      for (const column of table.columns) for (let chunk = 0; chunk < column.chunkCount; chunk++) column.statistics(chunk);
      table.close();
    }
    await Promise.resolve();
  }], { warmUps: 1, timed: runs.timed }, signal);
  return { bench: "open", mode: "files", rows: names.length, times: times!, peer: null };
}

/** Verifies a table by a process of its own, beside the SHA-256 of its files in one thread of this one. */
async function measureVerify({ scratch, runs, signal, rows }: Bench): Promise<Result> {
  const table = join(scratch, "tables", "csv_lz4.bcolz");
  const [ourTimes, theirTimes] = await measureInTurn([
    async () => { await runBqueryd(["verify", table, "--json"], { signal }); },
    () => hashAll(table),
  ], { warmUps: 1, timed: runs.timed }, signal);
  return { bench: "verify", mode: "files", rows, times: ourTimes!, bytes: await sizeOf(table), peer: { name: "sha256, one thread", times: theirTimes! } };
}

async function hashAll(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await pipeline(createReadStream(join(folder, name), { highWaterMark: 1 << 20 }), createHash("sha256"));
}

async function sizeOf(folder: string): Promise<number> {
  const sizes = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}
