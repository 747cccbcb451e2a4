/**
 * Time zones: `starts` are int64 instants at which periods of one offset begin, ascending, the first one the least int64;
 * `offsets` are what is added in each to get local time. `periods` says which one each row is in, uint32.
 */
import { isSet } from "./bitmaps";

/** Local time of each instant, and its period; the first row whose local time does not fit, n where all do. */
export function exprToLocal(values: usize, nulls: usize, n: u32, starts: usize, offsets: usize, count: u32, target: usize, periods: usize): u32 {
  let period: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const value = load<i64>(values + (i << 3));
    if (value < load<i64>(starts + (period << 3)) || (period + 1 < count && value >= load<i64>(starts + ((period + 1) << 3)))) period = find(value, starts, count);
    const offset = load<i64>(offsets + (period << 3)), local = value + offset;
    if (((value ^ local) & (offset ^ local)) < 0 && !isSet(nulls, i)) return i;
    store<i64>(target + (i << 3), local);
    store<u32>(periods + (i << 2), period);
  }
  return n;
}

/** The instant of each local time within the period of its row, or where that period begins, should it be later. */
export function exprToInstant(local: usize, periods: usize, n: u32, starts: usize, offsets: usize, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const period = load<u32>(periods + (i << 2)) << 3;
    store<i64>(target + (i << 3), max<i64>(load<i64>(local + (i << 3)) - load<i64>(offsets + period), load<i64>(starts + period)));
  }
}

/** The first instant at which it is each local time or later, which lies in the period of the row or an earlier one. */
export function exprToFirstInstant(local: usize, periods: usize, n: u32, starts: usize, offsets: usize, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const time = load<i64>(local + (i << 3));
    let period = load<u32>(periods + (i << 2));
    while (period > 0 && time - load<i64>(offsets + ((period - 1) << 3)) < load<i64>(starts + (period << 3))) period--;
    store<i64>(target + (i << 3), max<i64>(time - load<i64>(offsets + (period << 3)), load<i64>(starts + (period << 3))));
  }
}

/** The last period that begins at or before an instant. */
function find(value: i64, starts: usize, count: u32): u32 {
  let low: u32 = 0, high = count;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (load<i64>(starts + (middle << 3)) <= value) low = middle;
    else high = middle;
  }
  return low;
}
