/**
 * What texts can be: every value of a column is of some kinds, and the kinds seen in a column say which dtype holds all
 * of them exactly. The kernel csvKinds finds the same kinds in bytes.
 */
import type { Dtype } from "../../columns/dtypes.js";
import { parseDate, parseTimestamp } from "../../columns/moments.js";
import type { HeldColumn, InferredColumn } from "../source.js";

/** Bits for the kinds of values; a null is of none. */
export const kinds = {
  /** `true` or `false`, also with a capital or in capitals. */
  bool: 1,
  /** A whole number below 0 that int64 holds. */
  negative: 2,
  /** A whole number from 0 that int64 holds. */
  whole: 4,
  /** A whole number past int64 that uint64 holds. */
  big: 8,
  /** Beside the three above: no float64 is that number. */
  inexact: 16,
  /** A number with a point or an exponent; a whole one past uint64 or below int64 as JavaScript writes a float64. */
  float: 32,
  /** NaN or an infinity, which are words as well. */
  word: 64,
  /** `YYYY-MM-DD`. */
  date: 128,
  /** A date and a time within the range of timestamps. */
  timestamp: 256,
  /** Beside date: its midnight is out of the range of timestamps. */
  farDate: 512,
  /** Anything else. */
  text: 1024,
  /** Any other whole number that neither int64 nor uint64 holds, and some float64 is exactly. */
  huge: 2048,
} as const;

const integers = kinds.negative | kinds.whole | kinds.big;
const numbers = integers | kinds.float | kinds.word | kinds.huge;
const wholeText = /^-?(?:0|[1-9]\d*)$/;
const floatText = /^-?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const wordText = /^-?(?:nan|inf|infinity)$/i;
const boolText = /^(?:true|True|TRUE|false|False|FALSE)$/;
/** Characters of the greatest uint64, and of the least int64. */
const wholeLengthMax = 20;
/** Characters of the least float64. */
const hugeLengthMax = 310;
const startOfUint64Only = 1n << 63n;
const endOfUint64 = 1n << 64n;

/** The kinds of a text that is not null. Blanks around it do not count, unless it is a text anyway. */
export function kindsOf(text: string): number {
  const bare = text.replace(/^[ \t]+|[ \t]+$/g, "");
  if (wholeText.test(bare)) return kindsOfWhole(bare);
  if (floatText.test(bare)) return Number.isFinite(Number(bare)) ? kinds.float : kinds.text;
  if (boolText.test(bare)) return kinds.bool;
  if (wordText.test(bare)) return kinds.word;
  const isTimestamp = parseTimestamp(bare, "strict") !== undefined;
  if (parseDate(bare, "strict") !== undefined) return isTimestamp ? kinds.date : kinds.date | kinds.farDate;
  return isTimestamp ? kinds.timestamp : kinds.text;
}

function kindsOfWhole(text: string): number {
  if (text.length > hugeLengthMax) return kinds.text;
  const value = BigInt(text);
  const isExact = Number.isFinite(Number(value)) && BigInt(Number(value)) === value;
  if (text.length > wholeLengthMax || value >= endOfUint64 || value < -startOfUint64Only) {
    // Below 10^21 JavaScript, and whoever prints a float64 as briefly, writes all digits, of which the last are zeros.
    if (String(Number(text)) === text) return kinds.float;
    return isExact ? kinds.huge : kinds.text;
  }
  const kind = value < 0n ? kinds.negative : value < startOfUint64Only ? kinds.whole : kinds.big;
  return isExact ? kind : kind | kinds.inexact;
}

/**
 * The dtype that holds values of these kinds exactly: bool, int64, uint64, float64, date, timestamp or string, which
 * keeps every text as it is spelled. A column of nothing but nulls, of nothing but NaN and infinities, or of whole numbers
 * that no dtype for such holds, is of strings.
 */
export function dtypeOfKinds(seen: number): Dtype {
  if (isOnly(seen, kinds.bool)) return "bool";
  if (isOnly(seen, integers | kinds.inexact)) {
    if ((seen & kinds.big) === 0) return "int64";
    return (seen & kinds.negative) === 0 ? "uint64" : "string";
  }
  if (isOnly(seen, numbers) && (seen & (kinds.float | kinds.word)) !== 0 && (seen & ~kinds.word) !== 0) return "float64";
  if (isOnly(seen, kinds.date | kinds.farDate)) return "date";
  return isOnly(seen, kinds.date | kinds.timestamp) ? "timestamp" : "string";
}

/** The least kinds that make a column of a dtype that text can become. */
export function kindsOfDtype(dtype: Dtype): number {
  switch (dtype) {
    case "bool": return kinds.bool;
    case "int8": case "int16": case "int32": case "int64": case "uint8": case "uint16": case "uint32": return kinds.whole;
    case "uint64": return kinds.big;
    case "float32": case "float64": return kinds.float;
    case "date": return kinds.date;
    case "timestamp": return kinds.timestamp;
    case "string": case "bytes": return kinds.text;
  }
}

/** A column whose dtype comes from the kinds of its values, as far as they are known. */
export function inferColumn(name: string, seen: number): InferredColumn {
  return { name, dtype: dtypeOfKinds(seen), kinds: seen };
}

/** The column once values of more kinds have come to it: its dtype is one that holds those as well. */
export function widenColumn<Column extends HeldColumn>(column: Column, seen: number): Column & InferredColumn {
  const all = knownKinds(column) | seen;
  return { ...column, dtype: dtypeOfKinds(all), kinds: all };
}

/** The kinds that made a column what it is; the least that would have, where its dtype comes from elsewhere. */
export function knownKinds({ dtype, kinds: known }: HeldColumn): number {
  return known ?? kindsOfDtype(dtype);
}

/**
 * Tells whether a column of strings is one only for want of values that say what it is: of nulls, NaN and infinities, or
 * whole numbers too large. More values may make it another, though strings hold them.
 */
export function isUndecided({ dtype, kinds: known }: HeldColumn): boolean {
  return known !== undefined && dtype === "string" && dtypeOfKinds(known | kinds.float) !== "string";
}

function isOnly(seen: number, allowed: number): boolean {
  return seen !== 0 && (seen & ~allowed) === 0;
}
