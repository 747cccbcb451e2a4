/** Random tables on disk: written as the shards of a set, the way an import does. */
import { join } from "node:path";
import type { Random } from "../../../lib/base/clock.js";
import { createTables } from "../../../lib/columns/writer.js";
import { chance, whole } from "./draw.js";
import { batchOf } from "../write-table.js";
import type { RandomTable } from "./tables.js";

/** A shard as tasks name it. */
export interface StoredShard {
  readonly ordinal: number;
  readonly name: string;
  readonly generation: string;
}

/** Writes a table's shards below a directory, in batches of drawn sizes; some keep strings plain. */
export async function storeTable(random: Random, dataDir: string, table: RandomTable): Promise<StoredShard[]> {
  const borders = [0, ...table.cuts, table.rows];
  const count = borders.length - 1;
  const writer = await createTables({
    paths: Array.from({ length: count }, (_, shard) => join(dataDir, `${table.name}-${shard}.bcolzs`)),
    columns: table.columns.map(({ name, dtype }) => ({ name, dtype })), set: true, replace: false, sort: null,
    ...(chance(random, 0.3) ? { dictionaryValuesMax: 8 } : {}),
  });
  for (let shard = 0; shard < count; shard++) {
    for (let start = borders[shard]!; start < borders[shard + 1]!;) {
      const end = Math.min(borders[shard + 1]!, start + whole(random, 1, 80_000));
      await writer.append(shard, table.columns.map(({ dtype, values }) => batchOf(dtype, values.slice(start, end))));
      start = end;
    }
  }
  const committed = await writer.commit();
  return committed.map(({ name, generation }, ordinal) => ({ ordinal, name, generation }));
}
