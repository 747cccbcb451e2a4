/**
 * The WebAssembly kernels and the memory they run in. All loops over rows live here. Pointers and counts are numbers
 * (byte offsets into `memory`); "slots" is a uint32 array with the group of each row; a "mask" is a byte a row, 1 where
 * the row is selected, else 0; an "index" is a uint16 array of selected rows of a chunk; "nulls" is a bitmap pointer, 0
 * for none. W in a name is U8, U16, U32 (unsigned codes of that width) or I64. `base` and `step` turn a code into the
 * int64 `base + step * code`.
 */
import { readFileSync } from "node:fs";
import { BquerydError } from "../base/errors.js";
import type { ListKernels } from "./list-kernels.js";

type Pointer = number;

/** What kernels.wasm exports (sources in assembly/). Each is tested against a plain reference in test/unit/kernels-*.test.ts. */
export interface KernelFunctions extends ListKernels {
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
   */
  maskLike(offsets: Pointer, bytes: Pointer, n: number, tokens: Pointer, ends: Pointer, parts: number, negate: number, mask: Pointer): void;
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

  // Dense groups: slot = sum over keys of (code * multiplier + offset), uint32 wrap-around.
  slotsSetU8(values: Pointer, n: number, multiplier: number, offset: number, slots: Pointer): void;
  slotsSetU16(values: Pointer, n: number, multiplier: number, offset: number, slots: Pointer): void;
  slotsSetU32(values: Pointer, n: number, multiplier: number, offset: number, slots: Pointer): void;
  slotsSetI64(values: Pointer, n: number, multiplier: bigint, offset: bigint, slots: Pointer): void;
  slotsAddU8(values: Pointer, n: number, multiplier: number, offset: number, slots: Pointer): void;
  slotsAddU16(values: Pointer, n: number, multiplier: number, offset: number, slots: Pointer): void;
  slotsAddU32(values: Pointer, n: number, multiplier: number, offset: number, slots: Pointer): void;
  slotsAddI64(values: Pointer, n: number, multiplier: bigint, offset: bigint, slots: Pointer): void;
  /** slots[i] += delta in null rows. */
  slotsNulls(nulls: Pointer, n: number, delta: number, slots: Pointer): void;

  // Packed keys: the same in uint64.
  packSetU8(values: Pointer, n: number, multiplier: bigint, offset: bigint, keys: Pointer): void;
  packSetU16(values: Pointer, n: number, multiplier: bigint, offset: bigint, keys: Pointer): void;
  packSetU32(values: Pointer, n: number, multiplier: bigint, offset: bigint, keys: Pointer): void;
  packSetI64(values: Pointer, n: number, multiplier: bigint, offset: bigint, keys: Pointer): void;
  packAddU8(values: Pointer, n: number, multiplier: bigint, offset: bigint, keys: Pointer): void;
  packAddU16(values: Pointer, n: number, multiplier: bigint, offset: bigint, keys: Pointer): void;
  packAddU32(values: Pointer, n: number, multiplier: bigint, offset: bigint, keys: Pointer): void;
  packAddI64(values: Pointer, n: number, multiplier: bigint, offset: bigint, keys: Pointer): void;
  packNulls(nulls: Pointer, n: number, delta: bigint, keys: Pointer): void;

  // Hash groups on the full key. Groups are numbered in order of first appearance.
  /**
   * Finds or makes the group of rows [from, n) of one uint64 key each. `table`: `capacity` (power of two, at least 4) entries of 16
   * bytes (uint64 key, uint32 group + 1, uint32 0), zeroed at the start; `groupKeys`: uint64 a group; `state`: uint32
   * group count, updated in place. Stops before a row that would need group number `limit`; gives the row it stopped
   * at (n when done). The caller keeps limit at most 5/8 of capacity.
   */
  hashGroup1(keys: Pointer, n: number, from: number, table: Pointer, capacity: number, groupKeys: Pointer, limit: number, state: Pointer, slots: Pointer): number;
  /** Fills an empty (zeroed) table of a new capacity from groupKeys. */
  hashRebuild1(groupKeys: Pointer, count: number, table: Pointer, capacity: number): void;
  /**
   * The same for k words a key: `words` points at k uint32 pointers, each to a uint64 array of n; `groupKeys` holds k
   * words a group, group after group; table entries are (uint64 hash, uint32 group + 1, uint32 0); equal hashes are
   * settled by comparing all k words.
   */
  hashGroupN(words: Pointer, k: number, n: number, from: number, table: Pointer, capacity: number, groupKeys: Pointer, limit: number, state: Pointer, slots: Pointer): number;
  hashRebuildN(groupKeys: Pointer, k: number, count: number, table: Pointer, capacity: number): void;
  /**
   * Gives plain strings codes in order of first appearance. Rows are index[0..n) (uint16), or 0..n) when index is 0.
   * `table` as above (hash, code + 1); the distinct strings are appended to `poolOffsets` (uint32, count + 1 entries,
   * first 0) and `poolBytes`. `state`: uint32 count. Stops before a row that would need code `limit` or more than
   * `poolBytesMax` bytes; gives the row it stopped at. Null rows hold empty strings and get the code of "".
   */
  internText(offsets: Pointer, bytes: Pointer, index: Pointer, n: number, from: number, table: Pointer, capacity: number, poolOffsets: Pointer, poolBytes: Pointer, poolBytesMax: number, limit: number, state: Pointer, codes: Pointer): number;
  internRebuild(poolOffsets: Pointer, poolBytes: Pointer, count: number, table: Pointer, capacity: number): void;

