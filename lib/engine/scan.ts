/** What every scan of a table is made from: memory, columns, the rows selected. */
import { BquerydError } from "../base/errors.js";
import type { Dtype } from "../columns/dtypes.js";
import type { Table, TableColumn } from "../columns/read/table.js";
import { bindExpression } from "./expressions/bind.js";
import type { Expression } from "./expressions/tree.js";
import type { ColumnCache, DecodeCost, Lease } from "./cache.js";
import { createInputMaker, type InputMaker } from "./input.js";
import { createArena, type Arena, type Space } from "./memory.js";
import { purposeOf } from "./partial-limit.js";
import { outsideOf } from "./query/baskets.js";
import type { Query } from "./query/query.js";
import { withoutUnknown } from "./query/unknown.js";
import type { ChunkCut, ScanColumn } from "./scan-column.js";
import { createShardStrings, type ShardStrings } from "./strings.js";
import { expandToBaskets, type BasketMasking } from "./where/baskets.js";
import type { KeptTests } from "./where/kept-tests.js";
import { createMasking, createSelection, type Masking, type Selection } from "./where/selection.js";

/** What a scan cost, added up in place. */
export interface ScanCost extends DecodeCost {
  rowsScanned: number;
  chunksPruned: number;
  /** Chunks of which all that is asked was taken from statistics. */
  chunksFromStatistics: number;
  shardsPruned: number;
}

/** What a scan runs in. */
export interface ScanContext {
  readonly space: Space;
  readonly cache: ColumnCache;
  readonly queryBytes: number;
  /** Bytes that a message with a partial may have. */
  readonly messageBytes: number;
  /** Asked between chunks, and in them every so often; true ends the scan with CANCELLED. */
  readonly shouldStop: () => boolean;
  readonly cost: ScanCost;
  /** What conditions keep for all shards of a task. */
  readonly kept: KeptTests;
  /** The ordinal of the shard in the call, or of the first one. */
  readonly ordinal: number;
}

/** What a scan reads: a table, or what stands for one. */
export type ScanTable = Pick<Table, "name" | "generation" | "rows" | "column"> & {
  readonly chunks?: ChunkCut;
  /** Whether neither this table nor another one of the call has a column; absent where such a column is an error. */
  readonly lacks?: (column: string) => boolean;
  /** See ColumnSource. */
  readonly widened?: (column: string) => Dtype | null | undefined;
};

/** A scan at work. */
export interface Scan {
  readonly table: ScanTable;
  readonly query: Query;
  readonly context: ScanContext;
  readonly arena: Arena;
  readonly lease: Lease;
  readonly strings: ShardStrings;
  readonly inputs: InputMaker;
}

/** Calls `work` with a scan of a table, and gives the memory that it took back in every case. */
export function withScan<T>(table: ScanTable, query: Query, context: ScanContext, work: (scan: Scan) => T, lease = context.cache.lease(table, query.cache === false, context.cost)): T {
  const arena = createArena(context.space.query, context.queryBytes, purposeOf(query));
  try {
    const strings = createShardStrings(arena);
    const known = table.lacks === undefined ? query : withoutUnknown(query, table.lacks);
    return work({ table, query: known, context, arena, lease, strings, inputs: createInputMaker(arena, strings) });
  } finally {
    lease.returnAll();
    arena.release();
  }
}

/** Throws CANCELLED when the query is no longer wanted. */
export function stopIfAsked(shouldStop: () => boolean): void {
  if (shouldStop()) throw new BquerydError("CANCELLED", "the query was cancelled");
}

/** The rows that a query selects, by whole baskets where it asks for them; `hasIndex`: named, not only counted. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH. */
export function selectionOf(scan: Scan, hasIndex: boolean): Selection {
  const { table, query: { expand }, arena } = scan;
  return createSelection(expand === null ? maskRows(scan) : maskBaskets(table.column(expand), scan), arena, hasIndex);
}

function maskRows(scan: Scan): Masking {
  const { query, arena, lease, strings, inputs, context: { kept } } = scan;
  return createMasking(query.where, { arena, strings, lease, inputs, kept, bind: (expr) => bind(expr, scan) });
}

/** The masks of whole baskets. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH. */
export function maskBaskets(column: TableColumn, scan: Scan): BasketMasking {
  const { query: { baskets }, arena, lease, inputs, context: { ordinal, shouldStop } } = scan;
  return expandToBaskets(maskRows(scan), column, outsideOf(baskets, ordinal), { arena, lease, inputs, stop: () => { stopIfAsked(shouldStop); } });
}

/** The column of an expression over the shard of a scan. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH. */
export function bind(expr: Expression, { table, arena, strings, context: { shouldStop } }: Scan): ScanColumn {
  return bindExpression(expr, table, { arena, strings, stop: () => { stopIfAsked(shouldStop); } });
}

