/** The kernels of expressions; kernels.ts says what all kernels have in common. */

type Pointer = number;

/** What computed columns need. */
export interface ExpressionKernels {
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
  /** The greatest of the edges (k * width + origin) / scale that is not above the value; |origin| < 2^32 widths. */
  exprFloorF64(values: Pointer, n: number, width: number, origin: number, scale: number, target: Pointer): void;
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
  /** Exact sums of uint32 a group: cells of 24 bytes, zero at first: int64 count, sum, sum of squares. */
  wholeMoments(slots: Pointer, values: Pointer, nulls: Pointer, n: number, cells: Pointer): void;
  /** The same of two columns; cells of 48 bytes: int64 count, sum of x y, sums of x and y, sums of x^2 and y^2. */
  wholeComoments(slots: Pointer, x: Pointer, y: Pointer, nulls: Pointer, n: number, cells: Pointer): void;
  /**
   * The uint32 bin of each value by `bins` + 1 ascending edges, the last bin closed: `bins` for one below the first edge,
   * bins + 1 for one above the last. (distance + offset) *
   * inverse is near the bin of a value at that distance from the first edge. `even` 1: no edge is off by a quarter of a
   * bin from where they would lie evenly, which makes it quicker, and int64 edges are less than 2^63 apart.
   */
  histogramBinsF64(values: Pointer, n: number, edges: Pointer, bins: number, inverse: number, even: number, target: Pointer): void;
  histogramBinsI64(values: Pointer, n: number, edges: Pointer, bins: number, offset: number, inverse: number, even: number, target: Pointer): void;
  /**
   * counts[bin] += 1, int64, for the bins that histogramBinsF64 gives of even edges; and for bins themselves. `tallies` are 4 * (bins + 2)
   * uint32, all 0 before and after; n < 2^32.
   */
  histogramAddF64(values: Pointer, n: number, edges: Pointer, bins: number, inverse: number, tallies: Pointer, counts: Pointer): void;
  histogramAdd(bins: Pointer, n: number, counts: Pointer): void;
  /** Bins of two columns as one of binsX * binsY, row-major; under and over by the first of the two that is. */
  histogramJoin(x: Pointer, y: Pointer, n: number, binsX: number, binsY: number, target: Pointer): void;
  /** counts[slot * cells + bin] += 1, int64. */
  histogramCount(slots: Pointer, bins: Pointer, nulls: Pointer, n: number, cells: number, counts: Pointer): void;
}
