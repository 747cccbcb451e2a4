/** The values of a table outside the kernels: batch by batch, for whoever exports, sorts, appends or compares them. */
import type { Heap } from "../../kernels/heap.js";
import { biasOf, chunkRows, type Batch } from "../dtypes.js";
import { widthOf } from "../files/encodings.js";
import { createDecoder, decodeInGrowing, type Decoder } from "./decoder.js";
import type { Table, TableColumn } from "./table.js";
import { sliceBatch } from "../slice-batch.js";
import type { Texts } from "../texts.js";
import type { Vector } from "../vector.js";

/** Rows to read, and where: `from` inclusive, `to` exclusive, both cut to the rows there are; all of them with a decoder of their own when left out. */
export interface ReadOptions {
  readonly from?: number;
  readonly to?: number;
  readonly decoder?: Decoder;
}

/**
 * The values of a chunk, copied out of the kernels' memory. Texts of a column with a dictionary are codes into it, and
 * their offsets and bytes are the dictionary's own. Throws CORRUPT_CHUNK, CORRUPT_DICTIONARY, CORRUPT_FOOTER,
 * GENERATION_GONE, MEMORY_LIMIT.
 */
export function readChunk(column: TableColumn, chunk: number, decoder: Decoder): Batch {
  return decodeInGrowing(decoder, `chunk ${chunk} of column '${column.name}'`, (heap, allocate) => {
    const vector = column.decode(chunk, heap, allocate);
    try {
      return toBatch(column, vector, { heap, allocate });
    } finally {
      for (const pointer of vector.owned) heap.release(pointer);
    }
  });
}

/**
 * Yields the values of columns, one batch a column, cut where chunks are. Throws UNKNOWN_COLUMN and what `readChunk`
 * throws.
 */
export function* readBatches(table: Table, columnNames: readonly string[], { from = 0, to = table.rows, decoder = createDecoder() }: ReadOptions = {}): Generator<readonly Batch[]> {
  const columns = columnNames.map((name) => table.column(name));
  const begin = Math.max(from, 0);
  const end = Math.min(to, table.rows);
  for (let chunk = Math.floor(begin / chunkRows); chunk * chunkRows < end; chunk++) {
    const start = chunk * chunkRows;
    const range = { from: Math.max(begin - start, 0), to: Math.min(end - start, chunkRows) };
    if (range.from < range.to) yield columns.map((column) => sliceBatch(readChunk(column, chunk, decoder), range.from, range.to));
  }
}

/** Where a vector lies, and what gives memory beside it. */
interface Place {
  readonly heap: Heap;
  readonly allocate: (bytes: number) => number;
}

function toBatch(column: TableColumn, vector: Vector, memory: Place): Batch {
  const { heap } = memory;
  const { rows } = vector;
  const nulls = vector.nullCount === 0 ? null : heap.kernels.bytes.slice(vector.nulls, vector.nulls + Math.ceil(rows / 8));
  const place = { rows, nulls };
  const { dtype } = column;
  switch (dtype) {
    case "string": case "bytes": return { ...place, dtype, values: textsOf(column, vector, memory) };
    case "bool": case "uint8": return { ...place, dtype, values: new Uint8Array(memoryOf(column, vector, memory)) };
    case "int64": case "timestamp": return { ...place, dtype, values: new BigInt64Array(memoryOf(column, vector, memory)) };
    case "int32": case "date": return { ...place, dtype, values: new Int32Array(memoryOf(column, vector, memory)) };
    case "int8": return { ...place, dtype, values: new Int8Array(memoryOf(column, vector, memory)) };
    case "int16": return { ...place, dtype, values: new Int16Array(memoryOf(column, vector, memory)) };
    case "uint16": return { ...place, dtype, values: new Uint16Array(memoryOf(column, vector, memory)) };
    case "uint32": return { ...place, dtype, values: new Uint32Array(memoryOf(column, vector, memory)) };
    case "uint64": return { ...place, dtype, values: new BigUint64Array(memoryOf(column, vector, memory)) };
    case "float32": return { ...place, dtype, values: new Float32Array(memoryOf(column, vector, memory)) };
    case "float64": return { ...place, dtype, values: new Float64Array(memoryOf(column, vector, memory)) };
  }
}

/** The values of a vector of numbers as the typed array of the dtype holds them. */
function memoryOf({ dtype }: TableColumn, vector: Vector, { heap, allocate }: Place): ArrayBuffer {
  const { kernels } = heap;
  const width = widthOf(dtype);
  const bytes = vector.rows * width;
  if (dtype === "float64") return kernels.bytes.slice(vector.values, vector.values + bytes).buffer;
  const target = allocate(bytes);
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

function textsOf(column: TableColumn, vector: Vector, { heap, allocate }: Place): Texts {
  const { rows, values, text } = vector;
  if (vector.kind === "text") {
    const offsets = new Uint32Array(heap.kernels.bytes.slice(values, values + 4 * (rows + 1)).buffer);
    return { offsets, bytes: heap.kernels.bytes.slice(text, text + offsets[rows]!), codes: null };
  }
  const dictionary = column.dictionary();
  if (dictionary === null) throw new Error(`column '${column.name}' has codes and no dictionary`);
  const target = allocate(4 * rows);
  try {
    expand(heap, vector, { bias: 0n, width: 4, target });
    const codes = new Uint32Array(heap.kernels.bytes.slice(target, target + 4 * rows).buffer);
    return { offsets: dictionary.offsets, bytes: dictionary.bytes, codes };
  } finally {
    heap.release(target);
  }
}
