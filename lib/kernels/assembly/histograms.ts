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

/** Counts evenly spread bins of one group, with no bins stored between. */
export function histogramAddF64(values: usize, n: u32, edges: usize, bins: u32, inverse: f64, counts: usize): void {
  const paired = n & ~1;
  const low = load<f64>(edges), high = load<f64>(edges + (bins << 3));
  const origin = f64x2.splat(low), scale = f64x2.splat(inverse);
  for (let i: u32 = 0; i < paired; i += 2) {
    const pair = v128.load(values + (i << 3));
    const guesses = guess(f64x2.mul(f64x2.sub(pair, origin), scale), bins);
    addOne(counts, settleEven<f64>(f64x2.extract_lane(pair, 0), <u32>i64x2.extract_lane(guesses, 0), edges, bins, low, high));
    addOne(counts, settleEven<f64>(f64x2.extract_lane(pair, 1), <u32>i64x2.extract_lane(guesses, 1), edges, bins, low, high));
  }
  if (paired == n) return;
  const value = load<f64>(values + (paired << 3));
  addOne(counts, search<f64>(value, (value - low) * inverse, edges, bins, low, high));
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
