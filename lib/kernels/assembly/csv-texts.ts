/** Gathers the fields of one column, at the places that csvRows found, as texts. A doubled quote becomes one. */
import { doubledFlag, endMask, nullFlag } from "./csv-rows";
import { findText } from "./intern";
import { mixBytes } from "./mix";
import { insertNew } from "./tables";

/** Copies a field; gives its length. Up to 16 bytes behind either may be read and written. */
@inline
function copyField(block: usize, start: u32, word: u32, target: usize): u32 {
  const from = block + start;
  const length = (word & endMask) - start;
  if ((word & doubledFlag) != 0) return copyDoubled(from, length, target);
  if (length <= 16) v128.store(target, v128.load(from));
  else memory.copy(target, from, length);
  return length;
}

function copyDoubled(from: usize, length: u32, target: usize): u32 {
  let copied: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(from + i);
    store<u8>(target + copied++, byte);
    // The other quote of a pair.
    if (byte == 34) i++;
  }
  return copied;
}

/** Fields one after another; a null is empty. `offsets` gets rows + 1 uint32. Sixteen bytes behind `bytes` are written over. */
export function csvTexts(block: usize, fields: usize, rows: u32, offsets: usize, bytes: usize): u32 {
  let end: u32 = 0;
  store<u32>(offsets, 0);
  for (let row: u32 = 0; row < rows; row++) {
    const place = fields + (<usize>row << 3);
    const word = load<u32>(place, 4);
    if ((word & nullFlag) == 0) end += copyField(block, load<u32>(place), word, bytes + end);
    store<u32>(offsets + (<usize>row << 2), end, 4);
  }
  return end;
}

/**
 * Gives the fields of rows [from, rows) codes in order of first appearance, as internText does; null rows get code 0.
 * Stops before a row that would need code `limit`; gives the row it stopped at. `poolBytes` needs room for all fields and
 * 16 bytes more.
 */
export function csvIntern(block: usize, fields: usize, rows: u32, from: u32, table: usize, capacity: u32, poolOffsets: usize, poolBytes: usize, limit: u32, state: usize, codes: usize): u32 {
  let count = load<u32>(state);
  if (count == 0) store<u32>(poolOffsets, 0);
  let row = from;
  for (; row < rows; row++) {
    const place = fields + (<usize>row << 3);
    const start = load<u32>(place), word = load<u32>(place, 4);
    let code: u32 = 0;
    if (word != start && (word & nullFlag) == 0) {
      const end = load<u32>(poolOffsets + (count << 2));
      let text = block + start, length = (word & endMask) - start;
      if ((word & doubledFlag) != 0) {
        text = poolBytes + end;
        length = copyDoubled(block + start, length, text);
      }
      const hash = mixBytes(text, length);
      let found = findText(hash, text, length, table, capacity, poolOffsets, poolBytes);
      if (found == 0) {
        if (count == limit) break;
        memory.copy(poolBytes + end, text, length);
        store<u32>(poolOffsets + (count << 2), end + length, 4);
        found = ++count;
        insertNew(table, capacity, hash, hash, found);
      }
      code = found - 1;
    }
    store<u32>(codes + (<usize>row << 2), code);
  }
  store<u32>(state, count);
  return row;
}
