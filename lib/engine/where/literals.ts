/**
 * Comparisons with literals in the terms of a column's dtype: exact ranges and sets, so that no literal is rounded or cut. 0.7 > 0.5 is
 * true of an int64 column's 1 and false of its 0; 2^53 + 1 is not equal to any float64.
 */
import { BquerydError } from "../../base/errors.js";
import { formatHex, parseHex } from "../../base/hex.js";
import { parseDate, parseTimestamp } from "../../columns/moments.js";
import { biasOf, wholeRange, type Dtype, type FloatDtype, type TextDtype, type WholeDtype } from "../../columns/dtypes.js";
import { compareBytes } from "../../columns/text-order.js";
import { packBytes, packStrings } from "../../columns/texts.js";
import type { Expression, Term as ConditionTerm } from "../expressions/tree.js";
import type { Literal } from "../query/literal.js";
import type { ScanColumn } from "../scan-column.js";
import type { PackedTexts } from "../values.js";

/**
 * What a comparison asks of one dtype, with whole numbers as tables keep them (biasOf). A range is inclusive at both ends
 * and empty when lo > hi; sets are sorted; `negate` turns the answer round for non-null values; nulls satisfy nothing
 * either way.
 */
export type ValueTest =
  | { readonly kind: "int-range"; readonly lo: bigint; readonly hi: bigint; readonly negate: boolean }
  | { readonly kind: "int-set"; readonly values: BigInt64Array; readonly negate: boolean }
  | { readonly kind: "float-range"; readonly lo: number; readonly hi: number; readonly negate: boolean }
  | { readonly kind: "float-set"; readonly values: Float64Array; readonly negate: boolean }
  /** accept: bit 0 for less than the literal, bit 1 for equal, bit 2 for greater. */
  | { readonly kind: "text-compare"; readonly literal: Uint8Array; readonly accept: number }
  | { readonly kind: "text-set"; readonly values: PackedTexts; readonly known: KnownTexts; readonly negate: boolean };

/** Of the values of a set of texts all, or the least and the greatest, in order: a million of them take too long to sort. */
export interface KnownTexts {
  readonly texts: readonly Uint8Array[];
  readonly areAll: boolean;
}

/** A comparison, and the name of its operand as a column. */
interface Term extends ConditionTerm {
  readonly name: string;
}

/** Tests of comparisons in use: every shard of a query asks for the same, and a list may have a million values. */
const known = new WeakMap<ConditionTerm, Map<Dtype, ValueTest>>();

/** The test of a comparison on a column, the same object for every one of a dtype. Throws DTYPE_MISMATCH naming column, dtype and literal. */
export function testOf(term: ConditionTerm, { name, dtype }: Pick<ScanColumn, "name" | "dtype">): ValueTest {
  const ofTerm = known.get(term) ?? new Map<Dtype, ValueTest>();
  known.set(term, ofTerm);
  const test = ofTerm.get(dtype) ?? makeTest({ ...term, name }, dtype);
  ofTerm.set(dtype, test);
  return test;
}

function makeTest(term: Term, dtype: Dtype): ValueTest {
  switch (dtype) {
    case "bool": return wholeTest(term, dtype, (literal) => boolPlace(term, literal));
    case "timestamp": return wholeTest(term, dtype, (literal) => timePlace(term, dtype, literal, 1n));
    case "date": return wholeTest(term, dtype, (literal) => timePlace(term, dtype, literal, dayNs));
    case "int8": case "int16": case "int32": case "int64": case "uint8": case "uint16": case "uint32": case "uint64":
      return wholeTest(term, dtype, (literal) => placeOf(numberLiteral(term, dtype, literal)));
    case "float32": case "float64": return floatTest(term, dtype);
    case "string": case "bytes": return textTest(term, dtype);
  }
}

/** Where a literal lies among the whole numbers: on `floor`, or between it and the next. */
interface Place {
  readonly floor: bigint;
  readonly isWhole: boolean;
}

const dayNs = 86_400_000_000_000n;
/** Past the values of every dtype. */
const beyond = 2n ** 70n;

