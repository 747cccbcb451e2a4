/** Advice about a failure that only who knows the whole question can give. */
import { BquerydError } from "../base/errors.js";
import type { Condition } from "../engine/expressions/tree.js";
import type { Query } from "../engine/query/query.js";

/**
 * The failure of a query; where a column that is unknown is compared with, as `"ATL"` is in `origin = "ATL"`, it says how a
 * text is written: in many languages double quotes are for texts, here as in SQL they are for names.
 */
export function withAdvice(failure: unknown, { where }: Query): unknown {
  if (!(failure instanceof BquerydError) || failure.code !== "UNKNOWN_COLUMN") return failure;
  const { table, column } = failure.details;
  if (typeof table !== "string" || typeof column !== "string" || where === null || !isComparedWith(where, column)) return failure;
  const sentence = `${table} has no column '${column}'; if a text is meant, write it in single quotes: '${column.replaceAll("'", "''")}'`;
  return new BquerydError(failure.code, sentence, { details: failure.details, cause: failure, ...(failure.origin === undefined ? {} : { origin: failure.origin }) });
}

/** Tells whether the name stands alone on the right of a comparison. */
function isComparedWith(condition: Condition, name: string): boolean {
  switch (condition.kind) {
    case "relate": return condition.right.kind === "column" && condition.right.name === name;
    case "and": case "or": return condition.parts.some((part) => isComparedWith(part, name));
    default: return false;
  }
}
