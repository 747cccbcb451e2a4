/** A decoded chunk of a column in WebAssembly memory: what the kernels read. */

/**
 * One decoded chunk. Pointers are byte offsets into the kernels' memory.
 *
 * - `int` (whole numbers, bool, timestamp, date; uint64 as v - 2^63): row i is `base + step * code[i]`, where `code` is
 *   unsigned of `width` 1, 2 or 4 bytes; or, for width 8, the int64 itself (base 0, step 1). The base of codes is the
 *   minimum of the chunk. A constant chunk has width 1, codes all 0, base = value.
 * - `float`: float64 of width 8, float32 as well. With an `exponent`, row i is the float64 nearest to k / 10^exponent for some
 *   whole k of at most 2^52.
 * - `code`: unsigned dictionary codes of width 1, 2 or 4 (order of first appearance, not rank), all below the
 *   dictionary's count.
 * - `text`: plain texts: `values` points at rows + 1 uint32 offsets into the bytes at `text`.
 *
 * `nulls` is a bitmap as in Batch, or 0 when the chunk has no null. In a null row the code is 0, the float 0.0, the
 * text empty (a `width` 8 int is `minimum` of the chunk). Decoding has verified that every number lies in
 * [minimum, maximum] of the chunk's statistics, so ranges computed from statistics may be trusted for memory safety.
 */
export interface Vector {
  readonly kind: "int" | "float" | "code" | "text";
  readonly rows: number;
  readonly width: 1 | 2 | 4 | 8;
  readonly values: number;
  readonly base: bigint;
  readonly step: bigint;
  /** Of floats; absent where none is known. */
  readonly exponent?: number | undefined;
  readonly nulls: number;
  readonly nullCount: number;
  readonly text: number;
  /** Allocations that belong to this vector, to be given back to the heap with it. Shared pages are not among them. */
  readonly owned: readonly number[];
  /** Bytes those allocations take. */
  readonly ownedBytes: number;
}
