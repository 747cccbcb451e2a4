/**
 * JSON objects, one a line. Whole numbers are written in all their digits, past 2^53 too; floats in the fewest that read
 * back bit for bit, infinities as the strings "Infinity" and "-Infinity"; timestamps and dates in ISO 8601; bytes in
 * base64; nulls as null.
 */
import type { Batch } from "../../columns/dtypes.js";
import { bytesAt } from "../../columns/texts.js";
import { cellTexts } from "../values/cell-text.js";
import { cutBatches, type SliceLimits } from "../values/slices.js";
import type { RowEncoder } from "../export/encoder.js";
import type { ExportColumn } from "../export/columns.js";
import type { Sink } from "../export/sink.js";

/** What is spelled out in memory at once. */
const sliceLimits: SliceLimits = { rows: 4_096, bytes: 4 * 1024 * 1024 };

/** Writes an object a row. */
export async function openNdjsonEncoder(columns: readonly ExportColumn[], sink: Sink): Promise<RowEncoder> {
  const keys = columns.map(({ name }, at) => `${at === 0 ? "{" : ","}${JSON.stringify(name)}:`);
  return {
    async add(batches) {
      for (const slices of cutBatches(batches, sliceLimits)) await sink.write(Buffer.from(joinRows(keys, slices.map(valuesOf))));
    },
    finish: () => Promise.resolve(),
  };
}

function joinRows(keys: readonly string[], values: readonly (readonly string[])[]): string {
  let text = "";
  for (let row = 0; row < values[0]!.length; row++) {
    for (let column = 0; column < keys.length; column++) text += keys[column]! + values[column]![row]!;
    text += "}\n";
  }
  return text;
}

function valuesOf(batch: Batch): string[] {
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
