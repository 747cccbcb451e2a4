/**
 * Raw values of bcolz as a vector. Whole numbers of up to 4 bytes become codes of their own width over the least value
 * of their dtype; the others int64, floats float64. NaN and NaT become null, -0.0 becomes 0.0.
 */
import type { Heap } from "../../kernels/heap.js";
import { isFloatDtype, isTextDtype, wholeRange } from "../dtypes.js";
import { halfToNumber } from "../half-float.js";
import type { Vector } from "../vector.js";
import type { BcolzColumn } from "./directory.js";
import { withRoom, type Room } from "./room.js";
import { keepBitmap, keepWords, type NumberBounds, type RunReader, type Values } from "./runs.js";
import { readTimes } from "./times.js";

/** A column's chunk with its bounds. */
export interface NumberChunk {
  readonly vector: Vector;
  readonly bounds: NumberBounds;
}

/** Decodes rows of a column that holds no text. Throws OVERFLOW for a time that does not fit; and what `read` throws. */
export function decodeNumbers(column: BcolzColumn, rows: number, read: RunReader, heap: Heap, allocate: (bytes: number) => number): NumberChunk {
  return withRoom(heap, allocate, (room) => {
    const { bounds, ...values } = decodeKind(column, rows, read, room);
    return { bounds, vector: { kind: "int", base: 0n, step: 1n, nulls: 0, text: 0, ...values, rows, nullCount: bounds.nullCount, ...room.owned() } };
  });
}

function decodeKind(column: BcolzColumn, rows: number, read: RunReader, room: Room): Values {
  const { kind, itemBytes } = column.stored;
  if (isFloatDtype(column.dtype)) return readFloats(itemBytes, rows, read, room);
  if (kind === "datetime" || kind === "timedelta") return readTimes(column, rows, read, room);
  return itemBytes === 8 ? readWide(column, rows, read, room) : readNarrow(column, rows, read, room);
}

type NarrowArray = Int8Array | Int16Array | Int32Array | Uint8Array | Uint16Array | Uint32Array;

function readNarrow({ dtype, stored }: BcolzColumn, rows: number, read: RunReader, { heap, keep }: Room): Values {
  const width = stored.itemBytes === 1 ? 1 : stored.itemBytes === 2 ? 2 : 4;
  const base = isFloatDtype(dtype) || isTextDtype(dtype) ? 0n : wholeRange(dtype).least;
  const values = keep(width * rows);
  const codes = unsignedView(heap.kernels.bytes.buffer, values, rows, width);
  let from = 0;
  let minimum = Infinity;
  let maximum = -Infinity;
  read((bytes, count) => {
    const bounds = copyCodes(sourceView(bytes, stored.kind, width), codes.subarray(from, from + count), Number(base), stored.kind === "bool");
    minimum = Math.min(minimum, bounds.minimum);
    maximum = Math.max(maximum, bounds.maximum);
    from += count;
  });
  return { width, values, base, bounds: { nullCount: 0, minimum: BigInt(minimum), maximum: BigInt(maximum) } };
}

function copyCodes(source: NarrowArray, codes: NarrowArray, base: number, isBool: boolean): { minimum: number; maximum: number } {
  let minimum = Infinity;
  let maximum = -Infinity;
  for (let row = 0; row < source.length; row++) {
    const value = isBool && source[row] !== 0 ? 1 : source[row]!;
    codes[row] = value - base;
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
  }
  return { minimum, maximum };
}

/** int64, and uint64 as v - 2^63: its highest bit turned. */
function readWide({ stored }: BcolzColumn, rows: number, read: RunReader, room: Room): Values {
  const { kernels } = room.heap;
  const values = keepWords(rows, read, room);
  if (stored.kind === "uint") {
    const halves = new Int32Array(kernels.bytes.buffer, values, 2 * rows);
    for (let i = 1; i < halves.length; i += 2) halves[i]! ^= -0x8000_0000;
  }
  return { width: 8, values, bounds: { nullCount: 0, minimum: kernels.minI64(values, rows), maximum: kernels.maxI64(values, rows) } };
}

function readFloats(itemBytes: number, rows: number, read: RunReader, room: Room): Values {
  const { buffer } = room.heap.kernels.bytes;
  const values = room.keep(8 * rows);
  const target = new Float64Array(buffer, values, rows);
  const bitmap = new Uint8Array(Math.ceil(rows / 8));
  let nullCount = 0;
  let from = 0;
  let minimum = Infinity;
  let maximum = -Infinity;
  read((bytes, count) => {
    const source = floatView(bytes, itemBytes);
    for (let row = 0; row < count; row++) {
      // Adding 0 turns -0.0 into 0.0.
      const value = source[row]! + 0;
      const isNull = value !== value;
      target[from + row] = isNull ? 0 : value;
      if (isNull) {
        bitmap[(from + row) >> 3]! |= 1 << ((from + row) & 7);
        nullCount++;
      }
      if (value < minimum) minimum = value;
      if (value > maximum) maximum = value;
    }
    from += count;
  });
  const isAllNull = nullCount === rows;
  const bounds = { nullCount, minimum: isAllNull ? null : minimum, maximum: isAllNull ? null : maximum };
  return { kind: "float", width: 8, values, nulls: nullCount === 0 ? 0 : keepBitmap(bitmap, room), bounds };
}

function unsignedView(buffer: ArrayBufferLike, pointer: number, rows: number, width: 1 | 2 | 4): NarrowArray {
  switch (width) {
    case 1: return new Uint8Array(buffer, pointer, rows);
    case 2: return new Uint16Array(buffer, pointer, rows);
    case 4: return new Uint32Array(buffer, pointer, rows);
  }
}

function sourceView({ buffer, byteOffset, length }: Uint8Array, kind: BcolzColumn["stored"]["kind"], width: 1 | 2 | 4): NarrowArray {
  const isSigned = kind === "int";
  switch (width) {
    case 1: return isSigned ? new Int8Array(buffer, byteOffset, length) : new Uint8Array(buffer, byteOffset, length);
    case 2: return isSigned ? new Int16Array(buffer, byteOffset, length / 2) : new Uint16Array(buffer, byteOffset, length / 2);
    case 4: return isSigned ? new Int32Array(buffer, byteOffset, length / 4) : new Uint32Array(buffer, byteOffset, length / 4);
  }
}

function floatView({ buffer, byteOffset, length }: Uint8Array, itemBytes: number): Float64Array | Float32Array {
  if (itemBytes === 8) return new Float64Array(buffer, byteOffset, length / 8);
  if (itemBytes === 4) return new Float32Array(buffer, byteOffset, length / 4);
  return Float32Array.from(new Uint16Array(buffer, byteOffset, length / 2), halfToNumber);
}
