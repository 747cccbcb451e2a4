/** The tables of `bench cluster`, a folder for each load, so that workers hold only what they are asked for. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createTables } from "../../../lib/columns/write/writer.js";
import { unsyncedFiles } from "../../../test/support/write-table.js";

/** Folders with tables, and what is known of their rows. */
export interface BenchTables {
  /** `small`, one shard of 10,000 rows: `k` is the row modulo 10, `v` the row. */
  readonly smallDir: string;
  /** The same, and `many`, a set of so many shards. */
  readonly manyDir: string;
  readonly manyShards: number;
  /** `wide`: four columns of float64, `wideRows` of them, in shards. */
  readonly wideDir: string;
  readonly wideRows: number;
}

/** Rows of `small`. */
export const smallRows = 10_000;
const wideShards = 8;
const batchRows = 65_536;

/** Writes the tables, not durably. */
export async function writeBenchTables(folder: string, rows: number): Promise<BenchTables> {
  const [smallDir, manyDir, wideDir] = [join(folder, "small"), join(folder, "many"), join(folder, "wide")];
  for (const dir of [smallDir, manyDir, wideDir]) await mkdir(dir);
  const manyShards = Math.max(2, Math.min(10_000, Math.floor(rows / 100)));
  const wideRows = Math.max(wideShards, rows * 16);
  for (const dir of [smallDir, manyDir]) await writeWholes(join(dir, "small.bcolz"), 1, smallRows);
  await writeWholes(join(manyDir, "many"), manyShards, manyShards * 10);
  await writeFloats(join(wideDir, "wide"), wideRows);
  return { smallDir, manyDir, manyShards, wideDir, wideRows };
}

/** Tables of `k` and `v`, rows numbered through all shards. */
async function writeWholes(path: string, shards: number, rows: number): Promise<void> {
  const perShard = rows / shards;
  await write(path, shards, ["k", "v"].map((name) => ({ name, dtype: "int64" as const })), (shard) => {
    const values = BigInt64Array.from({ length: perShard }, (_, row) => BigInt(shard * perShard + row));
    return [[{ dtype: "int64", rows: perShard, nulls: null, values: values.map((value) => value % 10n) }, { dtype: "int64", rows: perShard, nulls: null, values }]];
  });
}

/** Four columns that do not compress to nothing. */
async function writeFloats(path: string, rows: number): Promise<void> {
  const columns = ["a", "b", "c", "d"].map((name) => ({ name, dtype: "float64" as const }));
  await write(path, wideShards, columns, function* batches(shard) {
    const [start, end] = [Math.floor(rows * shard / wideShards), Math.floor(rows * (shard + 1) / wideShards)];
    for (let from = start; from < end; from += batchRows) {
      const count = Math.min(batchRows, end - from);
      yield columns.map((_, column) => ({ dtype: "float64" as const, rows: count, nulls: null, values: Float64Array.from({ length: count }, (_value, row) => Math.sqrt(from + row + column)) }));
    }
  });
}

type Batches = Parameters<Awaited<ReturnType<typeof createTables>>["append"]>[1];

async function write(path: string, shards: number, columns: Parameters<typeof createTables>[0]["columns"], batchesOf: (shard: number) => Iterable<Batches>): Promise<void> {
  const isSet = !path.endsWith(".bcolz");
  const paths = isSet ? Array.from({ length: shards }, (_, shard) => `${path}-${shard}.bcolzs`) : [path];
  const writer = await createTables({ paths, columns, set: isSet, replace: false, sort: null, files: unsyncedFiles });
  try {
    for (let shard = 0; shard < paths.length; shard++) for (const batch of batchesOf(shard)) await writer.append(shard, batch);
    await writer.commit();
  } catch (cause) {
    await writer.abort();
    throw cause;
  }
}
