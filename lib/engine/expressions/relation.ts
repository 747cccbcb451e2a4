/** Comparisons as trees: with a literal they are terms, which ranges, sets and statistics answer. */
import type { Condition, Expression, RelationOp } from "./tree.js";

const mirrored = { "==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=" } as const satisfies Record<RelationOp, RelationOp>;

/** A comparison of two expressions: a term where one is a literal, which stands on the right then. */
export function relation(left: Expression, op: RelationOp, right: Expression): Condition {
  const [a, b] = [bareLiteral(left), bareLiteral(right)];
  if (b.kind === "literal" && b.value !== null && a.kind !== "literal") return { kind: "compare", operand: a, op, values: [b.value] };
  if (a.kind === "literal" && a.value !== null && b.kind !== "literal") return { kind: "compare", operand: b, op: mirrored[op], values: [a.value] };
  return { kind: "relate", left, op, right };
}

/** The literal within DATE '...', TIMESTAMP '...' or a float that is whole: what it is compared with says what it is. */
export function bareLiteral(expr: Expression): Expression {
  if (expr.kind !== "call" || !["date", "timestamp", "float"].includes(expr.name)) return expr;
  const [arg] = expr.args;
  if (arg?.kind !== "literal" || arg.value === null) return expr;
  return (expr.name === "float") === (typeof arg.value === "number") ? arg : expr;
}