function wholeTest(term: Term, dtype: WholeDtype, convert: (literal: Literal) => Place): ValueTest {
  const { least, greatest } = wholeRange(dtype);
  const bias = biasOf(dtype);
  if (term.op === "in" || term.op === "not in") {
    const values = wholeSet(term, dtype, convert);
    if (values.length === 1) return { kind: "int-range", lo: values[0]!, hi: values[0]!, negate: term.op === "not in" };
    return { kind: "int-set", values, negate: term.op === "not in" };
  }
  const { floor, isWhole } = convert(term.values[0]!);
  const ceiling = isWhole ? floor : floor + 1n;
  const range = (lo: bigint, hi: bigint, negate = false): ValueTest => {
    // Kernels take int64: an end beyond it would wrap round.
    const isEmpty = lo > hi || lo > greatest || hi < least;
    return { kind: "int-range", lo: isEmpty ? 1n : (lo < least ? least : lo) - bias, hi: isEmpty ? 0n : (hi > greatest ? greatest : hi) - bias, negate };
  };
  switch (term.op) {
    case "==": return range(ceiling, floor);
    case "!=": return range(ceiling, floor, true);
    case "<": return range(least, ceiling - 1n);
    case "<=": return range(least, floor);
    case ">": return range(floor + 1n, greatest);
    case ">=": return range(ceiling, greatest);
  }
}

/** The values of a list that a dtype has, as tables keep them, sorted, each once. */
function wholeSet(term: Term, dtype: WholeDtype, convert: (literal: Literal) => Place): BigInt64Array {
  const { least, greatest } = wholeRange(dtype);
  const bias = biasOf(dtype);
  const values = new BigInt64Array(term.values.length);
  let count = 0;
  for (const literal of term.values) {
    const { floor, isWhole } = convert(literal);
    if (isWhole && floor >= least && floor <= greatest) values[count++] = floor - bias;
  }
  const sorted = values.subarray(0, count).sort();
  return sorted.filter((value, at) => at === 0 || value !== sorted[at - 1]);
}

function floatTest(term: Term, dtype: FloatDtype): ValueTest {
  const literals = term.values.map((literal) => numberLiteral(term, dtype, literal));
  if (term.op === "in" || term.op === "not in") {
    const exact = literals.filter((literal) => typeof literal === "number" || BigInt(Number.isFinite(Number(literal)) ? Number(literal) : 0) === literal);
    // Adding 0 turns -0.0 into the 0.0 that columns store.
    const values = Float64Array.from(exact, (value) => Number(value) + 0).sort();
    return { kind: "float-set", values: values.filter((value, at) => at === 0 || value !== values[at - 1]), negate: term.op === "not in" };
  }
  const { below, above } = bracket(literals[0]!);
  const isExact = below === above;
  const range = (lo: number, hi: number, negate = false): ValueTest => ({ kind: "float-range", lo, hi, negate });
  switch (term.op) {
    case "==": return range(above, below);
    case "!=": return range(above, below, true);
    case "<=": return range(-Infinity, below);
    case ">=": return range(above, Infinity);
    case "<": return isExact && below === -Infinity ? range(1, 0) : range(-Infinity, isExact ? nextBelow(below) : below);
    case ">": return isExact && above === Infinity ? range(1, 0) : range(isExact ? -nextBelow(-above) : above, Infinity);
  }
}

function textTest(term: Term, dtype: TextDtype): ValueTest {
  const { offsets, bytes } = dtype === "bytes" ? packBytes(term.values.map((literal) => bytesLiteral(term, literal))) : packStrings(term.values.map((literal) => stringLiteral(term, literal)));
  const values: PackedTexts = { offsets, bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) };
  if (term.op === "in" || term.op === "not in") return { kind: "text-set", values, known: knownOf(values), negate: term.op === "not in" };
  const accepts = { "<": 1, "==": 2, "<=": 3, ">": 4, "!=": 5, ">=": 6 };
  return { kind: "text-compare", literal: values.bytes, accept: accepts[term.op] };
}

