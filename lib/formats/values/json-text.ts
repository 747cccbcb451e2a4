/** Values as JSON, one spelling each, which reads back as the same value. */
import type { Batch } from "../../columns/dtypes.js";
import { bytesAt } from "../../columns/texts.js";
import { cellTexts } from "./cell-text.js";

/**
 * The JSON of each row: whole numbers in all their digits, past 2^53 too; floats in the fewest that read back bit for bit,
 * infinities as the strings "Infinity" and "-Infinity"; timestamps and dates in ISO 8601; bytes in base64; nulls as null.
 */
export function jsonTexts(batch: Batch): string[] {
  const texts = cellTexts(batch);
  const each = (format: (text: string, row: number) => string): string[] => texts.map((text, row) => (text === null ? "null" : format(text, row)));
  switch (batch.dtype) {
    case "bytes": return each((_, row) => `"${Buffer.from(bytesAt(batch.values, row)).toString("base64")}"`);
    case "string": case "timestamp": case "date": return each((text) => JSON.stringify(text));
    case "float32": case "float64": return each(floatText);
    default: return each((text) => text);
  }
}

function floatText(text: string): string {
  return text === "inf" ? '"Infinity"' : text === "-inf" ? '"-Infinity"' : text;
}
