/** Importing files into tables: every row of every input, stored whole or not at all. */
import { isDeepStrictEqual } from "node:util";
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { createTables } from "../columns/writer.js";
import type { TablesWriter } from "../columns/writer.js";
import { throwIfAborted } from "./abort.js";
import { sliceBatch } from "./batches.js";
import { openParquet } from "./parquet.js";
import { agreeOnColumns } from "./schema.js";
import type { HeldColumn, Source } from "./source.js";
import { planOutput } from "./shards.js";
import type { OutputPlan } from "./shards.js";

/** The formats that an import can read. */
export const importFormats = ["parquet"] as const;

/** One of the formats that an import can read. */
export type ImportFormat = (typeof importFormats)[number];

const openers: Readonly<Record<ImportFormat, (path: string) => Promise<Source>>> = { parquet: openParquet };

/** What to import, and where to. */
export interface ImportOptions {
  readonly inputs: readonly string[];
  /** `DIR/NAME.bcolz`, or `DIR/NAME` with shards. */
  readonly output: string;
  readonly shards?: number | undefined;
  /** Rows of a shard at most. */
  readonly shardRows?: number | undefined;
  /** Columns to store, in this order; all without it. */
  readonly columns?: readonly string[] | undefined;
  /** Take the place of tables of the same name. */
  readonly replace?: boolean;
  /** The format of every input (default parquet). */
  readonly format?: ImportFormat | undefined;
  /** Called after each piece of work with the rows stored so far and the rows of all inputs. */
  readonly onProgress?: ((rows: number, totalRows: number) => void) | undefined;
  /** Aborting it ends the import with CANCELLED and nothing stored. */
  readonly signal?: AbortSignal | undefined;
}

/** What an import did. */
export interface ImportSummary {
  readonly rowsRead: number;
  readonly rowsStored: number;
  readonly tables: readonly { readonly name: string; readonly generation: string; readonly rows: number; readonly bytes: number }[];
  readonly seconds: number;
}

/** An input as it was when the import was planned. */
interface PlannedInput {
  readonly path: string;
  readonly columns: Source["columns"];
  readonly rows: number;
}

/**
 * Imports files, in their order, into one table or a set of shards that appears whole when all is written. Memory: one
 * row group of an input. Throws USAGE, NOT_FOUND, BAD_INPUT, UNKNOWN_COLUMN, UNSUPPORTED_DTYPE, SCHEMA_MISMATCH,
 * OVERFLOW, EXISTS, CANCELLED, and what writing throws; after any of them nothing is stored.
 */
export async function importFiles(options: ImportOptions): Promise<ImportSummary> {
  const startMs = monotonicMs();
  const inputs = await describeInputs(options);
  const columns = agreeOnColumns(inputs, options.columns);
  const rows = inputs.reduce((sum, input) => sum + input.rows, 0);
  const plan = planOutput({ ...options, rows });
  const writer = await createTables({ paths: plan.paths, set: plan.set, columns, replace: options.replace ?? false, sort: null });
  const { rowsRead, tables } = await writeWhole({ inputs, columns, plan, writer, options });
  const rowsStored = tables.reduce((sum, table) => sum + table.rows, 0);
  if (rowsStored !== rowsRead) throw new BquerydError("INTERNAL", `${rowsRead} rows were read and ${rowsStored} stored`);
  return { rowsRead, rowsStored, tables, seconds: (monotonicMs() - startMs) / 1000 };
}

async function describeInputs(options: ImportOptions): Promise<PlannedInput[]> {
  const inputs: PlannedInput[] = [];
  for (const path of options.inputs) {
    throwIfAborted(options.signal);
    const { columns, rows } = await withSource(path, options, (source) => Promise.resolve(source));
    inputs.push({ path, columns, rows });
  }
  return inputs;
}

async function withSource<T>(path: string, { format = "parquet" }: ImportOptions, use: (source: Source) => Promise<T>): Promise<T> {
  const source = await openers[format](path);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

interface Copy {
  readonly inputs: readonly PlannedInput[];
  readonly columns: readonly HeldColumn[];
  readonly plan: OutputPlan;
  readonly writer: TablesWriter;
  readonly options: ImportOptions;
}

async function writeWhole(copy: Copy): Promise<Pick<ImportSummary, "rowsRead" | "tables">> {
  const { plan, writer, options } = copy;
  try {
    const rowsRead = await copyRows(copy);
    if (rowsRead !== plan.bounds.at(-1)) throw new BquerydError("INTERNAL", `the import ended at row ${rowsRead} of ${plan.bounds.at(-1)}`);
    throwIfAborted(options.signal);
    return { rowsRead, tables: await writer.commit() };
  } catch (error) {
    // The failure that led here is the one to tell, not what goes wrong in cleaning up after it.
    await writer.abort().catch(() => undefined);
    throw error;
  }
}

/** Writes every row into its shard and returns how many there were; BAD_INPUT for an input that has changed since. */
async function copyRows(copy: Copy): Promise<number> {
  const place = { row: 0, shard: 0 };
  for (const input of copy.inputs) {
    await withSource(input.path, copy.options, async (source) => {
      if (source.rows !== input.rows || !isDeepStrictEqual(source.columns, input.columns)) throw changedInput(input.path);
      await copySource(copy, source, place);
    });
  }
  return place.row;
}

/** Writes the rows of one input; `place` is moved along. */
async function copySource({ columns, plan, writer, options }: Copy, source: Source, place: { row: number; shard: number }): Promise<void> {
  const names = columns.map(({ name }) => name);
  for await (const batches of source.read(names, options.signal)) {
    const rows = batches[0]!.rows;
    for (let start = 0; start < rows;) {
      throwIfAborted(options.signal);
      for (; place.row === plan.bounds[place.shard + 1]; place.shard++) await writer.finishShard(place.shard);
      const end = Math.min(rows, start + plan.bounds[place.shard + 1]! - place.row);
      await writer.append(place.shard, batches.map((batch) => sliceBatch(batch, start, end)));
      place.row += end - start;
      start = end;
      options.onProgress?.(place.row, plan.bounds.at(-1)!);
    }
  }
}

function changedInput(path: string): BquerydError {
  return new BquerydError("BAD_INPUT", `${path} changed during the import; import it once it is still`, { details: { path } });
}
