/** The rows of a result in the order asked, as many as are asked. */
import type { ResultColumn } from "../finish.js";
import type { OrderSpec } from "../query/query.js";
import { comparison, isLists, isText, type Values } from "../values.js";
import { badQuery } from "../query/bad-query.js";
import { radixOrder, type NumberOrder } from "./radix-order.js";
import { rankTexts, stopping } from "./text-ranks.js";

/** Which of the ordered rows are wanted; `stop` is called now and then, and ends the ordering by throwing. */
export interface OrderOptions {
  readonly offset: number;
  readonly limit: number | null;
  stop?(): void;
}

/** Compares two rows; negative where the first comes first. Rows that differ in nothing else keep their order. */
type Compare = (i: number, j: number) => number;

/**
 * The given rows in order, from `offset` on and at most `limit`; rows that tie keep the order they came in, which is that of the keys. Nulls
 * come last either way, texts go by their bytes. With a limit only so many rows are ever sorted. Throws BAD_QUERY for a column of lists.
 */
export function orderRows(rows: Uint32Array, order: readonly OrderSpec[], columns: readonly ResultColumn[], { offset, limit, stop = () => undefined }: OrderOptions): Uint32Array {
  const end = limit === null ? rows.length : Math.min(rows.length, offset + limit);
  if (order.length === 0 || end === 0) return rows.subarray(offset, end);
  const compare = stopping(comparisonOf(order, columns), stop);
  // Keeping the first few takes a comparison a row, and a sort of what is kept.
  if (end < rows.length / 4) return firstRows(rows, end, compare).sort(compare).subarray(offset, end);
  return (rows.length < radixRowsMin ? rows.slice().sort(compare) : radixOrder(rows, numbersOf(rows, order, columns, stop), stop)).subarray(offset, end);
}

/** Fewer rows are compared in the time that sorting by bytes takes to begin. */
const radixRowsMin = 4_096;

/** What rows are ordered by as numbers: of texts their ranks. */
function numbersOf(rows: Uint32Array, order: readonly OrderSpec[], columns: readonly ResultColumn[], stop: () => void): NumberOrder[] {
  return order.map((entry) => {
    const { values, isNull } = requireColumn(entry, columns.find(({ name }) => name === entry.name));
    const { descending } = entry;
    if (!isText(values)) return { values, isNull, descending };
    return { values: rankTexts(values, isNull === null ? rows : rows.filter((row) => isNull[row] === 0), stop), isNull, descending };
  });
}

/** The column that an entry names; throws BAD_QUERY for one of lists. */
function requireColumn({ name }: OrderSpec, column: ResultColumn | undefined): { values: Values; isNull: Uint8Array | null } {
  if (column === undefined) throw new Error(`the result has no column '${name}'`);
  const { values, isNull } = column;
  if (isLists(values)) throw badQuery(`the rows cannot be ordered by '${name}', which is of lists; order by another column`);
  return { values, isNull };
}

function comparisonOf(order: readonly OrderSpec[], columns: readonly ResultColumn[]): Compare {
  const compares = order.map((entry) => columnComparison(entry, columns.find(({ name }) => name === entry.name)));
  const [first] = compares;
  if (compares.length === 1 && first !== undefined) return (i, j) => first(i, j) || i - j;
  return (i, j) => {
    for (const compare of compares) {
      const found = compare(i, j);
      if (found !== 0) return found;
    }
    return i - j;
  };
}

function columnComparison(entry: OrderSpec, column: ResultColumn | undefined): Compare {
  const { values, isNull } = requireColumn(entry, column);
  const ascending = comparison(values, values);
  const compare: Compare = entry.descending ? (i, j) => ascending(j, i) : ascending;
  if (isNull === null) return compare;
  return (i, j) => (isNull[i] === 1 || isNull[j] === 1 ? isNull[i]! - isNull[j]! : compare(i, j));
}

/** The rows that come first, in no order: a heap whose top is the last of those kept gives way to what comes before it. */
function firstRows(rows: Uint32Array, count: number, compare: Compare): Uint32Array {
  const heap = rows.slice(0, count);
  for (let at = (count >> 1) - 1; at >= 0; at--) sink(heap, at, compare);
  for (let at = count; at < rows.length; at++) {
    if (compare(rows[at]!, heap[0]!) >= 0) continue;
    heap[0] = rows[at]!;
    sink(heap, 0, compare);
  }
  return heap;
}

function sink(heap: Uint32Array, start: number, compare: Compare): void {
  const row = heap[start]!;
  let at = start;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && compare(heap[child + 1]!, heap[child]!) > 0) child += 1;
    if (compare(heap[child]!, row) <= 0) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = row;
}
