/** Random tables on disk, the way imports leave them: the shards of a set, or one table that was appended to. */
import { join } from "node:path";
import type { Random } from "../../../lib/base/clock.js";
import type { Dtype } from "../../../lib/columns/dtypes.js";
import { appendToTable } from "../../../lib/columns/write/append.js";
import type { TablesWriter } from "../../../lib/columns/write/session.js";
import { createTables } from "../../../lib/columns/write/writer.js";
import { chance, oneOf, whole } from "./draw.js";
import { batchOf, unsyncedFiles } from "../write-table.js";
import { narrow } from "./narrow.js";
import type { FilledTable } from "./tables.js";

/** A column of a shard. */
export interface PlainSchema {
  readonly name: string;
  readonly dtype: Dtype;
}

/** A shard as tasks name it. */
export interface StoredShard {
  readonly ordinal: number;
  readonly name: string;
  readonly generation: string;
  /** What its columns are, where the shards differ in that. */
  readonly columns?: readonly PlainSchema[];
}

/**
 * Writes a table below a directory, cut into shards or, one time in three, into segments; some keep texts plain. With
 * `mixed` some are shards put there one by one, with columns as narrow as their values are, and some without those that are
 * null all the way.
 */
export async function storeTable(random: Random, dataDir: string, table: FilledTable, { mixed = false } = {}): Promise<StoredShard[]> {
  const spec = { columns: table.columns.map(({ name, dtype }) => ({ name, dtype })), sort: null, files: unsyncedFiles, ...(chance(random, 0.3) ? { dictionaryValuesMax: 8 } : {}) };
  const borders = [0, ...table.cuts, table.rows];
  if (mixed && table.cuts.length > 0 && chance(random, 0.3)) return storeMixed(random, dataDir, table, borders, spec);
  return chance(random, 0.33) ? storeSegments(random, dataDir, table, borders, spec) : storeShards(random, dataDir, table, borders, spec);
}

type Spec = Omit<Parameters<typeof appendToTable>[0], "path">;

async function storeShards(random: Random, dataDir: string, table: FilledTable, borders: readonly number[], spec: Spec): Promise<StoredShard[]> {
  const paths = borders.slice(1).map((_, shard) => join(dataDir, `${table.name}-${shard}.bcolzs`));
  const writer = await createTables({ ...spec, paths, set: true, replace: false, codec: drawCodec(random) });
  for (let shard = 0; shard < paths.length; shard++) await addRows(random, writer, shard, table, borders[shard]!, borders[shard + 1]!);
  const committed = await writer.commit();
  return committed.map(({ name, generation }, ordinal) => ({ ordinal, name, generation }));
}

async function storeMixed(random: Random, dataDir: string, table: FilledTable, borders: readonly number[], spec: Spec): Promise<StoredShard[]> {
  const stored: StoredShard[] = [];
  // What holds all shards is what the table has them in.
  const whole = oneOf(random, borders.slice(1).map((_, shard) => shard));
  const leavesOut = chance(random, 0.5);
  for (let shard = 0; shard < borders.length - 1; shard++) {
    const parts = table.columns.flatMap(({ name, dtype }, place) => {
      const own = table.values[place]!.slice(borders[shard], borders[shard + 1]);
      if (shard === whole) return [{ name, dtype, values: own }];
      // A table has some column.
      return leavesOut && place > 0 && own.every((value) => value === null) ? [] : [{ name, ...narrow(random, dtype, own) }];
    });
    const columns = parts.map(({ name, dtype }) => ({ name, dtype }));
    const writer = await createTables({ ...spec, columns, paths: [join(dataDir, `${table.name}-${shard}.bcolzs`)], set: false, replace: false, codec: drawCodec(random) });
    await writer.append(0, parts.map(({ dtype, values }) => batchOf(dtype, values)));
    const [committed] = await writer.commit();
    stored.push({ ordinal: shard, name: committed!.name, generation: committed!.generation, columns });
  }
  return stored;
}

async function storeSegments(random: Random, dataDir: string, table: FilledTable, borders: readonly number[], spec: Spec): Promise<StoredShard[]> {
  const path = join(dataDir, `${table.name}.bcolz`);
  let stored: StoredShard[] = [];
  for (let segment = 0; segment < borders.length - 1; segment++) {
    const codec = drawCodec(random);
    const writer = segment === 0 ? await createTables({ ...spec, paths: [path], set: false, replace: false, codec }) : await appendToTable({ ...spec, path, codec });
    await addRows(random, writer, 0, table, borders[segment]!, borders[segment + 1]!);
    stored = (await writer.commit()).map(({ name, generation }) => ({ ordinal: 0, name, generation }));
  }
  return stored;
}

/** Gives a writer rows of the table, in batches of drawn sizes. */
async function addRows(random: Random, writer: TablesWriter, shard: number, table: FilledTable, from: number, to: number): Promise<void> {
  for (let start = from; start < to;) {
    const end = Math.min(to, start + whole(random, 1, 80_000));
    await writer.append(shard, table.columns.map(({ dtype }, place) => batchOf(dtype, table.values[place]!.slice(start, end))));
    start = end;
  }
}

function drawCodec(random: Random): "lz4" | "zstd" {
  return oneOf(random, ["lz4", "zstd"] as const);
}
