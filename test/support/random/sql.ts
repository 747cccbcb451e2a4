/**
 * Expressions and conditions as SQL of DuckDB that means exactly what they mean here: whole numbers, days and nanoseconds
 * as HUGEINT, floats as DOUBLE, and no comparison that would round one side.
 */
import { parseHex } from "../../../lib/base/hex.js";
import { parseDate, parseTimestamp } from "../../../lib/columns/moments.js";
import { isFloatDtype, type Dtype } from "../../../lib/columns/dtypes.js";
import { dtypeOf } from "../../../lib/engine/expressions/dtype-of.js";
import type { Condition, Expression, RelationOp, TermOp } from "../../../lib/engine/expressions/tree.js";
import type { Literal } from "../../../lib/engine/query/literal.js";
import { timeCall } from "./sql-times.js";

/** SQL of a value, in the type that values of its dtype have here; the dtype is null for NULL itself. */
export interface TypedSql {
  readonly sql: string;
  readonly dtype: Dtype | null;
}

/** The columns that an expression may name. */
export type Columns = (name: string) => TypedSql;

type Call = Extract<Expression, { kind: "call" }>;

const dayNs = "86400000000000";

/** SQL of an expression; `visit` is told of every part that is computed. */
export function expressionSql(expr: Expression, columns: Columns, visit: (part: TypedSql) => void = () => undefined): TypedSql {
  const dtype = dtypeOf(expr, (name) => columns(name).dtype!);
  const inner = (part: Expression): TypedSql => expressionSql(part, columns, visit);
  const made = (sql: string): TypedSql => {
    const part = { sql: dtype !== null && isFloatDtype(dtype) ? `nullif(${sql}, 'nan'::double)` : `(${sql})`, dtype };
    visit(part);
    return part;
  };
  switch (expr.kind) {
    case "literal": return { sql: literalSql(expr.value), dtype };
    case "column": return columns(expr.name);
    case "negate": return made(`-${convert(inner(expr.operand), dtype)}`);
    case "arithmetic": {
      const sides = [inner(expr.left), inner(expr.right)] as const;
      // Both sides have to fit the dtype of what comes out, whatever that is, and be it null.
      for (const { sql, dtype: own } of sides) if (own === "uint64" && dtype === "int64") visit({ sql, dtype });
      return made(arithmeticSql(expr.op, ...sides, dtype));
    }
    case "call": return made(callSql(expr, inner, dtype));
    case "case": {
      const branches = expr.branches.map(({ when, then }) => `when ${conditionSql(when, columns, visit)} then ${convert(inner(then), dtype)}`);
      const otherwise = expr.otherwise === null ? "" : ` else ${convert(inner(expr.otherwise), dtype)}`;
      return made(`case ${branches.join(" ")}${otherwise} end`);
    }
  }
}

/** SQL of a condition, with SQL's three values. */
export function conditionSql(condition: Condition, columns: Columns, visit: (part: TypedSql) => void = () => undefined): string {
  const inner = (part: Expression): TypedSql => expressionSql(part, columns, visit);
  switch (condition.kind) {
    case "and": case "or": return condition.parts.length === 0 ? String(condition.kind === "and") : `(${condition.parts.map((part) => conditionSql(part, columns, visit)).join(` ${condition.kind} `)})`;
    case "null": return `(${inner(condition.operand).sql} is ${condition.negate ? "not " : ""}null)`;
    case "like": return `(${inner(condition.operand).sql} ${condition.negate ? "not " : ""}like ${quoteText(condition.pattern)} escape '\\')`;
    case "relate": return relateSql(inner(condition.left), condition.op, inner(condition.right));
    case "compare": return compareSql(inner(condition.operand), condition.op, condition.values);
  }
}

/** SQL of a comparison with literals, none of which is rounded to the dtype compared with. */
export function compareSql({ sql, dtype }: TypedSql, op: TermOp, values: readonly Literal[]): string {
  const never = `(case when ${sql} is null then null else false end)`;
  const always = `(case when ${sql} is null then null else true end)`;
  if (op === "in" || op === "not in") {
    const exact = values.map((value) => placeOf(dtype!, value)).filter(({ isExact }) => isExact).map((place) => place.sql);
    if (exact.length === 0) return op === "in" ? never : always;
    return `(${sql} ${op} (${exact.join(", ")}))`;
  }
  const place = placeOf(dtype!, values[0]!);
  if (place.isExact) return `(${sql} ${sqlOf(op)} ${place.sql})`;
  // The literal lies between `place` and the next value of the dtype.
  switch (op) {
    case "==": return never;
    case "!=": return always;
    case "<": case "<=": return `(${sql} <= ${place.sql})`;
    case ">": case ">=": return `(${sql} > ${place.sql})`;
  }
}

