/** Distinct strings in order of first appearance: a pool of offsets and bytes, found again by tables of (hash, code + 1). */
import { mixBytes } from "./mix";
import { findNear, homeOf, insertNew, isLineFull } from "./tables";
import { equalBytes } from "./texts";

export function internText(offsets: usize, bytes: usize, index: usize, n: u32, from: u32, table: usize, capacity: u32, poolOffsets: usize, poolBytes: usize, poolBytesMax: u32, limit: u32, state: usize, codes: usize): u32 {
  let count = load<u32>(state);
  if (count == 0) store<u32>(poolOffsets, 0);
  let i = from;
  for (; i < n; i++) {
    const row = index == 0 ? i : <u32>load<u16>(index + (i << 1));
    const text = bytes + load<u32>(offsets + (row << 2));
    const length = load<u32>(offsets + (row << 2), 4) - load<u32>(offsets + (row << 2));
    const hash = mixBytes(text, length);
    let found = findText(hash, text, length, table, capacity, poolOffsets, poolBytes);
    if (found == 0) {
      const end = load<u32>(poolOffsets + (count << 2));
      if (count == limit || length > poolBytesMax - end) break;
      memory.copy(poolBytes + end, text, length);
      store<u32>(poolOffsets + (count << 2), end + length, 4);
      found = ++count;
      insertNew(table, capacity, hash, hash, found);
    }
    store<u32>(codes + (i << 2), found - 1);
  }
  store<u32>(state, count);
  return i;
}

export function internRebuild(poolOffsets: usize, poolBytes: usize, count: u32, table: usize, capacity: u32): void {
  for (let code: u32 = 0; code < count; code++) {
    const start = load<u32>(poolOffsets + (code << 2));
    const hash = mixBytes(poolBytes + start, load<u32>(poolOffsets + (code << 2), 4) - start);
    insertNew(table, capacity, hash, hash, code + 1);
  }
}

/** The code + 1 of a string in the pool, or 0. */
@inline
export function findText(hash: u64, text: usize, length: u32, table: usize, capacity: u32, poolOffsets: usize, poolBytes: usize): u32 {
  const home = homeOf(hash, capacity);
  const found = findNear(table, home, hash);
  if (found == 0 ? !isLineFull(table, home) : isText(poolOffsets, poolBytes, found - 1, text, length)) return found;
  return findTextFrom(home, hash, text, length, table, capacity, poolOffsets, poolBytes);
}

function findTextFrom(home: u32, hash: u64, text: usize, length: u32, table: usize, capacity: u32, poolOffsets: usize, poolBytes: usize): u32 {
  let place = home;
  while (true) {
    const entry = table + (place << 4);
    const found = load<u32>(entry, 8);
    if (found == 0 || (load<u64>(entry) == hash && isText(poolOffsets, poolBytes, found - 1, text, length))) return found;
    place = (place + 1) & (capacity - 1);
  }
}

@inline
function isText(poolOffsets: usize, poolBytes: usize, code: u32, text: usize, length: u32): bool {
  const start = load<u32>(poolOffsets + (code << 2));
  return load<u32>(poolOffsets + (code << 2), 4) - start == length && equalBytes(poolBytes + start, text, length);
}
