/** The tables of `bench transfer`: bytes that no codec makes fewer, so that what is sent is as large as the rows. */
import { join } from "node:path";
import { seededRandom } from "../../../lib/base/clock.js";
import { createTables, type TablesWriter } from "../../../lib/columns/write/writer.js";
import { unsyncedFiles } from "../../../test/support/write-table.js";

/** Columns of the large table, 8 bytes a row each. */
export const wideColumns = 9;
const batchRows = 65_536;

/** Writes a table whose columns are drawn from a seed each: of two with equal seeds equal columns are equal files. */
export async function writeWide(path: string, rows: number, seeds: readonly number[]): Promise<void> {
  const columns = seeds.map((_, column) => ({ name: `c${column}`, dtype: "int64" as const }));
  const randoms = seeds.map(noise);
  await write(await createTables({ paths: [path], columns, set: false, replace: false, sort: null, files: unsyncedFiles }), async (writer) => {
    for (let from = 0; from < rows; from += batchRows) {
      const count = Math.min(batchRows, rows - from);
      await writer.append(0, randoms.map((draw) => ({ dtype: "int64" as const, rows: count, nulls: null, values: draw(count) })));
    }
  });
}

/** Writes a set of shards of few rows in one column each, and gives their paths. */
export async function writeMany(folder: string, shards: number, rows: number): Promise<string[]> {
  const paths = Array.from({ length: shards }, (_, shard) => join(folder, `many-${shard}.bcolzs`));
  const draw = noise(1);
  await write(await createTables({ paths, columns: [{ name: "c", dtype: "int64" }], set: true, replace: false, sort: null, files: unsyncedFiles }), async (writer) => {
    for (let shard = 0; shard < shards; shard++) await writer.append(shard, [{ dtype: "int64", rows, nulls: null, values: draw(rows) }]);
  });
  return paths;
}

async function write(writer: TablesWriter, work: (writer: TablesWriter) => Promise<void>): Promise<void> {
  try {
    await work(writer);
    await writer.commit();
  } catch (cause) {
    await writer.abort();
    throw cause;
  }
}

/** Numbers of 64 bits from a seed, so many at a time. */
function noise(seed: number): (count: number) => BigInt64Array {
  const random = seededRandom(seed);
  return (count) => {
    const halves = Int32Array.from({ length: count * 2 }, () => random() * 2 ** 32);
    return new BigInt64Array(halves.buffer);
  };
}
