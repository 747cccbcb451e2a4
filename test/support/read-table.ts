/** Whole tables as plain values, for comparing what was stored with what should have been. */
import { isBitSet } from "../../lib/columns/bits.js";
import { biasOf } from "../../lib/columns/dtypes.js";
import { openTable } from "../../lib/columns/read/open.js";
import type { TableColumn } from "../../lib/columns/read/table.js";
import type { Vector } from "../../lib/columns/vector.js";
import { createHeap } from "../../lib/kernels/heap.js";
import type { Heap } from "../../lib/kernels/heap.js";
import { loadKernels } from "../../lib/kernels/kernels.js";

/** A stored value: bigint for whole numbers, timestamps (ns) and dates (days), number for floats, Uint8Array for bytes. */
export type StoredValue = bigint | number | string | boolean | Uint8Array | null;

/** Memory to read many tables with, one after another. */
export function createReadHeap(): Heap {
  return createHeap(loadKernels(64 * 1024 * 1024), 32 * 1024 * 1024);
}

/** All values of each column of a table, by column name. */
export function readTable(path: string, heap = createReadHeap()): Map<string, StoredValue[]> {
  const table = openTable(path);
  try {
    return new Map(table.columns.map((column) => [column.name, readColumn(column, heap)]));
  } finally {
    table.close();
  }
}

function readColumn(column: TableColumn, heap: Heap): StoredValue[] {
  const values: StoredValue[] = [];
  for (let chunk = 0; chunk < column.chunkCount; chunk++) {
    const vector = column.decode(chunk, heap, (bytes) => heap.find(bytes)!);
    const { bytes } = heap.kernels;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const nulls = vector.nulls === 0 ? null : bytes.subarray(vector.nulls, vector.nulls + Math.ceil(vector.rows / 8));
    for (let row = 0; row < vector.rows; row++) values.push(isBitSet(nulls, row) ? null : valueAt(column, vector, view, row));
    for (const pointer of vector.owned) heap.release(pointer);
  }
  return values;
}

function valueAt(column: TableColumn, vector: Vector, view: DataView, row: number): StoredValue {
  switch (vector.kind) {
    case "float": return view.getFloat64(vector.values + row * 8, true);
    case "int": {
      const value = vector.width === 8 ? view.getBigInt64(vector.values + row * 8, true) : vector.base + vector.step * BigInt(codeAt(view, vector, row));
      return column.dtype === "bool" ? value === 1n : value + biasOf(column.dtype);
    }
    case "code": {
      const dictionary = column.dictionary()!;
      const code = codeAt(view, vector, row);
      return textOf(column, dictionary.bytes.subarray(dictionary.offsets[code], dictionary.offsets[code + 1]));
    }
    case "text": {
      const start = view.getUint32(vector.values + row * 4, true);
      const end = view.getUint32(vector.values + row * 4 + 4, true);
      return textOf(column, new Uint8Array(view.buffer, view.byteOffset + vector.text + start, end - start));
    }
  }
}

function textOf({ dtype }: TableColumn, bytes: Uint8Array): StoredValue {
  return dtype === "bytes" ? Uint8Array.from(bytes) : Buffer.from(bytes).toString();
}

function codeAt(view: DataView, { values, width }: Vector, row: number): number {
  if (width === 1) return view.getUint8(values + row);
  return width === 2 ? view.getUint16(values + row * 2, true) : view.getUint32(values + row * 4, true);
}
