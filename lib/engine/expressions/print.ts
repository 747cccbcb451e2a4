/** Trees as text that parses to the same tree. */
import { formatHex } from "../../base/hex.js";
import type { Literal } from "../query/literal.js";
import type { ArithmeticOp, Condition, Expression } from "./tree.js";

/** The text of an expression; operands that are more than a literal, column or call stand in brackets. */
export function printExpression(expr: Expression): string {
  switch (expr.kind) {
    case "literal": return printLiteral(expr.value);
    case "column": return quoteName(expr.name);
    // A minus before digits would be part of the number.
    case "negate": return expr.operand.kind === "literal" ? `-(${printExpression(expr.operand)})` : `-${printOperand(expr.operand)}`;
    case "arithmetic": return `${printLeft(expr.left, expr.op)} ${expr.op} ${printOperand(expr.right)}`;
    case "call": return `${expr.name}(${expr.args.map(printExpression).join(", ")})`;
    case "case": {
      const branches = expr.branches.map(({ when, then }) => ` WHEN ${printCondition(when)} THEN ${printExpression(then)}`).join("");
      return `CASE${branches}${expr.otherwise === null ? "" : ` ELSE ${printExpression(expr.otherwise)}`} END`;
    }
  }
}

/** The text of a condition. */
export function printCondition(condition: Condition): string {
  switch (condition.kind) {
    case "compare": {
      const operand = printOperand(condition.operand);
      const values = condition.values.map(printLiteral);
      if (condition.op === "in" || condition.op === "not in") return `${operand} ${condition.op.toUpperCase()} (${values.join(", ")})`;
      return `${operand} ${condition.op} ${values[0]!}`;
    }
    case "like": return `${printOperand(condition.operand)} ${condition.negate ? "NOT LIKE" : "LIKE"} ${quoteText(condition.pattern)}`;
    case "null": return `${printOperand(condition.operand)} IS ${condition.negate ? "NOT NULL" : "NULL"}`;
    case "relate": return `${printOperand(condition.left)} ${condition.op} ${printOperand(condition.right)}`;
    case "and": case "or":
      if (condition.parts.length === 0) return condition.kind === "and" ? "TRUE" : "FALSE";
      return condition.parts.map((part) => (part.kind === "and" || part.kind === "or" ? `(${printCondition(part)})` : printCondition(part))).join(` ${condition.kind.toUpperCase()} `);
  }
}

function printOperand(expr: Expression): string {
  return expr.kind === "arithmetic" || expr.kind === "negate" ? `(${printExpression(expr)})` : printExpression(expr);
}

/** Operators are read from the left: a long sum has no brackets, which could not be nested so deep. */
function printLeft(expr: Expression, op: ArithmeticOp): string {
  const isRead = expr.kind === "arithmetic" && (isSum(op) || !isSum(expr.op));
  return isRead ? printExpression(expr) : printOperand(expr);
}

function isSum(op: ArithmeticOp): boolean {
  return op === "+" || op === "-";
}

function printLiteral(value: Literal | null): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return quoteText(value);
  if (value instanceof Uint8Array) return `x'${formatHex(value).slice(2)}'`;
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return String(value);
  if (!Number.isFinite(value)) return value > 0 ? "1e999" : "-1e999";
  const text = String(value);
  // Digits alone would be an integer.
  return /[.e]/.test(text) ? text : `${text}e0`;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
