/** Raw rows on their way into a vector: how they are read, and what every kind of number keeps of them. */
import type { Vector } from "../vector.js";
import type { Room } from "./room.js";

/** Calls back with the rows of a chunk, run by run, as raw little-endian bytes. */
export type RunReader = (use: (bytes: Uint8Array, rows: number) => void) => void;

/** What is known of the values of a chunk. */
export interface NumberBounds {
  readonly nullCount: number;
  /** bigint for whole numbers; null when every row is. */
  readonly minimum: bigint | number | null;
  readonly maximum: bigint | number | null;
}

/** The parts of a vector that differ, with the bounds of its values. */
export type Values = Pick<Vector, "width" | "values"> & Partial<Pick<Vector, "kind" | "base" | "nulls">> & { readonly bounds: NumberBounds };

/** Puts a bitmap of null rows into the heap. */
export function keepBitmap(bitmap: Uint8Array, { heap, keep }: Room): number {
  const nulls = keep(bitmap.length);
  heap.kernels.bytes.set(bitmap, nulls);
  return nulls;
}

/** Puts rows of 8 bytes into the heap as they are; gives where. */
export function keepWords(rows: number, read: RunReader, { heap, keep }: Room): number {
  const values = keep(8 * rows);
  let to = values;
  read((bytes) => {
    heap.kernels.bytes.set(bytes, to);
    to += bytes.length;
  });
  return values;
}
