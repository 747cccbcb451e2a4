/** The kernels of stored bytes; kernels.ts says what all kernels have in common. */

type Pointer = number;

/** What writing and reading chunks needs. */
export interface StorageKernels {
  // Decode and encode (lz4, shuffle, hash).
  /** Decodes a raw LZ4 block of exactly `targetBytes`; gives targetBytes, or -1 on any malformed input. Bounds are checked. */
  lz4Decode(source: Pointer, sourceBytes: number, target: Pointer, targetBytes: number): number;
  /** The same of one Zstandard frame, which skippable ones may precede; its checksum, if it has one, is verified. */
  zstdDecode(source: Pointer, sourceBytes: number, target: Pointer, targetBytes: number): number;
  /** The same of one BloscLZ stream. */
  blosclzDecode(source: Pointer, sourceBytes: number, target: Pointer, targetBytes: number): number;
  /** The same of one raw Snappy block. */
  snappyDecode(source: Pointer, sourceBytes: number, target: Pointer, targetBytes: number): number;
  /**
   * Encodes a raw LZ4 block of at most `targetBytes`; gives its length, or -1 when it would be longer. The target may lie
   * over the source where it begins 65,600 bytes and a 255th of the source before it, or more.
   */
  lz4Encode(source: Pointer, sourceBytes: number, target: Pointer, targetBytes: number): number;
  /** Byte-shuffles n values of 1 to 255 bytes (2, 4 and 8 are fast): byte plane after byte plane. */
  shuffle(source: Pointer, target: Pointer, n: number, width: number): void;
  unshuffle(source: Pointer, target: Pointer, n: number, width: number): void;
  /** Joins the bit planes of n values, a multiple of 8, of 1 to 255 bytes: bit 0 of all first bytes, eight values a byte, and so on. */
  bitUnshuffle(source: Pointer, target: Pointer, n: number, width: number): void;
  /** XXH64, seed 0, as an unsigned number. */
  xxh64(pointer: Pointer, bytes: number): bigint;
  fillF64(target: Pointer, n: number, value: number): void;
  /** Number of bits set in the first n bits. */
  countBits(bits: Pointer, n: number): number;

  // Extremes of n values, all rows counted, n >= 1 (U8..U32 as unsigned numbers).
  maxU8(values: Pointer, n: number): number;
  maxU16(values: Pointer, n: number): number;
  maxU32(values: Pointer, n: number): number;
  minI64(values: Pointer, n: number): bigint;
  maxI64(values: Pointer, n: number): bigint;
  minF64(values: Pointer, n: number): number;
  maxF64(values: Pointer, n: number): number;
  /** 1 when every value is from `least` to `greatest` (no NaN is), else 0. */
  areWithinI64(values: Pointer, n: number, least: bigint, greatest: bigint): number;
  areWithinF64(values: Pointer, n: number, least: number, greatest: number): number;
  /** The first row with the least or greatest text by unsigned bytes; some row is not null. `offsets`: n + 1 uint32. */
  leastText(offsets: Pointer, bytes: Pointer, nulls: Pointer, n: number): number;
  greatestText(offsets: Pointer, bytes: Pointer, nulls: Pointer, n: number): number;
  /** 1 when n uint32 ascend (neighbours may be equal), else 0. */
  isAscendingU32(values: Pointer, n: number): number;

  // Writing: narrowing int64 values.
  /** Overwrites the values of null rows. */
  fillNullsI64(values: Pointer, nulls: Pointer, n: number, value: bigint): void;
  fillNullsF64(values: Pointer, nulls: Pointer, n: number, value: number): void;
  fillNullsU32(codes: Pointer, nulls: Pointer, n: number, value: number): void;
  /** Sets the null bit of each NaN, turns -0.0 into 0.0, both in place; gives the number of null rows. */
  cleanF64(values: Pointer, n: number, nulls: Pointer): number;
  /** Each value of a narrow dtype as an int64. */
  widenI8(source: Pointer, n: number, target: Pointer): void;
  widenI16(source: Pointer, n: number, target: Pointer): void;
  widenI32(source: Pointer, n: number, target: Pointer): void;
  widenU8(source: Pointer, n: number, target: Pointer): void;
  widenU16(source: Pointer, n: number, target: Pointer): void;
  widenU32(source: Pointer, n: number, target: Pointer): void;
  /** Turns the highest bit of n 64-bit values round, in place: uint64 to the int64 of the same order and back. */
  flipSigns(values: Pointer, n: number): void;
  /** float32 to float64, and back (rounded). */
  widenF32(source: Pointer, n: number, target: Pointer): void;
  narrowF32(source: Pointer, n: number, target: Pointer): void;
  /** Greatest common divisor of all (value - base), as an unsigned number; 0 when all equal base. May stop early at 1. */
  gcdI64(values: Pointer, n: number, base: bigint): bigint;
  /** Writes (value - base) / step in the narrow width. */
  narrowU8(values: Pointer, n: number, base: bigint, step: bigint, target: Pointer): void;
  narrowU16(values: Pointer, n: number, base: bigint, step: bigint, target: Pointer): void;
  narrowU32(values: Pointer, n: number, base: bigint, step: bigint, target: Pointer): void;
  /** uint32 codes in fewer bytes; what does not fit is cut. */
  packCodesU8(codes: Pointer, n: number, target: Pointer): void;
  packCodesU16(codes: Pointer, n: number, target: Pointer): void;
  /**
   * Writes float64 values without -0.0 as int64 k, |k| <= 2^52, such that k / 10^exponent, rounded to float32 where
   * `single` is 1, is each value bit for bit. Gives the exponent, 0 to 18, or -1 when there is none.
   */
  decimalKeys(values: Pointer, n: number, single: number, target: Pointer): number;

  // Reading: what was narrowed.
  /** Writes (base + step * code) / 10^exponent as float64, rounded to float32 where `single` is 1. The dividends are exact in float64. */
  decimalU8(codes: Pointer, n: number, base: bigint, step: bigint, exponent: number, single: number, target: Pointer): void;
  decimalU16(codes: Pointer, n: number, base: bigint, step: bigint, exponent: number, single: number, target: Pointer): void;
  decimalU32(codes: Pointer, n: number, base: bigint, step: bigint, exponent: number, single: number, target: Pointer): void;
  /** Subtracts `least` from each value of that width in place, wrapping round. */
  rebaseU8(values: Pointer, n: number, least: number): void;
  rebaseU16(values: Pointer, n: number, least: number): void;
  rebaseU32(values: Pointer, n: number, least: number): void;
  /** Writes the low `width` bytes (1, 2, 4 or 8) of base + step * code. */
  expandU8(codes: Pointer, n: number, base: bigint, step: bigint, width: number, target: Pointer): void;
  expandU16(codes: Pointer, n: number, base: bigint, step: bigint, width: number, target: Pointer): void;
  expandU32(codes: Pointer, n: number, base: bigint, step: bigint, width: number, target: Pointer): void;
  expandI64(values: Pointer, n: number, base: bigint, step: bigint, width: number, target: Pointer): void;
}
