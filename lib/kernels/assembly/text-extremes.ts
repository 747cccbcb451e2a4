/** Least and greatest of texts, by unsigned bytes; null rows are left out. */
import { isSet } from "./bitmaps";
import { orderOf } from "./texts";

/** The first row with the least text; at least one row is not null. */
export function leastText(offsets: usize, bytes: usize, nulls: usize, n: u32): u32 {
  return extremeText(false, offsets, bytes, nulls, n);
}

/** The first row with the greatest text; at least one row is not null. */
export function greatestText(offsets: usize, bytes: usize, nulls: usize, n: u32): u32 {
  return extremeText(true, offsets, bytes, nulls, n);
}

@inline
function extremeText(greatest: bool, offsets: usize, bytes: usize, nulls: usize, n: u32): u32 {
  const wanted: u32 = greatest ? 2 : 0;
  let found = n;
  let text: usize = 0;
  let length: u32 = 0;
  for (let row: u32 = 0; row < n; row++) {
    if (isSet(nulls, row)) continue;
    const start = load<u32>(offsets + (row << 2));
    const other = bytes + start;
    const otherLength = load<u32>(offsets + (row << 2), 4) - start;
    if (found != n && orderOf(other, otherLength, text, length) != wanted) continue;
    found = row;
    text = other;
    length = otherLength;
  }
  return found;
}

/** Tells whether n uint32 ascend, equal neighbours allowed: 1 or 0. */
export function isAscendingU32(values: usize, n: u32): u32 {
  if (n == 0) return 1;
  let falls = i32x4.splat(0);
  let i: u32 = 1;
  for (; i + 4 <= n; i += 4) {
    const at = values + (i << 2);
    falls = v128.or(falls, i32x4.lt_u(v128.load(at), v128.load(at - 4)));
  }
  if (v128.any_true(falls)) return 0;
  for (; i < n; i++) if (load<u32>(values + (i << 2)) < load<u32>(values + ((i - 1) << 2))) return 0;
  return 1;
}
