/**
 * Histograms: the bin of every value, then counts by slot and bin. A bin is guessed by a product with the inverse of the
 * width of bins, and put right by the edges themselves. Where edges are even, which is that rounding moved none by as much
 * as a quarter of a bin, the guess rounded to the nearest is the bin or the one after it; else it is a place to search from.
 */
import { validFrom } from "./bitmaps";

/** Adding it to a number from 0 to 2^32 leaves in the low bits the nearest whole number. */
const rounding: f64 = 6755399441055744;

export function histogramBinsF64(values: usize, n: u32, edges: usize, bins: u32, inverse: f64, even: u32, target: usize): void {
  const paired = even != 0 ? n & ~1 : 0;
  const low = load<f64>(edges), high = load<f64>(edges + (bins << 3));
  const origin = f64x2.splat(low), scale = f64x2.splat(inverse);
  for (let i: u32 = 0; i < paired; i += 2) {
    const pair = v128.load(values + (i << 3));
    const guesses = guess(f64x2.mul(f64x2.sub(pair, origin), scale), bins);
    const at = target + (i << 2);
    store<u32>(at, settleEven<f64>(f64x2.extract_lane(pair, 0), <u32>i64x2.extract_lane(guesses, 0), edges, bins, low, high));
    store<u32>(at, settleEven<f64>(f64x2.extract_lane(pair, 1), <u32>i64x2.extract_lane(guesses, 1), edges, bins, low, high), 4);
  }
  for (let i = paired; i < n; i++) {
    const value = load<f64>(values + (i << 3));
    store<u32>(target + (i << 2), search<f64>(value, (value - low) * inverse, edges, bins, low, high));
  }
}

/** `offset`: how far the first edge lies above the one that the width of bins counts from. */
export function histogramBinsI64(values: usize, n: u32, edges: usize, bins: u32, offset: f64, inverse: f64, even: u32, target: usize): void {
  const paired = even != 0 ? n & ~1 : 0;
  const low = load<i64>(edges), high = load<i64>(edges + (bins << 3));
  const origin = f64x2.splat(offset), scale = f64x2.splat(inverse);
  for (let i: u32 = 0; i < paired; i += 2) {
    const first = load<i64>(values + (i << 3)), second = load<i64>(values + (i << 3), 8);
    const distances = f64x2.replace_lane(f64x2.splat(<f64>(first - low)), 1, <f64>(second - low));
    const guesses = guess(f64x2.mul(f64x2.add(distances, origin), scale), bins);
    const at = target + (i << 2);
    store<u32>(at, settleEven<i64>(first, <u32>i64x2.extract_lane(guesses, 0), edges, bins, low, high));
    store<u32>(at, settleEven<i64>(second, <u32>i64x2.extract_lane(guesses, 1), edges, bins, low, high), 4);
  }
  for (let i = paired; i < n; i++) {
    const value = load<i64>(values + (i << 3));
    // The distance of a value at or past the first edge fits uint64, whatever it is as int64.
    store<u32>(target + (i << 2), search<i64>(value, (<f64>(<u64>(value - low)) + offset) * inverse, edges, bins, low, high));
  }
}

/** The nearest whole numbers from 0 to bins, in the low halves. */
@inline
function guess(places: v128, bins: u32): v128 {
  const within = f64x2.pmax(f64x2.splat(0), f64x2.pmin(f64x2.splat(<f64>bins), places));
  return f64x2.add(within, f64x2.splat(rounding));
}

/** The bin of a value by a guess that is it or the one after; where the value lies outside any guess will do. */
@inline
function settleEven<T>(value: T, guess: u32, edges: usize, bins: u32, low: T, high: T): u32 {
  const bin = min<u32>(guess - <u32>(value < load<T>(edges + (guess << 3))), bins - 1);
  return select<u32>(bins, select<u32>(bins + 1, bin, value > high), value < low);
}

@inline
function search<T>(value: T, place: f64, edges: usize, bins: u32, low: T, high: T): u32 {
  if (value < low) return bins;
  if (value > high) return bins + 1;
  let bin = min<u32>(<u32>place, bins - 1);
  while (value < load<T>(edges + (bin << 3))) bin--;
  while (bin + 1 < bins && value >= load<T>(edges + (bin << 3), 8)) bin++;
  return bin;
}

/** Rows whose bins are found before they are counted: a count that waits for the address of an earlier one is slow, and bins that were stored are not. */
const blockRows: u32 = 256;
const blockBins = memory.data(blockRows << 2, 16);
/** Blocks that are looked up at once after one that had to be: floats that are whole numbers mostly lie on edges, all of them. */
const blocksUnsure: u32 = 3;

/**
 * Counts evenly spread bins of one group. `tallies` has room for four times bins + 2 uint32, all 0 before and after: rows take
 * them in turn, so that a bin that comes twice does not wait for itself.
 */
