/** The k largest values of each slot, repeats included: a heap a slot, the least of those kept on top. */

export function keepLargestI64(slots: usize, values: usize, n: u32, k: u32, counts: usize, heaps: usize): void {
  keepLargest<i64>(slots, values, n, k, counts, heaps);
}

export function keepLargestF64(slots: usize, values: usize, n: u32, k: u32, counts: usize, heaps: usize): void {
  keepLargest<f64>(slots, values, n, k, counts, heaps);
}

@inline
function keepLargest<T>(slots: usize, values: usize, n: u32, k: u32, counts: usize, heaps: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const slot = load<u32>(slots + (i << 2));
    // Adding 0 makes 0 of -0: which of the two is kept must not depend on where rows are cut.
    const value = isFloat<T>() ? <T>(load<T>(values + (i << 3)) + <T>0) : load<T>(values + (i << 3));
    const heap = heaps + <usize>slot * (k << 3);
    const count = load<u32>(counts + (slot << 2));
    if (count == k) {
      if (value > load<T>(heap)) sink<T>(heap, k, value);
    } else {
      store<u32>(counts + (slot << 2), count + 1);
      rise<T>(heap, count, value);
    }
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

/** Adds a value behind the `count` that are there. */
@inline
function rise<T>(heap: usize, count: u32, value: T): void {
  let place = count;
  while (place > 0) {
    const parent = (place - 1) >> 1;
    const above = load<T>(heap + (parent << 3));
    if (above <= value) break;
    store<T>(heap + (place << 3), above);
    place = parent;
  }
  store<T>(heap + (place << 3), value);
}