  // Accumulators by slot; null rows are left out. counts, sums, least, greatest: int64 a group.
  countSlots(slots: Pointer, n: number, counts: Pointer): void;
  countSlotsNonNull(slots: Pointer, nulls: Pointer, n: number, counts: Pointer): void;
  /** sums[slot] += base + step * code, in 64 bits (the caller knows it cannot overflow). I64 takes base 0, step 1. */
  sumSlotsU8(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, sums: Pointer): void;
  sumSlotsU16(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, sums: Pointer): void;
  sumSlotsU32(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, sums: Pointer): void;
  sumSlotsI64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, sums: Pointer): void;
  /** countSlots and sumSlots of n <= 65,536 rows without nulls, in one pass where slots are few. */
  tallySlotsU8(slots: Pointer, values: Pointer, n: number, base: bigint, step: bigint, counts: Pointer, sums: Pointer): void;
  tallySlotsU16(slots: Pointer, values: Pointer, n: number, base: bigint, step: bigint, counts: Pointer, sums: Pointer): void;
  /** sumSlots into 128-bit two's complement little-endian accumulators of 16 bytes. */
  sumWideSlotsU8(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, sums: Pointer): void;
  sumWideSlotsU16(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, sums: Pointer): void;
  sumWideSlotsU32(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, sums: Pointer): void;
  sumWideSlotsI64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, sums: Pointer): void;
  /**
   * Compensated (two-sum) float64 sums: accumulators of 16 bytes, sum then compensation; off by less than 2^-41 of the sum
   * of magnitudes. Infinities stay right: no NaN from inf - inf inside the compensation alone.
   */
  sumSlotsF64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, sums: Pointer): void;
  /** least[slot] = min(least[slot], base + step * code); the caller fills least with the greatest int64 before. */
  minSlotsU8(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, least: Pointer): void;
  minSlotsU16(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, least: Pointer): void;
  minSlotsU32(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, least: Pointer): void;
  minSlotsI64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, least: Pointer): void;
  maxSlotsU8(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, greatest: Pointer): void;
  maxSlotsU16(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, greatest: Pointer): void;
  maxSlotsU32(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, greatest: Pointer): void;
  maxSlotsI64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, greatest: Pointer): void;
  /** The caller fills least with Infinity, greatest with -Infinity. */
  minSlotsF64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, least: Pointer): void;
  maxSlotsF64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, greatest: Pointer): void;
  /** Least and greatest interned string a group: extreme[slot] is code + 1, 0 for none; strings order by unsigned bytes. */
  minSlotsText(slots: Pointer, codes: Pointer, nulls: Pointer, n: number, poolOffsets: Pointer, poolBytes: Pointer, extreme: Pointer): void;
  maxSlotsText(slots: Pointer, codes: Pointer, nulls: Pointer, n: number, poolOffsets: Pointer, poolBytes: Pointer, extreme: Pointer): void;

  // Expressions: columns of 8 byte values. A step is 8, or 0 where one value stands for all rows. What gives a row gives
  // the first one that is not null and whose result does not fit, n where all fit; targets may be operands.
  /** int64: 0 +, 1 -, 2 *, 3 % (0 where the divisor is 0). U64: uint64 less 2^63. */
  exprI64(op: number, a: Pointer, aStep: number, b: Pointer, bStep: number, nulls: Pointer, n: number, target: Pointer): number;
  exprU64(op: number, a: Pointer, aStep: number, b: Pointer, bStep: number, nulls: Pointer, n: number, target: Pointer): number;
  /** The same, 4 /, 5 power. */
  exprF64(op: number, a: Pointer, aStep: number, b: Pointer, bStep: number, n: number, target: Pointer): void;
  /** Sets the null bit of each row whose int64, or with `float` 1 float64, is 0. */
  exprZeroNulls(values: Pointer, step: number, float: number, n: number, nulls: Pointer): void;
  /** 0 negative, 1 magnitude, 2 sign. F64 as well: 3 floor, 4 ceil, 5 round half away from 0, 6 sqrt, 7 ln, 8 log10, 9 exp; NaN where there is none. */
  exprMapI64(op: number, values: Pointer, nulls: Pointer, n: number, target: Pointer): number;
  exprMapF64(op: number, values: Pointer, n: number, target: Pointer): void;
  /** uint64 less 2^63 as int64. */
  exprToSigned(values: Pointer, nulls: Pointer, n: number, target: Pointer): number;
  /** The lower edge of the bin of `width` (int64: at least 1) that a value lies in; `origin` is an edge. */
  exprFloorI64(values: Pointer, nulls: Pointer, n: number, width: bigint, origin: bigint, target: Pointer): number;
  exprFloorF64(values: Pointer, n: number, width: number, origin: number, target: Pointer): void;
  /** Quotients rounded down; divisor at least 1. */
  exprFloorDivide(values: Pointer, n: number, divisor: bigint, target: Pointer): void;
  /** The least or greatest of both, or the one that is not null; sets the bits of `nulls`, 0 at first, where both are null, and gives how many. */
  exprExtremeI64(greatest: number, a: Pointer, aStep: number, aNulls: Pointer, b: Pointer, bStep: number, bNulls: Pointer, n: number, target: Pointer, nulls: Pointer): number;
  exprExtremeF64(greatest: number, a: Pointer, aStep: number, aNulls: Pointer, b: Pointer, bStep: number, bNulls: Pointer, n: number, target: Pointer, nulls: Pointer): number;
  /** Puts value i (of 4 bytes: step 4 or 0) and its null bit into row index[i] (uint16). */
  exprPlace4(values: Pointer, step: number, valueNulls: Pointer, index: Pointer, n: number, target: Pointer, nulls: Pointer): void;
  exprPlace8(values: Pointer, step: number, valueNulls: Pointer, index: Pointer, n: number, target: Pointer, nulls: Pointer): void;
  /** uint16 slots: code + 1, 0 for null; used[slot] = 1 (bytes) for each that occurs. */
  exprSlotsU8(codes: Pointer, nulls: Pointer, n: number, slots: Pointer, used: Pointer): void;
  exprSlotsU16(codes: Pointer, nulls: Pointer, n: number, slots: Pointer, used: Pointer): void;
  /** The start of the bucket of `months` months, counted from 2000-01, of instants of which `daySteps` steps make a day. */
  exprFloorMonths(values: Pointer, nulls: Pointer, n: number, daySteps: bigint, months: bigint, target: Pointer): number;
  /** 0 year, 1 month, 2 day, 3 hour, 4 minute, 5 second, 6 day of week (Sunday 0), 7 ISO day (Monday 1), 8 ISO week, 9 day of year, 10 quarter. */
  exprPart(part: number, values: Pointer, n: number, daySteps: bigint, target: Pointer): void;
  /** Local time of instants by periods of one offset (int64 `starts`, the first the least int64, and `offsets`), and the uint32 period of each. */
  exprToLocal(values: Pointer, nulls: Pointer, n: number, starts: Pointer, offsets: Pointer, count: number, target: Pointer, periods: Pointer): number;
  /** Back within the period of each row, not before it begins; and to the first instant at which it is that local time or later. */
  exprToInstant(local: Pointer, periods: Pointer, n: number, starts: Pointer, offsets: Pointer, target: Pointer): void;
  exprToFirstInstant(local: Pointer, periods: Pointer, n: number, starts: Pointer, offsets: Pointer, target: Pointer): void;

  /** The value of the first or last non-null row a group, as int64 (or 64 bits of anything: base 0, step 1); seen: a byte a group, 1 where there is one. */
  firstSlotsU8(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, seen: Pointer, kept: Pointer): void;
  firstSlotsU16(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, seen: Pointer, kept: Pointer): void;
  firstSlotsU32(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, seen: Pointer, kept: Pointer): void;
  firstSlotsI64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, seen: Pointer, kept: Pointer): void;
  lastSlotsU8(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, seen: Pointer, kept: Pointer): void;
  lastSlotsU16(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, seen: Pointer, kept: Pointer): void;
  lastSlotsU32(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, seen: Pointer, kept: Pointer): void;
  lastSlotsI64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, seen: Pointer, kept: Pointer): void;
  /** The nearest float64 of base + step * code; `biased` 1 adds 2^63, which uint64 is kept without. */
  floatsOfU8(codes: Pointer, n: number, base: bigint, step: bigint, biased: number, target: Pointer): void;
  floatsOfU16(codes: Pointer, n: number, base: bigint, step: bigint, biased: number, target: Pointer): void;
  floatsOfU32(codes: Pointer, n: number, base: bigint, step: bigint, biased: number, target: Pointer): void;
  /**
   * Moments of float64 a group: cells of 40 bytes, zero at first: uint32 count, uint32, then float64 shift, sum of the
   * distances d from it of the latest values, sum of d^2, and the squares about the shift of the values before those.
   */
  momentsSlots(slots: Pointer, values: Pointer, nulls: Pointer, n: number, cells: Pointer): void;
  /** The same of two columns; cells of 88 bytes: uint32 count, uint32, then float64: shifts of x and y, sums of dx, dy, dx^2, dy^2 and dx dy, the three before those. */
  comomentsSlots(slots: Pointer, x: Pointer, y: Pointer, nulls: Pointer, n: number, cells: Pointer): void;
  /**
   * The uint32 bin of each value by `bins` + 1 ascending edges, the last bin closed: `bins` for one below the first edge,
   * bins + 1 for one above the last. (distance + offset) *
   * inverse is near the bin of a value at that distance from the first edge. `even` 1: no edge is off by a quarter of a
   * bin from where they would lie evenly, which makes it quicker, and int64 edges are less than 2^63 apart.
   */
  histogramBinsF64(values: Pointer, n: number, edges: Pointer, bins: number, inverse: number, even: number, target: Pointer): void;
  histogramBinsI64(values: Pointer, n: number, edges: Pointer, bins: number, offset: number, inverse: number, even: number, target: Pointer): void;
  /** Bins of two columns as one of binsX * binsY, row-major; under and over by the first of the two that is. */
  histogramJoin(x: Pointer, y: Pointer, n: number, binsX: number, binsY: number, target: Pointer): void;
  /** counts[slot * cells + bin] += 1, int64. */
  histogramCount(slots: Pointer, bins: Pointer, nulls: Pointer, n: number, cells: number, counts: Pointer): void;

  // One group: the same without slots, several partial sums in flight.
  /** Sum of the codes of non-null rows (fits: n is at most 65,536). */
  totalU8(codes: Pointer, nulls: Pointer, n: number): bigint;
  totalU16(codes: Pointer, nulls: Pointer, n: number): bigint;
  totalU32(codes: Pointer, nulls: Pointer, n: number): bigint;
  /** Adds int64 values into one 128-bit accumulator. */
  totalWideI64(values: Pointer, nulls: Pointer, n: number, sum: Pointer): void;
  /** The same into one accumulator; the order of additions is fixed. */
  totalF64(values: Pointer, nulls: Pointer, n: number, sum: Pointer): void;

  // Order.
  /** Stable sort of uint64 keys with uint32 payloads, ascending, in place; temporaries of the same sizes. Constant bytes cost one pass of counting only. */
  radixSort(keys: Pointer, payload: Pointer, keysTemporary: Pointer, payloadTemporary: Pointer, n: number): void;

  // Reading text with delimiters. `fields` are places of fields in a block of text, as csvRows writes them: column after
  // column, each of `rowsMax` places of 8 bytes. Eight bytes before the block and 32 behind it must be there to be read.
  /**
   * Finds the fields of the records from byte `from` on: at most `rowsMax` rows of `columns` fields, and at most
   * `rejectsMax` records that are spoiled: uint32 start, end, reason (1 another number of fields, 2 text after a closing
   * quote, 3 a quote that never closes) and detail (the number; the place of the opening quote). `state` gets uint32
   * rows, rejects, the byte to go on from. The byte behind the block is written.
   */
  csvRows(block: Pointer, bytes: number, from: number, columns: number, delimiter: number, rowsMax: number, fields: Pointer, rejectsMax: number, rejects: Pointer, state: Pointer): void;
  /**
   * Finds where text that goes on, unless isLast is 1, can be cut. `state` gets uint32: the last end of a record; whether a record follows
   * that is longer than `recordBytesMax`; where it starts; where to go on behind the line of its open quote, 0 without one.
   */
  csvCut(block: Pointer, bytes: number, delimiter: number, recordBytesMax: number, isLast: number, state: Pointer): void;
  /** Counts line ends: LF, CR, CR LF. */
  csvLines(block: Pointer, bytes: number): number;
  /** Marks the fields spelled like `token`, quotes included, as nulls; fields that are empty without quotes are nulls anyway. */
  csvNulls(block: Pointer, fields: Pointer, rows: number, token: Pointer, tokenBytes: number): void;
  /** Sets the bits of null rows, clears the others; gives how many are null. */
  csvNullBits(fields: Pointer, rows: number, nulls: Pointer): number;
  /** The kinds of values (lib/formats/values/infer.ts), or-ed; rows in `hard` are left to the caller. `state` as for csvBools. */
  csvKinds(block: Pointer, fields: Pointer, rows: number, powers: Pointer, hard: Pointer, state: Pointer): number;
  /**
   * The values of a column: bools as bytes. The rows that do not fit are listed in `misfits` (uint32). `state` gets
   * uint32: how many do not fit, how many are hard, how many are null. `lenient` 1 takes spellings that are not taken for
   * this dtype by themselves: 0 and 1 for bools, leading zeros and a plus sign for numbers.
   */
  csvBools(block: Pointer, fields: Pointer, rows: number, lenient: number, values: Pointer, nulls: Pointer, misfits: Pointer, state: Pointer): void;
  csvInts(block: Pointer, fields: Pointer, rows: number, lenient: number, least: bigint, greatest: bigint, values: Pointer, nulls: Pointer, misfits: Pointer, state: Pointer): void;
  csvUint64s(block: Pointer, fields: Pointer, rows: number, lenient: number, values: Pointer, nulls: Pointer, misfits: Pointer, state: Pointer): void;
  /**
   * NaN is null. `hard` lists rows (uint32) that hold a number which the caller must turn into a float64. `powers`: for
   * each power of ten from -348 to 347 the lower and upper word of its first 128 bits.
   */
  csvFloats(block: Pointer, fields: Pointer, rows: number, lenient: number, powers: Pointer, values: Pointer, nulls: Pointer, misfits: Pointer, hard: Pointer, state: Pointer): void;
  csvDates(block: Pointer, fields: Pointer, rows: number, values: Pointer, nulls: Pointer, misfits: Pointer, state: Pointer): void;
  csvTimestamps(block: Pointer, fields: Pointer, rows: number, values: Pointer, nulls: Pointer, misfits: Pointer, state: Pointer): void;
  /** Fields one after another, with rows + 1 offsets; gives their bytes. Sixteen bytes more are written over. */
  csvTexts(block: Pointer, fields: Pointer, rows: number, offsets: Pointer, bytes: Pointer): number;
  /** Gives fields codes as internText does strings; null rows get code 0. */
  csvIntern(block: Pointer, fields: Pointer, rows: number, from: number, table: Pointer, capacity: number, poolOffsets: Pointer, poolBytes: Pointer, limit: number, state: Pointer, codes: Pointer): number;
}

