/** How the columns of a table are to lie in a directory of bcolz: dtypes and widths, or why they cannot. */
import { BquerydError } from "../../base/errors.js";
import { findStoredDtype } from "../../columns/bcolz/stored-dtype.js";
import { isBitSet } from "../../columns/bits.js";
import { isFloatDtype, type Batch, type Dtype } from "../../columns/dtypes.js";
import { widthOf } from "../../columns/files/encodings.js";
import { hasNullRows, type Table } from "../../columns/read/table.js";
import { isTextBatch, type TextBatch } from "../values/batches.js";

/** A column as bcolz keeps it. */
export interface BcolzPlan {
  readonly name: string;
  readonly dtype: Dtype;
  /** As Python writes it: `int64`, `|S5`, `<U7`, `datetime64[ns]`. */
  readonly stored: string;
  /** What new rows hold, in JSON. */
  readonly fill: string;
  /** Bytes of a row, and of the values it is shuffled by. */
  readonly itemBytes: number;
  readonly typeBytes: number;
  readonly chunkLength: number;
}

/** Gives the rows to be written of a column, batch by batch. */
export type RowsOf = (column: string) => Iterable<Batch>;

/** Bytes of a row of texts at most: all are as wide as the longest. */
const itemBytesMax = 4_096;
const nameGrammar = /^[\p{L}\p{Nl}\p{No}_][\p{L}\p{N}_]*$/u;
const pythonKeywords: ReadonlySet<string> = new Set([
  "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except", "finally", "for",
  "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
]);
/** Names that bcolz gives to its own files. */
const takenNames: ReadonlySet<string> = new Set(["__rootdirs__", "__attrs__"]);
const advice = "leave it out with --columns, or select other rows with --where";

/**
 * The plan of a column of tables of one schema. Looks at the rows where widths or nulls are not known otherwise. Throws
 * UNSUPPORTED_DTYPE naming a column that bcolz cannot hold, and the limits of what it can.
 */
export function planColumn(tables: readonly Table[], name: string, rows: number, rowsOf: RowsOf): BcolzPlan {
  requireName(name);
  const { dtype, unit } = tables[0]!.footer.columns.find((column) => column.name === name)!;
  const stored = storedDtype(dtype, unit);
  const canBeNull = isFloatDtype(dtype) || stored.includes("64[");
  if (!canBeNull && tables.some((table) => hasNullRows(table.column(name)))) requireNoNulls(name, dtype, rowsOf(name));
  const isText = dtype === "string" || dtype === "bytes";
  const width = isText ? Math.max(1, longest(name, dtype, rowsOf(name))) : 0;
  const itemBytes = isText ? width * (dtype === "string" ? 4 : 1) : dtype === "date" ? 8 : widthOf(dtype);
  return {
    name, dtype, itemBytes,
    stored: dtype === "string" ? `<U${width}` : dtype === "bytes" ? `|S${width}` : stored,
    fill: isText ? '""' : dtype === "bool" ? "false" : isFloatDtype(dtype) ? "0.0" : "0",
    typeBytes: dtype === "string" ? 4 : dtype === "bytes" ? 1 : itemBytes,
    chunkLength: chunkLengthFor(rows, itemBytes),
  };
}

/** Rows of a chunk, as bcolz itself chooses them: the more bytes are expected, the larger the chunks. */
export function chunkLengthFor(rows: number, itemBytes: number): number {
  const megabytes = Math.min(1e4, Math.max(1e-4, rows * itemBytes / 2 ** 20));
  return Math.max(1, Math.floor(4_096 * 2 ** (Math.trunc(Math.log10(megabytes)) + 6) / itemBytes));
}

/** The error for a value that bcolz would give back as another. */
export function unsupported(column: string, wrong: string): BquerydError {
  return new BquerydError("UNSUPPORTED_DTYPE", `column '${column}' ${wrong}; ${advice}`, { details: { column } });
}

function requireName(name: string): void {
  if (nameGrammar.test(name) && !pythonKeywords.has(name) && !takenNames.has(name)) return;
  const why = pythonKeywords.has(name) ? "a keyword of Python" : takenNames.has(name) ? "a file of its own" : "no identifier of Python";
  throw new BquerydError("UNSUPPORTED_FORMAT", `bcolz refuses the column name ${JSON.stringify(name)}, which is ${why}; leave the column out with --columns, or rename it in the source and import that anew`, { details: { column: name } });
}

/** Of texts without the width. */
function storedDtype(dtype: Dtype, unit: string | null): string {
  if (dtype === "timestamp") return "datetime64[ns]";
  if (dtype === "date") return "datetime64[D]";
  const timedelta = `timedelta64[${unit}]`;
  return dtype === "int64" && unit !== null && findStoredDtype(timedelta) !== undefined ? timedelta : dtype;
}

function requireNoNulls(name: string, dtype: Dtype, batches: Iterable<Batch>): void {
  for (const { nulls } of batches) if (nulls !== null) throw unsupported(name, `holds nulls, and bcolz has none of dtype ${dtype}`);
}

/** Characters (of bytes, bytes) of the longest text. */
function longest(name: string, dtype: Dtype, batches: Iterable<Batch>): number {
  let most = 0;
  for (const batch of batches) if (isTextBatch(batch)) most = Math.max(most, longestOf(name, batch));
  const itemBytes = most * (dtype === "string" ? 4 : 1);
  if (itemBytes > itemBytesMax) throw unsupported(name, `has a text of ${most} ${dtype === "string" ? "characters" : "bytes"}, which would make every row ${itemBytes} bytes, more than ${itemBytesMax}`);
  return most;
}

function longestOf(name: string, { dtype, rows, nulls, values: { offsets, bytes, codes } }: TextBatch): number {
  const seen = codes === null ? undefined : new Uint8Array(offsets.length);
  let most = 0;
  for (let row = 0; row < rows; row++) {
    const entry = codes === null ? row : codes[row]!;
    if (seen?.[entry] === 1 || isBitSet(nulls, row)) continue;
    if (seen !== undefined) seen[entry] = 1;
    const [start, end] = [offsets[entry]!, offsets[entry + 1]!];
    if (end > start && bytes[end - 1] === 0) throw unsupported(name, "has a text that ends in NUL, which bcolz does not keep");
    most = Math.max(most, dtype === "bytes" ? end - start : countCharacters(bytes, start, end));
  }
  return most;
}

/** Characters of UTF-8: all bytes but those that continue one. */
function countCharacters(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++) if ((bytes[at]! & 0xc0) !== 0x80) count++;
  return count;
}
