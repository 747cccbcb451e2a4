/** Batches as another dtype: every value exactly, or not at all. */
import { isBitSet } from "../../columns/bits.js";
import { isFloatDtype, isTextDtype, wholeRange } from "../../columns/dtypes.js";
import type { Batch, Dtype, FloatDtype, WholeDtype } from "../../columns/dtypes.js";
import { widthOf } from "../../columns/files/encodings.js";
import { parseDate, parseTimestamp } from "../../columns/moments.js";
import { bytesAt, packBytes, packStrings, unpackStrings } from "../../columns/texts.js";
import { fixedBatch } from "./batches.js";
import { cellText } from "./cell-text.js";

/** A value that is not null: whole dtypes as bigint, floats as number. */
export type Scalar = bigint | number | string | Uint8Array;

/** A value that cannot be converted. */
export interface Failure {
  readonly row: number;
  /** What stands there. */
  readonly text: string;
}

/** A batch of another dtype; the rows that failed, in order, hold nothing of meaning. */
export interface Converted {
  readonly batch: Batch;
  readonly failed: readonly Failure[];
}

/**
 * A batch as `dtype`; itself when it is that already. Numbers keep their value, whole ones as days or nanoseconds where
 * they become dates or timestamps; a float must be one exactly, save that text becomes the nearest. Text is read as
 * cellTexts writes it; strings become bytes in UTF-8 and back. NaN is null. What cannot be fails, row by row.
 */
export function convertBatch(batch: Batch, dtype: Dtype): Converted {
  if (batch.dtype === dtype) return { batch, failed: [] };
  const read = scalarReader(batch);
  return buildBatch({ dtype, rows: batch.rows, nulls: nullsOf(batch) }, (row) => {
    const value = read(row);
    return convertScalar(value, batch.dtype, dtype) ?? { failed: cellText(value, batch.dtype) };
  });
}

/** What a batch is to be besides its values. */
export interface Frame {
  readonly dtype: Dtype;
  readonly rows: number;
  readonly nulls: Uint8Array | null;
}

/** A batch of what `valueAt` gives for the rows that are not null: a value of the dtype, or the text of one that failed. */
export function buildBatch(frame: Frame, valueAt: (row: number) => Scalar | { readonly failed: string }): Converted {
  const failed: Failure[] = [];
  const eachRow = (store: (row: number, value: Scalar) => void): void => {
    for (let row = 0; row < frame.rows; row++) {
      if (isBitSet(frame.nulls, row)) continue;
      const value = valueAt(row);
      if (typeof value === "object" && "failed" in value) failed.push({ row, text: value.failed });
      else store(row, value);
    }
  };
  return { batch: storeAll(frame, eachRow), failed };
}

/** The null rows of a batch, those of NaN among them. */
function nullsOf({ dtype, rows, nulls, values }: Batch): Uint8Array | null {
  if (dtype !== "float32" && dtype !== "float64") return nulls;
  if (!values.some(Number.isNaN)) return nulls;
  const all = nulls === null ? new Uint8Array((rows + 7) >> 3) : nulls.slice();
  for (let row = 0; row < rows; row++) if (Number.isNaN(values[row])) all[row >> 3]! |= 1 << (row & 7);
  return all;
}

function storeAll({ dtype, rows, nulls }: Frame, eachRow: (store: (row: number, value: Scalar) => void) => void): Batch {
  if (dtype === "string") {
    const strings = new Array<string | null>(rows).fill(null);
    eachRow((row, value) => { strings[row] = String(value); });
    return { dtype, rows, nulls, values: packStrings(strings) };
  }
  if (dtype === "bytes") {
    const values = new Array<Uint8Array | null>(rows).fill(null);
    eachRow((row, value) => { values[row] = value instanceof Uint8Array ? value : null; });
    return { dtype, rows, nulls, values: packBytes(values) };
  }
  const batch = fixedBatch(dtype, { rows, nulls }, new ArrayBuffer(rows * widthOf(dtype)));
  const { values } = batch;
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) eachRow((row, value) => { values[row] = BigInt(String(value)); });
  else eachRow((row, value) => { values[row] = Number(value); });
  return batch;
}

