/**
 * The group-by data of db-benchmark (h2oai), K = 100, as a DuckDB table for the peer and imported into tables of ours.
 * Made once for every number of rows and seed and kept in a folder of the system's temp directory.
 *
 *   id1 id2   'id001' to 'id100'              v1   1 to 5
 *   id3       'id0000000001' to rows / 100    v2   1 to 15
 *   id4 id5   1 to 100                        v3   0 to 100 with 6 digits after the point
 *   id6       1 to rows / 100
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { openDuckDb } from "../support/duckdb.js";
import { runBqueryd } from "../support/process.js";

/** Data ready to be asked. */
export interface BenchData {
  readonly rows: number;
  /** A DuckDB database with the table `g1`. */
  readonly databasePath: string;
  /** Holds the set `g1` and `one.bcolz`, a table of one row; besides, what single cases made of them. */
  readonly dataDir: string;
}

/** Which data, and whether to make it again. */
export interface DataRequest {
  readonly rows: number;
  readonly seed: number;
  readonly fresh: boolean;
  readonly signal: AbortSignal;
  /** Told what takes long. */
  note(sentence: string): void;
}

const groups = 100;
/** Shards of every set of the data. */
export const shardCount = 10;

/** Distinct values of id3 and of id6 that the data of so many rows is drawn from. */
export function groupCount(rows: number): number {
  return Math.max(1, Math.floor(rows / groups));
}

/** The data of a request: what is kept of an earlier run, else made now. */
export async function prepareData({ rows, seed, fresh, signal, note }: DataRequest): Promise<BenchData> {
  const folder = join(keptFolder(), `g1-${rows}-${seed}`);
  const data = { rows, databasePath: join(folder, "peer.duckdb"), dataDir: join(folder, "tables") };
  if (fresh) await rm(folder, { recursive: true, force: true });
  if (existsSync(folder)) {
    note(`data of ${folder}, made by an earlier run; --fresh makes it again`);
    return data;
  }
  note(`making ${rows} rows in ${folder}`);
  await mkdir(keptFolder(), { recursive: true });
  const making = await mkdtemp(join(keptFolder(), "making-"));
  try {
    await makeData({ folder: making, rows, seed, signal });
    await rename(making, folder);
  } catch (error) {
    await rm(making, { recursive: true });
    throw error;
  }
  return data;
}

/** The data as files that others write. */
export interface BenchFiles {
  readonly csvPath: string;
  /** Compressed with zstd. */
  readonly parquetPath: string;
}

/** The files of a request's data, beside them: what is kept of an earlier run, else written now by DuckDB. */
export async function prepareFiles({ databasePath }: BenchData, { note, signal }: DataRequest): Promise<BenchFiles> {
  const folder = dirname(databasePath);
  const files = { csvPath: join(folder, "g1.csv"), parquetPath: join(folder, "g1-zstd.parquet") };
  if (existsSync(files.csvPath) && existsSync(files.parquetPath)) return files;
  note(`writing ${files.csvPath} and ${files.parquetPath}`);
  const duckDb = await openDuckDb({ path: databasePath, threads: 2, isReadOnly: true });
  try {
    for (const [path, options] of [[files.csvPath, "FORMAT csv"], [files.parquetPath, "FORMAT parquet, COMPRESSION zstd"]] as const) {
      signal.throwIfAborted();
      await duckDb.run(`COPY g1 TO '${path}.making' (${options})`);
      await rename(`${path}.making`, path);
    }
  } finally {
    duckDb.close();
  }
  return files;
}

/** Removes all data that was kept, and gives the folder that held it. */
export async function removeData(): Promise<string> {
  await rm(keptFolder(), { recursive: true, force: true });
  return keptFolder();
}

function keptFolder(): string {
  return join(tmpdir(), `bqueryd-bench-${userInfo().uid}`);
}

async function makeData({ folder, rows, seed, signal }: { folder: string; rows: number; seed: number; signal: AbortSignal }): Promise<void> {
  const many = join(folder, "g1.parquet");
  const one = join(folder, "one.parquet");
  const tables = join(folder, "tables");
  await mkdir(tables);
  // One thread: rows draw their numbers in order, so a seed makes the same rows each time.
  const duckDb = await openDuckDb({ path: join(folder, "peer.duckdb"), threads: 1 });
  try {
    await duckDb.run(`SELECT setseed(${seed} / 1000000)`);
    await duckDb.run(`CREATE TABLE g1 AS ${selectRows(rows)}`);
    await duckDb.run(`COPY g1 TO '${many}' (FORMAT parquet)`);
    await duckDb.run(`COPY (SELECT 1 AS one) TO '${one}' (FORMAT parquet)`);
  } finally {
    duckDb.close();
  }
  await runBqueryd(["import", many, join(tables, "g1"), "--shards", String(shardCount)], { signal });
  await runBqueryd(["import", one, join(tables, "one.bcolz")], { signal });
}

function selectRows(rows: number): string {
  const upTo = (most: number): string => `1 + floor(random() * ${most})::INTEGER`;
  return `SELECT
    printf('id%03d', ${upTo(groups)}) AS id1, printf('id%03d', ${upTo(groups)}) AS id2, printf('id%010d', ${upTo(groupCount(rows))}) AS id3,
    ${upTo(groups)} AS id4, ${upTo(groups)} AS id5, ${upTo(groupCount(rows))} AS id6,
    ${upTo(5)} AS v1, ${upTo(15)} AS v2, round(random() * 100, 6) AS v3 FROM range(${rows})`;
}
