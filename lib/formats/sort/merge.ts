/** Merging sorted runs: rows in order, equal ones in the order of their runs. */
import type { Batch } from "../../columns/dtypes.js";
import { batchBytes } from "../values/batches.js";
import { gatherRows } from "../values/gather.js";
import { compareKeys, keysOf } from "./keys.js";
import type { SortKeys } from "./keys.js";

/** How much of the merged rows is put together at a time: until one of these is reached. */
export interface PieceLimits {
  readonly rows: number;
  readonly bytes: number;
}

/** A run as it is read: its blocks in order, each one batch a column and none without rows. */
export type RunReader = AsyncIterator<readonly Batch[]>;

/** Where the reading of a run is. */
interface Cursor {
  readonly run: number;
  readonly reader: RunReader;
  block: readonly Batch[];
  keys: SortKeys;
  row: number;
  /** Bytes of a row of the block, on average. */
  rowBytes: number;
  /** Place of the block among those of the piece being put together; -1 when no row of it is in there. */
  source: number;
}

/** Merged rows being put together: which rows of which blocks. */
interface Piece {
  readonly from: Uint32Array;
  readonly rows: Uint32Array;
  count: number;
  bytes: number;
  blocks: (readonly Batch[])[];
}

/** Yields the rows of runs, each sorted by column number `by`, nulls last, as batches sorted by it. */
export async function* mergeRuns(readers: readonly RunReader[], by: number, limits: PieceLimits): AsyncGenerator<readonly Batch[]> {
  const heap = await openCursors(readers, by);
  const piece: Piece = { from: new Uint32Array(limits.rows), rows: new Uint32Array(limits.rows), count: 0, bytes: 0, blocks: [] };
  while (heap.length > 0) {
    const top = heap[0]!;
    takeRows(piece, top, heap[secondOf(heap)], limits);
    if (piece.count === limits.rows || piece.bytes >= limits.bytes) yield finishPiece(piece, heap);
    if (top.row === top.keys.rows && !await nextBlock(top, by)) removeTop(heap);
    siftDown(heap, 0);
  }
  if (piece.count > 0) yield finishPiece(piece, heap);
}

async function openCursors(readers: readonly RunReader[], by: number): Promise<Cursor[]> {
  const heap: Cursor[] = [];
  for (const [run, reader] of readers.entries()) {
    const cursor: Cursor = { run, reader, block: [], keys: { rows: 0, high: new Uint32Array(0), low: new Uint32Array(0), nulls: null, texts: null }, row: 0, rowBytes: 0, source: -1 };
    if (await nextBlock(cursor, by)) heap.push(cursor);
  }
  for (let at = heap.length >> 1; at >= 0; at--) siftDown(heap, at);
  return heap;
}

async function nextBlock(cursor: Cursor, by: number): Promise<boolean> {
  const next = await cursor.reader.next();
  if (next.done === true) return false;
  const block = next.value;
  const keys = keysOf(block[by]!);
  const bytes = block.reduce((sum, batch) => sum + batchBytes(batch), 0);
  Object.assign(cursor, { block, keys, row: 0, rowBytes: bytes / keys.rows, source: -1 });
  return true;
}

/** Takes rows of a cursor as long as they come before those of the next one, its block lasts and the piece has room. */
function takeRows(piece: Piece, top: Cursor, second: Cursor | undefined, limits: PieceLimits): void {
  if (top.source === -1) top.source = piece.blocks.push(top.block) - 1;
  do {
    piece.from[piece.count] = top.source;
    piece.rows[piece.count++] = top.row;
    piece.bytes += top.rowBytes;
    top.row++;
  } while (top.row < top.keys.rows && piece.count < limits.rows && piece.bytes < limits.bytes && (second === undefined || comesBefore(top, second)));
}

function finishPiece(piece: Piece, cursors: readonly Cursor[]): readonly Batch[] {
  const { blocks } = piece;
  const batches = blocks[0]!.map((_, column) => gatherRows(blocks.map((block) => block[column]!), piece));
  Object.assign(piece, { count: 0, bytes: 0, blocks: [] });
  for (const cursor of cursors) cursor.source = -1;
  return batches;
}

function comesBefore(a: Cursor, b: Cursor): boolean {
  const order = compareKeys(a.keys, a.row, b.keys, b.row);
  return order < 0 || (order === 0 && a.run < b.run);
}

/** Place of the cursor that comes after the top one. */
function secondOf(heap: readonly Cursor[]): number {
  return heap.length > 2 && comesBefore(heap[2]!, heap[1]!) ? 2 : 1;
}

function removeTop(heap: Cursor[]): void {
  const last = heap.pop()!;
  if (heap.length > 0) heap[0] = last;
}

/** Moves a cursor down to its place below the smaller ones. */
function siftDown(heap: Cursor[], start: number): void {
  for (let at = start; 2 * at + 1 < heap.length;) {
    const left = 2 * at + 1;
    const least = left + 1 < heap.length && comesBefore(heap[left + 1]!, heap[left]!) ? left + 1 : left;
    if (!comesBefore(heap[least]!, heap[at]!)) return;
    [heap[at], heap[least]] = [heap[least]!, heap[at]!];
    at = least;
  }
}
