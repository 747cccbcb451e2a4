/** The values of one column of JSON objects: of which kinds they are, and as a batch of its dtype. */
import { wholeRange } from "../../columns/dtypes.js";
import type { Batch, FloatDtype, WholeDtype } from "../../columns/dtypes.js";
import { widthOf } from "../../columns/files/encodings.js";
import { parseDate, parseTimestamp } from "../../columns/moments.js";
import type { Texts } from "../../columns/texts.js";
import { fixedBatch } from "../values/batches.js";
import { parseFloatText } from "../values/convert.js";
import { roundToFloat32 } from "../values/float32.js";
import { kinds, kindsOf } from "../values/infer.js";
import type { Tokens } from "./scan.js";
import { decodeString, tokenKinds } from "./tokens.js";
import type { WantedColumn } from "../source.js";

/** The values of one column: tokens `order[i]`, whose rows ascend, none twice. Rows without a token are null. */
export interface ColumnTokens {
  readonly bytes: Uint8Array;
  readonly tokens: Tokens;
  readonly order: Uint32Array;
  readonly rows: number;
  /** Strings that stand for a missing value. */
  readonly nullTexts: ReadonlySet<string>;
}

/** The values of a column. */
export interface ColumnValues {
  readonly batch: Batch;
  /** Tokens that do not fit; the entries of their rows in the batch mean nothing. */
  readonly misfits: readonly number[];
}

/** Whole numbers of so many digits are exact as a float64. */
const plainDigitsMax = 15;
const powersOfTen = Float64Array.from({ length: plainDigitsMax + 1 }, (_, exponent) => Number(`1e${exponent}`));
/** No more digits than uint64 has. */
const wholeText = /^-?\d{1,20}$/;
const twoTo32 = 0x1_0000_0000;

/** The kinds of the values of a column, or-ed (see infer.ts); those of objects and lists are none. */
export function kindsOfTokens(column: ColumnTokens, order: Iterable<number> = column.order): number {
  let seen = 0;
  for (const token of order) if (!isNullToken(column, token)) seen |= kindsOfToken(column, token);
  return seen;
}

/** Tells whether a value of a column is an object or a list. */
export function isNested({ tokens }: ColumnTokens, token: number): boolean {
  return tokens.kind[token] === tokenKinds.nested;
}

/** The value as it stands in the object; a string without its quotes and escapes. */
export function textOf({ bytes, tokens }: ColumnTokens, token: number): string {
  return decodeString(bytes, tokens.start[token]!, tokens.end[token]!, tokens.kind[token] === tokenKinds.escaped);
}

/**
 * The values of a column as a batch of the wanted dtype. Where the dtype is fixed, strings that spell a value of it count
 * as well, floats may be the nearest to what stands there, and a string is the JSON text of an object or list.
 */
export function readColumn(column: ColumnTokens, { dtype, fixed }: WantedColumn): ColumnValues {
  switch (dtype) {
    case "string": case "bytes": return readTexts(column, dtype, fixed);
    case "float32": case "float64": return readFloats(column, dtype, fixed);
    default: return readWholes(column, dtype, fixed);
  }
}

function isNullToken(column: ColumnTokens, token: number): boolean {
  const kind = column.tokens.kind[token]!;
  if (kind === tokenKinds.null) return true;
  return column.nullTexts.size > 0 && isString(kind) && column.nullTexts.has(textOf(column, token));
}

function isString(kind: number): boolean {
  return kind === tokenKinds.string || kind === tokenKinds.escaped;
}

function kindsOfToken(column: ColumnTokens, token: number): number {
  switch (column.tokens.kind[token]) {
    case tokenKinds.integer: case tokenKinds.decimal: return kindsOf(textOf(column, token));
    case tokenKinds.true: case tokenKinds.false: return kinds.bool;
    case tokenKinds.word: return kinds.word;
    case tokenKinds.nested: return 0;
    default: break;
  }
  if (findWord(column, token) !== undefined) return kinds.word;
  return mayBeMoment(column, token) ? kindsOf(textOf(column, token)) & momentKinds || kinds.text : kinds.text;
}

const floatWords: ReadonlyMap<string, number> = new Map([["NaN", NaN], ["Infinity", Infinity], ["-Infinity", -Infinity]]);

/** The float that a word stands for, in quotes as JSON needs them or without; undefined for any other value. */
function findWord(column: ColumnTokens, token: number): number | undefined {
  const { kind, start, end } = column.tokens;
  const bytes = end[token]! - start[token]!;
  const mayBe = (bytes === 3 || bytes === 8 || bytes === 9) && (kind[token] === tokenKinds.word || kind[token] === tokenKinds.string);
  return mayBe ? floatWords.get(textOf(column, token)) : undefined;
}

