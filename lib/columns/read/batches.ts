/** The values of a table outside the kernels: batch by batch, for whoever exports, sorts, appends or compares them. */
import { BquerydError } from "../../base/errors.js";
import { createHeap, type Heap } from "../../kernels/heap.js";
import { loadKernels } from "../../kernels/kernels.js";
import { copyBits } from "../bits.js";
import { biasOf, chunkRows, type Batch } from "../dtypes.js";
import { widthOf } from "../files/encodings.js";
import type { Table, TableColumn } from "./table.js";
import { sliceTexts, type Texts } from "../texts.js";
import type { Vector } from "../vector.js";

/** Memory to decode one chunk at a time in; it grows when a chunk needs more. */
export interface Decoder {
  heap: Heap;
}

/** Rows to read, and where: `from` inclusive, `to` exclusive; all of them with a decoder of their own when left out. */
export interface ReadOptions {
  readonly from?: number;
  readonly to?: number;
  readonly decoder?: Decoder;
}

const usualBytes = 16 * 1024 * 1024;
const mostBytes = 4 * 1024 * 1024 * 1024;

/** A decoder of a few megabytes. Throws MEMORY_LIMIT. */
export function createDecoder(): Decoder {
  return { heap: openHeap(usualBytes) };
}

/**
 * The values of a chunk, copied out of the kernels' memory. Texts of a column with a dictionary are codes into it, and
 * their offsets and bytes are the dictionary's own. Throws CORRUPT_CHUNK, CORRUPT_DICTIONARY, CORRUPT_FOOTER,
 * GENERATION_GONE, MEMORY_LIMIT.
 */
export function readChunk(column: TableColumn, chunk: number, decoder: Decoder): Batch {
  for (;;) {
    try {
      return readInto(column, chunk, decoder.heap);
    } catch (cause) {
      if (!(cause instanceof NoRoom)) throw cause;
      const bytes = decoder.heap.kernels.bytes.length * 4;
      if (bytes > mostBytes) throw new BquerydError("MEMORY_LIMIT", `chunk ${chunk} of column '${column.name}' needs more than ${mostBytes} bytes to be read; leave the column out`, { details: { column: column.name, chunk }, cause });
      decoder.heap = openHeap(bytes);
    }
  }
}

/**
 * Yields the values of columns, one batch a column, cut where chunks are. Throws UNKNOWN_COLUMN and what `readChunk`
 * throws.
 */
export function* readBatches(table: Table, columnNames: readonly string[], { from = 0, to = table.rows, decoder = createDecoder() }: ReadOptions = {}): Generator<readonly Batch[]> {
  const columns = columnNames.map((name) => table.column(name));
  const end = Math.min(to, table.rows);
  for (let chunk = Math.floor(from / chunkRows); chunk * chunkRows < end; chunk++) {
    const start = chunk * chunkRows;
    const range = { from: Math.max(from - start, 0), to: Math.min(end - start, chunkRows) };
    if (range.from < range.to) yield columns.map((column) => sliceBatch(readChunk(column, chunk, decoder), range.from, range.to));
  }
}

/** Rows `from` to `to` (exclusive) of a batch: values as views on the same memory, nulls copied. */
export function sliceBatch(batch: Batch, from: number, to: number): Batch {
  if (from === 0 && to === batch.rows) return batch;
  const place = { rows: to - from, nulls: sliceNulls(batch.nulls, from, to) };
  switch (batch.dtype) {
    case "string": case "bytes": return { ...batch, ...place, values: sliceTexts(batch.values, from, to) };
    case "bool": case "uint8": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "int64": case "timestamp": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "int32": case "date": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "int8": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "int16": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "uint16": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "uint32": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "uint64": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "float32": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "float64": return { ...batch, ...place, values: batch.values.subarray(from, to) };
  }
}

function sliceNulls(nulls: Uint8Array | null, from: number, to: number): Uint8Array | null {
  if (nulls === null) return null;
  const slice = new Uint8Array(Math.ceil((to - from) / 8));
  copyBits(nulls, from, slice, 0, to - from);
  return slice.some((byte) => byte !== 0) ? slice : null;
}

function openHeap(bytes: number): Heap {
  return createHeap(loadKernels(bytes), bytes);
}

/** Tells the decoder's own lack of memory from what else may go wrong. */
class NoRoom extends Error {}

