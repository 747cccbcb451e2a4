/** Advice about a failure that only who knows the whole question can give. */
import { BquerydError } from "../base/errors.js";
import { findTextAdvice } from "../engine/expressions/text-advice.js";
import { isMeasureOp } from "../engine/query/measures.js";
import type { Query } from "../engine/query/query.js";

/**
 * The failure of a query; where a column that is unknown is compared with, it says how a text is written. Where it is the
 * name of an op, as in the measures `['delay', 'mean']`, it says that a measure is a list in the list.
 */
export function withAdvice(failure: unknown, { where, measures }: Query): unknown {
  if (!(failure instanceof BquerydError) || failure.code !== "UNKNOWN_COLUMN") return failure;
  const { table, column } = failure.details;
  if (typeof table !== "string" || typeof column !== "string") return failure;
  const advice = findTextAdvice(where, column) ?? adviceOnMeasure(column, measures);
  if (advice === undefined) return failure;
  return new BquerydError(failure.code, `${table} has no column '${column}'; ${advice}`, { details: failure.details, cause: failure, ...(failure.origin === undefined ? {} : { origin: failure.origin }) });
}

function adviceOnMeasure(column: string, measures: Query["measures"]): string | undefined {
  const place = measures.findIndex(({ name, op }) => name === column && op === "sum");
  if (place < 1 || !isMeasureOp(column)) return undefined;
  return `if the measure '${column}' is meant, write it as a list in the list: [['${measures[place - 1]!.name}', '${column}']]`;
}
