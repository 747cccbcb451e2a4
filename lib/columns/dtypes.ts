/** The dtypes of columns and the plain in-memory form of a run of values. */

/** A dtype that a version 1 table of this release can hold. */
export type Dtype = "bool" | "int64" | "float64" | "string" | "timestamp";

/** Every dtype, in the order the manual lists them. */
export const dtypes: readonly Dtype[] = ["bool", "int64", "float64", "string", "timestamp"];

/** Rows in a chunk: the same cut for every column of every table. */
export const chunkRows = 65_536;

/**
 * A run of values of one column outside WebAssembly memory. `values` has one entry a row: Uint8Array (0 or 1) for
 * bool, BigInt64Array for int64 and for timestamp (ns since 1970 UTC), Float64Array for float64, string[] for string.
 * `nulls` is a bitmap, bit i%8 of byte i>>3 set where row i is null, or null when no row is. The value in a null row
 * means nothing.
 */
export type Batch =
  | { readonly dtype: "bool"; readonly rows: number; readonly values: Uint8Array; readonly nulls: Uint8Array | null }
  | { readonly dtype: "int64" | "timestamp"; readonly rows: number; readonly values: BigInt64Array; readonly nulls: Uint8Array | null }
  | { readonly dtype: "float64"; readonly rows: number; readonly values: Float64Array; readonly nulls: Uint8Array | null }
  | { readonly dtype: "string"; readonly rows: number; readonly values: readonly string[]; readonly nulls: Uint8Array | null };

/** Tells whether the bit of a row is set in a bitmap; a null bitmap has no bit set. */
export function isBitSet(bitmap: Uint8Array | null, row: number): boolean {
  return bitmap !== null && ((bitmap[row >> 3]! >> (row & 7)) & 1) === 1;
}
