/** The kernels of masks and of the rows they select; kernels.ts says what all kernels have in common. */

type Pointer = number;

/** What conditions need. */
export interface SelectionKernels {
  // Masks. `negate` 1 turns the answer round. Range ends are inclusive; lo > hi selects none.
  maskRangeU8(values: Pointer, n: number, lo: number, hi: number, negate: number, mask: Pointer): void;
  maskRangeU16(values: Pointer, n: number, lo: number, hi: number, negate: number, mask: Pointer): void;
  maskRangeU32(values: Pointer, n: number, lo: number, hi: number, negate: number, mask: Pointer): void;
  maskRangeI64(values: Pointer, n: number, lo: bigint, hi: bigint, negate: number, mask: Pointer): void;
  maskRangeF64(values: Pointer, n: number, lo: number, hi: number, negate: number, mask: Pointer): void;
  /** mask[i] = lut[code[i]] (lut bytes are 0 or 1). */
  maskLutU8(codes: Pointer, n: number, lut: Pointer, mask: Pointer): void;
  maskLutU16(codes: Pointer, n: number, lut: Pointer, mask: Pointer): void;
  maskLutU32(codes: Pointer, n: number, lut: Pointer, mask: Pointer): void;
  /**
   * Builds a hash set of int64 values: `capacity` (a power of two, at least 2 * n and 4) entries of 16 bytes at `set`
   * (int64 value, int64 used); the memory must be zeroed before.
   */
  setBuild(values: Pointer, n: number, set: Pointer, capacity: number): void;
  /** mask[i] = whether the int64 values[i] is in the set (float64 bits serve as int64 when both sides use them). */
  maskSetI64(values: Pointer, n: number, set: Pointer, capacity: number, negate: number, mask: Pointer): void;
  maskSetU32(codes: Pointer, n: number, base: bigint, step: bigint, set: Pointer, capacity: number, negate: number, mask: Pointer): void;
  /** lut[c] = whether base + step * c is in the set, for c in [0, n). */
  lutFromSet(base: bigint, step: bigint, n: number, set: Pointer, capacity: number, negate: number, lut: Pointer): void;
  /** Plain strings against one literal; `accept`: bit 0 for below it, bit 1 for equal, bit 2 for above, by unsigned bytes. */
  maskTextCompare(offsets: Pointer, bytes: Pointer, n: number, literal: Pointer, literalBytes: number, accept: number, mask: Pointer): void;
  /** mask[i] = whether the string is in a pool, by a table that internText or internRebuild filled. */
  maskTextSet(offsets: Pointer, bytes: Pointer, n: number, table: Pointer, capacity: number, poolOffsets: Pointer, poolBytes: Pointer, negate: number, mask: Pointer): void;
  /**
   * Plain strings, valid UTF-8, against a pattern of like that was cut at its % signs: `parts` parts, part p being the
   * tokens (uint16: a byte, or 256 for any code point) from ends[p] up to ends[p + 1] (uint32). A text begins with the
   * first, ends with the last and has the others, of which none is empty, between; one part alone is the whole text.
   * `borders` has a uint32 a token: in a part of bytes that is searched for by them how many of its first tokens end there
   * once more; else 2^32 - 1. `tables` has a pointer a part: 0, or to the words that say which tokens each byte may be of,
   * and then as many as are had for a byte, to write in.
   */
  maskLike(offsets: Pointer, bytes: Pointer, n: number, tokens: Pointer, borders: Pointer, ends: Pointer, parts: number, tables: Pointer, negate: number, mask: Pointer): void;
  /** Columns of 8 byte values row by row; `accept`: bit 0 for left below right, bit 1 for equal, bit 2 for left above. */
  maskRelateI64(left: Pointer, right: Pointer, n: number, accept: number, mask: Pointer): void;
  maskRelateF64(left: Pointer, right: Pointer, n: number, accept: number, mask: Pointer): void;
  /** U64: uint64 less 2^63. What no float64 holds is compared exactly all the same. */
  maskRelateI64U64(left: Pointer, right: Pointer, n: number, accept: number, mask: Pointer): void;
  maskRelateI64F64(left: Pointer, right: Pointer, n: number, accept: number, mask: Pointer): void;
  maskRelateU64F64(left: Pointer, right: Pointer, n: number, accept: number, mask: Pointer): void;
  /** Days since 1970 with nanoseconds since 1970; a day is its first instant. */
  maskRelateDays(days: Pointer, instants: Pointer, n: number, accept: number, mask: Pointer): void;
  /** Texts by unsigned bytes: row i is text codes[i] (uint32), or text i where `codes` is 0. */
  maskRelateTexts(leftCodes: Pointer, leftOffsets: Pointer, leftBytes: Pointer, rightCodes: Pointer, rightOffsets: Pointer, rightBytes: Pointer, n: number, accept: number, mask: Pointer): void;
  /**
   * Sets the mask of n >= 1 rows for every basket (rows of equal values, or all null, that follow each other) of which it
   * has a row. `state` gets uint32: where the first basket ends, where the last one starts.
   */
  expandBasketsU8(values: Pointer, nulls: Pointer, n: number, mask: Pointer, state: Pointer): void;
  expandBasketsU16(values: Pointer, nulls: Pointer, n: number, mask: Pointer, state: Pointer): void;
  expandBasketsU32(values: Pointer, nulls: Pointer, n: number, mask: Pointer, state: Pointer): void;
  expandBasketsI64(values: Pointer, nulls: Pointer, n: number, mask: Pointer, state: Pointer): void;
  /** Clears the mask where the null bit is set. */
  maskNulls(nulls: Pointer, n: number, mask: Pointer): void;
  /** mask &= other. */
  maskAnd(mask: Pointer, other: Pointer, n: number): void;
  /** mask |= other. */
  maskOr(mask: Pointer, other: Pointer, n: number): void;
  /** mask[i] = whether bit i of a bitmap, such as one of nulls, is set; of bitmap 0 none is. */
  maskFromBits(bits: Pointer, n: number, negate: number, mask: Pointer): void;
  /** The reverse, into (n + 7) / 8 bytes. */
  bitsFromMask(mask: Pointer, n: number, bits: Pointer): void;
  maskCount(mask: Pointer, n: number): number;
  /** Writes the uint16 index of selected rows; gives how many. */
  maskIndex(mask: Pointer, n: number, index: Pointer): number;
  /** mask[index[i]] = source[i], of a uint16 index. */
  placeMask(source: Pointer, index: Pointer, n: number, mask: Pointer): void;

  // Gathers: target[i] = values[index[i]].
  gather1(values: Pointer, index: Pointer, n: number, target: Pointer): void;
  gather2(values: Pointer, index: Pointer, n: number, target: Pointer): void;
  gather4(values: Pointer, index: Pointer, n: number, target: Pointer): void;
  gather8(values: Pointer, index: Pointer, n: number, target: Pointer): void;
  /** Gathers bits of a bitmap into a bitmap (its last byte padded with 0); gives how many are set. */
  gatherBits(bits: Pointer, index: Pointer, n: number, target: Pointer): number;
  /** target[i] = table[codes[i]] over uint32 entries: code to rank. */
  translateU8(codes: Pointer, n: number, table: Pointer, target: Pointer): void;
  translateU16(codes: Pointer, n: number, table: Pointer, target: Pointer): void;
  translateU32(codes: Pointer, n: number, table: Pointer, target: Pointer): void;
}
