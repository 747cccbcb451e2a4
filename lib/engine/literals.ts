/**
 * Where terms in the terms of a column's dtype: exact ranges and sets, so that no literal is rounded or cut. 0.7 > 0.5 is
 * true of an int64 column's 1 and false of its 0; 2^53 + 1 is not equal to any float64.
 */
import { BquerydError } from "../base/errors.js";
import type { Dtype } from "../columns/dtypes.js";
import type { Literal, Term } from "./query.js";
import { parseTimestamp } from "../columns/timestamps.js";

const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;

/**
 * What a term asks of one dtype. A range is inclusive at both ends and empty when lo > hi; `negate` turns the answer
 * round for non-null values; nulls satisfy nothing either way.
 */
export type Condition =
  | { readonly kind: "int-range"; readonly lo: bigint; readonly hi: bigint; readonly negate: boolean }
  | { readonly kind: "int-set"; readonly values: BigInt64Array; readonly negate: boolean }
  | { readonly kind: "float-range"; readonly lo: number; readonly hi: number; readonly negate: boolean }
  | { readonly kind: "float-set"; readonly values: Float64Array; readonly negate: boolean }
  /** accept: bit 0 for less than the literal, bit 1 for equal, bit 2 for greater. */
  | { readonly kind: "text-compare"; readonly literal: Uint8Array; readonly accept: number }
  | { readonly kind: "text-set"; readonly values: readonly Uint8Array[]; readonly negate: boolean };

/** Conditions of terms in use: every shard of a query asks for the same, and a list may have a million values. */
const known = new WeakMap<Term, Map<Dtype, Condition>>();

/** The condition of a term on a column of a dtype; throws DTYPE_MISMATCH naming column, dtype and literal. */
export function conditionOf(term: Term, dtype: Dtype): Condition {
  const ofTerm = known.get(term) ?? new Map<Dtype, Condition>();
  known.set(term, ofTerm);
  const condition = ofTerm.get(dtype) ?? makeCondition(term, dtype);
  ofTerm.set(dtype, condition);
  return condition;
}

function makeCondition(term: Term, dtype: Dtype): Condition {
  switch (dtype) {
    case "bool": return intCondition(term, (literal) => boolLiteral(term, literal));
    case "timestamp": return intCondition(term, (literal) => timestampLiteral(term, literal));
    case "int64": return intCondition(term, (literal) => numberLiteral(term, dtype, literal));
    case "float64": return floatCondition(term);
    case "string": return textCondition(term);
  }
}

function intCondition(term: Term, convert: (literal: Literal) => number | bigint): Condition {
  if (term.op === "in" || term.op === "not in") {
    const whole = term.values.map(convert).filter(isWhole).map(BigInt).filter((value) => value >= int64Min && value <= int64Max);
    return { kind: "int-set", values: new BigInt64Array(new Set(whole)).sort(), negate: term.op === "not in" };
  }
  const value = convert(term.values[0]!);
  const floor = floorToBigint(value);
  const ceiling = isWhole(value) ? floor : floor + 1n;
  const range = (lo: bigint, hi: bigint, negate = false): Condition => {
    // Kernels take int64: an end beyond it would wrap round.
    const isEmpty = lo > hi || lo > int64Max || hi < int64Min;
    return { kind: "int-range", lo: isEmpty ? 1n : lo < int64Min ? int64Min : lo, hi: isEmpty ? 0n : hi > int64Max ? int64Max : hi, negate };
  };
  switch (term.op) {
    case "==": return range(ceiling, floor);
    case "!=": return range(ceiling, floor, true);
    case "<": return range(int64Min, ceiling - 1n);
    case "<=": return range(int64Min, floor);
    case ">": return range(floor + 1n, int64Max);
    case ">=": return range(ceiling, int64Max);
  }
}

