/** Values of every dtype, its extremes among them, for tests that store and read them. */
import { wholeRange, type Dtype } from "../../lib/columns/dtypes.js";
import type { StoredValue } from "./read-table.js";

/** So many values of a dtype, the same each time: extremes first, then small ones, one in eleven null. */
export function valuesOf(dtype: Dtype, count: number): StoredValue[] {
  return Array.from({ length: count }, (_, row) => (row % 11 === 10 ? null : valueAt(dtype, row)));
}

function valueAt(dtype: Dtype, row: number): StoredValue {
  switch (dtype) {
    case "bool": return row % 3 === 0;
    case "float32": return row === 0 ? Infinity : row === 1 ? 2 ** -149 : Math.fround(row / 8);
    case "float64": return row === 0 ? -Infinity : row === 1 ? Number.MIN_VALUE : row / 100;
    case "string": return row === 0 ? "" : row === 1 ? "é🚕".repeat(30) : `text ${row % 37}`;
    case "bytes": return row === 0 ? Uint8Array.of() : row === 1 ? new Uint8Array(100).fill(0xff) : Uint8Array.of(0, row % 29, 0xfe);
    default: {
      const { least, greatest } = wholeRange(dtype);
      return row === 0 ? least : row === 1 ? greatest : BigInt((row * 7) % 101);
    }
  }
}