/** SQL of a name. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A value in the SQL type of another dtype, as operands are brought together. */
export function convert({ sql, dtype }: TypedSql, to: Dtype | null): string {
  if (dtype === null || to === null || dtype === to) return sql;
  // DuckDB rounds negative HUGEINT twice.
  if (isFloatDtype(to)) return isFloatDtype(dtype) ? sql : `cast(cast(${sql} as ${dtype === "uint64" ? "ubigint" : "bigint"}) as double)`;
  if (dtype === "string" && (to === "timestamp" || to === "date")) return instantSql(sql, to);
  if (dtype === "date" && to === "timestamp") return `(${sql} * ${dayNs}::hugeint)`;
  return sql;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function sqlOf(op: RelationOp | TermOp): string {
  return op === "==" ? "=" : op === "!=" ? "<>" : op;
}

function literalSql(value: Literal | null): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "string") return quoteText(value);
  if (value instanceof Uint8Array) return bytesSql(value);
  return typeof value === "bigint" || Number.isSafeInteger(value) ? `${value}::hugeint` : `'${value}'::double`;
}

function bytesSql(value: Uint8Array): string {
  return `unhex('${Buffer.from(value).toString("hex")}')`;
}

function instantSql(quoted: string, dtype: "timestamp" | "date"): string {
  const { sql } = placeOf(dtype, quoted.slice(1, -1));
  return sql;
}

/** Where a literal lies among the values of a dtype: on the value `sql`, or between it and the next one. */
function placeOf(dtype: Dtype, value: Literal): { readonly sql: string; readonly isExact: boolean } {
  switch (dtype) {
    case "bool": return { sql: String(Boolean(value)), isExact: true };
    case "string": return { sql: quoteText(String(value)), isExact: true };
    case "bytes": return { sql: bytesSql(typeof value === "string" ? parseHex(value)! : value as Uint8Array), isExact: true };
    case "float32": case "float64": return floatPlace(value as number | bigint);
    case "timestamp": return { sql: `${instantOf(value)}::hugeint`, isExact: true };
    case "date": {
      const instant = instantOf(value);
      const rest = BigInt.asUintN(64, ((instant % BigInt(dayNs)) + BigInt(dayNs)) % BigInt(dayNs));
      return { sql: `${(instant - rest) / BigInt(dayNs)}::hugeint`, isExact: rest === 0n };
    }
    case "int8": case "int16": case "int32": case "int64": case "uint8": case "uint16": case "uint32": case "uint64": return wholePlace(value as number | bigint);
  }
}

const farAway = 10n ** 30n;

function wholePlace(value: number | bigint): { sql: string; isExact: boolean } {
  if (typeof value === "number" && !Number.isFinite(value)) return { sql: `${value > 0 ? farAway : -farAway}::hugeint`, isExact: false };
  const floor = typeof value === "bigint" ? value : BigInt(Math.floor(value));
  const near = floor > farAway ? farAway : floor < -farAway ? -farAway : floor;
  return { sql: `${near}::hugeint`, isExact: near === floor && (typeof value === "bigint" || Number.isInteger(value)) };
}

function floatPlace(value: number | bigint): { sql: string; isExact: boolean } {
  const near = Number(value);
  if (typeof value === "number" || (Number.isFinite(near) && BigInt(near) === value)) return { sql: `'${near}'::double`, isExact: true };
  if (!Number.isFinite(near)) return { sql: near > 0 ? `'${Number.MAX_VALUE}'::double` : "'-inf'::double", isExact: false };
  return { sql: `'${BigInt(near) < value ? near : neighbourBelow(near)}'::double`, isExact: false };
}

function neighbourBelow(value: number): number {
  const bits = new BigInt64Array(new Float64Array([value]).buffer);
  bits[0] = bits[0]! + (value > 0 ? -1n : 1n);
  return new Float64Array(bits.buffer)[0]!;
}

function instantOf(value: Literal): bigint {
  const days = parseDate(String(value));
  return days === undefined ? parseTimestamp(String(value))! : BigInt(days) * BigInt(dayNs);
}

