/** Ranks of texts: ordering by numbers takes a fraction of the time of comparing texts, each of which is looked at once. */
import { comparison, type Text } from "../values.js";

/** Places of the table to begin with; a power of two, as all its sizes. */
const placesMin = 1_024;

/**
 * For every given row the rank of its text among the distinct ones of these rows, from 0 on, by unsigned bytes; entries of other
 * rows mean nothing. `stop` is called now and then, and ends it by throwing.
 */
export function rankTexts(texts: Text, rows: Uint32Array, stop: () => void): Uint32Array {
  const { codes, firsts } = distinctTexts(texts, rows, stop);
  const compare = comparison(texts, texts);
  const order = firsts.map((_, code) => code).sort(stopping((a, b) => compare(firsts[a]!, firsts[b]!), stop));
  const ranks = new Uint32Array(order.length);
  for (let rank = 0; rank < order.length; rank++) ranks[order[rank]!] = rank;
  for (let k = 0; k < rows.length; k++) codes[rows[k]!] = ranks[codes[rows[k]!]!]!;
  return codes;
}

/** Comparisons between two looks whether to stop: about a millisecond. */
const comparisonsPerLook = 16_384;

/** A comparison that stops now and then. */
export function stopping(compare: (i: number, j: number) => number, stop: () => void): (i: number, j: number) => number {
  let left = comparisonsPerLook;
  return (i, j) => {
    left -= 1;
    if (left === 0) {
      left = comparisonsPerLook;
      stop();
    }
    return compare(i, j);
  };
}

/** For every given row the number of its text, in the order in which they first come, and the first row of each. */
function distinctTexts({ offsets, bytes }: Text, rows: Uint32Array, stop: () => void): { codes: Uint32Array; firsts: Uint32Array } {
  const codes = new Uint32Array(offsets.length - 1);
  const firsts = new Uint32Array(rows.length);
  const hashes = new Uint32Array(rows.length);
  // A number and one at the place of its hash, or behind it; 0 where there is none.
  let table = new Uint32Array(placesMin);
  let count = 0;
  function isSame(a: number, b: number): boolean {
    const [start, other] = [offsets[a]!, offsets[b]!];
    const length = offsets[a + 1]! - start;
    if (length !== offsets[b + 1]! - other) return false;
    for (let at = 0; at < length; at++) if (bytes[start + at] !== bytes[other + at]) return false;
    return true;
  }
  function grow(): void {
    stop();
    table = new Uint32Array(table.length * 2);
    for (let code = 0; code < count; code++) {
      let place = hashes[code]! & (table.length - 1);
      while (table[place] !== 0) place = (place + 1) & (table.length - 1);
      table[place] = code + 1;
    }
  }
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k]!;
    const hash = hashOf(bytes, offsets[row]!, offsets[row + 1]!);
    let place = hash & (table.length - 1);
    let code = table[place]!;
    while (code !== 0 && !(hashes[code - 1] === hash && isSame(firsts[code - 1]!, row))) {
      place = (place + 1) & (table.length - 1);
      code = table[place]!;
    }
    if (code === 0) {
      [firsts[count], hashes[count]] = [row, hash];
      code = table[place] = ++count;
      if (count * 2 > table.length) grow();
    }
    codes[row] = code - 1;
    if (k % comparisonsPerLook === 0) stop();
  }
  return { codes, firsts: firsts.slice(0, count) };
}

/** FNV-1a, its high bits folded into the low ones. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x0100_0193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
