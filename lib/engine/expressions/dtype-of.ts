/** The dtype of a whole tree. */
import type { Dtype } from "../../columns/dtypes.js";
import { functionDtype } from "./functions.js";
import type { Expression } from "./tree.js";
import { arithmeticDtype, commonDtype, literalDtype, negatedDtype, resultsOf, type Typed } from "./types.js";

/** The dtype of an expression over columns; null for NULL itself. Throws DTYPE_MISMATCH naming the part, UNKNOWN_COLUMN as `columnDtype` does. */
export function dtypeOf(expr: Expression, columnDtype: (name: string) => Dtype): Dtype | null {
  const typed = (inner: Expression): Typed => ({ expr: inner, dtype: dtypeOf(inner, columnDtype) });
  switch (expr.kind) {
    case "literal": return literalDtype(expr.value);
    case "column": return columnDtype(expr.name);
    case "negate": return negatedDtype(typed(expr.operand));
    case "arithmetic": return arithmeticDtype(expr, typed(expr.left), typed(expr.right));
    case "call": return functionDtype(expr, expr.args.map(typed));
    case "case": return commonDtype(expr, resultsOf(expr).map(typed));
  }
}
