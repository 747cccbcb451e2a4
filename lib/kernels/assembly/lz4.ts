/** Decodes LZ4 blocks (lz4/lz4, doc/lz4_Block_format.md), hostile ones included. */
import { copyLiterals, copyMatch } from "./spans";

/**
 * Decodes a block of sequences: token (literal count << 4 | match length - 4), more count bytes while 15 or 255,
 * literals, uint16 offset, more length bytes; the last sequence ends after its literals. Sizes are compared as
 * distances to the two ends, so that a range may end at 4 GB; whole vectors are copied where both ranges have room.
 */
export function lz4Decode(source: usize, sourceBytes: usize, target: usize, targetBytes: usize): i32 {
  const sourceEnd = source + sourceBytes;
  const targetEnd = target + targetBytes;
  let from = source;
  let to = target;
  while (from != sourceEnd) {
    const token = <u32>load<u8>(from++);
    let literals: usize = token >> 4;
    if (literals != 15 && sourceEnd - from >= 18 && targetEnd - to >= 16) {
      v128.store(to, v128.load(from));
    } else {
      if (literals == 15) {
        let more: u32;
        do {
          if (from == sourceEnd) return -1;
          more = load<u8>(from++);
          literals += more;
          if (literals > targetBytes) return -1;
        } while (more == 255);
      }
      if (literals > sourceEnd - from || literals > targetEnd - to) return -1;
      copyLiterals(from, sourceEnd - from, to, targetEnd - to, literals);
      if (from + literals == sourceEnd) return to + literals == targetEnd ? <i32>targetBytes : -1;
    }
    from += literals;
    to += literals;
    if (sourceEnd - from < 2) return -1;
    const offset: usize = load<u16>(from);
    from += 2;
    if (offset == 0 || offset > to - target) return -1;
    let length: usize = token & 15;
    if (length == 15) {
      let more: u32;
      do {
        if (from == sourceEnd) return -1;
        more = load<u8>(from++);
        length += more;
        if (length > targetBytes) return -1;
      } while (more == 255);
    }
    length += 4;
    if (length > targetEnd - to) return -1;
    copyMatch(to, targetEnd - to, offset, length);
    to += length;
  }
  return -1;
}