/** Reads rows of a batch that are not null. */
export function scalarReader(batch: Batch): (row: number) => Scalar {
  switch (batch.dtype) {
    case "string": {
      const strings = unpackStrings(batch.values, batch.nulls);
      return (row) => strings[row] ?? "";
    }
    case "bytes": return (row) => bytesAt(batch.values, row);
    case "float32": case "float64": return (row) => batch.values[row]!;
    default: return (row) => BigInt(batch.values[row]!);
  }
}

function convertScalar(value: Scalar, from: Dtype, to: Dtype): Scalar | undefined {
  if (to === "string") return value instanceof Uint8Array ? decodeUtf8(value) : cellText(value, from);
  if (to === "bytes") return typeof value === "string" ? new TextEncoder().encode(value) : undefined;
  if (isFloatDtype(to)) return toFloat(value, to);
  return isTextDtype(to) ? undefined : toWhole(value, from, to);
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const floatText = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const infiniteText = /^[+-]?inf(?:inity)?$/i;

function toFloat(value: Scalar, to: FloatDtype): number | undefined {
  if (value instanceof Uint8Array) return undefined;
  if (typeof value === "string") return parseFloatText(value, to);
  const number = Number(value);
  const isExact = typeof value === "number" || BigInt(number) === value;
  return isExact && (to === "float64" || Math.fround(number) === number) ? number : undefined;
}

/** The float nearest to a text; undefined for a text of another kind, and for a number that is none within range. */
export function parseFloatText(text: string, to: FloatDtype): number | undefined {
  if (infiniteText.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (!floatText.test(text)) return undefined;
  const number = to === "float32" ? Math.fround(Number(text)) : Number(text);
  return Number.isFinite(number) ? number : undefined;
}

const dayNs = 86_400_000_000_000n;

function toWhole(value: Scalar, from: Dtype, to: WholeDtype): bigint | undefined {
  const whole = wholeOf(value, from, to);
  if (whole === undefined) return undefined;
  const { least, greatest } = wholeRange(to);
  return whole >= least && whole <= greatest ? whole : undefined;
}

function wholeOf(value: Scalar, from: Dtype, to: WholeDtype): bigint | undefined {
  if (value instanceof Uint8Array) return undefined;
  if (typeof value === "string") return parseWhole(value, to);
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : undefined;
  if (from === "date" && to === "timestamp") return value * dayNs;
  if (from === "timestamp" && to === "date") return value % dayNs === 0n ? value / dayNs : undefined;
  return value;
}

function parseWhole(text: string, to: WholeDtype): bigint | undefined {
  if (to === "timestamp") return parseTimestamp(text, "strict");
  if (to === "date") {
    const days = parseDate(text);
    return days === undefined ? undefined : BigInt(days);
  }
  if (to === "bool" && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === "true" ? 1n : 0n;
  return /^[+-]?\d{1,40}$/.test(text) ? BigInt(text) : undefined;
}

/** `unscaled` / 10^`scale` as a value of a dtype: the nearest float, the whole number or text exactly; else undefined. */
export function decimalScalar(unscaled: bigint, scale: number, dtype: Dtype): Scalar | undefined {
  if (dtype === "bytes") return undefined;
  if (dtype === "string") return formatDecimal(unscaled, scale);
  if (isFloatDtype(dtype)) return parseFloatText(formatDecimal(unscaled, scale), dtype);
  const unit = 10n ** BigInt(scale);
  return unscaled % unit === 0n ? toWhole(unscaled / unit, "int64", dtype) : undefined;
}

/** A decimal with all digits of its scale: 1.50. */
export function formatDecimal(unscaled: bigint, scale: number): string {
  if (scale === 0) return unscaled.toString();
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
