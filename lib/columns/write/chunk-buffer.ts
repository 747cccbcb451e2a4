/** The rows of a column that do not yet fill a chunk. */
import { BquerydError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { copyBits, countBits, isBitSet } from "../bits.js";
import { chunkRows, isTextDtype, type Batch, type Dtype } from "../dtypes.js";
import type { ChunkInput, ChunkValues } from "../encode/input.js";
import { bytesOf } from "../encode/payload.js";
import { widthOf } from "../files/encodings.js";
import type { Texts } from "../texts.js";
import { requireUtf8 } from "../utf8.js";

/** Up to 65,536 rows, growing with what is in them. Their values may be taken out before the chunk is full. */
export interface ChunkBuffer {
  readonly dtype: Dtype;
  /** Name of the column, for errors. */
  readonly column: string;
  rows: number;
  nullCount: number;
  /** Of all rows. */
  nulls: Uint8Array;
  /** The first rows, whose values were taken out, and the bytes of their texts. */
  rowsOut: number;
  bytesOut: number;
  /** Values of the rows after those; offsets of texts count from the start of the chunk. */
  data: ChunkValues;
}

/** Rows of a batch: `count` of them from `from` on. */
export interface RowRange {
  readonly from: number;
  readonly count: number;
}

const firstCapacity = 256;
/** Room for bytes of texts that an empty buffer keeps at most. */
const keptTextBytes = 16 * 1024 * 1024;

/**
 * An empty buffer of a dtype. For a text column with a dictionary `entries` gives the dictionary of now, entry c the
 * text of code c, whenever a chunk is encoded; for every other column it is null.
 */
export function createChunkBuffer(dtype: Dtype, entries: (() => Texts) | null, column: string): ChunkBuffer {
  return { dtype, column, rows: 0, nullCount: 0, nulls: new Uint8Array(0), rowsOut: 0, bytesOut: 0, data: emptyValues(dtype, entries, 0) };
}

/**
 * Adds rows of a batch, which must fit. A text column with a dictionary takes `codes` besides, one for each of the
 * `count` rows; their texts are not looked at. Throws MEMORY_LIMIT for texts that are too long together, BAD_INPUT for
 * a string that is not UTF-8: then the buffer is of no more use.
 */
export function pushRows(buffer: ChunkBuffer, batch: Batch, range: RowRange, codes?: Uint32Array): void {
  const end = buffer.rows + range.count;
  if (end > chunkRows) throw new Error("rows past the end of a chunk");
  if (batch.dtype !== buffer.dtype) throw new Error(`values of ${batch.dtype} for a buffer of ${buffer.dtype}`);
  reserve(buffer, end);
  if (batch.nulls !== null) {
    copyBits(batch.nulls, range.from, buffer.nulls, buffer.rows, range.count);
    buffer.nullCount += countBits(buffer.nulls, buffer.rows, end);
  }
  pushValues(buffer, batch, range, codes);
  buffer.rows = end;
}

/** The rows as a chunk to encode, of a buffer that holds all values: views, good until the next push. */
export function viewChunk({ dtype, rows, nulls, nullCount, data }: ChunkBuffer): ChunkInput {
  return { rows, nulls, nullCount, data: trimmed(dtype, data, rows) };
}

/** The values in memory as bytes, those of texts after their offsets, one a row: views, good until the next push. */
export function viewValues({ dtype, rows, rowsOut, bytesOut, data }: ChunkBuffer): { readonly fixed: Uint8Array; readonly texts: Uint8Array } {
  const count = rows - rowsOut;
  switch (data.kind) {
    case "number": return { fixed: data.bytes.subarray(0, count * widthOf(dtype)), texts: noBytes };
    case "code": return { fixed: bytesOf(data.values.subarray(0, count)), texts: noBytes };
    case "text": return { fixed: bytesOf(data.offsets.subarray(0, count)), texts: data.bytes.subarray(0, data.offsets[count]! - bytesOut) };
  }
}

/** Lets the values in memory go, which somebody else has now. */
export function takeOut(buffer: ChunkBuffer): void {
  const { data, dtype, rows } = buffer;
  buffer.bytesOut = countTextBytes(buffer);
  buffer.rowsOut = rows;
  buffer.data = emptyValues(dtype, data.kind === "code" ? data.entries : null, buffer.bytesOut);
}

/** Bytes of the texts of all rows; 0 where rows are no texts, or codes. */
export function countTextBytes({ rows, rowsOut, data }: ChunkBuffer): number {
  return data.kind === "text" ? data.offsets[rows - rowsOut]! : 0;
}

/** Bytes of memory for values, in use or not. */
export function heldBytes({ data }: ChunkBuffer): number {
  switch (data.kind) {
    case "number": return data.bytes.length;
    case "code": return data.values.byteLength;
    case "text": return data.offsets.byteLength + data.bytes.length;
  }
}

/** Empties the buffer; its memory stays for the next rows if that is wanted, but for very long texts. */
export function clearBuffer(buffer: ChunkBuffer, isKept: boolean): void {
  if (!isKept) takeOut(buffer);
  Object.assign(buffer, { rows: 0, nullCount: 0, rowsOut: 0, bytesOut: 0 });
  buffer.nulls.fill(0);
  if (buffer.data.kind !== "text") return;
  buffer.data.offsets[0] = 0;
  if (buffer.data.bytes.length > keptTextBytes) buffer.data = { ...buffer.data, bytes: noBytes };
}

const noBytes = new Uint8Array(0);

function emptyValues(dtype: Dtype, entries: (() => Texts) | null, firstOffset: number): ChunkValues {
  if (!isTextDtype(dtype)) return { kind: "number", dtype, bytes: noBytes };
  if (entries === null) return { kind: "text", offsets: Uint32Array.of(firstOffset), bytes: noBytes };
  return { kind: "code", values: new Uint32Array(0), entries };
}

/** Makes room for rows in doubling steps: an import may hold thousands of buffers with few rows each. */
function reserve(buffer: ChunkBuffer, rows: number): void {
  const { nulls, dtype, data, rowsOut } = buffer;
  if (nulls.length * 8 < rows) buffer.nulls = grown(nulls, new Uint8Array(capacityFor(nulls.length * 8, rows) / 8));
  const capacity = capacityOf(dtype, data);
  if (capacity < rows - rowsOut) buffer.data = withCapacity(dtype, data, capacityFor(capacity, rows - rowsOut));
}

function capacityFor(capacity: number, rows: number): number {
  let larger = Math.max(capacity, firstCapacity);
  while (larger < rows) larger *= 2;
  return larger;
}

function capacityOf(dtype: Dtype, data: ChunkValues): number {
  switch (data.kind) {
    case "number": return data.bytes.length / widthOf(dtype);
    case "code": return data.values.length;
    case "text": return data.offsets.length - 1;
  }
}

function withCapacity(dtype: Dtype, data: ChunkValues, capacity: number): ChunkValues {
  switch (data.kind) {
    case "number": return { ...data, bytes: grown(data.bytes, new Uint8Array(capacity * widthOf(dtype))) };
    case "code": return { ...data, values: grown(data.values, new Uint32Array(capacity)) };
    case "text": return { ...data, offsets: grown(data.offsets, new Uint32Array(capacity + 1)) };
  }
}

function grown<T extends { set(values: T): void }>(values: T, larger: T): T {
  larger.set(values);
  return larger;
}

function trimmed(dtype: Dtype, data: ChunkValues, rows: number): ChunkValues {
  switch (data.kind) {
    case "number": return { ...data, bytes: data.bytes.subarray(0, rows * widthOf(dtype)) };
    case "code": return { ...data, values: data.values.subarray(0, rows) };
    case "text": return { kind: "text", offsets: data.offsets.subarray(0, rows + 1), bytes: data.bytes.subarray(0, data.offsets[rows]) };
  }
}

function pushValues(buffer: ChunkBuffer, batch: Batch, range: RowRange, codes: Uint32Array | undefined): void {
  const { data, dtype } = buffer;
  if (data.kind === "code") {
    if (codes?.length !== range.count) throw new Error("a column with a dictionary takes one code a row");
    data.values.set(codes, buffer.rows - buffer.rowsOut);
  } else if (batch.dtype === "string" || batch.dtype === "bytes") {
    pushTexts(buffer, batch.values, range);
  } else if (data.kind === "number") {
    const width = widthOf(dtype);
    const { buffer: memory, byteOffset } = batch.values;
    data.bytes.set(new Uint8Array(memory, byteOffset + range.from * width, range.count * width), (buffer.rows - buffer.rowsOut) * width);
  }
}

function pushTexts(buffer: ChunkBuffer, texts: Texts, { from, count }: RowRange): void {
  const { data, rowsOut, bytesOut } = buffer;
  if (data.kind !== "text") return;
  const row = buffer.rows - rowsOut;
  const offsets = data.offsets.subarray(row, row + count + 1);
  const end = measureTexts(buffer, offsets, texts, from);
  const bytes = withRoom(data.bytes, end - bytesOut);
  const target = { offsets, bytes, bytesOut };
  copyTexts(target, texts, from);
  if (buffer.dtype === "string") requireUtf8(target.offsets, target.bytes, target.bytesOut);
  buffer.data = { ...data, bytes };
}

/** Writes the offsets of rows to come, after that of the first one, empty where they are null, and gives where they end. */
function measureTexts({ nulls, nullCount, rows, column }: ChunkBuffer, offsets: Uint32Array, { offsets: source, codes }: Texts, from: number): number {
  let end = offsets[0]!;
  for (let i = 0; i < offsets.length - 1; i++) {
    const entry = codes === null ? from + i : codes[from + i]!;
    if (nullCount === 0 || !isBitSet(nulls, rows + i)) end += source[entry + 1]! - source[entry]!;
    if (end > limits.chunkTextBytesMax) throw new BquerydError("MEMORY_LIMIT", `column '${column}' has more than ${limits.chunkTextBytesMax} bytes of text in ${chunkRows} rows; leave the column out or shorten its values`, { details: { column, bytes: end } });
    offsets[i + 1] = end;
  }
  return end;
}

function withRoom(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes;
  return grown(bytes, new Uint8Array(Math.min(Math.max(4_096, 2 * length), limits.chunkTextBytesMax)));
}

/** Where texts go: `bytes` begins `bytesOut` bytes after the start of the chunk, from which offsets count. */
interface Target {
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
  readonly bytesOut: number;
}

function copyTexts({ offsets, bytes, bytesOut }: Target, texts: Texts, from: number): void {
  const count = offsets.length - 1;
  const isOneRun = texts.codes === null && offsets[count]! - offsets[0]! === texts.offsets[from + count]! - texts.offsets[from]!;
  if (isOneRun) return bytes.set(texts.bytes.subarray(texts.offsets[from], texts.offsets[from + count]), offsets[0]! - bytesOut);
  for (let i = 0; i < count; i++) {
    const start = offsets[i]! - bytesOut;
    const length = offsets[i + 1]! - bytesOut - start;
    const source = texts.offsets[texts.codes === null ? from + i : texts.codes[from + i]!]!;
    // A view costs more than it saves for a short text.
    if (length > 32) bytes.set(texts.bytes.subarray(source, source + length), start);
    else for (let at = 0; at < length; at++) bytes[start + at] = texts.bytes[source + at]!;
  }
}
