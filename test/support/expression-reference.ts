/** Expressions row by row in plain JavaScript: what evaluation by kernels is compared with. */
import { dtypeOf } from "../../lib/engine/expressions/dtype-of.js";
import type { Condition, Expression, RelationOp } from "../../lib/engine/expressions/tree.js";
import { parseDate, parseTimestamp } from "../../lib/columns/moments.js";
import { isFloatDtype, wholeRange, type Dtype } from "../../lib/columns/dtypes.js";
import { commonDtype, resultsOf } from "../../lib/engine/expressions/types.js";

/** Whole numbers, days and nanoseconds as bigint; null is null. */
export type Scalar = bigint | number | string | boolean | null;

/** Columns of one row, with their dtypes. */
export interface Row {
  readonly values: Readonly<Record<string, Scalar>>;
  readonly dtypes: Readonly<Record<string, Dtype>>;
}

const dayNs = 86_400_000_000_000n;

/** The value of an expression for a row; throws an error of code OVERFLOW for a whole number that does not fit. */
export function evaluateRow(expr: Expression, row: Row): Scalar {
  const dtype = dtypeIn(expr, row);
  switch (expr.kind) {
    case "literal": return literal(expr.value);
    case "column": return row.values[expr.name]!;
    case "negate": {
      const operand = convert(evaluateRow(expr.operand, row), dtypeIn(expr.operand, row), dtype);
      return operand === null ? null : typeof operand === "bigint" ? fit(-operand, "int64") : clean(-(operand as number));
    }
    case "arithmetic": return arithmetic(expr, row, dtype!);
    case "call": return call(expr, row, dtype);
    case "case": {
      const branch = expr.branches.find(({ when }) => evaluateCondition(when, row) === true);
      const chosen = branch === undefined ? expr.otherwise : branch.then;
      return chosen === null ? null : convert(evaluateRow(chosen, row), dtypeIn(chosen, row), commonDtype(expr, resultsOf(expr).map((part) => ({ expr: part, dtype: dtypeIn(part, row) }))));
    }
  }
}

/** true, false, or null for unknown. */
export function evaluateCondition(condition: Condition, row: Row): boolean | null {
  switch (condition.kind) {
    case "and": return joined(condition.parts, row, false);
    case "or": return joined(condition.parts, row, true);
    case "null": return (evaluateRow(condition.operand, row) === null) !== condition.negate;
    case "relate": return compare(evaluateRow(condition.left, row), condition.op, evaluateRow(condition.right, row));
    case "like": {
      const value = evaluateRow(condition.operand, row);
      if (typeof value !== "string") return null;
      const pattern = condition.pattern.replace(/[.*+?^${}()|[\]]/g, "\\$&").replaceAll("%", "[^]*").replaceAll("_", "[^]");
      return new RegExp(`^${pattern}$`, "u").test(value) !== condition.negate;
    }
    case "compare": {
      const value = evaluateRow(condition.operand, row);
      const literals = condition.values.map((item) => (typeof value === "bigint" && typeof item === "string" ? instant(item, dtypeIn(condition.operand, row)) : literal(item)));
      if (condition.op !== "in" && condition.op !== "not in") return compare(value, condition.op, literals[0]!);
      return value === null ? null : literals.some((item) => compare(value, "==", item) === true) === (condition.op === "in");
    }
  }
}

function dtypeIn(expr: Expression, row: Row): Dtype | null {
  return dtypeOf(expr, (name) => row.dtypes[name]!);
}

function literal(value: unknown): Scalar {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  return value as Scalar;
}

function instant(text: string, dtype: Dtype | null): bigint {
  const days = parseDate(text);
  const ns = days === undefined ? parseTimestamp(text)! : BigInt(days) * dayNs;
  return dtype === "date" ? floorDivide(ns, dayNs) : ns;
}

function joined(parts: readonly Condition[], row: Row, decisive: boolean): boolean | null {
  const values = parts.map((part) => evaluateCondition(part, row));
  if (values.includes(decisive)) return decisive;
  return values.includes(null) ? null : !decisive;
}

function compare(left: Scalar, op: RelationOp, right: Scalar): boolean | null {
  if (left === null || right === null) return null;
  const order = left < right ? -1 : left > right ? 1 : 0;
  switch (op) {
    case "==": return order === 0;
    case "!=": return order !== 0;
    case "<": return order < 0;
    case "<=": return order <= 0;
    case ">": return order > 0;
    case ">=": return order >= 0;
  }
}

/** A value in another dtype, as evaluation brings operands together. */
function convert(value: Scalar, from: Dtype | null, to: Dtype | null): Scalar {
  if (value === null || from === null || to === null || from === to) return value;
  if (isFloatDtype(to)) return Number(value);
  if (typeof value === "string" && (to === "timestamp" || to === "date")) return instant(value, to);
  if (from === "date" && to === "timestamp") return fit((value as bigint) * dayNs, "timestamp");
  if (from === "timestamp" && to === "date") return floorDivide(value as bigint, dayNs);
  return typeof value === "bigint" ? fit(value, to) : value;
}

