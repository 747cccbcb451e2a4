/** The kernels of sets, lists and sketches by slot; kernels.ts says what all kernels have in common. */

type Pointer = number;

/** What states of many values a group need. Null rows are left out beforehand. */
export interface ListKernels {
  /** Moves the entries of non-null rows together into `target`, which may be `values`; gives how many. */
  dropNulls4(values: Pointer, nulls: Pointer, n: number, target: Pointer): number;
  dropNulls8(values: Pointer, nulls: Pointer, n: number, target: Pointer): number;
  /** Sets bit slot * stride + code of each row; both are uint32, and so is the number of the bit. */
  markCells(slots: Pointer, codes: Pointer, n: number, stride: number, bits: Pointer): void;
  /**
   * int32 codes of float64, value = code / 10^exponent: 1 where every value is exactly that, -0 counting as 0, else 0, and
   * the target means nothing.
   */
  narrowDecimals(values: Pointer, n: number, exponent: number, target: Pointer): number;
  /** The float64 of such codes. */
  widenDecimals(codes: Pointer, n: number, exponent: number, target: Pointer): void;
  /** target[places[slot]++] = value, for values of 4 and 8 bytes; places: uint32 a slot. */
  scatterSlots4(slots: Pointer, values: Pointer, n: number, places: Pointer, target: Pointer): void;
  scatterSlots8(slots: Pointer, values: Pointer, n: number, places: Pointer, target: Pointer): void;
  /**
   * Writes to `found` (room for 32 float64) the values that sorting would put at a place and behind it, the same one where
   * the place is the last of n >= 1. The list and `spare`, as large, are changed; none may be NaN.
   */
  selectNeighbours(list: Pointer, n: number, place: number, spare: Pointer, found: Pointer): void;
  /** Keeps the k largest values of a slot, equal ones too, in a heap: `heaps` has k of 8 bytes a slot, at first all the least that there is. */
  keepLargestI64(slots: Pointer, values: Pointer, n: number, k: number, heaps: Pointer): void;
  keepLargestF64(slots: Pointer, values: Pointer, n: number, k: number, heaps: Pointer): void;
  /** The same of k = 2, by branches that no value decides: quicker where rows of a slot are not next to each other. */
  keepPairsI64(slots: Pointer, values: Pointer, n: number, heaps: Pointer): void;
  keepPairsF64(slots: Pointer, values: Pointer, n: number, heaps: Pointer): void;
  /**
   * Goes on over runs of equal words: adds 1 to the int64 count of each slot once a run. `state` is 24 bytes, zero at
   * first: word of the first run, word of the last, uint32 runs. `lastRuns`: the last run (from 1 on) of each slot, uint32;
   * `inFirst`: a byte a slot, 1 where it is in run 1; both zero at first.
   */
  countRuns(words: Pointer, slots: Pointer, n: number, state: Pointer, lastRuns: Pointer, inFirst: Pointer, counts: Pointer): void;
  /** A well mixed uint64 hash of (word * factor) ^ flip for each 64-bit word. */
  hashWords(words: Pointer, n: number, factor: bigint, flip: bigint, target: Pointer): void;
  /** The same of float64: whole numbers from -2^63 to 2^64 hash as the int64 or uint64 they are, others as their bits. */
  hashFloats(values: Pointer, n: number, target: Pointer): void;
  /** XXH64 of each of n texts. */
  hashTexts(offsets: Pointer, bytes: Pointer, n: number, target: Pointer): void;
  /** target[i] = table[codes[i]]: uint32 codes, uint64 entries. */
  translateWords(codes: Pointer, n: number, table: Pointer, target: Pointer): void;
  /** HyperLogLog, p = 14: raises the 2^14 registers (a byte each) of a slot; register h >> 50, rank 1 to 51. */
  raiseRegisters(slots: Pointer, hashes: Pointer, n: number, registers: Pointer): void;
  /** The same as uint32 codes: register << 6 | rank. */
  registerCodes(hashes: Pointer, n: number, codes: Pointer): void;
  /**
   * Int32 bins: `centre` for 0, `centre` plus or minus a distance else. With |x| = m * 2^e, 1 <= m < 2, the distance is
   * floor((e + m - 1) * binsEach) - least + 1, and one more for infinity; -1074 * binsEach >= least.
   */
  binsF64(values: Pointer, n: number, binsEach: number, least: number, centre: number, bins: Pointer): void;
  /** The nearest float64 of each int64; of each uint64 kept less 2^63. */
  floatsOfI64(values: Pointer, n: number, target: Pointer): void;
  floatsOfU64(values: Pointer, n: number, target: Pointer): void;
}
