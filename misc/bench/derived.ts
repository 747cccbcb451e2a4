/** Tables that single cases need besides the data: made from them when first asked for, and kept beside them. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { exportTables } from "../../lib/formats/export/export.js";
import { openDuckDb } from "../support/duckdb.js";
import { runBqueryd } from "../support/process.js";
import { shardCount, type BenchData, type DataRequest } from "./data.js";

const shards = Array.from({ length: shardCount }, (_, shard) => shard);

/** Makes sure of the set `sorted`: id4, id6, v1, v2 and v3 of the data, sorted by id6 over all shards. */
export async function prepareSorted({ databasePath, dataDir }: BenchData, { signal, note }: DataRequest): Promise<void> {
  if (shards.every((shard) => existsSync(join(dataDir, `sorted-${shard}.bcolzs`)))) return;
  note("sorting by id6");
  const file = join(dataDir, "..", "sorted.parquet");
  const duckDb = await openDuckDb({ path: databasePath, threads: 2, isReadOnly: true });
  try {
    await duckDb.run(`COPY (SELECT id4, id6, v1, v2, v3 FROM g1) TO '${file}' (FORMAT parquet)`);
  } finally {
    duckDb.close();
  }
  try {
    await runBqueryd(["import", file, join(dataDir, "sorted"), "--replace", "--shards", String(shardCount), "--sort", "id6"], { signal });
  } finally {
    await rm(file);
  }
}

/** Makes sure of the set `b1`: id1, id2, id6, v1, v2 and v3 of the data as directories of Python's bcolz. */
export async function prepareBcolz({ dataDir }: BenchData, { signal, note }: DataRequest): Promise<void> {
  for (const shard of shards) {
    const output = join(dataDir, `b1-${shard}.bcolzs`);
    if (existsSync(output)) continue;
    if (shard === 0) note("exporting to bcolz");
    await exportTables({ tables: [join(dataDir, `g1-${shard}.bcolzs`)], output, format: "bcolz", columns: ["id1", "id2", "id6", "v1", "v2", "v3"], signal });
  }
}
