/** Reading CSV in tests: from a text or a file to plain values, as an import would read it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isBitSet } from "../../lib/columns/bits.js";
import type { Batch, Dtype } from "../../lib/columns/dtypes.js";
import { bytesAt, unpackStrings } from "../../lib/columns/texts.js";
import { formatTimestamp } from "../../lib/columns/moments.js";
import { openCsv } from "../../lib/formats/csv/read.js";
import type { CsvTuning } from "../../lib/formats/csv/read.js";
import { widenColumn } from "../../lib/formats/values/infer.js";
import type { HeldColumn, Reject, Source, SourceOptions } from "../../lib/formats/source.js";

export interface CsvContent {
  readonly columns: readonly { readonly name: string; readonly dtype: Dtype }[];
  /** Values as text, row by row. */
  readonly rows: readonly (readonly (string | null)[])[];
  readonly rejects: readonly Reject[];
  /** How often reading started anew because a column was widened. */
  readonly restarts: number;
}

export const plainOptions: SourceOptions = { types: new Map(), columns: undefined, delimiter: undefined, nulls: [], signal: undefined };

/** Sizes that put an end of a block everywhere. */
export const tinyBlocks: Partial<CsvTuning> = { blockBytes: 1, readBytes: 1 };

/** All of a file: of its own dtypes, or of those that they widen to. */
export async function readCsvFile(path: string, options: Partial<SourceOptions> = {}, tuning: Partial<CsvTuning> = {}): Promise<CsvContent> {
  const source = await openCsv(path, { ...plainOptions, ...options }, tuning);
  try {
    return await readAll(source, options.types ?? new Map());
  } finally {
    await source.close();
  }
}

/** The same of a text, by way of a file. */
export async function readCsvText(text: string | Uint8Array, options: Partial<SourceOptions> = {}, tuning: Partial<CsvTuning> = {}): Promise<CsvContent> {
  const folder = mkdtempSync(join(tmpdir(), "bqueryd-csv-"));
  try {
    const path = join(folder, "text.csv");
    writeFileSync(path, text);
    return await readCsvFile(path, options, tuning);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function readAll(source: Source, types: ReadonlyMap<string, Dtype>): Promise<CsvContent> {
  let columns: readonly HeldColumn[] = source.columns.map((column) => ("dtype" in column ? column : { name: column.name, dtype: "string" as const }));
  for (let restarts = 0; restarts < 5; restarts++) {
    let wider: readonly HeldColumn[] = columns;
    const rows: (string | null)[][] = [];
    const rejects: Reject[] = [];
    for await (const part of source.read(columns.map((column) => ({ ...column, fixed: types.has(column.name) })), undefined)) {
      wider = wider.map((column) => {
        const seen = part.kinds.get(column.name);
        return seen === undefined ? column : widenColumn(column, seen);
      });
      rejects.push(...part.rejects);
      if (part.batches === null) continue;
      const texts = part.batches.map(textsOf);
      for (let row = 0; row < part.rows; row++) rows.push(texts.map((column) => column[row]!));
    }
    const isWidened = wider.some(({ dtype }, index) => dtype !== columns[index]!.dtype);
    columns = wider;
    if (!isWidened) return { columns: columns.map(({ name, dtype }) => ({ name, dtype })), rows, rejects, restarts };
  }
  throw new Error("the columns went on widening");
}

/** The values of a batch as text. */
export function textsOf(batch: Batch): (string | null)[] {
  const { dtype, nulls, rows } = batch;
  const each = (format: (row: number) => string): (string | null)[] => Array.from({ length: rows }, (_, row) => (isBitSet(nulls, row) ? null : format(row)));
  switch (dtype) {
    case "string": return unpackStrings(batch.values, nulls);
    case "bytes": return each((row) => Buffer.from(bytesAt(batch.values, row)).toString("hex"));
    case "bool": return each((row) => String(batch.values[row] === 1));
    case "timestamp": return each((row) => formatTimestamp(batch.values[row]!));
    case "date": return each((row) => new Date(batch.values[row]! * 86_400_000).toISOString().slice(0, 10));
    default: return each((row) => String(batch.values[row]));
  }
}
