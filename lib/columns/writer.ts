/** Writing tables: rows in, chunks out as they fill, everything visible at once at the end or not at all. */
import { basename, resolve } from "node:path";
import { BquerydError, toBquerydError } from "../base/errors.js";
import { realFiles, type Files } from "../base/files.js";
import { limits } from "../base/limits.js";
import { joinSet, readyCommit, switchCurrents, type CommittedTable, type ReadyTable } from "./commit.js";
import { dtypes, type Batch, type Dtype } from "./dtypes.js";
import { parseTableName } from "./names.js";
import { createStaging } from "./staging.js";
import { discardTable, findOtherShards, prepareTable, type PreparedTable } from "./table-directory.js";

/** What to write. */
export interface TablesSpec {
  /** Directories, `NAME.bcolz` or `NAME-0.bcolzs`, of the shards in order. */
  readonly paths: readonly string[];
  readonly columns: readonly { readonly name: string; readonly dtype: Dtype }[];
  /** Whether the tables are the shards of one set. */
  readonly set: boolean;
  /** Whether tables that exist are replaced; otherwise they are an error. A set replaces all shards of its name. */
  readonly replace: boolean;
  /** The column the rows are sorted by, as the caller knows. */
  readonly sort: string | null;
  readonly files?: Files;
  /** Distinct values a dictionary may have before its column becomes plain. */
  readonly dictionaryValuesMax?: number;
}

/** Tables being written. Calls follow one another: each is awaited before the next. */
export interface TablesWriter {
  /**
   * Adds rows to a shard: one batch a column, in the order of the columns, of equal rows. The batches are copied.
   * Throws SCHEMA_MISMATCH, MEMORY_LIMIT, DISK_FULL, IO; then only `abort` is left.
   */
  append(shard: number, batches: readonly Batch[]): Promise<void>;
  /** Tells that a shard has all its rows, so that its memory can go. Not needed, and final. */
  finishShard(shard: number): Promise<void>;
  /** Makes everything visible. When it throws before the switch, everything is as it was; the tables are closed either way. */
  commit(): Promise<CommittedTable[]>;
  /** Leaves everything as it was; nothing after a commit. */
  abort(): Promise<void>;
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
    if (others.length > 0 && !spec.replace) throw new BquerydError("EXISTS", `${others[0]!} is a shard of that name already; use --replace to replace the whole set, or another name`, { details: { path: others[0] } });
    for (const path of paths) prepared.push(await prepareTable(files, path, spec));
    for (const path of others) prepared.push(await prepareTable(files, path, { replace: true }));
  } catch (cause) {
    // The failure that led here is the one to tell, not what goes wrong in cleaning up after it.
    await discardAll(files, prepared).catch(() => undefined);
    throw toBquerydError(cause, `write ${paths[0]!}`);
  }
  return createWriter(spec, files, prepared.slice(0, paths.length), prepared.slice(paths.length));
}

function createWriter(spec: TablesSpec, files: Files, tables: readonly PreparedTable[], others: readonly PreparedTable[]): TablesWriter {
  const staging = createStaging({ columns: spec.columns, directories: tables.map((table) => table.path), dictionaryValuesMax: spec.dictionaryValuesMax ?? limits.dictionaryValuesMax, files });
  const all = [...tables, ...others];
  let state: "open" | "working" | "failed" | "closed" = "open";

  /** One call at a time; after a failure only `abort` is left. */
  async function exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (state !== "open") throw new Error(`the tables are ${state}`);
    state = "working";
    try {
      const result = await work();
      state = "open";
      return result;
    } catch (cause) {
      state = "failed";
      throw toBquerydError(cause, `write ${spec.paths[0]!}`);
    }
  }

  async function ready(): Promise<ReadyTable[]> {
    const footers = await staging.seal(spec.sort);
    const joined = spec.set ? joinSet(footers) : footers;
    return readyCommit(files, tables.map((table, i) => ({ table, footer: joined[i]! })));
  }

  /** The failure is the one to tell, not what may go wrong in cleaning up after it. */
  async function closeAfter(cause: unknown, cleanUp: () => Promise<void>): Promise<never> {
    state = "closed";
    await cleanUp().catch(() => undefined);
    throw cause;
  }

  return {
    append: (shard, batches) => exclusively(() => staging.append(shard, batches)),
    finishShard: (shard) => exclusively(() => staging.finish(shard)),
    async commit() {
      const readied = await exclusively(ready).catch((cause: unknown) => closeAfter(cause, () => discardAll(files, all)));
      // From here on some of it may be visible, so nothing is taken back.
      const committed = await exclusively(async () => {
        const switched = await switchCurrents(files, readied, others);
        await releaseLocks(all);
        return switched;
      }).catch((cause: unknown) => closeAfter(cause, () => releaseLocks(all)));
      state = "closed";
      return committed;
    },
    async abort() {
      if (state === "closed") return;
      state = "closed";
      await discardAll(files, all);
    },
  };
}

/** Discards in reverse, so that a folder made for all of them is empty at the end; tries all, then tells of the first failure. */
async function discardAll(files: Files, tables: readonly PreparedTable[]): Promise<void> {
  const failures: unknown[] = [];
  for (const table of tables.toReversed()) {
    await discardTable(files, table).catch((cause: unknown) => failures.push(cause));
  }
  if (failures.length > 0) throw toBquerydError(failures[0], "clean up after an unfinished write");
}

async function releaseLocks(tables: readonly PreparedTable[]): Promise<void> {
  for (const table of tables) await table.lock.release();
}

function requireNames({ paths, columns, sort, set }: TablesSpec): void {
  if (paths.length === 0 || paths.length > limits.shardsMax) throw badInput(`${paths.length} tables at once; use 1 to ${limits.shardsMax}`);
  const names = paths.map((path) => parseTableName(basename(resolve(path))));
  if (new Set(paths.map((path) => resolve(path))).size !== paths.length) throw badInput("two tables have one path; give each its own");
  if (set && names.some(({ base, shard }) => shard === null || base !== names[0]!.base)) throw badInput("the shards of a set have one name and a number each; use NAME-0.bcolzs, NAME-1.bcolzs and so on");
  requireColumns(columns);
  if (sort !== null && !columns.some(({ name }) => name === sort)) throw badInput(`sort column '${sort}' is none of the columns; name one of them`);
}

function requireColumns(columns: TablesSpec["columns"]): void {
  if (columns.length > limits.columnsMax) throw badInput(`${columns.length} columns; use at most ${limits.columnsMax}`);
  const seen = new Set<string>();
  for (const { name, dtype } of columns) {
    if (name.length > limits.columnNameMax) throw badInput(`the column name '${name.slice(0, 40)}…' has ${name.length} characters; use at most ${limits.columnNameMax}`);
    if (seen.has(name)) throw badInput(`two columns are named '${name}'; rename one`);
    if (!dtypes.includes(dtype)) throw badInput(`column '${name}' has dtype ${dtype}; use one of ${dtypes.join(", ")}`);
    seen.add(name);
  }
}

function badInput(message: string): BquerydError {
  return new BquerydError("BAD_INPUT", message);
}