function relateSql(left: TypedSql, op: RelationOp, right: TypedSql): string {
  const [a, b] = [left.dtype, right.dtype];
  if (a !== null && b !== null && a !== b) {
    if (isFloatDtype(a) && !isFloatDtype(b)) return relateWholeToFloat(right, turned[op], left);
    if (isFloatDtype(b) && !isFloatDtype(a)) return relateWholeToFloat(left, op, right);
    if (a === "timestamp" || b === "timestamp") return `(${convert(left, "timestamp")} ${sqlOf(op)} ${convert(right, "timestamp")})`;
    if (a === "date" || b === "date") return `(${convert(left, "date")} ${sqlOf(op)} ${convert(right, "date")})`;
  }
  return `(${left.sql} ${sqlOf(op)} ${right.sql})`;
}

const turned: Record<RelationOp, RelationOp> = { "==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=" };

/** A whole number against a float, by the whole numbers beside it: as doubles, large ones would be rounded. */
function relateWholeToFloat({ sql: whole }: TypedSql, op: RelationOp, { sql: float }: TypedSql): string {
  const near = `least(greatest(${float}, -1e30), 1e30)`;
  const [floor, ceiling] = [`cast(floor(${near}) as hugeint)`, `cast(ceil(${near}) as hugeint)`];
  const isNull = `${whole} is null or ${float} is null`;
  const comparison = { "==": `${whole} = ${floor} and ${floor} = ${ceiling}`, "!=": `${whole} <> ${floor} or ${floor} <> ${ceiling}`, "<": `${whole} < ${ceiling}`, "<=": `${whole} <= ${floor}`, ">": `${whole} > ${floor}`, ">=": `${whole} >= ${ceiling}` }[op];
  return `(case when ${isNull} then null else ${comparison} end)`;
}

function arithmeticSql(op: string, left: TypedSql, right: TypedSql, dtype: Dtype | null): string {
  const isTime = [left, right].some((side) => side.dtype === "timestamp" || side.dtype === "date");
  if (isTime && dtype === "int64") {
    const common = left.dtype === "timestamp" || right.dtype === "timestamp" ? "timestamp" : "date";
    return `${convert(left, common)} - ${convert(right, common)}`;
  }
  if (isTime) return `${left.sql} ${op} ${right.sql}`;
  const [a, b] = [convert(left, dtype), convert(right, dtype)];
  if (op === "/" || op === "%") return `${a} ${op} nullif(${b}, 0)`;
  return `${a} ${op} ${b}`;
}

function callSql(call: Call, inner: (part: Expression) => TypedSql, dtype: Dtype | null): string {
  const time = timeCall(call, inner);
  if (time !== undefined) return time;
  const args = call.args.map((arg) => convert(inner(arg), dtype));
  const [x] = args;
  const raw = call.args.map((arg) => inner(arg).sql);
  switch (call.name) {
    case "coalesce": case "least": case "greatest": return `${call.name}(${args.join(", ")})`;
    case "abs": return `abs(${x})`;
    case "sign": return dtype !== null && isFloatDtype(dtype) ? `cast(sign(${x}) as double)` : `cast(sign(${x}) as hugeint)`;
    case "floor": case "ceil": case "round": return dtype !== null && isFloatDtype(dtype) ? `${call.name}(${[x!, ...raw.slice(1).map((digits) => digits.replace("::hugeint", "::integer"))].join(", ")})` : x!;
    case "sqrt": return `case when ${x} < 0 then null else sqrt(${x}) end`;
    case "ln": case "log10": return `case when ${x} > 0 then ${call.name}(${x}) end`;
    case "exp": return `exp(${args.join(", ")})`;
    // Zeros have no sign here, which a power would show: of -0 with the exponent -1 DuckDB has another infinity.
    case "power": return `power(case when ${x} = 0 then 0 else ${x} end, ${args[1]!})`;
    case "float": return x!;
    case "bin": return binSql(args, dtype);
    case "lower": case "upper": return `${call.name}(${x})`;
    case "length": return inner(call.args[0]!).dtype === "bytes" ? `octet_length(${raw[0]})::hugeint` : `length(${raw[0]})::hugeint`;
    case "substring": return `substring(${raw.map((part) => part.replace("::hugeint", "")).join(", ")})`;
    case "concat": return raw.join(" || ");
    default: throw new Error(`there is no SQL here for ${call.name}`);
  }
}

function binSql([x, width, origin]: readonly string[], dtype: Dtype | null): string {
  if (dtype !== null && isFloatDtype(dtype)) {
    const from = origin ?? "0.0::double";
    return `case when isinf(${x}) then ${x} else floor((${x} - ${from}) / ${width}) * ${width} + ${from} end`;
  }
  const from = origin ?? "0::hugeint";
  return `${x} - (((${x} - ${from}) % ${width} + ${width}) % ${width})`;
}
