/** Leaves null rows out: the entries of the others move together. */
import { validFrom } from "./bitmaps";

export function dropNulls4(values: usize, nulls: usize, n: u32, target: usize): u32 {
  return dropNulls<u32>(values, nulls, n, target);
}

export function dropNulls8(values: usize, nulls: usize, n: u32, target: usize): u32 {
  return dropNulls<u64>(values, nulls, n, target);
}

/** The target may be the values themselves: no entry moves up. */
@inline
function dropNulls<T>(values: usize, nulls: usize, n: u32, target: usize): u32 {
  let to = target;
  for (let from: u32 = 0; from < n; from += 64) {
    const valid = validFrom(nulls, from, n);
    const start = values + from * sizeof<T>();
    if (valid == ~(<u64>0)) {
      memory.copy(to, start, 64 * sizeof<T>());
      to += 64 * sizeof<T>();
    } else {
      for (let left = valid; left != 0; left &= left - 1, to += sizeof<T>()) store<T>(to, load<T>(start + <usize>ctz<u64>(left) * sizeof<T>()));
    }
  }
  return <u32>((to - target) / sizeof<T>());
}
