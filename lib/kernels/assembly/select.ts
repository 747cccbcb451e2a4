/**
 * Selecting one of many floats by its place in their order: a few samples tell between which two values it should lie, one
 * pass without a branch moves those between aside, and so on with these.
 */

/** Fewer are sorted. */
const sortedMost: u32 = 24;
/** So many rounds that cut badly are let pass before bits decide; every fourth looks for one value alone. */
const roundsMax: u32 = 48;

/** How many values of the last pass were below its window. */
let below: u32 = 0;

/**
 * Writes to `found` the values that sorting would put at a place and behind it, the same one where the place is the last.
 * The list and `spare`, as large, are changed; `found` has room for 32 values. None may be NaN.
 */
export function selectNeighbours(list: usize, n: u32, place: u32, spare: usize, found: usize): void {
  const isLast = place == n - 1;
  let from = list, to = spare, next: f64 = 0;
  for (let round: u32 = 0; n > sortedMost; round++) {
    if (round == roundsMax) {
      settle(found, bisect(from, n, place), from, n, place, next, isLast);
      return;
    }
    const samples: u32 = n < 512 ? 8 : 32, margin: u32 = (round & 3) == 3 ? 0 : n < 512 ? 2 : 4;
    takeSamples(from, n, samples, found);
    const rank = <u32>((<u64>place * 2 + 1) * samples / (2 * <u64>n));
    const first: u32 = rank > margin ? rank - margin : 0, last = min<u32>(rank + margin, samples - 1);
    const low = load<f64>(found + (first << 3)), high = load<f64>(found + (last << 3));
    const kept = keepBetween(from, n, low, high, to);
    if (place >= below && place < below + kept) {
      if (low == high) {
        settle(found, low, from, n, place, next, isLast);
        return;
      }
      if (place - below == kept - 1 && place < n - 1) next = leastAbove(from, n, high);
      place -= below;
      n = kept;
    } else if (place < below) {
      if (place == below - 1) next = low;
      n = keepBetween(from, n, -Infinity, before(low), to);
    } else {
      place -= below + kept;
      n = keepBetween(from, n, after(high), Infinity, to);
    }
    const other = from;
    from = to;
    to = other;
  }
  sort(from, n);
  store<f64>(found, load<f64>(from + (place << 3)));
  store<f64>(found, place + 1 < n ? load<f64>(from + (place << 3), 8) : isLast ? load<f64>(from + (place << 3)) : next, 8);
}

/** Both values where the one at the place is known; `next`: the one behind all of the list, where there is one. */
function settle(found: usize, value: f64, list: usize, n: u32, place: u32, next: f64, isLast: bool): void {
  let most: u32 = 0;
  for (let i: u32 = 0; i < n; i++) most += <u32>(load<f64>(list + (i << 3)) <= value);
  store<f64>(found, value);
  store<f64>(found, place + 1 < most || isLast ? value : place + 1 < n ? leastAbove(list, n, value) : next, 8);
}

/** Moves the values from low to high, both included, to a list in their order; gives how many. */
function keepBetween(list: usize, n: u32, low: f64, high: f64, to: usize): u32 {
  let kept: u32 = 0, lower: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const value = load<f64>(list + (i << 3));
    const isLower = <u32>(value < low);
    store<f64>(to + (kept << 3), value);
    kept += (isLower ^ 1) & <u32>(value <= high);
    lower += isLower;
  }
  below = lower;
  return kept;
}

function leastAbove(list: usize, n: u32, bound: f64): f64 {
  let least = Infinity;
  for (let i: u32 = 0; i < n; i++) {
    const value = load<f64>(list + (i << 3));
    least = select<f64>(value, least, value > bound && value < least);
  }
  return least;
}

/** Some values of the list in ascending order. */
function takeSamples(list: usize, n: u32, samples: u32, target: usize): void {
  const step = n / samples;
  for (let i: u32 = 0; i < samples; i++) store<f64>(target + (i << 3), load<f64>(list + ((i * step + (step >> 1)) << 3)));
  sort(target, samples);
}

function sort(list: usize, n: u32): void {
  for (let i: u32 = 1; i < n; i++) {
    const value = load<f64>(list + (i << 3));
    let at = i;
    for (; at > 0 && load<f64>(list + ((at - 1) << 3)) > value; at--) store<f64>(list + (at << 3), load<f64>(list + ((at - 1) << 3)));
    store<f64>(list + (at << 3), value);
  }
}

/** The value at a place, bit after bit, however the list lies. */
function bisect(list: usize, n: u32, place: u32): f64 {
  let least: u64 = 0, most: u64 = u64.MAX_VALUE;
  while (least < most) {
    const middle = least + (most - least >> 1);
    let count: u32 = 0;
    for (let i: u32 = 0; i < n; i++) count += <u32>(orderOf(load<f64>(list + (i << 3))) <= middle);
    if (count > place) most = middle;
    else least = middle + 1;
  }
  return valueOf(least);
}

/** A number that orders as floats do. */
@inline
function orderOf(value: f64): u64 {
  const bits = reinterpret<u64>(value);
  return bits >> 63 != 0 ? ~bits : bits | 0x8000000000000000;
}

@inline
function valueOf(order: u64): f64 {
  return reinterpret<f64>(order >> 63 != 0 ? order & 0x7fffffffffffffff : ~order);
}

/** The greatest float below one. 0 is above -0, which lists have none of. */
@inline
function before(value: f64): f64 {
  return value == 0 ? reinterpret<f64>(0x8000000000000001) : valueOf(orderOf(value) - 1);
}

@inline
function after(value: f64): f64 {
  return value == 0 ? reinterpret<f64>(1) : valueOf(orderOf(value) + 1);
}
