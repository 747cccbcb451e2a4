/** Counts of other units than nanoseconds, as int64 nanoseconds. */
import { isBitSet } from "../../columns/bits.js";

/**
 * Multiplies int64 values, each two words with the low one first, in place. False when a value that is not null does not
 * fit into 64 bits: then the values mean nothing. The factor is at most 2^20, so that products of words stay exact.
 */
export function scaleWords(words: Int32Array, factor: number, nulls: Uint8Array | null): boolean {
  for (let i = 0; i < words.length; i += 2) {
    const low = (words[i]! >>> 0) * factor;
    const high = words[i + 1]! * factor + Math.floor(low / 0x1_0000_0000);
    if (high !== (high | 0) && !isBitSet(nulls, i >> 1)) return false;
    words[i] = low | 0;
    words[i + 1] = high | 0;
  }
  return true;
}