function readInto(column: TableColumn, chunk: number, heap: Heap): Batch {
  const vector = column.decode(chunk, heap, (bytes) => requireBlock(heap, bytes));
  try {
    return toBatch(column, vector, heap);
  } finally {
    for (const pointer of vector.owned) heap.release(pointer);
  }
}

function requireBlock(heap: Heap, bytes: number): number {
  const pointer = heap.find(bytes);
  if (pointer === undefined) throw new NoRoom(`no block of ${bytes} bytes is free`);
  return pointer;
}

function toBatch(column: TableColumn, vector: Vector, heap: Heap): Batch {
  const { rows } = vector;
  const nulls = vector.nullCount === 0 ? null : heap.kernels.bytes.slice(vector.nulls, vector.nulls + Math.ceil(rows / 8));
  const place = { rows, nulls };
  const { dtype } = column;
  switch (dtype) {
    case "string": case "bytes": return { ...place, dtype, values: textsOf(column, vector, heap) };
    case "bool": case "uint8": return { ...place, dtype, values: new Uint8Array(memoryOf(column, vector, heap)) };
    case "int64": case "timestamp": return { ...place, dtype, values: new BigInt64Array(memoryOf(column, vector, heap)) };
    case "int32": case "date": return { ...place, dtype, values: new Int32Array(memoryOf(column, vector, heap)) };
    case "int8": return { ...place, dtype, values: new Int8Array(memoryOf(column, vector, heap)) };
    case "int16": return { ...place, dtype, values: new Int16Array(memoryOf(column, vector, heap)) };
    case "uint16": return { ...place, dtype, values: new Uint16Array(memoryOf(column, vector, heap)) };
    case "uint32": return { ...place, dtype, values: new Uint32Array(memoryOf(column, vector, heap)) };
    case "uint64": return { ...place, dtype, values: new BigUint64Array(memoryOf(column, vector, heap)) };
    case "float32": return { ...place, dtype, values: new Float32Array(memoryOf(column, vector, heap)) };
    case "float64": return { ...place, dtype, values: new Float64Array(memoryOf(column, vector, heap)) };
  }
}

/** The values of a vector of numbers as the typed array of the dtype holds them. */
function memoryOf({ dtype }: TableColumn, vector: Vector, heap: Heap): ArrayBuffer {
  const { kernels } = heap;
  const width = widthOf(dtype);
  const bytes = vector.rows * width;
  if (dtype === "float64") return kernels.bytes.slice(vector.values, vector.values + bytes).buffer;
  const target = requireBlock(heap, bytes);
  try {
    if (dtype === "float32") kernels.narrowF32(vector.values, vector.rows, target);
    else expand(heap, vector, { bias: biasOf(dtype), width, target });
    return kernels.bytes.slice(target, target + bytes).buffer;
  } finally {
    heap.release(target);
  }
}

function expand({ kernels }: Heap, vector: Vector, { bias, width, target }: { bias: bigint; width: number; target: number }): void {
  // Bits past 64 are cut, on the way into the kernel and in its sums alike.
  const base = BigInt.asIntN(64, vector.base + bias);
  switch (vector.width) {
    case 1: kernels.expandU8(vector.values, vector.rows, base, vector.step, width, target); break;
    case 2: kernels.expandU16(vector.values, vector.rows, base, vector.step, width, target); break;
    case 4: kernels.expandU32(vector.values, vector.rows, base, vector.step, width, target); break;
    case 8: kernels.expandI64(vector.values, vector.rows, base, vector.step, width, target);
  }
}

function textsOf(column: TableColumn, vector: Vector, heap: Heap): Texts {
  const { rows, values, text } = vector;
  if (vector.kind === "text") {
    const offsets = new Uint32Array(heap.kernels.bytes.slice(values, values + 4 * (rows + 1)).buffer);
    return { offsets, bytes: heap.kernels.bytes.slice(text, text + offsets[rows]!), codes: null };
  }
  const dictionary = column.dictionary();
  if (dictionary === null) throw new Error(`column '${column.name}' has codes and no dictionary`);
  const target = requireBlock(heap, 4 * rows);
  try {
    expand(heap, vector, { bias: 0n, width: 4, target });
    const codes = new Uint32Array(heap.kernels.bytes.slice(target, target + 4 * rows).buffer);
    return { offsets: dictionary.offsets, bytes: dictionary.bytes, codes };
  } finally {
    heap.release(target);
  }
}