const momentKinds = kinds.date | kinds.farDate | kinds.timestamp;

/** Tells whether a string has the hyphens of a date. */
function mayBeMoment({ bytes, tokens }: ColumnTokens, token: number): boolean {
  const start = tokens.start[token]!;
  const length = tokens.end[token]! - start;
  return length >= 10 && length <= 40 && bytes[start + 4] === 0x2d && bytes[start + 7] === 0x2d;
}

/** Calls `store` for each value that is not null, marks the others null, and gives the tokens for which it gave false. */
function eachValue(column: ColumnTokens, nulls: Uint8Array, store: (token: number, row: number) => boolean): number[] {
  const misfits: number[] = [];
  nulls.fill(0xff);
  for (const token of column.order) {
    if (isNullToken(column, token)) continue;
    const row = column.tokens.row[token]!;
    nulls[row >> 3]! &= ~(1 << (row & 7));
    if (!store(token, row)) misfits.push(token);
  }
  return misfits;
}

function createNulls(rows: number): Uint8Array {
  return new Uint8Array((rows + 7) >> 3);
}

/** Null where no row is: what is past the last row does not count. */
function settleNulls(nulls: Uint8Array, rows: number): Uint8Array | null {
  if ((rows & 7) !== 0) nulls[nulls.length - 1]! &= (1 << (rows & 7)) - 1;
  return nulls.some((byte) => byte !== 0) ? nulls : null;
}

function readTexts(column: ColumnTokens, dtype: "string" | "bytes", isFixed: boolean): ColumnValues {
  const { bytes, tokens, order, rows } = column;
  const offsets = new Uint32Array(rows + 1);
  // Escapes are longer than what they stand for, and so is base64.
  const target = new Uint8Array(order.reduce((sum, token) => sum + tokens.end[token]! - tokens.start[token]!, 0));
  const nulls = createNulls(rows);
  let used = 0;
  let next = 0;
  const misfits = eachValue(column, nulls, (token, row) => {
    for (; next <= row; next++) offsets[next] = used;
    const kind = tokens.kind[token]!;
    if (kind === tokenKinds.nested && !(isFixed && dtype === "string")) return false;
    const spelled = dtype === "bytes" ? parseBytes(textOf(column, token)) : kind === tokenKinds.escaped ? Buffer.from(textOf(column, token)) : null;
    if (spelled === undefined || (dtype === "bytes" && !isString(kind))) return false;
    used += spelled === null ? copyBytes(bytes, tokens.start[token]!, tokens.end[token]!, target, used) : copyBytes(spelled, 0, spelled.length, target, used);
    return true;
  });
  offsets.fill(used, next);
  const values: Texts = { offsets, bytes: target.subarray(0, used), codes: null };
  return { batch: { dtype, rows, nulls: settleNulls(nulls, rows), values }, misfits };
}

/** A native copy costs a view; strings are mostly shorter than that is worth. */
function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  if (end - start > 48) target.set(source.subarray(start, end), at);
  else for (let i = start; i < end; i++) target[at + i - start] = source[i]!;
  return end - start;
}

const hexText = /^\\x(?:[0-9a-f]{2})*$/i;
const base64Text = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Bytes from base64, or from `\x` and hexadecimal digits. */
function parseBytes(text: string): Uint8Array | undefined {
  if (hexText.test(text)) return Buffer.from(text.slice(2), "hex");
  return base64Text.test(text) ? Buffer.from(text, "base64") : undefined;
}

function readFloats(column: ColumnTokens, dtype: FloatDtype, isFixed: boolean): ColumnValues {
  const { rows } = column;
  const nulls = createNulls(rows);
  const batch = fixedBatch(dtype, { rows, nulls: null }, new ArrayBuffer(rows * widthOf(dtype)));
  const misfits = eachValue(column, nulls, (token, row) => {
    const value = floatOf(column, token, dtype, isFixed);
    if (value !== undefined) batch.values[row] = value;
    return value !== undefined;
  });
  return { batch: { ...batch, nulls: settleNulls(nulls, rows) }, misfits };
}