function arithmetic(expr: Extract<Expression, { kind: "arithmetic" }>, row: Row, dtype: Dtype): Scalar {
  const [from, to] = [dtypeIn(expr.left, row), dtypeIn(expr.right, row)];
  const isTime = [from, to].some((side) => side === "timestamp" || side === "date");
  const common = isTime ? (dtype !== "int64" ? undefined : [from, to].includes("timestamp") ? "timestamp" : "date") : dtype;
  const [left, right] = [evaluateRow(expr.left, row), evaluateRow(expr.right, row)].map((value, place) => (common === undefined ? value : convert(value, [from, to][place]!, common)));
  if (left === null || right === null || left === undefined || right === undefined) return null;
  if (typeof left === "number" || typeof right === "number") return floats(expr.op, Number(left), Number(right));
  const [a, b] = [left as bigint, right as bigint];
  switch (expr.op) {
    case "+": return fit(a + b, dtype);
    case "-": return fit(a - b, dtype);
    case "*": return fit(a * b, dtype);
    case "%": return b === 0n ? null : a % b;
    case "/": return floats("/", Number(a), Number(b));
  }
}

function floats(op: string, a: number, b: number): number | null {
  switch (op) {
    case "+": return clean(a + b);
    case "-": return clean(a - b);
    case "*": return clean(a * b);
    case "/": return b === 0 ? null : clean(a / b);
    default: return b === 0 ? null : clean(a % b);
  }
}

function call(expr: Extract<Expression, { kind: "call" }>, row: Row, dtype: Dtype | null): Scalar {
  const dtypes = expr.args.map((arg) => dtypeIn(arg, row));
  const raw = (place: number): Scalar => evaluateRow(expr.args[place]!, row);
  const args = (): Scalar[] => expr.args.map((_, place) => convert(raw(place), dtypes[place]!, dtype));
  const number = (): number | null => convert(raw(0), dtypes[0]!, "float64") as number | null;
  const mapped = (f: (value: number) => number): Scalar => {
    const value = number();
    return value === null ? null : clean(f(value));
  };
  switch (expr.name) {
    case "coalesce": {
      for (const [place] of expr.args.entries()) {
        const value = raw(place);
        if (value !== null) return convert(value, dtypes[place]!, dtype);
      }
      return null;
    }
    case "least": return extreme(args(), -1);
    case "greatest": return extreme(args(), 1);
    case "abs": case "sign": case "floor": case "ceil": case "round": return rounding(expr.name, args()[0]!);
    case "sqrt": return mapped(Math.sqrt);
    case "ln": return mapped((value) => (value > 0 ? Math.log(value) : NaN));
    case "exp": return mapped(Math.exp);
    case "float": return number();
    case "bin": return bin(args());
    case "lower": return textOf(raw(0), (text) => text.toLowerCase());
    case "upper": return textOf(raw(0), (text) => text.toUpperCase());
    case "length": {
      const text = raw(0);
      return text === null ? null : BigInt([...(text as string)].length);
    }
    case "concat": return expr.args.map((_, place) => raw(place)).reduce((a, b) => (a === null || b === null ? null : `${String(a)}${String(b)}`));
    default: throw new Error(`the reference has no ${expr.name}`);
  }
}

function textOf(value: Scalar, map: (text: string) => string): Scalar {
  return value === null ? null : map(value as string);
}

function extreme(values: readonly Scalar[], sign: -1 | 1): Scalar {
  return values.filter((value) => value !== null).reduce<Scalar>((best, value) => (best === null || (sign < 0 ? value < best : value > best) ? value : best), null);
}

function rounding(name: string, value: Scalar): Scalar {
  if (value === null) return null;
  if (typeof value === "bigint") {
    if (name === "abs") return fit(value < 0n ? -value : value, value > 2n ** 63n ? "uint64" : "int64");
    return name === "sign" ? (value > 0n ? 1n : value < 0n ? -1n : 0n) : value;
  }
  const number = value as number;
  switch (name) {
    case "abs": return clean(Math.abs(number));
    case "sign": return clean(Math.sign(number));
    case "floor": return clean(Math.floor(number));
    case "ceil": return clean(Math.ceil(number));
    default: return clean(Math.abs(number - Math.trunc(number)) >= 0.5 ? Math.trunc(number) + Math.sign(number) : Math.trunc(number));
  }
}

function bin([value, width, origin = 0n]: readonly Scalar[]): Scalar {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint" && typeof width === "bigint" && typeof origin === "bigint") return fit(floorDivide(value - origin, width) * width + origin, "int64");
  const [x, w, o] = [Number(value), Number(width), Number(origin)];
  if (!Number.isFinite(x) || Math.abs(x / w) >= 2 ** 53) return x;
  // Widths and edges here are tenths: the greatest edge that is not above the value.
  const edgeAt = (place: number): number => (place * w * 10 + o * 10) / 10;
  let place = Math.floor((x - o) / w);
  while (edgeAt(place) > x) place -= 1;
  while (edgeAt(place + 1) <= x) place += 1;
  return clean(edgeAt(place));
}

/** NaN is null; there is no -0. */
function clean(value: number): number | null {
  return Number.isNaN(value) ? null : value + 0;
}

function fit(value: bigint, dtype: Dtype): bigint {
  if (isFloatDtype(dtype) || dtype === "string" || dtype === "bytes") return value;
  const { least, greatest } = wholeRange(dtype);
  if (value < least || value > greatest) throw Object.assign(new Error(`${value} does not fit ${dtype}`), { code: "OVERFLOW" });
  return value;
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  return (value - (((value % divisor) + divisor) % divisor)) / divisor;
}