/** The kernels bound to their memory, which never grows, so views over it stay good for ever. */
export interface Kernels extends KernelFunctions {
  readonly memory: WebAssembly.Memory;
  /** The whole memory. */
  readonly bytes: Uint8Array;
  /** First byte free for the heap. */
  readonly heapStart: number;
}

const pageBytes = 65_536;
let compiled: WebAssembly.Module | undefined;

/**
 * Kernels with a memory of `memoryBytes` (rounded up to 64 KB, at most 4 GB), reserved once; only pages that are
 * touched cost real memory. Throws MEMORY_LIMIT when the address space cannot be had.
 */
export function loadKernels(memoryBytes: number): Kernels {
  const pages = Math.min(Math.ceil(memoryBytes / pageBytes), 65_536);
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (cause) {
    throw new BquerydError("MEMORY_LIMIT", `cannot reserve ${pages * pageBytes} bytes of memory for the kernels; lower cache_memory or query_memory`, { details: { bytes: pages * pageBytes }, cause });
  }
  compiled ??= new WebAssembly.Module(readFileSync(new URL("kernels.wasm", import.meta.url)));
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  const { heapBase, ...functions } = instance.exports as unknown as KernelFunctions & { heapBase(): number };
  return {
    ...functions,
    // A 64-bit integer leaves WebAssembly signed.
    xxh64: (pointer, bytes) => BigInt.asUintN(64, functions.xxh64(pointer, bytes)),
    gcdI64: (values, n, base) => BigInt.asUintN(64, functions.gcdI64(values, n, base)),
    memory,
    bytes: new Uint8Array(memory.buffer),
    heapStart: heapBase(),
  };
}