function floatCondition(term: Term): Condition {
  const literals = term.values.map((literal) => numberLiteral(term, "float64", literal));
  if (term.op === "in" || term.op === "not in") {
    const exact = literals.filter((literal) => typeof literal === "number" || BigInt(Number.isFinite(Number(literal)) ? Number(literal) : 0) === literal);
    // Adding 0 turns -0.0 into the 0.0 that columns store.
    return { kind: "float-set", values: new Float64Array(new Set(exact.map((value) => Number(value) + 0))), negate: term.op === "not in" };
  }
  const { below, above } = bracket(literals[0]!);
  const isExact = below === above;
  const range = (lo: number, hi: number, negate = false): Condition => ({ kind: "float-range", lo, hi, negate });
  switch (term.op) {
    case "==": return range(above, below);
    case "!=": return range(above, below, true);
    case "<=": return range(-Infinity, below);
    case ">=": return range(above, Infinity);
    case "<": return isExact && below === -Infinity ? range(1, 0) : range(-Infinity, isExact ? nextBelow(below) : below);
    case ">": return isExact && above === Infinity ? range(1, 0) : range(isExact ? -nextBelow(-above) : above, Infinity);
  }
}

function textCondition(term: Term): Condition {
  const encoder = new TextEncoder();
  const values = term.values.map((literal) => {
    if (typeof literal !== "string") throw mismatch(term, "string", literal, "compare it with text in quotes");
    return encoder.encode(literal);
  });
  if (term.op === "in" || term.op === "not in") return { kind: "text-set", values, negate: term.op === "not in" };
  const accepts = { "<": 1, "==": 2, "<=": 3, ">": 4, "!=": 5, ">=": 6 };
  return { kind: "text-compare", literal: values[0]!, accept: accepts[term.op] };
}

function numberLiteral(term: Term, dtype: Dtype, literal: Literal): number | bigint {
  if (typeof literal === "number" || typeof literal === "bigint") return literal;
  throw mismatch(term, dtype, literal, "compare it with a number");
}

function boolLiteral(term: Term, literal: Literal): bigint {
  if (typeof literal === "boolean") return literal ? 1n : 0n;
  if (literal === 0 || literal === 1) return BigInt(literal);
  throw mismatch(term, "bool", literal, "compare it with true or false");
}

function timestampLiteral(term: Term, literal: Literal): bigint {
  const value = typeof literal === "string" ? parseTimestamp(literal) : undefined;
  if (value === undefined) throw mismatch(term, "timestamp", literal, "write it as '2016-01-31' or '2016-01-31T12:30:00Z', or give a Date");
  return value;
}

function mismatch(term: Term, dtype: Dtype, literal: Literal, advice: string): BquerydError {
  const shown = typeof literal === "string" ? `text '${literal.slice(0, 60)}'` : `${typeof literal} ${literal}`;
  return new BquerydError("DTYPE_MISMATCH", `column '${term.column}' is ${dtype} and cannot be compared with the ${shown}; ${advice}`, { details: { column: term.column, dtype, op: term.op } });
}

function isWhole(value: number | bigint): value is number | bigint {
  return typeof value === "bigint" || Number.isInteger(value);
}

/** The greatest integer not above a value; infinities become integers beyond int64. */
function floorToBigint(value: number | bigint): bigint {
  if (typeof value === "bigint") return value;
  if (!Number.isFinite(value)) return value > 0 ? int64Max + 2n : int64Min - 2n;
  return BigInt(Math.floor(value));
}

/** The greatest float64 not above and the least not below a number. */
function bracket(value: number | bigint): { below: number; above: number } {
  if (typeof value === "number") return { below: value, above: value };
  const near = Number(value);
  if (near === Infinity) return { below: Number.MAX_VALUE, above: Infinity };
  if (near === -Infinity) return { below: -Infinity, above: -Number.MAX_VALUE };
  const exact = BigInt(near);
  if (exact === value) return { below: near, above: near };
  return exact < value ? { below: near, above: -nextBelow(-near) } : { below: nextBelow(near), above: near };
}

/** The greatest float64 below a finite or positive infinite one. */
function nextBelow(value: number): number {
  if (value === Infinity) return Number.MAX_VALUE;
  if (value === 0) return -Number.MIN_VALUE;
  const bits = new BigInt64Array(new Float64Array([value]).buffer);
  bits[0] = bits[0]! + (value > 0 ? -1n : 1n);
  return new Float64Array(bits.buffer)[0]!;
}
