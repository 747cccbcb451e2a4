/** Dividing rows into parts by a hash of their keys: all rows of a group are in one part. */
import { mixNext } from "./mix";

/** Hash tables take the low bits for places: rows of one part must not crowd there. */
const partShift: u64 = 40;

export function partRows(words: usize, k: u32, n: u32, parts: u32, part: u32, index: usize): u32 {
  let count: u32 = 0;
  for (let row: u32 = 0; row < n; row++) {
    let hash: u64 = 0;
    for (let word: u32 = 0; word < k; word++) hash = mixNext(hash, load<u64>(<usize>load<u32>(words + (word << 2)) + (row << 3)));
    store<u16>(index + (count << 1), <u16>row);
    count += <u32>((<u32>(hash >> partShift) & (parts - 1)) == part);
  }
  return count;
}
