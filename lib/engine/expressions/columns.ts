/** The columns that trees read. */
import type { Condition, Expression } from "./tree.js";

/** Adds the columns that an expression reads to a set, which it gives back. */
export function addColumns(expr: Expression, names: Set<string>): Set<string> {
  switch (expr.kind) {
    case "literal": break;
    case "column": names.add(expr.name); break;
    case "negate": addColumns(expr.operand, names); break;
    case "arithmetic":
      addColumns(expr.left, names);
      addColumns(expr.right, names);
      break;
    case "call":
      for (const arg of expr.args) addColumns(arg, names);
      break;
    case "case":
      for (const { when, then } of expr.branches) {
        addColumnsOfCondition(when, names);
        addColumns(then, names);
      }
      if (expr.otherwise !== null) addColumns(expr.otherwise, names);
      break;
  }
  return names;
}

/** The columns that a condition reads; null is none and reads none. */
export function columnsOfCondition(condition: Condition | null): Set<string> {
  const names = new Set<string>();
  if (condition !== null) addColumnsOfCondition(condition, names);
  return names;
}

function addColumnsOfCondition(condition: Condition, names: Set<string>): void {
  switch (condition.kind) {
    case "compare": case "like": case "null": addColumns(condition.operand, names); break;
    case "relate":
      addColumns(condition.left, names);
      addColumns(condition.right, names);
      break;
    case "and": case "or":
      for (const part of condition.parts) addColumnsOfCondition(part, names);
      break;
  }
}
