/** Where an import writes: new tables, or one that is there and grows. */
import { basename } from "node:path";
import { appendToTable } from "../../columns/write/append.js";
import { holdsTable } from "../../columns/directory/current.js";
import type { Batch } from "../../columns/dtypes.js";
import { openOwnTable } from "../../columns/read/open.js";
import { readBatches } from "../../columns/read/batches.js";
import { sliceBatch } from "../../columns/slice-batch.js";
import { createTables } from "../../columns/write/writer.js";
import type { NewColumn, TablesWriter } from "../../columns/write/writer.js";
import type { ImportOptions } from "./options.js";
import type { AgreedColumn, Schema } from "./schema.js";
import { planOutput } from "./shards.js";
import type { OutputPlan } from "./shards.js";

/** A table as it is after an import. */
export interface StoredTable {
  readonly name: string;
  readonly generation: string;
  readonly rows: number;
  readonly bytes: number;
  /** The column that its rows are in the order of, as far as is known; null for none. */
  readonly sort: string | null;
}

/** What is written to. */
export interface Target {
  /** Of the table that grows; null for new tables. */
  readonly schema: Schema | null;
  /** The column that the rows are to be in the order of; null for none. */
  readonly sort: string | null;
  /** The last row's value of that column in the table that grows; null for none. */
  readonly last: Batch | null;
  /** The generation that has this last row; null for new tables. */
  readonly generation: string | null;
}

/** What is known of the rows to come. */
export interface RowFacts {
  readonly columns: readonly AgreedColumn[];
  /** Infinity where it is not known, which one table has no need of. */
  readonly rows: number;
  /** The column that they are sorted by, together with those that are there; null for none. */
  readonly sort: string | null;
}

/** Rows on their way into tables. Calls follow one another. */
export interface RowWriter {
  /** Rows added so far. */
  readonly rows: number;
  /** Adds rows, one batch a column, to the shards in order. Throws MEMORY_LIMIT, DISK_FULL, IO; then only `abort` is left. */
  add(batches: readonly Batch[]): Promise<void>;
  /** Tells whether so many rows in all are cut evenly into the shards: what they were planned for, or one table. */
  isEven(rows: number): boolean;
  /** Makes everything visible, or throws. */
  commit(): Promise<readonly StoredTable[]>;
  /** Leaves everything as it was; nothing after a commit. */
  abort(): Promise<void>;
}

/** What the output names. Throws TABLE_NOT_MANAGED for a table of bcolz, which cannot grow, and as opening a table does. */
export function findTarget({ output, append, sort }: ImportOptions): Target {
  if (append !== true) return { schema: null, sort: sort ?? null, last: null, generation: null };
  // What comes into being in between is told of when writing starts.
  if (!holdsTable(output)) return { schema: null, sort: null, last: null, generation: null };
  const table = openOwnTable(output);
  try {
    const columns = table.footer.columns.map(({ name, dtype, unit }) => ({ name, dtype, unit: unit ?? undefined }));
    const order = table.footer.sort;
    const [last] = order === null ? [] : [...readBatches(table, [order], { from: table.rows - 1 })];
    return { schema: { path: output, columns, nature: "growing" }, sort: order, last: last?.[0] ?? null, generation: table.generation };
  } finally {
    table.close();
  }
}

/** Throws what starting to write would: EXISTS, BUSY, BAD_INPUT, IO. Nothing is changed. */
export async function requireFree({ schema }: Target, options: ImportOptions): Promise<void> {
  if (schema !== null) return;
  const plan = planOutput({ ...options, rows: 0 });
  const writer = await createTables({ paths: plan.paths.slice(0, 1), set: plan.set, columns: [], replace: options.replace ?? false, sort: null });
  await writer.abort();
}

/** Starts writing. Throws EXISTS, BUSY, SCHEMA_MISMATCH, BAD_INPUT for a name that a column cannot have, IO. */
export async function openWriter({ schema, generation }: Target, options: ImportOptions, { columns: agreed, rows, sort }: RowFacts): Promise<RowWriter> {
  const columns = agreed.map(({ name, dtype, unit }): NewColumn => ({ name, dtype, unit }));
  const { codec, keepGenerations, timeoutMs } = options;
  if (schema !== null) {
    return createRowWriter(await appendToTable({ path: options.output, columns, sort, generation: generation ?? undefined, codec, keepGenerations, timeoutMs }), { paths: [options.output], bounds: [0, Infinity] });
  }
  const plan = planOutput({ ...options, rows });
  const tables = await createTables({ paths: plan.paths, set: plan.set, columns, replace: options.replace ?? false, sort, codec, keepGenerations, timeoutMs });
  return createRowWriter(tables, plan);
}

function createRowWriter(tables: TablesWriter, { paths, bounds }: Pick<OutputPlan, "paths" | "bounds">): RowWriter {
  const planned = bounds.at(-1)!;
  let rows = 0;
  let shard = 0;
  return {
    get rows() { return rows; },
    isEven: (total) => planned === Infinity || planned === total,
    async add(batches) {
      const count = batches[0]?.rows ?? 0;
      for (let start = 0; start < count;) {
        for (; rows === bounds[shard + 1] && shard + 2 < bounds.length; shard++) await tables.finishShard(shard);
        const room = shard + 2 < bounds.length ? bounds[shard + 1]! - rows : Infinity;
        const end = Math.min(count, start + room);
        await tables.append(shard, batches.map((batch) => sliceBatch(batch, start, end)));
        rows += end - start;
        start = end;
      }
    },
    // A path that is a link leads to a table that may be called otherwise.
    commit: async () => (await tables.commit()).map((table, at) => ({ ...table, name: basename(paths[at]!) })),
    abort: () => tables.abort(),
  };
}
