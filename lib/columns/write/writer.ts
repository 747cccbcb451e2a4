/** Writing tables: rows in, chunks out as they fill, everything visible at once at the end or not at all. */
import { basename, resolve } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { realFiles, type Files } from "../../base/files.js";
import { limits } from "../../base/limits.js";
import { dtypes, type Dtype } from "../dtypes.js";
import { parseTableName } from "../names.js";
import { createStaging, type StagingColumn } from "./staging.js";
import { spareMsOf } from "../directory/collect.js";
import { findOtherShards } from "../directory/surplus.js";
import { prepareTable, type PreparedTable } from "../directory/table-directory.js";
import { badInput, createSession, discardAll, keptGenerations, type TablesWriter, type WriteOptions } from "./session.js";

export type { TablesWriter } from "./session.js";

/** A column to write. */
export interface NewColumn {
  readonly name: string;
  readonly dtype: Dtype;
  /** What one step of the values is, for whole numbers that count something (`ns` of a timedelta). */
  readonly unit?: string | null | undefined;
}

/** What to write. */
export interface TablesSpec extends WriteOptions {
  /** Directories, `NAME.bcolz` or `NAME-0.bcolzs`, of the shards in order. */
  readonly paths: readonly string[];
  readonly columns: readonly NewColumn[];
  /** Whether the tables are the shards of one set. */
  readonly set: boolean;
  /** Whether tables that exist are replaced; otherwise they are an error. A set replaces all shards of its name. */
  readonly replace: boolean;
}

/**
 * Starts writing tables. Nothing is visible before `commit`. Throws EXISTS, BUSY, and BAD_INPUT for a name of a table or
 * column that cannot be.
 */
export async function createTables(spec: TablesSpec): Promise<TablesWriter> {
  requireNames(spec);
  const files = spec.files ?? realFiles;
  const paths = spec.paths.map((path) => resolve(path));
  const prepared: PreparedTable[] = [];
  try {
    const others = spec.set ? await findOtherShards(files, paths) : [];
    const shard = others.find(({ isTable }) => isTable);
    if (shard !== undefined && !spec.replace) throw new BquerydError("EXISTS", `${shard.path} is a shard of that name already; use --replace to replace the whole set, or another name`, { details: { path: shard.path } });
    for (const path of paths) prepared.push(await prepareTable(files, path, spec.replace ? "replace" : "create"));
    for (const { path } of others) prepared.push(await prepareTable(files, path, "replace"));
    return await openSession(spec, files, prepared.slice(0, paths.length), prepared.slice(paths.length));
  } catch (cause) {
    // The failure that led here is the one to tell, not what goes wrong in cleaning up after it.
    await discardAll(files, prepared).catch(() => undefined);
    throw toBquerydError(cause, `write ${paths[0]!}`);
  }
}

async function openSession(spec: TablesSpec, files: Files, tables: readonly PreparedTable[], others: readonly PreparedTable[]): Promise<TablesWriter> {
  const staging = await createStaging({
    columns: spec.columns.map(({ name, dtype, unit }): StagingColumn => ({ name, dtype, unit: unit ?? null })),
    directories: tables.map((table) => table.path),
    dictionaryValuesMax: spec.dictionaryValuesMax ?? limits.dictionaryValuesMax,
    waitingBytesMax: spec.waitingBytesMax,
    codec: spec.codec ?? "lz4",
    files,
  });
  return createSession({ files, tables, others, staging, sort: spec.sort, isSet: spec.set, keepGenerations: spec.keepGenerations ?? keptGenerations, spareMs: spareMsOf(spec.timeoutMs) });
}

function requireNames({ paths, columns, sort, set, keepGenerations }: TablesSpec): void {
  if (paths.length === 0 || paths.length > limits.shardsMax) throw badInput(`${paths.length} tables at once; use 1 to ${limits.shardsMax}`);
  const names = paths.map((path) => parseTableName(basename(resolve(path))));
  if (new Set(paths.map((path) => resolve(path))).size !== paths.length) throw badInput("two tables have one path; give each its own");
  if (set && names.some(({ base, shard }) => shard === null || base !== names[0]!.base)) throw badInput("the shards of a set have one name and a number each; use NAME-0.bcolzs, NAME-1.bcolzs and so on");
  requireColumns(columns);
  if (sort !== null && !columns.some(({ name }) => name === sort)) throw badInput(`sort column '${sort}' is none of the columns; name one of them`);
  requireKept(keepGenerations);
}

/** Throws BAD_INPUT for a number of generations that no table can keep. */
export function requireKept(keepGenerations: number | undefined): void {
  const isPossible = keepGenerations === undefined || (Number.isInteger(keepGenerations) && keepGenerations >= 1 && keepGenerations <= limits.generationsMax);
  if (!isPossible) throw badInput(`a table cannot keep ${keepGenerations} generations; use 1 to ${limits.generationsMax}`);
}

function requireColumns(columns: TablesSpec["columns"]): void {
  if (columns.length > limits.columnsMax) throw badInput(`${columns.length} columns; use at most ${limits.columnsMax}`);
  const seen = new Set<string>();
  for (const { name, dtype, unit } of columns) {
    if (name.length > limits.columnNameMax) throw badInput(`the column name '${name.slice(0, 40)}…' has ${name.length} characters; use at most ${limits.columnNameMax}`);
    if (seen.has(name)) throw badInput(`two columns are named '${name}'; rename one`);
    if (!dtypes.includes(dtype)) throw badInput(`column '${name}' has dtype ${String(dtype)}; use one of ${dtypes.join(", ")}`);
    if ((unit?.length ?? 0) > unitMax) throw badInput(`the unit of column '${name}' has more than ${unitMax} characters; shorten it`);
    seen.add(name);
  }
}

/** Characters of a unit, as the footer's schema has it. */
const unitMax = 64;
