/**
 * CSV as RFC 4180 has it, with a header and lines that end in a line feed. A null is an empty field, an empty string is
 * `""`; quotes are only around texts with a character that could be taken for a delimiter, a quote or a line end. Values
 * are spelled as cellTexts does, and lists as JSON arrays of what jsonTexts makes of their items.
 */
import { isBitSet } from "../../columns/bits.js";
import type { Batch } from "../../columns/dtypes.js";
import { sliceBatch } from "../../columns/slice-batch.js";
import { isTextBatch, type ListBatch } from "../values/batches.js";
import { cellTexts } from "../values/cell-text.js";
import { jsonTexts } from "../values/json-text.js";
import { cutLists, type SliceLimits } from "../values/slices.js";
import type { RowEncoder } from "../export/encoder.js";
import type { ExportColumn } from "../export/columns.js";
import type { Sink } from "../export/sink.js";

/** What is spelled out in memory at once. */
const sliceLimits: SliceLimits = { rows: 4_096, bytes: 4 * 1024 * 1024 };

/** What stands between fields. */
type Delimiter = "," | "\t";

/** Writes CSV with that character between fields. */
export async function openCsvEncoder(columns: readonly ExportColumn[], sink: Sink, delimiter: Delimiter): Promise<RowEncoder> {
  await sink.write(Buffer.from(csvHeader(columns.map(({ name }) => name), delimiter)));
  return {
    async add(batches) {
      for (const lines of csvLines(batches, delimiter)) await sink.write(Buffer.from(lines));
    },
    finish: () => Promise.resolve(),
  };
}

/** The line of names, with its end. */
export function csvHeader(names: readonly string[], delimiter: Delimiter): string {
  return `${names.map(quote).join(delimiter)}\n`;
}

/** Yields the lines of rows, some thousand at once, each with its end. */
export function* csvLines(batches: readonly (Batch | ListBatch)[], delimiter: Delimiter): Generator<string> {
  for (const slices of cutLists(batches, sliceLimits)) yield `${joinRows(slices.map(fieldsOf), delimiter).join("\n")}\n`;
}

function joinRows(fields: readonly (readonly string[])[], delimiter: string): string[] {
  const rows = fields[0]?.length ?? 0;
  return Array.from({ length: rows }, (_, row) => {
    let line = fields[0]![row]!;
    for (let column = 1; column < fields.length; column++) line += delimiter + fields[column]![row]!;
    return line;
  });
}

function fieldsOf(batch: Batch | ListBatch): string[] {
  if (batch.dtype === "list") return listFields(batch);
  const texts = cellTexts(batch);
  if (!isTextBatch(batch) || batch.dtype === "bytes") return texts.map((text) => text ?? "");
  const { codes } = batch.values;
  if (codes === null) return texts.map((text) => (text === null ? "" : quote(text)));
  const known: (string | undefined)[] = [];
  return texts.map((text, row) => (isBitSet(batch.nulls, row) ? "" : (known[codes[row]!] ??= quote(text!))));
}

function listFields({ rows, item, offsets, nulls }: ListBatch): string[] {
  const start = offsets[0]!;
  const items = jsonTexts(sliceBatch(item, start, offsets[rows]!));
  return Array.from({ length: rows }, (_, row) => (isBitSet(nulls, row) ? "" : quote(`[${items.slice(offsets[row]! - start, offsets[row + 1]! - start).join(",")}]`)));
}

/** A byte order mark at the start of a file would be taken for one, and whoever finds out the delimiter knows four. */
const needsQuotes = /[,;\t|"\r\n\ufeff]/;

function quote(text: string): string {
  return text === "" || needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