function floatOf(column: ColumnTokens, token: number, dtype: FloatDtype, isFixed: boolean): number | undefined {
  const kind = column.tokens.kind[token]!;
  const word = findWord(column, token);
  if (word !== undefined) return word;
  const isNumber = kind === tokenKinds.integer || kind === tokenKinds.decimal;
  const plain = isNumber && dtype === "float64" ? plainNumber(column, token) : undefined;
  if (plain !== undefined || !(isNumber || (isFixed && isString(kind)))) return plain;
  const text = textOf(column, token);
  if (kind === tokenKinds.integer && !isFixed && (kindsOf(text) & (kinds.inexact | kinds.text)) !== 0) return undefined;
  if (/^nan$/i.test(text)) return NaN;
  const value = parseFloatText(text, "float64");
  if (value === undefined || dtype === "float64") return value;
  const narrow = roundToFloat32(text, value);
  return Number.isFinite(value) && !Number.isFinite(narrow) ? undefined : narrow;
}

/** A number of few digits, without an exponent: both its digits and their power of ten are exact, and so is the rounding of their quotient. */
function plainNumber({ bytes, tokens }: ColumnTokens, token: number): number | undefined {
  const end = tokens.end[token]!;
  const isNegative = bytes[tokens.start[token]!] === 0x2d;
  const start = tokens.start[token]! + Number(isNegative);
  if (end - start > plainDigitsMax) return undefined;
  let digits = 0;
  let point = end;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === 0x2e) point = i + 1;
    else if (byte > 0x39) return undefined;
    else digits = digits * 10 + byte - 0x30;
  }
  const value = digits / powersOfTen[end - point]!;
  return isNegative ? 0 - value : value;
}

/** A whole number of few digits; undefined for others. */
function plainInteger({ bytes, tokens }: ColumnTokens, token: number): number | undefined {
  const end = tokens.end[token]!;
  const isNegative = bytes[tokens.start[token]!] === 0x2d;
  const start = tokens.start[token]! + Number(isNegative);
  if (end - start > plainDigitsMax) return undefined;
  let value = 0;
  for (let i = start; i < end; i++) value = value * 10 + bytes[i]! - 0x30;
  return isNegative ? 0 - value : value;
}

function readWholes(column: ColumnTokens, dtype: WholeDtype, isFixed: boolean): ColumnValues {
  const { rows } = column;
  const nulls = createNulls(rows);
  const batch = fixedBatch(dtype, { rows, nulls: null }, new ArrayBuffer(rows * widthOf(dtype)));
  const { values } = batch;
  const { least, greatest } = wholeRange(dtype);
  const [low, high] = [Number(least), Number(greatest)];
  const words = values instanceof BigInt64Array || values instanceof BigUint64Array ? new Uint32Array(values.buffer) : null;
  const misfits = eachValue(column, nulls, (token, row) => {
    const value = wholeOf(column, token, dtype, isFixed);
    if (value === undefined || (typeof value === "bigint" ? value < least || value > greatest : value < low || value > high)) return false;
    if (!(values instanceof BigInt64Array || values instanceof BigUint64Array)) values[row] = Number(value);
    else if (typeof value === "bigint") values[row] = value;
    else {
      words![row * 2] = value;
      words![row * 2 + 1] = Math.floor(value / twoTo32);
    }
    return true;
  });
  return { batch: { ...batch, nulls: settleNulls(nulls, rows) }, misfits };
}

/** A value as the whole number that a dtype keeps, in whatever range; undefined when it is none. */
function wholeOf(column: ColumnTokens, token: number, dtype: WholeDtype, isFixed: boolean): bigint | number | undefined {
  const kind = column.tokens.kind[token]!;
  if (kind === tokenKinds.nested || kind === tokenKinds.word) return undefined;
  if (dtype === "bool") return boolOf(column, token, isFixed);
  if (dtype === "date" || dtype === "timestamp") {
    if (!isString(kind) || !(isFixed || mayBeMoment(column, token))) return undefined;
    return dtype === "date" ? parseDate(textOf(column, token), isFixed ? "lenient" : "strict") : parseTimestamp(textOf(column, token), "strict");
  }
  if (kind !== tokenKinds.integer && !(isFixed && isString(kind))) return undefined;
  const plain = kind === tokenKinds.integer ? plainInteger(column, token) : undefined;
  if (plain !== undefined) return plain;
  const text = textOf(column, token);
  return wholeText.test(text) ? BigInt(text) : undefined;
}

function boolOf(column: ColumnTokens, token: number, isFixed: boolean): number | undefined {
  const kind = column.tokens.kind[token]!;
  if (kind === tokenKinds.true || kind === tokenKinds.false) return Number(kind === tokenKinds.true);
  const text = isFixed ? textOf(column, token).toLowerCase() : "";
  if (text === "true" || text === "1") return 1;
  return text === "false" || text === "0" ? 0 : undefined;
}
