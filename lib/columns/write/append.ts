/** Appending rows to a table: new segments beside the old ones, which stay as they are, and a footer that names both. */
import { resolve } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { realFiles, type Files } from "../../base/files.js";
import { limits } from "../../base/limits.js";
import { bytesOf } from "./commit.js";
import { spareMsOf } from "../directory/collect.js";
import { openOwnTable } from "../read/open.js";
import { createStaging } from "./staging.js";
import type { Table } from "../read/table.js";
import { prepareTable, type PreparedTable } from "../directory/table-directory.js";
import { badInput, createSession, discardAll, keptGenerations, type TablesWriter, type WriteOptions } from "./session.js";
import { requireKept, type NewColumn } from "./writer.js";

/** What to append, and to which table. */
export interface AppendSpec extends WriteOptions {
  /** Directory of the table. */
  readonly path: string;
  /** The columns of the batches to come: those of the table, in any order. */
  readonly columns: readonly NewColumn[];
  /**
   * The generation whose rows the caller knows to come before these in the order of `sort`. Where the table has another
   * by the time that it is locked, nobody knows, and the order ends.
   */
  readonly generation?: string | undefined;
}

/**
 * Starts appending to a table; rows are given to shard 0 of the writer. Nothing is visible before `commit`, and nothing
 * changes where no row was given. Blocks shortly. Throws NOT_FOUND, BUSY, USAGE for the shard of a set, SCHEMA_MISMATCH
 * naming a column, and what reading the table's last chunks throws.
 */
export async function appendToTable(spec: AppendSpec): Promise<TablesWriter> {
  requireKept(spec.keepGenerations);
  const files = spec.files ?? realFiles;
  const path = resolve(spec.path);
  let prepared: PreparedTable | undefined;
  let table: Table | undefined;
  try {
    prepared = await prepareTable(files, path, "extend");
    table = openOwnTable(path);
    return withoutEmpty(await openSession(spec, files, prepared, table), table);
  } catch (cause) {
    table?.close();
    // The failure that led here is the one to tell, not what goes wrong in cleaning up after it.
    if (prepared !== undefined) await discardAll(files, [prepared]).catch(() => undefined);
    throw toBquerydError(cause, `append to ${path}`);
  }
}

async function openSession(spec: AppendSpec, files: Files, prepared: PreparedTable, table: Table): Promise<TablesWriter> {
  const { footer } = table;
  requireSameColumns(spec.columns, table);
  if (footer.set !== null) throw new BquerydError("USAGE", `${table.name} is a shard of a set, which is imported as a whole; use --replace to import the set again`, { details: { table: table.name } });
  if (spec.sort !== null && !spec.columns.some(({ name }) => name === spec.sort)) throw badInput(`sort column '${spec.sort}' is none of the columns; name one of them`);
  // In the order of the table, whatever that of the batches.
  const order = footer.columns.map(({ name }) => spec.columns.findIndex((column) => column.name === name));
  const staging = await createStaging({
    columns: footer.columns.map(({ name, dtype, unit }) => ({ name, dtype, unit })),
    directories: [prepared.path],
    dictionaryValuesMax: spec.dictionaryValuesMax ?? limits.dictionaryValuesMax,
    waitingBytesMax: spec.waitingBytesMax,
    codec: spec.codec ?? "lz4",
    files,
    base: table,
  });
  return createSession({
    files, tables: [prepared], others: [], isSet: false,
    staging: { ...staging, append: (shard, batches) => staging.append(shard, batches.length === order.length ? order.map((at) => batches[at]!) : batches) },
    sort: spec.sort === footer.sort && (spec.generation ?? table.generation) === table.generation ? footer.sort : null,
    keepGenerations: spec.keepGenerations ?? keptGenerations, spareMs: spareMsOf(spec.timeoutMs),
    close: () => { table.close(); },
  });
}

/** An append of no rows leaves the generation as it is. */
function withoutEmpty(writer: TablesWriter, { name, generation, footer }: Table): TablesWriter {
  let rows = 0;
  return {
    ...writer,
    async append(shard, batches) {
      await writer.append(shard, batches);
      rows += batches[0]?.rows ?? 0;
    },
    async commit() {
      if (rows > 0) return writer.commit();
      await writer.abort();
      return [{ name, generation, rows: footer.rows, bytes: bytesOf(footer), sort: footer.sort }];
    },
  };
}

function requireSameColumns(columns: readonly NewColumn[], { name: table, footer }: Table): void {
  const wanted = new Map(columns.map((column) => [column.name, column]));
  const mismatch = (column: string, wrong: string): BquerydError => new BquerydError("SCHEMA_MISMATCH", `${wrong}; give the columns that ${table} has, or use --replace`, { details: { table, column } });
  if (wanted.size !== columns.length) throw badInput("two columns have one name; rename one");
  for (const { name, dtype, unit } of footer.columns) {
    const given = wanted.get(name);
    if (given === undefined) throw mismatch(name, `the rows have no column '${name}', which ${table} has`);
    if (given.dtype !== dtype) throw mismatch(name, `column '${name}' has dtype ${given.dtype} in the rows and ${dtype} in ${table}`);
    if ((given.unit ?? null) !== unit) throw mismatch(name, `column '${name}' has unit ${given.unit ?? "none"} in the rows and ${unit ?? "none"} in ${table}`);
    wanted.delete(name);
  }
  for (const name of wanted.keys()) throw mismatch(name, `${table} has no column '${name}'`);
}
