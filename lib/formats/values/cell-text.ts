/** Values as text, one spelling each, which reads back as the same value. */
import { formatHex } from "../../base/hex.js";
import { formatDate, formatTimestamp } from "../../columns/moments.js";
import { isBitSet } from "../../columns/bits.js";
import type { Batch, Dtype } from "../../columns/dtypes.js";
import { bytesAt, unpackStrings } from "../../columns/texts.js";

/**
 * The text of each row, null where it is null: true and false; whole numbers in digits; floats in the fewest digits that
 * read back bit for bit, always with a point or an exponent; inf and -inf; timestamps in ISO 8601 with Z; dates as
 * YYYY-MM-DD; strings themselves; bytes as `\x` and hexadecimal digits.
 */
export function cellTexts(batch: Batch): (string | null)[] {
  const { rows, nulls } = batch;
  const each = (format: (row: number) => string): (string | null)[] => Array.from({ length: rows }, (_, row) => (isBitSet(nulls, row) ? null : format(row)));
  switch (batch.dtype) {
    case "bool": return each((row) => (batch.values[row] === 1 ? "true" : "false"));
    case "timestamp": return each((row) => formatTimestamp(batch.values[row]!));
    case "date": return each((row) => formatDate(batch.values[row]!));
    case "float32": return each((row) => formatFloat32(batch.values[row]!));
    case "float64": return each((row) => formatFloat64(batch.values[row]!));
    case "string": return unpackStrings(batch.values, nulls);
    case "bytes": return each((row) => formatHex(bytesAt(batch.values, row)));
    default: return each((row) => batch.values[row]!.toString());
  }
}

/** The text of one value that is not null, as cellTexts gives it; whole dtypes as bigint, bytes as Uint8Array. */
export function cellText(value: bigint | number | string | Uint8Array, dtype: Dtype): string {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return formatHex(value);
  if (typeof value === "number") return dtype === "float32" ? formatFloat32(value) : formatFloat64(value);
  if (dtype === "bool") return value === 1n ? "true" : "false";
  if (dtype === "timestamp") return formatTimestamp(value);
  return dtype === "date" ? formatDate(Number(value)) : value.toString();
}

/** The fewest digits that read back as the same float64, with a point or an exponent. */
export function formatFloat64(value: number): string {
  return withPoint(value, String(value));
}

/** The fewest digits of which the nearest float32 is the value, with a point or an exponent. */
export function formatFloat32(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return withPoint(value, String(short));
  }
  return withPoint(value, String(Number(value.toPrecision(9))));
}

function withPoint(value: number, text: string): string {
  if (Number.isInteger(value)) return /[.e]/.test(text) ? text : `${text}.0`;
  return Number.isFinite(value) ? text : value > 0 ? "inf" : "-inf";
}
