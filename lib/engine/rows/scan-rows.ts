/**
 * The rows of one shard that a query selects, in slices of bounded size. A slice says from which place in the shard it is
 * and where the next one goes on, so that any task of the query can go on where another ended. Places are rows of the
 * shard; where the query wants a few first rows of an order they are places among the rows that the shard keeps for it.
 */
import { BquerydError } from "../../base/errors.js";
import { chunkRows } from "../../columns/dtypes.js";
import type { Query } from "../query/query.js";
import { bind, selectionOf, stopIfAsked, withScan, type Scan, type ScanContext, type ScanTable } from "../scan.js";
import { blankValues } from "../values.js";
import { firstInOrder } from "./best-rows.js";
import { rowSpecs } from "./columns.js";
import { bytesOfRows, joinRows, sliceRows, type Rows } from "./rows.js";
import { encodeRows } from "./slice-bytes.js";
import { createRowTaker, type RowTaker } from "./take-rows.js";

/** A stretch of a shard's selected rows. */
export interface Slice {
  readonly from: number;
  /** Where the next slice goes on; null at the end of the shard. */
  readonly next: number | null;
  readonly rows: number;
  readonly bytes: Uint8Array;
}

/** What may still be sent, lowered in place. */
export interface RowBudget {
  slices: number;
  rows: number;
}

/** Rows of one slice. */
const sliceRowsMax = 65_536;
/** A shard keeps the first rows of an order where they are at most one in so many. */
const keptShareMin = 8;
/** Bytes of one slice, but for one of a single row. */
const sliceBytesMax = 2 * 1024 * 1024;

/**
 * Gives slices from a place on until the shard or the budget ends; true at the end of the shard. Throws UNKNOWN_COLUMN,
 * DTYPE_MISMATCH, MEMORY_LIMIT, CANCELLED and what decoding throws.
 */
export function scanRows(table: ScanTable, query: Query, context: ScanContext, from: number, budget: RowBudget, emit: (slice: Slice) => void): boolean {
  return withScan(table, query, context, (scan) => {
    const columns = rowSpecs(scan.query).map(({ expr }) => bind(expr, scan));
    const none: Rows = { count: 0, columns: columns.map(({ dtype }) => ({ values: blankValues(dtype, 0), isNull: null })) };
    const source: Source = { scan, taker: createRowTaker(columns, scan), none };
    if (keepsFirst(query, table.rows)) return sendKept(keepFirst(source), from, budget, emit);
    return sendInTurn(source, from, budget, emit);
  });
}

/** Each task finds the first rows anew: where they are many, sending all of them in turn is less work. */
function keepsFirst({ order, limit, offset }: Query, rows: number): boolean {
  if (order.length === 0 || limit === null) return false;
  return offset + limit <= sliceRowsMax || (offset + limit) * keptShareMin <= rows;
}

interface Source {
  readonly scan: Scan;
  readonly taker: RowTaker;
  /** No rows of the right dtypes. */
  readonly none: Rows;
}

/** A run of selected rows, and the row of the shard after it. */
interface Piece {
  readonly rows: Rows;
  readonly bytes: number;
  readonly end: number;
}

function sendInTurn(source: Source, from: number, budget: RowBudget, emit: (slice: Slice) => void): boolean {
  const { none } = source;
  const dtypes = none.columns.map(({ values }) => values.dtype);
  let parts: Rows[] = [];
  let [start, end, rows, bytes] = [from, from, 0, 0];
  function send(next: number | null): void {
    emit({ from: start, next, rows, bytes: encodeRows(parts.length === 0 ? none : joinRows(parts, dtypes)) });
    budget.slices -= 1;
    budget.rows -= rows;
    [parts, start, rows, bytes] = [[], end, 0, 0];
  }
  for (const piece of piecesFrom(source, from, () => Math.min(sliceRowsMax, budget.rows - rows))) {
    if (rows > 0 && (rows + piece.rows.count > sliceRowsMax || bytes + piece.bytes > sliceBytesMax)) {
      send(end);
      if (budget.slices <= 0) return false;
    }
    if (piece.rows.count > 0) parts.push(piece.rows);
    rows += piece.rows.count;
    bytes += piece.bytes;
    end = piece.end;
    if (rows >= budget.rows && end < source.scan.table.rows) {
      send(end);
      return false;
    }
  }
  send(null);
  return true;
}

