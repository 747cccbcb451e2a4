/**
 * Decodes BloscLZ streams, version 1 (Blosc/c-blosc, blosc/blosclz.c), hostile ones included. Instructions follow one
 * another up to the end of the stream; of the first byte only the low 5 bits count. A byte below 32: literals, one more
 * than it says. Others: a match; the upper 3 bits are its length - 2, for 7 with more bytes while they are 255; the
 * lower 5 bits and another byte its distance - 1, for 8,191 with two bytes more, the upper first.
 */
import { copyLiterals, copyMatch } from "./spans";

const nearest: usize = 8_192;

/** Decodes a stream of exactly `targetBytes`; gives these, or -1 on any malformed input. */
export function blosclzDecode(source: usize, sourceBytes: usize, target: usize, targetBytes: usize): i32 {
  if (sourceBytes == 0) return -1;
  const sourceEnd = source + sourceBytes;
  const targetEnd = target + targetBytes;
  let from = source + 1;
  let to = target;
  let control = <u32>load<u8>(source) & 31;
  for (;;) {
    if (control < 32) {
      const literals = <usize>control + 1;
      if (literals > sourceEnd - from || literals > targetEnd - to) return -1;
      copyLiterals(from, sourceEnd - from, to, targetEnd - to, literals);
      from += literals;
      to += literals;
    } else {
      let length: usize = (control >> 5) + 2;
      if (length == 9) {
        let more: u32;
        do {
          if (from == sourceEnd) return -1;
          more = load<u8>(from++);
          length += more;
          if (length > targetEnd - to) return -1;
        } while (more == 255);
      }
      if (from == sourceEnd) return -1;
      let distance = (<usize>(control & 31) << 8) + load<u8>(from++) + 1;
      if (distance == nearest) {
        if (sourceEnd - from < 2) return -1;
        distance += (<usize>load<u8>(from) << 8) + load<u8>(from, 1);
        from += 2;
      }
      if (length > targetEnd - to || distance > to - target) return -1;
      copyMatch(to, targetEnd - to, distance, length);
      to += length;
    }
    if (from == sourceEnd) break;
    control = load<u8>(from++);
  }
  return to == targetEnd ? <i32>targetBytes : -1;
}
