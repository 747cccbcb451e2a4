/** Sorting more rows than memory holds: sorted runs in a temporary file, merged, some at a time, until one is left. */
import type { Batch, Dtype } from "../../columns/dtypes.js";
import { throwIfAborted } from "../abort.js";
import { batchBytes, dictionaryBytes, isTextBatch } from "../values/batches.js";
import { createGatherer } from "../values/gather.js";
import { keysOf } from "./keys.js";
import { mergeRuns } from "./merge.js";
import type { PieceLimits } from "./merge.js";
import { sortedOrder } from "./order.js";
import { readBlock, writeBlock } from "./runs.js";
import type { Block, Run } from "./runs.js";
import { createSpool } from "../input/spool.js";
import type { Spool } from "../input/spool.js";

/** What to sort, and with how much memory. */
export interface SortSpec {
  readonly dtypes: readonly Dtype[];
  /** Place of the column to sort by. */
  readonly by: number;
  /** A path on the disk that temporary files go to. */
  readonly near: string;
  /** Memory for rows, bytes; some more is used to merge. */
  readonly budgetBytes?: number;
  /** Runs merged at a time, at most. */
  readonly runsAtOnce?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Rows on their way into order; whoever opened it closes it. */
export interface Sorter {
  /** Rows so far. */
  readonly rows: number;
  /** Adds rows, one batch a column; the batches are kept, and must not change. Throws DISK_FULL, IO. */
  push(batches: readonly Batch[]): Promise<void>;
  /**
   * Yields all rows once, in ascending order, nulls last, equal ones in the order they came. Nothing can be pushed
   * after. Throws DISK_FULL, IO, CANCELLED.
   */
  sorted(): AsyncGenerator<readonly Batch[]>;
  /** Lets memory and disk go. */
  close(): Promise<void>;
}

const defaultBudgetBytes = 128 * 1024 * 1024;
const defaultRunsAtOnce = 32;
/** Blocks of all runs that are merged at a time take no more than this, where two of them do not already. */
const mergeBudgetBytes = 96 * 1024 * 1024;
/** Sorting takes a key and places of a row besides its values, bytes. */
const rowOverheadBytes = 24;
/** The size of a block in a run. */
const blockLimits: PieceLimits = { rows: 16_384, bytes: 1024 * 1024 };
/** The size of what is handed out. */
const pieceLimits: PieceLimits = { rows: 65_536, bytes: 16 * 1024 * 1024 };

interface Sorting {
  readonly spec: SortSpec;
  pending: (readonly Batch[])[];
  pendingBytes: number;
  /** The offsets of dictionaries that are counted in there. */
  dictionaries: Set<Uint32Array>;
  rows: number;
  file: Spool | null;
  runs: Run[];
}

/** A sorter without rows; it makes its temporary file when the memory is used up. */
export function createSorter(spec: SortSpec): Sorter {
  const sorting: Sorting = { spec, pending: [], pendingBytes: 0, dictionaries: new Set(), rows: 0, file: null, runs: [] };
  return {
    get rows() { return sorting.rows; },
    push: (batches) => pushRows(sorting, batches),
    sorted: () => sortedRows(sorting),
    async close() {
      sorting.pending = [];
      await sorting.file?.close();
    },
  };
}

async function pushRows(sorting: Sorting, batches: readonly Batch[]): Promise<void> {
  const rows = batches[0]?.rows ?? 0;
  if (rows === 0) return;
  sorting.pending.push(batches);
  sorting.rows += rows;
  sorting.pendingBytes += rows * rowOverheadBytes + newBytes(batches, sorting.dictionaries);
  if (sorting.pendingBytes >= (sorting.spec.budgetBytes ?? defaultBudgetBytes)) await spill(sorting);
}

/** Bytes of batches without the dictionaries that are known already; the others are known then. */
function newBytes(batches: readonly Batch[], dictionaries: Set<Uint32Array>): number {
  let bytes = 0;
  for (const batch of batches) {
    const shared = dictionaryBytes(batch);
    bytes += batchBytes(batch) - shared;
    if (!isTextBatch(batch) || shared === 0 || dictionaries.has(batch.values.offsets)) continue;
    dictionaries.add(batch.values.offsets);
    bytes += shared;
  }
  return bytes;
}

/** Bytes of a row, on average: of a large dictionary few entries are in few rows. */
function meanRowBytes(batches: readonly Batch[]): number {
  const { rows } = batches[0]!;
  return batches.reduce((sum, batch) => {
    const shared = dictionaryBytes(batch);
    const entries = isTextBatch(batch) ? batch.values.offsets.length : 1;
    return sum + batchBytes(batch) - shared + Math.min(shared, rows * shared / entries);
  }, 0) / rows;
}

async function* sortedRows(sorting: Sorting): AsyncGenerator<readonly Batch[]> {
  const { spec } = sorting;
  if (sorting.runs.length === 0) {
    yield* piecesOf(sorting, pieceLimits);
    return;
  }
  if (sorting.pending.length > 0) await spill(sorting);
  while (sorting.runs.length > mostRuns(sorting)) await mergeSome(sorting);
  const readers = sorting.runs.map((run) => readRun(sorting.file!, run, spec));
  yield* mergeRuns(readers, spec.by, pieceLimits);
}

/** Writes what is in memory as a run. */
async function spill(sorting: Sorting): Promise<void> {
  sorting.file ??= createSpool(sorting.spec.near);
  const blocks: Block[] = [];
  for (const batches of piecesOf(sorting, blockLimits)) {
    throwIfAborted(sorting.spec.signal, "import");
    blocks.push(await writeBlock(sorting.file, batches));
  }
  sorting.runs.push({ blocks });
  sorting.pending = [];
  sorting.pendingBytes = 0;
  sorting.dictionaries.clear();
}

/** The rows in memory, in order. */
function* piecesOf({ pending, spec }: Sorting, limits: PieceLimits): Generator<Batch[]> {
  if (pending.length === 0) return;
  const order = sortedOrder(pending.map((batches) => keysOf(batches[spec.by]!)));
  const starts = new Uint32Array(pending.length + 1);
  const batchOf = new Uint32Array(order.length);
  pending.forEach((batches, index) => {
    starts[index + 1] = starts[index]! + batches[0]!.rows;
    batchOf.fill(index, starts[index], starts[index + 1]);
  });
  const rowBytes = Float64Array.from(pending, meanRowBytes);
  const gatherers = spec.dtypes.map((_, column) => createGatherer(pending.map((batches) => batches[column]!)));
  for (let start = 0; start < order.length;) {
    const rows = order.subarray(start, Math.min(order.length, start + limits.rows));
    const from = rows.map((row) => batchOf[row]!);
    const picks = { from, rows: rows.map((row, i) => row - starts[from[i]!]!), count: rows.length };
    picks.count = countFitting(rowBytes, from, limits.bytes);
    yield gatherers.map((gather) => gather(picks));
    start += picks.count;
  }
}

/** How many of the picked rows, at least one, take about so many bytes: those of a row are the average of its batches. */
function countFitting(rowBytes: Float64Array, from: Uint32Array, bytesMax: number): number {
  let bytes = 0;
  for (let i = 0; i < from.length; i++) {
    bytes += rowBytes[from[i]!]!;
    if (bytes > bytesMax) return Math.max(1, i);
  }
  return from.length;
}

/** Merges runs that follow one another, as many at a time as may be, into longer ones in a new file. */
async function mergeSome(sorting: Sorting): Promise<void> {
  const { spec, runs } = sorting;
  const atOnce = mostRuns(sorting);
  const file = createSpool(spec.near);
  const merged: Run[] = [];
  try {
    for (let first = 0; first < runs.length; first += atOnce) {
      const readers = runs.slice(first, first + atOnce).map((run) => readRun(sorting.file!, run, spec));
      const blocks: Block[] = [];
      for await (const batches of mergeRuns(readers, spec.by, blockLimits)) blocks.push(await writeBlock(file, batches));
      merged.push({ blocks });
    }
  } catch (cause) {
    await file.close();
    throw cause;
  }
  await sorting.file!.close();
  Object.assign(sorting, { file, runs: merged });
}

/** How many runs are merged at a time: fewer where single rows are so wide that their blocks are large. */
function mostRuns({ spec, runs }: Sorting): number {
  const largest = runs.reduce((most, run) => run.blocks.reduce((inner, { bytes }) => Math.max(inner, bytes), most), 1);
  return Math.max(2, Math.min(spec.runsAtOnce ?? defaultRunsAtOnce, Math.floor(mergeBudgetBytes / largest)));
}

async function* readRun(file: Spool, { blocks }: Run, { dtypes, signal }: SortSpec): AsyncGenerator<readonly Batch[]> {
  for (const block of blocks) {
    throwIfAborted(signal, "import");
    yield await readBlock(file, block, dtypes);
  }
}
