/** What is asked of the finished groups: arithmetic over them, having, order, limit and offset. */
import { finishLarge, finishQuery, type ResultColumn } from "../finish.js";
import type { FinishedColumn } from "../measures/measure.js";
import { isLarge } from "../measures/table.js";
import type { Partial } from "../partial.js";
import type { Query } from "../query/query.js";
import { blankValues, isLists, pick, upTo, type Lists, type Values } from "../values.js";
import { openEvaluation, type Evaluation } from "./evaluation.js";
import { orderRows } from "./order.js";

/** The columns of an answer, and how many rows they have. */
export interface FinishedResult {
  readonly columns: readonly ResultColumn[];
  readonly numRows: number;
}

/**
 * The answer of a query from the columns of its keys and measures, whose rows are sorted by key: computed measures in
 * their places, the rows that `having` leaves, in the order asked. Throws DTYPE_MISMATCH, OVERFLOW, BAD_QUERY.
 */
export function finishResult(query: Query, finished: readonly ResultColumn[], numRows: number): FinishedResult {
  const columns = addComputed(query, finished, numRows);
  if (isWhole(query)) return { columns, numRows };
  const rows = chosenRows(query, columns, numRows);
  return { columns: columns.map((column) => takeRows(column, rows)), numRows: rows.length };
}

/**
 * The answer of a query from its merged partial. Where `having`, `order` and `limit` choose rows, columns that are large, as
 * histograms are, are made of these alone. `requireRoom` may throw: it is told what columns take. Throws as finishResult.
 */
export function finishGroups(query: Query, merged: Partial, requireRoom: (bytes: number) => void): FinishedResult {
  const numRows = query.keys.length === 0 ? 1 : merged.groups;
  if (isWhole(query) || !query.measures.some(isLarge)) return finishResult(query, finishQuery(query, merged, { requireRoom }), numRows);
  const columns = addComputed(query, finishQuery(query, merged, { requireRoom, largeOf: new Uint32Array(0) }), numRows);
  const rows = chosenRows(query, columns, numRows);
  const large = finishLarge(query, merged, rows, requireRoom);
  return { columns: columns.map((column) => ({ name: column.name, ...(large.get(column.name) ?? takeRows(column, rows)) })), numRows: rows.length };
}

/** Tells whether every group is a row, in their own order. */
function isWhole({ having, order, limit, offset }: Query): boolean {
  return having === null && order.length === 0 && limit === null && offset === 0;
}

function chosenRows({ having, order, limit, offset }: Query, columns: readonly ResultColumn[], numRows: number): Uint32Array {
  const selected = having === null ? upTo(numRows) : evaluate(columns, numRows, ({ select }) => select(having));
  return orderRows(selected, order, columns, { offset, limit });
}

function addComputed(query: Query, finished: readonly ResultColumn[], numRows: number): readonly ResultColumn[] {
  if (query.computed.length === 0) return finished;
  const measures = finished.slice(query.keys.length);
  const computed = evaluate(finished, numRows, ({ compute }) => query.computed.map(({ expr }) => compute(expr)));
  query.computed.forEach(({ name, place }, at) => { measures.splice(place, 0, { name, ...computed[at]! }); });
  return [...finished.slice(0, query.keys.length), ...measures];
}

function evaluate<T>(columns: readonly ResultColumn[], numRows: number, work: (evaluation: Evaluation) => T): T {
  const evaluation = openEvaluation(columns, numRows);
  try {
    return work(evaluation);
  } finally {
    evaluation.close();
  }
}

function takeRows(column: ResultColumn, rows: Uint32Array): ResultColumn {
  const { values, isNull, bins } = column;
  const sources = new Int32Array(rows);
  const outside = bins === undefined ? {} : { bins: { ...bins, under: pickValues(bins.under, sources), over: pickValues(bins.over, sources) } };
  const taken = { ...column, ...outside, values: isLists(values) ? pickLists(values, rows) : pickValues(values, sources) };
  return isNull === null ? taken : { ...taken, isNull: takeNulls(isNull, rows) };
}

function takeNulls(isNull: Uint8Array, rows: Uint32Array): FinishedColumn["isNull"] {
  const taken = new Uint8Array(rows.length);
  for (let k = 0; k < taken.length; k++) taken[k] = isNull[rows[k]!]!;
  return taken.includes(1) ? taken : null;
}

function pickValues(values: Values, sources: Int32Array): Values {
  return pick(values, blankValues(values.dtype, 0), sources);
}

function pickLists({ dtype, item, offsets }: Lists, rows: Uint32Array): Lists {
  const ends = new Uint32Array(rows.length + 1);
  rows.forEach((row, k) => (ends[k + 1] = ends[k]! + offsets[row + 1]! - offsets[row]!));
  const sources = new Int32Array(ends[rows.length]!);
  rows.forEach((row, k) => {
    for (let at = ends[k]!; at < ends[k + 1]!; at++) sources[at] = offsets[row]! + at - ends[k]!;
  });
  return { dtype, item: pickValues(item, sources), offsets: ends };
}