const sortedTextsMax = 50_000;

function knownOf({ offsets, bytes }: PackedTexts): KnownTexts {
  const count = offsets.length - 1;
  const textAt = (place: number): Uint8Array => bytes.subarray(offsets[place], offsets[place + 1]);
  if (count <= sortedTextsMax) return { texts: Array.from({ length: count }, (_, place) => textAt(place)).sort((a, b) => Buffer.compare(a, b)), areAll: true };
  let [least, greatest] = [0, 0];
  for (let place = 1; place < count; place++) {
    if (compareBytes(bytes, offsets[place]!, offsets[place + 1]!, offsets[least]!, offsets[least + 1]!) < 0) least = place;
    if (compareBytes(bytes, offsets[place]!, offsets[place + 1]!, offsets[greatest]!, offsets[greatest + 1]!) > 0) greatest = place;
  }
  return { texts: [textAt(least), textAt(greatest)], areAll: false };
}

function stringLiteral(term: Term, literal: Literal): string {
  if (typeof literal !== "string") throw mismatch(term, "string", literal, "compare it with text in quotes");
  return literal;
}

function bytesLiteral(term: Term, literal: Literal): Uint8Array {
  const bytes = typeof literal === "string" ? parseHex(literal) : literal;
  if (!(bytes instanceof Uint8Array)) throw mismatch(term, "bytes", literal, "give a Uint8Array, or text such as '\\x0aff', two hexadecimal digits a byte");
  return bytes;
}

function numberLiteral(term: Term, dtype: Dtype, literal: Literal): number | bigint {
  if (typeof literal === "number" || typeof literal === "bigint") return literal;
  throw mismatch(term, dtype, literal, "compare it with a number");
}

function boolPlace(term: Term, literal: Literal): Place {
  if (typeof literal === "boolean") return { floor: literal ? 1n : 0n, isWhole: true };
  if (literal === 0 || literal === 1) return { floor: BigInt(literal), isWhole: true };
  throw mismatch(term, "bool", literal, "compare it with true or false");
}

/** An instant in steps of `stepNs` since 1970 UTC; a date is its first instant. */
function timePlace(term: Term, dtype: "timestamp" | "date", literal: Literal, stepNs: bigint): Place {
  const instant = typeof literal === "string" ? parseInstant(literal) : undefined;
  if (instant === undefined) throw mismatch(term, dtype, literal, "write it as '2016-01-31' or '2016-01-31T12:30:00Z', or give a Date");
  const rest = ((instant % stepNs) + stepNs) % stepNs;
  return { floor: (instant - rest) / stepNs, isWhole: rest === 0n };
}

/** Nanoseconds since 1970 UTC, of dates far beyond those of timestamps too. */
function parseInstant(text: string): bigint | undefined {
  const days = parseDate(text);
  return days === undefined ? parseTimestamp(text) : BigInt(days) * dayNs;
}

/** What a message calls an operand whose column has that name. */
export function subjectOf(operand: Expression, name: string): string {
  return operand.kind === "column" ? `column '${name}'` : `the value of '${name.slice(0, 80)}'`;
}

function mismatch(term: Term, dtype: Dtype, literal: Literal, advice: string): BquerydError {
  const shown = literal instanceof Uint8Array ? `bytes ${formatHex(literal.subarray(0, 30))}` : typeof literal === "string" ? `text '${literal.slice(0, 60)}'` : `${typeof literal} ${literal}`;
  return new BquerydError("DTYPE_MISMATCH", `${subjectOf(term.operand, term.name)} is ${dtype} and cannot be compared with the ${shown}; ${advice}`, { details: { column: term.name, dtype, op: term.op } });
}

function placeOf(value: number | bigint): Place {
  if (typeof value === "bigint") return { floor: value, isWhole: true };
  if (!Number.isFinite(value)) return { floor: value > 0 ? beyond : -beyond, isWhole: false };
  return { floor: BigInt(Math.floor(value)), isWhole: Number.isInteger(value) };
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
