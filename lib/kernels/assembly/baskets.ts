/** Baskets: rows of one value, nulls being equal, that follow each other. One selected row selects its whole basket. */
import { isSet } from "./bitmaps";

export function expandBasketsU8(values: usize, nulls: usize, n: u32, mask: usize, state: usize): void {
  expandBaskets<u8>(values, nulls, n, mask, state);
}

export function expandBasketsU16(values: usize, nulls: usize, n: u32, mask: usize, state: usize): void {
  expandBaskets<u16>(values, nulls, n, mask, state);
}

export function expandBasketsU32(values: usize, nulls: usize, n: u32, mask: usize, state: usize): void {
  expandBaskets<u32>(values, nulls, n, mask, state);
}

/** Float64 bits serve as int64: tables hold one zero and no NaN. */
export function expandBasketsI64(values: usize, nulls: usize, n: u32, mask: usize, state: usize): void {
  expandBaskets<u64>(values, nulls, n, mask, state);
}

@inline
function expandBaskets<T>(values: usize, nulls: usize, n: u32, mask: usize, state: usize): void {
  let start: u32 = 0, firstEnd: u32 = 0;
  let hit = load<u8>(mask);
  let value = load<T>(values);
  let isNull = isSet(nulls, 0);
  for (let i: u32 = 1; i < n; i++) {
    const next = load<T>(values + i * sizeof<T>());
    const nextNull = isSet(nulls, i);
    if (next != value || nextNull != isNull) {
      if (hit != 0) fillOnes(mask, start, i);
      if (firstEnd == 0) firstEnd = i;
      start = i;
      hit = 0;
      value = next;
      isNull = nextNull;
    }
    hit |= load<u8>(mask + i);
  }
  if (hit != 0) fillOnes(mask, start, n);
  store<u32>(state, firstEnd == 0 ? n : firstEnd);
  store<u32>(state, start, 4);
}

/** Most baskets have a few rows, for which a call of memory.fill costs more than the bytes. */
@inline
function fillOnes(mask: usize, start: u32, end: u32): void {
  if (end - start > 32) memory.fill(mask + start, 1, end - start);
  else for (let i = start; i < end; i++) store<u8>(mask + i, 1);
}
