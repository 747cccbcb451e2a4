/**
 * Open hash tables of 16-byte entries: a uint64 word (a key or a hash) and a uint32 that is 0 while the entry is unused.
 * A search starts at the first of four entries that fill a line of the cache and goes on from entry to entry. Entries
 * are never taken out, so the unused ones of a line come last.
 */

/** Tables past this size are not at hand in the cache: their lines are asked for ahead of time. */
const nearEntries: u32 = 1 << 15;

const touched = memory.data(4, 16);

/** The entry where the search for a hash starts. */
@inline
export function homeOf(hash: u64, capacity: u32): u32 {
  return <u32>hash & (capacity - 1) & ~3;
}

/**
 * What stands beside a word in the first line of its search, or 0. All four entries are compared without a branch,
 * which could not be foreseen; the first comes last, because the word 0 also equals unused entries.
 */
@inline
export function findNear(table: usize, home: u32, word: u64): u32 {
  const line = table + (home << 4);
  let found: u32 = 0;
  found = select<u32>(load<u32>(line, 56), found, load<u64>(line, 48) == word);
  found = select<u32>(load<u32>(line, 40), found, load<u64>(line, 32) == word);
  found = select<u32>(load<u32>(line, 24), found, load<u64>(line, 16) == word);
  return select<u32>(load<u32>(line, 8), found, load<u64>(line) == word);
}

/** Tells whether a search that found nothing in its first line must go on: the line is full. */
@inline
export function isLineFull(table: usize, home: u32): bool {
  return load<u32>(table + (home << 4), 56) != 0;
}

/** Reads the first line of the search for each of `count` hashes, many at a time, so that a later search has it near. */
export function touchLines(hashes: usize, count: u32, table: usize, capacity: u32): void {
  if (capacity <= nearEntries) return;
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) sum += load<u32>(table + (homeOf(load<u64>(hashes + (i << 3)), capacity) << 4), 8);
  // Stored, so that the reads are not optimised away.
  store<u32>(touched, sum);
}

/** Takes the first unused entry for a word known to be absent. */
@inline
export function insertNew(table: usize, capacity: u32, hash: u64, word: u64, beside: u32): void {
  let place = homeOf(hash, capacity);
  while (load<u32>(table + (place << 4), 8) != 0) place = (place + 1) & (capacity - 1);
  const entry = table + (place << 4);
  store<u64>(entry, word);
  store<u32>(entry, beside, 8);
}
