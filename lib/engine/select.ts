/** The rows that where terms select, chunk by chunk: for export and whoever else reads tables outside of queries. */
import { chunkRows } from "../columns/dtypes.js";
import type { Table } from "../columns/read/table.js";
import { createArena, createSpace, type Arena, type Space } from "./memory.js";
import { createPredicate, type Predicate } from "./predicate.js";
import { parseQuery, type Term } from "./query.js";

/** A byte a row of a chunk, 1 where it is selected; null when all rows are. Tables are best asked for chunk after chunk. */
export type Selector = (table: Table, chunk: number) => Uint8Array | null;

/** The memory that is reserved; little of it is used. */
const spaceBytes = 1024 * 1024 * 1024;

/** The checked form of where terms, as a query takes them. Throws BAD_QUERY naming the term that is wrong. */
export function parseWhere(where: unknown): readonly Term[] {
  return parseQuery({ keys: [], measures: [["*", "count", "rows"]], where }).where;
}

/**
 * A selector of the rows for which every term is true. It throws UNKNOWN_COLUMN, DTYPE_MISMATCH, MEMORY_LIMIT and what
 * decoding throws.
 */
export function createSelector(where: readonly Term[]): Selector {
  const space = createSpace(spaceBytes);
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

function selectFrom(table: Table, where: readonly Term[], arena: Arena, space: Space): (chunk: number) => Uint8Array | null {
  const predicates = where.map((term) => createPredicate(term, table.column(term.column), arena));
  const [mask, termMask] = [arena.allocate(chunkRows), arena.allocate(chunkRows)];
  return (chunk) => {
    const rows = Math.min(chunkRows, table.rows - chunk * chunkRows);
    const verdicts = predicates.map((predicate) => predicate.judge(predicate.column.statistics(chunk)));
    if (verdicts.includes("none")) return new Uint8Array(rows);
    const toTest = predicates.filter((_, at) => verdicts[at] === "some");
    if (toTest.length === 0) return null;
    for (const [at, predicate] of toTest.entries()) {
      writeMask(predicate, chunk, at === 0 ? mask : termMask, space);
      if (at > 0) space.kernels.maskAnd(mask, termMask, rows);
    }
    return space.kernels.bytes.slice(mask, mask + rows);
  };
}

function writeMask(predicate: Predicate, chunk: number, mask: number, { heap, allocate }: Space): void {
  const vector = predicate.column.decode(chunk, heap, allocate);
  try {
    predicate.mask(vector, mask);
  } finally {
    for (const pointer of vector.owned) heap.release(pointer);
  }
}
