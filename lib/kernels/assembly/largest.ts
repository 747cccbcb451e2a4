/**
 * The k largest values of each slot, repeats included: a heap a slot, the least of those kept on top. Heaps are full of
 * the least value that there is at first, so that none is ever less than full.
 */

export function keepLargestI64(slots: usize, values: usize, n: u32, k: u32, heaps: usize): void {
  keepLargest<i64>(slots, values, n, k, heaps);
}

export function keepLargestF64(slots: usize, values: usize, n: u32, k: u32, heaps: usize): void {
  keepLargest<f64>(slots, values, n, k, heaps);
}

/** The same with k = 2: no branch depends on the values, so rows of one slot should be apart. */
export function keepPairsI64(slots: usize, values: usize, n: u32, heaps: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const heap = heaps + (<usize>load<u32>(slots + (i << 2)) << 4);
    const value = v128.load64_splat(values + (i << 3)), pair = v128.load(heap);
    keepPair<i64>(heap, pair, v128.bitselect(value, pair, i64x2.gt_s(pair, value)), value);
  }
}

/** The same of floats. */
export function keepPairsF64(slots: usize, values: usize, n: u32, heaps: usize): void {
  const zero = f64x2.splat(0);
  for (let i: u32 = 0; i < n; i++) {
    const heap = heaps + (<usize>load<u32>(slots + (i << 2)) << 4);
    // 0 is added as above.
    const value = f64x2.add(v128.load64_splat(values + (i << 3)), zero), pair = v128.load(heap);
    keepPair<f64>(heap, pair, f64x2.pmin(pair, value), value);
  }
}

/** Keeps of each lane the greater: of what is there, and of the lesser of the greater one there and the value, or the value. */
@inline
function keepPair<T>(heap: usize, pair: v128, lesser: v128, value: v128): void {
  const other = v128.shuffle<i64>(lesser, value, 1, 2);
  v128.store(heap, isFloat<T>() ? f64x2.pmax(pair, other) : v128.bitselect(other, pair, i64x2.gt_s(other, pair)));
}

@inline
function keepLargest<T>(slots: usize, values: usize, n: u32, k: u32, heaps: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const heap = heaps + <usize>load<u32>(slots + (i << 2)) * (k << 3);
    // Adding 0 makes 0 of -0: which of the two is kept must not depend on where rows are cut.
    const value = isFloat<T>() ? <T>(load<T>(values + (i << 3)) + <T>0) : load<T>(values + (i << 3));
    if (value > load<T>(heap)) sink<T>(heap, k, value);
  }
}

/** Puts a value in the place of the one on top. */
@inline
function sink<T>(heap: usize, k: u32, value: T): void {
  let place: u32 = 0;
  while (true) {
    let child: u32 = 2 * place + 1;
    if (child >= k) break;
    if (child + 1 < k && load<T>(heap + ((child + 1) << 3)) < load<T>(heap + (child << 3))) child++;
    const least = load<T>(heap + (child << 3));
    if (value <= least) break;
    store<T>(heap + (place << 3), least);
    place = child;
  }
  store<T>(heap + (place << 3), value);
}
