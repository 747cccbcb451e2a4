/**
 * Writing a directory that Python's bcolz 1.x opens, column after column, so that memory holds no more than a chunk.
 *
 *   __rootdirs__, __attrs__           {"names": [...]} and {}: JSON in ASCII, one line
 *   COLUMN/__attrs__                  {}
 *   COLUMN/meta/sizes, meta/storage   shape; dtype and rows of a chunk
 *   COLUMN/data/__K.blp               chunk K, LZ4 over byte-shuffled values; the last holds what is left over
 */
import { dirname, join, resolve } from "node:path";
import { rm } from "node:fs/promises";
import { mapBounded } from "../../base/bounded.js";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { realFiles, type Files } from "../../base/files.js";
import { createArena, type Arena } from "../../columns/encode/arena.js";
import { encodeBlosc } from "../../columns/bcolz/encode-blosc.js";
import { chunkRows, type Batch } from "../../columns/dtypes.js";
import { readChunk } from "../../columns/read/batches.js";
import { createDecoder } from "../../columns/read/decoder.js";
import type { Table } from "../../columns/read/table.js";
import { holdsTable } from "../../columns/directory/current.js";
import { throwIfAborted } from "../abort.js";
import { asidePath, oldPath, removeLeftovers } from "../export/aside.js";
import { noFolder } from "../export/sink.js";
import { planColumn, type BcolzPlan, type RowsOf } from "./plan.js";
import { encodeRows } from "./rows.js";
import { gatherRows } from "../values/gather.js";

/** What to write, and where to. */
export interface BcolzOutput {
  /** Tables of one schema; their rows follow one another. */
  readonly tables: readonly Table[];
  /** Columns to write, in this order; all without it. */
  readonly columns?: readonly string[] | undefined;
  /** The rows of a chunk to write: a byte a row, 1 for those; null for all. */
  readonly select?: ((table: Table, chunk: number) => Uint8Array | null) | undefined;
  /** The directory. */
  readonly output: string;
  /** Take the place of a directory of bcolz that is there. */
  readonly replace?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of the values written so far, and of all: rows times columns. */
  readonly onProgress?: ((values: number, total: number) => void) | undefined;
  readonly files?: Files | undefined;
}

/** Rows of a table that are written: the numbers of those in a chunk; null for all of it. */
type Selection = readonly (Uint16Array | null)[];

interface Writing {
  readonly options: BcolzOutput;
  readonly files: Files;
  readonly arena: Arena;
  /** The directory until it is whole. */
  readonly aside: string;
  readonly rows: number;
  readonly rowsOf: RowsOf;
  /** Files and directories written, to be made durable. */
  readonly written: string[];
  bytes: number;
}

/** Bytes of rows that are turned over at once. */
const sliceBytes = 1024 * 1024;
const filesAtOnce = 8;
const cparams = '{"clevel": 5, "shuffle": 1, "cname": "lz4", "quantize": 0}';

/**
 * Writes rows of tables as a directory of bcolz, which appears whole or not at all; gives how many rows, and the bytes of
 * its files. Throws EXISTS, NOT_FOUND, UNKNOWN_COLUMN, CANCELLED, DISK_FULL, UNSUPPORTED_DTYPE for what bcolz cannot hold (nulls
 * of other dtypes than floats and times, texts of thousands of characters or that end in NUL), UNSUPPORTED_FORMAT for a
 * column name it refuses; and what reading throws.
 */
export async function writeBcolz(options: BcolzOutput): Promise<{ rows: number; bytes: number }> {
  const files = options.files ?? realFiles;
  const output = resolve(options.output);
  await makeRoom(files, output, options.replace ?? false);
  const aside = asidePath(output);
  try {
    const selections = options.tables.map((table) => selectRows(table, options));
    const rows = options.tables.reduce((sum, table, at) => sum + countRows(table, selections[at]!), 0);
    const writing: Writing = { options, files, arena: createArena(), aside, rows, rowsOf: (column) => readRows(options, selections, column), written: [], bytes: 0 };
    await writeTable(writing);
    await mapBounded(writing.written, filesAtOnce, (path) => files.sync(path));
    await moveInPlace(files, aside, output);
    return { rows, bytes: writing.bytes };
  } catch (cause) {
    // The failure that led here is the one to tell, not what goes wrong in cleaning up after it.
    await rm(aside, { recursive: true, force: true }).catch(() => undefined);
    throw toBquerydError(cause, `write ${options.output}`);
  }
}

function selectRows(table: Table, { select, signal }: BcolzOutput): Selection {
  return Array.from({ length: Math.ceil(table.rows / chunkRows) }, (_, chunk) => {
    throwIfAborted(signal, "export");
    const mask = select?.(table, chunk) ?? null;
    return mask === null || !mask.includes(0) ? null : Uint16Array.from(mask.keys()).filter((row) => mask[row] === 1);
  });
}

function countRows(table: Table, selection: Selection): number {
  return selection.reduce((sum, rows, chunk) => sum + (rows?.length ?? Math.min(chunkRows, table.rows - chunk * chunkRows)), 0);
}

function* readRows({ tables, signal }: BcolzOutput, selections: readonly Selection[], name: string): Generator<Batch> {
  const decoder = createDecoder();
  for (const [at, table] of tables.entries()) {
    const column = table.column(name);
    for (const [chunk, rows] of selections[at]!.entries()) {
      throwIfAborted(signal, "export");
      if (rows?.length === 0) continue;
      const batch = readChunk(column, chunk, decoder);
      yield rows === null ? batch : gatherRows([batch], { count: rows.length, from: new Uint32Array(rows.length), rows: Uint32Array.from(rows) });
    }
  }
}

