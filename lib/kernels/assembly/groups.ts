/**
 * Groups by hash on the full key, in tables of (key or hash, group + 1); a hash is never trusted as identity. Rows are
 * taken in blocks and each block in passes: hash all, look at the first line of all, then settle, in order, the few rows
 * that were not found there.
 */
import { mix, mixNext } from "./mix";
import { findNear, homeOf, insertNew, touchLines } from "./tables";

const blockRows: u32 = 128;
/** Hashes of the rows of a block. */
const hashes = memory.data(1024, 16);
/** Rows of a block that are still to be settled. */
const pending = memory.data(512, 16);

export function hashGroup1(keys: usize, n: u32, from: u32, table: usize, capacity: u32, groupKeys: usize, limit: u32, state: usize, slots: usize): u32 {
  let count = load<u32>(state);
  for (let start = from; start < n; start += blockRows) {
    const waiting = settleNear1(keys, start, min<u32>(n - start, blockRows), table, capacity, slots);
    for (let i: u32 = 0; i < waiting; i++) {
      const row = load<u32>(pending + (i << 2));
      const key = load<u64>(keys + (row << 3));
      const hash = load<u64>(hashes + ((row - start) << 3));
      let found = findKey(hash, key, table, capacity);
      if (found == 0) {
        if (count == limit) {
          store<u32>(state, count);
          return row;
        }
        store<u64>(groupKeys + (count << 3), key);
        found = ++count;
        insertNew(table, capacity, hash, key, found);
      }
      store<u32>(slots + (row << 2), found - 1);
    }
  }
  store<u32>(state, count);
  return n;
}

/** The group + 1 of a key, or 0. */
function findKey(hash: u64, key: u64, table: usize, capacity: u32): u32 {
  let place = homeOf(hash, capacity);
  while (true) {
    const entry = table + (place << 4);
    const found = load<u32>(entry, 8);
    if (found == 0 || load<u64>(entry) == key) return found;
    place = (place + 1) & (capacity - 1);
  }
}

/** Sets the slots of rows whose first line holds their key, and lists the others in `pending`; gives how many. */
@inline
function settleNear1(keys: usize, start: u32, rows: u32, table: usize, capacity: u32, slots: usize): u32 {
  for (let i: u32 = 0; i < rows; i++) store<u64>(hashes + (i << 3), mix(load<u64>(keys + ((start + i) << 3))));
  touchLines(hashes, rows, table, capacity);
  let waiting: u32 = 0;
  for (let i: u32 = 0; i < rows; i++) {
    const row = start + i;
    const found = findNear(table, homeOf(load<u64>(hashes + (i << 3)), capacity), load<u64>(keys + (row << 3)));
    store<u32>(slots + (row << 2), found - 1);
    store<u32>(pending + (waiting << 2), row);
    waiting += <u32>(found == 0);
  }
  return waiting;
}

export function hashRebuild1(groupKeys: usize, count: u32, table: usize, capacity: u32): void {
  for (let group: u32 = 0; group < count; group++) {
    const key = load<u64>(groupKeys + (group << 3));
    insertNew(table, capacity, mix(key), key, group + 1);
  }
}

export function hashGroupN(words: usize, k: u32, n: u32, from: u32, table: usize, capacity: u32, groupKeys: usize, limit: u32, state: usize, slots: usize): u32 {
  let count = load<u32>(state);
  for (let start = from; start < n; start += blockRows) {
    const waiting = settleNearN(words, k, start, min<u32>(n - start, blockRows), table, capacity, groupKeys, slots);
    for (let i: u32 = 0; i < waiting; i++) {
      const row = load<u32>(pending + (i << 2));
      const hash = load<u64>(hashes + ((row - start) << 3));
      let found = findRow(hash, words, k, row, table, capacity, groupKeys);
      if (found == 0) {
        if (count == limit) {
          store<u32>(state, count);
          return row;
        }
        copyRow(words, k, row, groupKeys + count * (k << 3));
        found = ++count;
        insertNew(table, capacity, hash, hash, found);
      }
      store<u32>(slots + (row << 2), found - 1);
    }
  }
  store<u32>(state, count);
  return n;
}

/** The group + 1 of a row's key, or 0. */
function findRow(hash: u64, words: usize, k: u32, row: u32, table: usize, capacity: u32, groupKeys: usize): u32 {
  let place = homeOf(hash, capacity);
  while (true) {
    const entry = table + (place << 4);
    const found = load<u32>(entry, 8);
    if (found == 0 || (load<u64>(entry) == hash && isRow(words, k, row, groupKeys + (found - 1) * (k << 3)))) return found;
    place = (place + 1) & (capacity - 1);
  }
}

/** The same for keys of k words: a hash that is found counts only when all words are the row's. */
@inline
function settleNearN(words: usize, k: u32, start: u32, rows: u32, table: usize, capacity: u32, groupKeys: usize, slots: usize): u32 {
  memory.fill(hashes, 0, rows << 3);
  for (let word: u32 = 0; word < k; word++) {
    const column = <usize>load<u32>(words + (word << 2)) + (start << 3);
    for (let i: u32 = 0; i < rows; i++) store<u64>(hashes + (i << 3), mixNext(load<u64>(hashes + (i << 3)), load<u64>(column + (i << 3))));
  }
  touchLines(hashes, rows, table, capacity);
  let waiting: u32 = 0;
  for (let i: u32 = 0; i < rows; i++) {
    const row = start + i;
    const hash = load<u64>(hashes + (i << 3));
    const found = findNear(table, homeOf(hash, capacity), hash);
    if (found != 0 && isRow(words, k, row, groupKeys + (found - 1) * (k << 3))) {
      store<u32>(slots + (row << 2), found - 1);
    } else {
      store<u32>(pending + (waiting << 2), row);
      waiting++;
    }
  }
  return waiting;
}

export function hashRebuildN(groupKeys: usize, k: u32, count: u32, table: usize, capacity: u32): void {
  for (let group: u32 = 0; group < count; group++) {
    const key = groupKeys + group * (k << 3);
    let hash: u64 = 0;
    for (let word: u32 = 0; word < k; word++) hash = mixNext(hash, load<u64>(key + (word << 3)));
    insertNew(table, capacity, hash, hash, group + 1);
  }
}

@inline
function wordOf(words: usize, word: u32, row: u32): u64 {
  return load<u64>(<usize>load<u32>(words + (word << 2)) + (row << 3));
}

@inline
function isRow(words: usize, k: u32, row: u32, key: usize): bool {
  for (let word: u32 = 0; word < k; word++) {
    if (wordOf(words, word, row) != load<u64>(key + (word << 3))) return false;
  }
  return true;
}

@inline
function copyRow(words: usize, k: u32, row: u32, key: usize): void {
  for (let word: u32 = 0; word < k; word++) store<u64>(key + (word << 3), wordOf(words, word, row));
}
