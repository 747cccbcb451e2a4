/** The rows that a condition selects, chunk by chunk: for export and whoever else reads tables outside of queries. */
import { chunkRows } from "../../columns/dtypes.js";
import type { Table } from "../../columns/read/table.js";
import { ColumnCache } from "../cache.js";
import { bindExpression } from "../expressions/bind.js";
import type { Condition } from "../expressions/tree.js";
import { createInputMaker } from "../input.js";
import { createArena, createSpace, type Arena, type Space } from "../memory.js";
import { createShardStrings } from "../strings.js";
import { createMasking } from "./selection.js";

/** A byte a row of a chunk, 1 where it is selected; null when all rows are. Tables are best asked for chunk after chunk. */
export type Selector = (table: Table, chunk: number) => Uint8Array | null;

/** The memory that is reserved; little of it is used. */
const spaceBytes = 1024 * 1024 * 1024;

/**
 * A selector of the rows for which a condition is true. It throws UNKNOWN_COLUMN, DTYPE_MISMATCH, MEMORY_LIMIT and what
 * decoding throws.
 */
export function createSelector(where: Condition): Selector {
  const space = createSpace(spaceBytes, { sizedBy: "fixed" });
  let last: { readonly table: Table; readonly arena: Arena; readonly select: (chunk: number) => Uint8Array | null } | undefined;
  return (table, chunk) => {
    if (last?.table !== table) {
      last?.arena.release();
      const arena = createArena(space, spaceBytes, "the condition");
      last = { table, arena, select: selectFrom(table, where, arena, space) };
    }
    return last.select(chunk);
  };
}

function selectFrom(table: Table, where: Condition, arena: Arena, space: Space): (chunk: number) => Uint8Array | null {
  const strings = createShardStrings(arena);
  const inputs = createInputMaker(arena, strings);
  const lease = new ColumnCache(space, 0).lease(table, true, { chunksDecoded: 0, bytesDecoded: 0, cacheHits: 0 });
  const masking = createMasking(where, { arena, strings, inputs, lease, bind: (expr) => bindExpression(expr, table, { arena, strings }) });
  const mask = arena.allocate(chunkRows);
  return (chunk) => {
    const rows = Math.min(chunkRows, table.rows - chunk * chunkRows);
    const verdict = masking.judge(chunk);
    if (verdict !== "some") return verdict === "all" ? null : new Uint8Array(rows);
    try {
      masking.mask(chunk, rows, mask);
    } finally {
      lease.returnAll();
    }
    return space.kernels.bytes.slice(mask, mask + rows);
  };
}