async function writeTable(writing: Writing): Promise<void> {
  const { options, aside, rows, rowsOf } = writing;
  const names = options.columns ?? options.tables[0]!.columns.map(({ name }) => name);
  await makeDirectory(writing, aside);
  await writeText(writing, join(aside, "__rootdirs__"), `{"names": [${names.map(asciiJson).join(", ")}]}\n`);
  await writeText(writing, join(aside, "__attrs__"), "{}\n");
  for (const [at, name] of names.entries()) {
    const plan = planColumn(options.tables, name, rows, rowsOf);
    await writeColumn(writing, plan, (done) => { options.onProgress?.(at * rows + done, names.length * rows); });
  }
}

async function writeColumn(writing: Writing, plan: BcolzPlan, onRows: (rows: number) => void): Promise<void> {
  const { aside, rows } = writing;
  const column = join(aside, plan.name);
  for (const directory of [column, join(column, "meta"), join(column, "data")]) await makeDirectory(writing, directory);
  const compressedBytes = await writeChunks(writing, plan, join(column, "data"), onRows);
  const nbytes = rows * plan.itemBytes;
  await writeText(writing, join(column, "__attrs__"), "{}\n");
  await writeText(writing, join(column, "meta", "storage"), `{"dtype": "${plan.stored}", "cparams": ${cparams}, "chunklen": ${plan.chunkLength}, "expectedlen": ${rows}, "dflt": ${plan.fill}}\n`);
  // As in bcolz itself, what is left over counts as a whole chunk uncompressed.
  await writeText(writing, join(column, "meta", "sizes"), `{"shape": [${rows}], "nbytes": ${nbytes}, "cbytes": ${compressedBytes + plan.chunkLength * plan.itemBytes}}\n`);
}

/** Writes the chunks of a column; gives the bytes of those that are full. */
async function writeChunks(writing: Writing, plan: BcolzPlan, directory: string, onRows: (rows: number) => void): Promise<number> {
  const { itemBytes, chunkLength } = plan;
  const sliceRows = Math.max(1, Math.floor(sliceBytes / itemBytes));
  const chunk = new Uint8Array(Math.min(chunkLength, Math.max(1, writing.rows)) * itemBytes);
  let used = 0;
  let done = 0;
  let count = 0;
  let compressedBytes = 0;
  const flush = async () => {
    const file = encodeBlosc(writing.arena, chunk.subarray(0, used), plan.typeBytes);
    await writeFile(writing, join(directory, `__${count++}.blp`), file);
    if (used === chunkLength * itemBytes) compressedBytes += file.length - 16;
    used = 0;
  };
  for (const batch of writing.rowsOf(plan.name)) {
    for (let from = 0; from < batch.rows;) {
      const to = Math.min(batch.rows, from + sliceRows, from + chunkLength - used / itemBytes);
      const bytes = encodeRows(plan, batch, from, to);
      chunk.set(bytes, used);
      used += bytes.length;
      from = to;
      if (used === chunkLength * itemBytes) await flush();
    }
    done += batch.rows;
    onRows(done);
  }
  if (used > 0) await flush();
  if (done !== writing.rows) throw new BquerydError("INTERNAL", `column '${plan.name}' gave ${done} rows of ${writing.rows}`);
  return compressedBytes;
}

/** Python reads these files as ASCII. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

async function makeDirectory({ files, written }: Writing, path: string): Promise<void> {
  await files.makeDirectory(path);
  written.push(path);
}

async function writeText(writing: Writing, path: string, text: string): Promise<void> {
  await writeFile(writing, path, Buffer.from(text, "ascii"));
}

async function writeFile(writing: Writing, path: string, bytes: Uint8Array): Promise<void> {
  await writing.files.create(path, bytes);
  writing.written.push(path);
  writing.bytes += bytes.length;
}

async function makeRoom(files: Files, output: string, replace: boolean): Promise<void> {
  try {
    if (await files.find(dirname(output)) === undefined) throw noFolder(dirname(output));
    await removeLeftovers(output);
    await requireFree(files, output, replace);
  } catch (cause) {
    throw toBquerydError(cause, `write ${output}`);
  }
}

/** Only a directory of bcolz is ever replaced: a table of ours has more to lose. */
async function requireFree(files: Files, output: string, replace: boolean): Promise<void> {
  if (await files.find(output) === undefined) return;
  const isReplaceable = await files.find(join(output, "__rootdirs__")) !== undefined && await files.find(join(output, "CURRENT")) === undefined;
  if (!replace) throw new BquerydError("EXISTS", `${output} is there already; use ${isReplaceable ? "--replace to replace it, or " : ""}another name`, { details: { path: output } });
  if (!isReplaceable) throw new BquerydError("EXISTS", `${output} is ${holdsTable(output) ? "a table of bqueryd" : "no directory of bcolz"}; use another name`, { details: { path: output } });
}

async function moveInPlace(files: Files, aside: string, output: string): Promise<void> {
  const before = await files.find(output) === undefined ? undefined : oldPath(aside);
  // A directory that is not empty cannot be replaced in one step: between two renames there is none.
  if (before !== undefined) await files.rename(output, before);
  try {
    await files.rename(aside, output);
  } catch (cause) {
    if (before !== undefined) await putBack(files, before, output);
    throw cause;
  }
  await files.syncDirectory(dirname(output));
  if (before !== undefined) await rm(before, { recursive: true, force: true });
}

async function putBack(files: Files, before: string, output: string): Promise<void> {
  try {
    await files.rename(before, output);
  } catch (cause) {
    throw new BquerydError(toBquerydError(cause).code, `${output} could neither be replaced nor put back; what it was is whole in ${before}: rename that`, { details: { path: output, before }, cause });
  }
}
