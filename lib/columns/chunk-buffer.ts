/** The rows of a column that do not yet fill a chunk. */
import { BquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { chunkRows, isBitSet } from "./dtypes.js";
import type { ChunkInput, ChunkValues } from "./encode.js";
import { wellFormed } from "./text.js";

/** Up to 65,536 rows, growing with what is in them. Missing values and NaN are null; -0.0 is 0.0. */
export interface ChunkBuffer {
  rows: number;
  nullCount: number;
  nulls: Uint8Array;
  data: ChunkValues;
  /** The strings of a `text` buffer, which `data` shows. */
  texts: string[];
  /** UTF-16 units of the strings held, for their limit. */
  textUnits: number;
}

/** `count` rows that lie outside: values from `from` on, and bits from `nullsFrom` on of a bitmap, or null. */
export interface RowSlice {
  readonly from: number;
  readonly count: number;
  readonly nulls: Uint8Array | null;
  readonly nullsFrom: number;
}

const firstCapacity = 256;

/** An empty buffer of a kind. `textOf` gives the string behind a code. */
export function createChunkBuffer(kind: ChunkValues["kind"], textOf: (code: number) => string): ChunkBuffer {
  const texts: string[] = [];
  return { rows: 0, nullCount: 0, nulls: new Uint8Array(0), data: emptyValues(kind, textOf, texts), texts, textUnits: 0 };
}

/** Adds rows, which must fit; the values are of the buffer's kind (codes as Uint32Array). */
export function pushRows(buffer: ChunkBuffer, source: Uint8Array | BigInt64Array | Float64Array | Uint32Array | readonly string[], slice: RowSlice): void {
  const end = buffer.rows + slice.count;
  if (end > chunkRows) throw new Error("rows past the end of a chunk");
  reserve(buffer, end);
  pushNulls(buffer, slice);
  pushValues(buffer, source, slice);
  buffer.rows = end;
}

/** The rows as a chunk to encode: views, good until the next push. */
export function viewChunk(buffer: ChunkBuffer): ChunkInput {
  const { rows, nulls, nullCount } = buffer;
  return { rows, nulls, nullCount, data: trimmed(buffer.data, rows) };
}

/** Empties the buffer and keeps its memory. */
export function clearBuffer(buffer: ChunkBuffer): void {
  buffer.rows = 0;
  buffer.nullCount = 0;
  buffer.textUnits = 0;
  buffer.nulls.fill(0);
  buffer.texts.length = 0;
}

function emptyValues(kind: ChunkValues["kind"], textOf: (code: number) => string, texts: readonly string[]): ChunkValues {
  switch (kind) {
    case "bool": return { kind, values: new Uint8Array(0) };
    case "int": return { kind, values: new BigInt64Array(0) };
    case "float": return { kind, values: new Float64Array(0) };
    case "code": return { kind, values: new Uint32Array(0), textOf };
    case "text": return { kind, values: texts };
  }
}

/** Makes room for rows in doubling steps: an import may hold thousands of buffers with few rows each. */
function reserve(buffer: ChunkBuffer, rows: number): void {
  let capacity = buffer.nulls.length * 8;
  if (capacity >= rows) return;
  capacity = Math.max(capacity, firstCapacity);
  while (capacity < rows) capacity *= 2;
  buffer.nulls = grown(buffer.nulls, new Uint8Array(capacity / 8));
  buffer.data = withCapacity(buffer.data, capacity);
}

function withCapacity(data: ChunkValues, capacity: number): ChunkValues {
  switch (data.kind) {
    case "text": return data;
    case "bool": return { ...data, values: grown(data.values, new Uint8Array(capacity)) };
    case "int": return { ...data, values: grown(data.values, new BigInt64Array(capacity)) };
    case "float": return { ...data, values: grown(data.values, new Float64Array(capacity)) };
    case "code": return { ...data, values: grown(data.values, new Uint32Array(capacity)) };
  }
}

function grown<T extends { set(values: T): void }>(values: T, larger: T): T {
  larger.set(values);
  return larger;
}

function trimmed(data: ChunkValues, rows: number): ChunkValues {
  switch (data.kind) {
    case "bool": return { ...data, values: data.values.subarray(0, rows) };
    case "int": return { ...data, values: data.values.subarray(0, rows) };
    case "float": return { ...data, values: data.values.subarray(0, rows) };
    case "code": return { ...data, values: data.values.subarray(0, rows) };
    case "text": return data;
  }
}

function pushNulls(buffer: ChunkBuffer, { count, nulls, nullsFrom }: RowSlice): void {
  if (nulls === null) return;
  for (let i = 0; i < count; i++) if (isBitSet(nulls, nullsFrom + i)) setNull(buffer, buffer.rows + i);
}

function setNull(buffer: ChunkBuffer, row: number): void {
  if (isBitSet(buffer.nulls, row)) return;
  buffer.nulls[row >> 3]! |= 1 << (row & 7);
  buffer.nullCount++;
}

function pushValues(buffer: ChunkBuffer, source: Uint8Array | BigInt64Array | Float64Array | Uint32Array | readonly string[], { from, count }: RowSlice): void {
  const { data } = buffer;
  if (data.kind === "bool" && source instanceof Uint8Array) data.values.set(source.subarray(from, from + count), buffer.rows);
  else if (data.kind === "int" && source instanceof BigInt64Array) data.values.set(source.subarray(from, from + count), buffer.rows);
  else if (data.kind === "code" && source instanceof Uint32Array) data.values.set(source.subarray(from, from + count), buffer.rows);
  else if (data.kind === "float" && source instanceof Float64Array) pushFloats(buffer, data.values, source.subarray(from, from + count));
  else if (data.kind === "text" && !ArrayBuffer.isView(source)) pushTexts(buffer, source, from, count);
  else throw new Error(`values of another kind than ${data.kind}`);
}

function pushFloats(buffer: ChunkBuffer, values: Float64Array, source: Float64Array): void {
  for (let i = 0; i < source.length; i++) {
    const value = source[i]!;
    // Adding 0 turns -0.0 into 0.0.
    values[buffer.rows + i] = value + 0;
    if (value !== value) setNull(buffer, buffer.rows + i);
  }
}

function pushTexts(buffer: ChunkBuffer, source: readonly string[], from: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const text = isBitSet(buffer.nulls, buffer.rows + i) ? "" : wellFormed(source[from + i]!);
    buffer.texts.push(text);
    buffer.textUnits += text.length;
  }
  if (buffer.textUnits > limits.chunkBytesMax) throw new BquerydError("MEMORY_LIMIT", `${chunkRows} strings in a row take more than ${limits.chunkBytesMax} bytes; leave the column out or shorten its values`, { details: { bytes: buffer.textUnits } });
}
