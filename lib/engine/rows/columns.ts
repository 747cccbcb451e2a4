/** What a query for rows asks of each of them. */
import type { Expression } from "../expressions/tree.js";
import type { Query } from "../query/query.js";

/** A column of the rows. */
export interface RowSpec {
  readonly name: string;
  readonly expr: Expression;
}

/** Keys in the order asked, then what stands among the measures. */
export function rowSpecs(query: Query): RowSpec[] {
  const columns = query.measures.map(({ name, inputs }): RowSpec => ({ name, expr: inputs[0]! }));
  for (const { name, expr, place } of query.computed) columns.splice(place, 0, { name, expr });
  return [...query.keys, ...columns];
}
