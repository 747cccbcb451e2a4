/** The kernels of groups and of what is added up for them; kernels.ts says what all kernels have in common. */

type Pointer = number;

/** What groupers and accumulators need. */
export interface GroupKernels {
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
   * Lists the rows of one of `parts` (a power of two up to 65,536) parts, by a hash of k words a row: `words` as above; `index` takes
   * uint16 rows, ascending, and has room for n (at most 65,536). Gives how many.
   */
  partRows(words: Pointer, k: number, n: number, parts: number, part: number, index: Pointer): number;
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
  /** For many slots: adds 1 to the upper and the code to the lower half of a slot's uint64; the caller settles before a half is full. */
  tallyWordsU8(slots: Pointer, values: Pointer, n: number, words: Pointer): void;
  /** Adds what the words of n slots hold to counts and sums, and clears them. */
  settleTallies(words: Pointer, n: number, base: bigint, step: bigint, counts: Pointer, sums: Pointer): void;
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
  /** The same, in an order of additions that depends on which rows share a slot and not on the numbers of slots. */
  sumManySlotsF64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, sums: Pointer): void;
  /**
   * Exact sums of float64 that are k / `scale`, whole |k| below 2^51: sums[slot] += k, int64 a slot (the caller knows that it cannot
   * overflow). Null rows hold 0.0.
   */
  sumDecimalSlots(slots: Pointer, values: Pointer, n: number, scale: number, sums: Pointer): void;
  /** The same into one int64. */
  totalDecimals(values: Pointer, n: number, scale: number, sum: Pointer): void;
  /** The int64 k of float64 that are k / `scale`, as decimalKeys found it. */
  decimalKeysAt(values: Pointer, n: number, scale: number, target: Pointer): void;
  /** Adds the sums of later rows to those of earlier ones, slot by slot, as partials of sums are merged. */
  mergeSumsF64(earlier: Pointer, later: Pointer, n: number): void;
  /** least[slot] = min(least[slot], base + step * code); the caller fills least with the greatest int64 before. */
  minSlotsU8(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, least: Pointer): void;
  minSlotsU16(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, least: Pointer): void;
  minSlotsU32(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, least: Pointer): void;
  minSlotsI64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, least: Pointer): void;
  maxSlotsU8(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, greatest: Pointer): void;
  maxSlotsU16(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, greatest: Pointer): void;
  maxSlotsU32(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, greatest: Pointer): void;
  maxSlotsI64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, base: bigint, step: bigint, greatest: Pointer): void;
  /**
   * The same of values close to each other, as distances of 2 bytes a slot: code * step + offset, modulo 2^32 and below
   * 65,535. The caller fills least with 65,535; the greatest are kept with 1 added, 0 at first.
   */
  minNarrowU8(slots: Pointer, values: Pointer, nulls: Pointer, n: number, step: number, offset: number, least: Pointer): void;
  minNarrowU16(slots: Pointer, values: Pointer, nulls: Pointer, n: number, step: number, offset: number, least: Pointer): void;
  minNarrowU32(slots: Pointer, values: Pointer, nulls: Pointer, n: number, step: number, offset: number, least: Pointer): void;
  minNarrowI64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, step: number, offset: number, least: Pointer): void;
  maxNarrowU8(slots: Pointer, values: Pointer, nulls: Pointer, n: number, step: number, offset: number, greatest: Pointer): void;
  maxNarrowU16(slots: Pointer, values: Pointer, nulls: Pointer, n: number, step: number, offset: number, greatest: Pointer): void;
  maxNarrowU32(slots: Pointer, values: Pointer, nulls: Pointer, n: number, step: number, offset: number, greatest: Pointer): void;
  maxNarrowI64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, step: number, offset: number, greatest: Pointer): void;
  /** The caller fills least with Infinity, greatest with -Infinity. */
  minSlotsF64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, least: Pointer): void;
  maxSlotsF64(slots: Pointer, values: Pointer, nulls: Pointer, n: number, greatest: Pointer): void;
  /** Least and greatest interned string a group: extreme[slot] is code + 1, 0 for none; strings order by unsigned bytes. */
  minSlotsText(slots: Pointer, codes: Pointer, nulls: Pointer, n: number, poolOffsets: Pointer, poolBytes: Pointer, extreme: Pointer): void;
  maxSlotsText(slots: Pointer, codes: Pointer, nulls: Pointer, n: number, poolOffsets: Pointer, poolBytes: Pointer, extreme: Pointer): void;
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
}