/** The selected rows from a row on, chunk by chunk; one piece of a chunk at least, maybe empty, ends with it. */
function* piecesFrom(source: Source, from: number, room: () => number): Generator<Piece> {
  const { table, context: { cost, shouldStop }, arena, lease } = source.scan;
  const selection = selectionOf(source.scan, true);
  const takeChunk = createChunkTaker(source, room);
  const chunkCount = Math.ceil(table.rows / chunkRows);
  let pruned = 0;
  for (let chunk = Math.floor(from / chunkRows); chunk < chunkCount; chunk++) {
    stopIfAsked(shouldStop);
    const start = chunk * chunkRows;
    const rows = Math.min(chunkRows, table.rows - start);
    const selected = selection.select(chunk, rows);
    if (selected.rows === 0 && selected.isKnown) pruned += 1;
    else cost.rowsScanned += rows;
    const index = selected.index === 0 ? null : new Uint16Array(arena.kernels.memory.buffer, selected.index, selected.rows);
    yield* takeChunk({ chunk, rows, index, pointer: selected.index, count: selected.rows, first: placeOf(index, from - start, selected.rows) });
    lease.returnAll();
  }
  cost.chunksPruned += pruned;
  if (from === 0 && pruned === chunkCount && chunkCount > 0) cost.shardsPruned += 1;
}

/** What is selected of a chunk; `index` null stands for all of its rows. */
interface ChunkRows {
  readonly chunk: number;
  readonly rows: number;
  readonly index: Uint16Array | null;
  readonly pointer: number;
  readonly count: number;
  /** The first place in the index that is wanted. */
  readonly first: number;
}

function createChunkTaker({ scan: { arena }, taker, none }: Source, room: () => number): (selected: ChunkRows) => Generator<Piece> {
  let identity = 0;
  let step = Math.min(chunkRows, taker.rowsOf(sliceBytesMax));

  /** A pointer to the rows from a place on: all of a chunk have none until a part of them is wanted. */
  function pointerAt({ pointer, rows }: ChunkRows, place: number, count: number): number {
    if (pointer !== 0) return pointer + 2 * place;
    if (count === rows) return 0;
    if (identity === 0) {
      identity = arena.allocate(2 * chunkRows);
      new Uint16Array(arena.kernels.memory.buffer, identity, chunkRows).forEach((_, row, page) => (page[row] = row));
    }
    return identity + 2 * place;
  }

  return function* takeChunk(selected) {
    const { chunk, rows, index, count, first } = selected;
    const start = chunk * chunkRows;
    for (let place = first; place < count;) {
      let wanted = Math.min(step, count - place, Math.max(1, room()));
      let taken = taker.take(chunk, wanted, pointerAt(selected, place, wanted));
      let bytes = bytesOfRows(taken);
      while (bytes > sliceBytesMax && wanted > 1) {
        // Texts are longer than was guessed, and will go on to be.
        wanted = step = Math.ceil(wanted / 2);
        taken = taker.take(chunk, wanted, pointerAt(selected, place, wanted));
        bytes = bytesOfRows(taken);
      }
      place += wanted;
      yield { rows: taken, bytes, end: place === count ? start + rows : start + (index?.[place - 1] ?? place - 1) + 1 };
    }
    if (first >= count) yield { rows: none, bytes: 0, end: start + rows };
  };
}

/** The place in an ascending index of the first entry that is at least `row`. */
function placeOf(index: Uint16Array | null, row: number, count: number): number {
  if (row <= 0) return 0;
  if (index === null) return Math.min(row, count);
  const place = index.findIndex((entry) => entry >= row);
  return place < 0 ? count : place;
}

/** The rows of a shard that are among the first in the order asked, in row order. */
function keepFirst(source: Source): Rows {
  const { query, context: { queryBytes } } = source.scan;
  const kept = firstInOrder(query, source.none);
  for (const { rows } of piecesFrom(source, 0, () => chunkRows)) {
    kept.add(rows);
    if (kept.bytes() > queryBytes) {
      throw new BquerydError("MEMORY_LIMIT", `the first ${query.offset + query.limit!} rows in order need more than the ${queryBytes} bytes of query_memory; raise it or lower limit and offset`, { details: { queryBytes } });
    }
  }
  return kept.take();
}

function sendKept(kept: Rows, from: number, budget: RowBudget, emit: (slice: Slice) => void): boolean {
  let start = Math.min(from, kept.count);
  for (;;) {
    let end = Math.min(kept.count, start + sliceRowsMax);
    let part = sliceRows(kept, start, end);
    while (end - start > 1 && bytesOfRows(part) > sliceBytesMax) {
      end = start + Math.ceil((end - start) / 2);
      part = sliceRows(kept, start, end);
    }
    const isLast = end === kept.count;
    emit({ from: start === kept.count ? from : start, next: isLast ? null : end, rows: part.count, bytes: encodeRows(part) });
    budget.slices -= 1;
    if (isLast) return true;
    if (budget.slices <= 0) return false;
    start = end;
  }
}
