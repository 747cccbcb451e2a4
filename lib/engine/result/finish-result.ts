/** What is asked of the finished groups: arithmetic over them, having, order, limit and offset. */
import type { ResultColumn } from "../finish.js";
import type { FinishedColumn } from "../measures/measure.js";
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
  const { having, order, limit, offset } = query;
  if (having === null && order.length === 0 && limit === null && offset === 0) return { columns, numRows };
  const selected = having === null ? upTo(numRows) : evaluate(columns, numRows, ({ select }) => select(having));
  const rows = orderRows(selected, order, columns, { offset, limit });
  return { columns: columns.map((column) => takeRows(column, rows)), numRows: rows.length };
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