export function histogramAddF64(values: usize, n: u32, edges: usize, bins: u32, inverse: f64, tallies: usize, counts: usize): void {
  const fours = n & ~3;
  let unsure: u32 = 0;
  for (let from: u32 = 0; from < fours; from += blockRows) {
    const at = values + (from << 3);
    const rows = min<u32>(blockRows, fours - from);
    if (unsure == 0 && findSureBins(at, rows, load<f64>(edges), bins, inverse)) tallyBlock(rows, bins, tallies);
    else {
      unsure = unsure == 0 ? blocksUnsure : unsure - 1;
      histogramBinsF64(at, rows, edges, bins, inverse, 1, blockBins);
      histogramAdd(blockBins, rows, counts);
    }
  }
  histogramBinsF64(values + (fours << 3), n - fours, edges, bins, inverse, 1, blockBins);
  histogramAdd(blockBins, n - fours, counts);
  for (let cell: u32 = 0; cell < bins + 2; cell++) {
    const at = counts + ((cell == 0 ? bins : cell > bins ? cell : cell - 1) << 3);
    store<u64>(at, load<u64>(at) + takeTallies(tallies + (cell << 2), bins + 2));
  }
}

/** Rounding moves places and edges by less than 2^-20 of a bin: a value this near to the middle of a bin is in it whatever the edges are. */
const sureDistance: f64 = 0.5 - 1.0 / 65536;

/** Puts the bins of a block where they are kept, -1 for under and `bins` for over; tells whether all are sure, without which they mean nothing. */
@inline
function findSureBins(values: usize, rows: u32, low: f64, bins: u32, inverse: f64): bool {
  const origin = f64x2.splat(low), scale = f64x2.splat(inverse), over = f64x2.splat(<f64>bins);
  let sure = i64x2.splat(-1);
  for (let i: u32 = 0; i < rows; i += 4) {
    const at = values + (i << 3);
    const first = middlePlaces(v128.load(at), origin, scale, over), second = middlePlaces(v128.load(at, 16), origin, scale, over);
    const firstBins = f64x2.add(first, f64x2.splat(rounding)), secondBins = f64x2.add(second, f64x2.splat(rounding));
    sure = v128.and(sure, v128.and(areSure(first, firstBins), areSure(second, secondBins)));
    v128.store(blockBins + (i << 2), v128.shuffle<u32>(firstBins, secondBins, 0, 2, 4, 6));
  }
  return i64x2.all_true(sure);
}

/** Places from which the nearest whole number is the bin, or -1 or `over`. */
@inline
function middlePlaces(pair: v128, origin: v128, scale: v128, over: v128): v128 {
  const places = f64x2.sub(f64x2.mul(f64x2.sub(pair, origin), scale), f64x2.splat(0.5));
  return f64x2.pmax(f64x2.splat(-1), f64x2.pmin(over, places));
}

@inline
function areSure(places: v128, rounded: v128): v128 {
  const distances = f64x2.abs(f64x2.sub(places, f64x2.sub(rounded, f64x2.splat(rounding))));
  return f64x2.lt(distances, f64x2.splat(sureDistance));
}

@inline
function tallyBlock(rows: u32, bins: u32, tallies: usize): void {
  const each = (bins + 2) << 2;
  // Under is -1.
  const first = tallies + 4, second = first + each, third = second + each, fourth = third + each;
  for (let i: u32 = 0; i < rows; i += 4) {
    const at = blockBins + (i << 2);
    const low = load<u64>(at), high = load<u64>(at, 8);
    tallyOne(first, <i32>low);
    tallyOne(second, <i32>(low >> 32));
    tallyOne(third, <i32>high);
    tallyOne(fourth, <i32>(high >> 32));
  }
}

@inline
function tallyOne(tallies: usize, bin: i32): void {
  const at = tallies + (bin << 2);
  store<u32>(at, load<u32>(at) + 1);
}

/** The sum of the four tallies of a cell, which become 0. */
@inline
function takeTallies(at: usize, cells: u32): u64 {
  let sum: u64 = 0;
  for (let tally: u32 = 0; tally < 4; tally++) {
    const tallyAt = at + ((tally * cells) << 2);
    sum += load<u32>(tallyAt);
    store<u32>(tallyAt, 0);
  }
  return sum;
}

/** Counts bins of one group. */
export function histogramAdd(bins: usize, n: u32, counts: usize): void {
  for (let i: u32 = 0; i < n; i++) addOne(counts, load<u32>(bins + (i << 2)));
}

@inline
function addOne(counts: usize, bin: u32): void {
  const at = counts + (bin << 3);
  store<u64>(at, load<u64>(at) + 1);
}

/** Bins of two inputs as one, row-major; where the first that is in no bin is under or over, so are both. */
export function histogramJoin(x: usize, y: usize, n: u32, binsX: u32, binsY: u32, target: usize): void {
  const bins = binsX * binsY;
  for (let i: u32 = 0; i < n; i++) {
    const binX = load<u32>(x + (i << 2)), binY = load<u32>(y + (i << 2));
    const outside = binX >= binsX ? binX - binsX : binY - binsY;
    store<u32>(target + (i << 2), binX < binsX && binY < binsY ? binX * binsY + binY : bins + outside);
  }
}

export function histogramCount(slots: usize, bins: usize, nulls: usize, n: u32, cells: u32, counts: usize): void {
  for (let from: u32 = 0; from < n; from += 64) {
    for (let valid = validFrom(nulls, from, n); valid != 0; valid &= valid - 1) {
      const i = from + <u32>ctz<u64>(valid);
      const at = counts + ((load<u32>(slots + (i << 2)) * cells + load<u32>(bins + (i << 2))) << 3);
      store<u64>(at, load<u64>(at) + 1);
    }
  }
}
