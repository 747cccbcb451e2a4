/** The dtypes of trees: what arithmetic and choices give, and what goes with what. */
import { BquerydError } from "../../base/errors.js";
import { parseDate, parseTimestamp } from "../../columns/moments.js";
import { isFloatDtype, isTextDtype, wholeRange, type Dtype, type IntegerDtype } from "../../columns/dtypes.js";
import { badQuery } from "../query/bad-query.js";
import type { Literal } from "../query/literal.js";
import { printExpression } from "./print.js";
import type { ArithmeticOp, Expression } from "./tree.js";

/** An expression with its dtype, null for a NULL literal, which goes with every dtype. */
export interface Typed {
  readonly expr: Expression;
  readonly dtype: Dtype | null;
}

/** The values that a case may give. */
export function resultsOf({ branches, otherwise }: Extract<Expression, { kind: "case" }>): Expression[] {
  return [...branches.map(({ then }) => then), ...(otherwise === null ? [] : [otherwise])];
}

/** The dtype of a literal by itself: int64 for whole numbers, or uint64 where only that holds it. Throws BAD_QUERY for one that no dtype holds. */
export function literalDtype(value: Literal | null): Dtype | null {
  if (value === null) return null;
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  if (value instanceof Uint8Array) return "bytes";
  if (typeof value === "number") return Number.isSafeInteger(value) ? "int64" : "float64";
  const dtype = (["int64", "uint64"] as const).find((candidate) => holds(candidate, value));
  if (dtype === undefined) throw badQuery(`the number ${value} is held by no integer dtype; write it with a fraction or exponent`);
  return dtype;
}

/** The dtype of a value with its sign turned. */
export function negatedDtype(operand: Typed): Dtype {
  if (operand.dtype === null) return "int64";
  if (isFloatDtype(operand.dtype)) return "float64";
  if (!isInteger(operand.dtype)) throw mismatch(operand, "has no negative", "use numbers");
  return "int64";
}

/**
 * The dtype of arithmetic. Integers give int64, or uint64 where both sides are that; a float on either side and every
 * division give float64. Times: timestamp - timestamp and date - date are int64 (nanoseconds, days); a date or timestamp
 * and an integer of days or nanoseconds give one again.
 */
export function arithmeticDtype({ op }: { readonly op: ArithmeticOp }, left: Typed, right: Typed): Dtype {
  const [a, b] = [left.dtype ?? right.dtype ?? "int64", right.dtype ?? left.dtype ?? "int64"];
  if (isTime(a) || isTime(b)) return timeArithmeticDtype(op, left, right, a, b);
  for (const side of [left, right]) if (side.dtype !== null && !isNumber(side.dtype)) throw mismatch(side, `does not go with '${op}'`, "use numbers");
  if (op === "/" || isFloatDtype(a) || isFloatDtype(b)) return "float64";
  return isUnsigned(left) && isUnsigned(right) && (a === "uint64" || b === "uint64") ? "uint64" : "int64";
}

function timeArithmeticDtype(op: ArithmeticOp, left: Typed, right: Typed, a: Dtype, b: Dtype): Dtype {
  const [x, y] = [isTime(b) && isTimeText(left) ? b : a, isTime(a) && isTimeText(right) ? a : b];
  if (op === "-" && isTime(x) && isTime(y)) return "int64";
  // A sum has one time: what is null beside it is taken for the number of its steps.
  if (op === "+" && (left.dtype === null || right.dtype === null)) return a;
  if ((op === "+" || op === "-") && isTime(x) && isInteger(y)) return x;
  if (op === "+" && isInteger(x) && isTime(y)) return y;
  throw mismatch(isTime(a) ? left : right, `does not go with '${op}' and ${isTime(a) ? b : a}`, "subtract two times, or add a whole number of days to a date, of nanoseconds to a timestamp");
}

/**
 * The dtype that holds the values of all: of integers the one they share, else int64, and literals take that of the
 * others where it holds them; float64 where a float is among numbers; timestamp where one is among dates. Text literals among times are times.
 */
export function commonDtype(expr: Expression, values: readonly Typed[]): Dtype | null {
  const known = values.filter(({ dtype }) => dtype !== null);
  if (known.length === 0) return null;
  const time = known.find(({ dtype }) => isTime(dtype!))?.dtype ?? null;
  const dtypes = known.map((value) => (time !== null && isTimeText(value) ? time : value.dtype!));
  if (dtypes.every((dtype) => dtype === dtypes[0])) return dtypes[0]!;
  if (dtypes.every(isTime)) return "timestamp";
  const other = known.find((_, place) => !isNumber(dtypes[place]!));
  if (other !== undefined) {
    const unlike = known.find((_, place) => dtypes[place] !== other.dtype) ?? other;
    throw mismatch(other, `does not go with ${unlike.dtype} in '${shorten(printExpression(expr))}'`, "choose between values of like dtypes");
  }
  if (dtypes.some(isFloatDtype)) return "float64";
  const columns = new Set(known.filter(({ expr: { kind } }) => kind !== "literal").map(({ dtype }) => dtype!));
  const [dtype] = columns;
  const isHeld = columns.size === 1 && isInteger(dtype!) && known.every((value) => value.expr.kind !== "literal" || (value.expr.value !== null && holds(dtype, value.expr.value)));
  if (isHeld) return dtype;
  return known.every(isUnsigned) && dtypes.includes("uint64") ? "uint64" : "int64";
}

/** Tells whether a dtype is of whole numbers that arithmetic takes. */
export function isInteger(dtype: Dtype): dtype is IntegerDtype {
  return !isFloatDtype(dtype) && !isTextDtype(dtype) && !isTime(dtype) && dtype !== "bool";
}

/** Tells whether a dtype is of numbers. */
export function isNumber(dtype: Dtype): boolean {
  return isInteger(dtype) || isFloatDtype(dtype);
}

/** Tells whether a dtype is of instants or days. */
export function isTime(dtype: Dtype): dtype is "timestamp" | "date" {
  return dtype === "timestamp" || dtype === "date";
}

/** Tells whether an expression is a text that reads as an instant or a day. */
export function isTimeText({ expr }: Typed): boolean {
  return expr.kind === "literal" && typeof expr.value === "string" && (parseDate(expr.value) !== undefined || parseTimestamp(expr.value) !== undefined);
}

/** DTYPE_MISMATCH for a part of an expression; `advice` says what to do. */
export function mismatch({ expr, dtype }: Typed, wrong: string, advice: string): BquerydError {
  return new BquerydError("DTYPE_MISMATCH", `'${shorten(printExpression(expr))}' is ${dtype ?? "null"} and ${wrong}; ${advice}`, { details: { expression: shorten(printExpression(expr)), dtype } });
}

/** Text of an expression for a message, cut at 120 characters. */
export function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

/** uint dtypes, and literals that they hold. */
function isUnsigned({ dtype, expr }: Typed): boolean {
  return dtype === null || dtype === "uint64" || (expr.kind === "literal" && expr.value !== null && holds("uint64", expr.value));
}

function holds(dtype: IntegerDtype, value: Literal): boolean {
  const { least, greatest } = wholeRange(dtype);
  return (typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value))) && value >= least && value <= greatest;
}
