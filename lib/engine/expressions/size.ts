/** The size of trees: a condition that is used as a value, and what is compared with several, stand in them more than once. */
import type { Condition, Expression } from "./tree.js";

/** The nodes of an expression as if nothing in it were shared. */
export function sizeOfExpression(expr: Expression): number {
  return remember(expr, () => {
    switch (expr.kind) {
      case "literal": case "column": return 1;
      case "negate": return 1 + sizeOfExpression(expr.operand);
      case "arithmetic": return 1 + sizeOfExpression(expr.left) + sizeOfExpression(expr.right);
      case "call": return 1 + sumOf(expr.args, sizeOfExpression);
      case "case": return 1 + sumOf(expr.branches, ({ when, then }) => sizeOfCondition(when) + sizeOfExpression(then)) + (expr.otherwise === null ? 0 : sizeOfExpression(expr.otherwise));
    }
  });
}

/** The nodes of a condition, in the same way. */
export function sizeOfCondition(condition: Condition): number {
  return remember(condition, () => {
    switch (condition.kind) {
      case "compare": case "like": case "null": return 1 + sizeOfExpression(condition.operand);
      case "relate": return 1 + sizeOfExpression(condition.left) + sizeOfExpression(condition.right);
      case "and": case "or": return 1 + sumOf(condition.parts, sizeOfCondition);
    }
  });
}

/** What is shared is counted once, however often it is added. */
const sizes = new WeakMap<Expression | Condition, number>();

function remember(node: Expression | Condition, count: () => number): number {
  let size = sizes.get(node);
  if (size === undefined) {
    size = count();
    sizes.set(node, size);
  }
  return size;
}

function sumOf<T>(parts: readonly T[], sizeOf: (part: T) => number): number {
  return parts.reduce((sum, part) => sum + sizeOf(part), 0);
}
