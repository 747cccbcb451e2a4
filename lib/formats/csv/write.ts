/**
 * CSV as RFC 4180 has it, with a header and lines that end in a line feed. A null is an empty field, an empty string is
 * `""`; quotes are only around texts with a character that could be taken for a delimiter, a quote or a line end. Values
 * are spelled as cellTexts does.
 */
import { isBitSet } from "../../columns/bits.js";
import type { Batch } from "../../columns/dtypes.js";
import { isTextBatch } from "../values/batches.js";
import { cellTexts } from "../values/cell-text.js";
import { cutBatches, type SliceLimits } from "../values/slices.js";
import type { RowEncoder } from "../export/encoder.js";
import type { ExportColumn } from "../export/columns.js";
import type { Sink } from "../export/sink.js";

/** What is spelled out in memory at once. */
const sliceLimits: SliceLimits = { rows: 4_096, bytes: 4 * 1024 * 1024 };

/** Writes CSV with that character between fields. */
export async function openCsvEncoder(columns: readonly ExportColumn[], sink: Sink, delimiter: "," | "\t"): Promise<RowEncoder> {
  const writeLines = (lines: readonly string[]): Promise<void> => sink.write(Buffer.from(`${lines.join("\n")}\n`));
  await writeLines([columns.map(({ name }) => quote(name)).join(delimiter)]);
  return {
    async add(batches) {
      for (const slices of cutBatches(batches, sliceLimits)) await writeLines(joinRows(slices.map(fieldsOf), delimiter));
    },
    finish: () => Promise.resolve(),
  };
}

function joinRows(fields: readonly (readonly string[])[], delimiter: string): string[] {
  const rows = fields[0]?.length ?? 0;
  return Array.from({ length: rows }, (_, row) => {
    let line = fields[0]![row]!;
    for (let column = 1; column < fields.length; column++) line += delimiter + fields[column]![row]!;
    return line;
  });
}

function fieldsOf(batch: Batch): string[] {
  const texts = cellTexts(batch);
  if (!isTextBatch(batch) || batch.dtype === "bytes") return texts.map((text) => text ?? "");
  const { codes } = batch.values;
  if (codes === null) return texts.map((text) => (text === null ? "" : quote(text)));
  const known: (string | undefined)[] = [];
  return texts.map((text, row) => (isBitSet(batch.nulls, row) ? "" : (known[codes[row]!] ??= quote(text!))));
}

/** A byte order mark at the start of a file would be taken for one, and whoever finds out the delimiter knows four. */
const needsQuotes = /[,;\t|"\r\n\ufeff]/;

function quote(text: string): string {
  return text === "" || needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
