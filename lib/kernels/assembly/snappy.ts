/**
 * Decodes raw Snappy blocks (google/snappy, format_description.txt), hostile ones included. The length, 7 bits a byte
 * from the lowest on, then elements up to the end. The low 2 bits of an element's first byte are its kind, the others a
 * length - 1. Kind 0: literals; lengths from 60 on mean that 1 to 4 bytes with the length - 1 follow. Kind 1: a match;
 * 3 bits are its length - 4, the upper 3 and another byte its distance. Kinds 2 and 3: a match, its distance in 2 or 4
 * bytes.
 */
import { copyLiterals, copyMatch } from "./spans";

/** Decodes a block of exactly `targetBytes`; gives these, or -1 on any malformed input. */
export function snappyDecode(source: usize, sourceBytes: usize, target: usize, targetBytes: usize): i32 {
  const sourceEnd = source + sourceBytes;
  const targetEnd = target + targetBytes;
  let from = skipLength(source, sourceBytes, targetBytes);
  if (from == source) return -1;
  let to = target;
  while (from != sourceEnd) {
    const tag = <u32>load<u8>(from++);
    const kind = tag & 3;
    let length: usize = (tag >> 2) + 1;
    if (kind == 0) {
      if (length > 60) {
        const bytes = length - 60;
        if (bytes > sourceEnd - from) return -1;
        length = littleEndian(from, bytes);
        if (length >= targetEnd - to) return -1;
        length++;
        from += bytes;
      }
      if (length > sourceEnd - from || length > targetEnd - to) return -1;
      copyLiterals(from, sourceEnd - from, to, targetEnd - to, length);
      from += length;
    } else {
      const bytes: usize = kind == 3 ? 4 : kind;
      if (bytes > sourceEnd - from) return -1;
      let distance = littleEndian(from, bytes);
      from += bytes;
      if (kind == 1) {
        distance += <usize>(tag >> 5) << 8;
        length = ((tag >> 2) & 7) + 4;
      }
      if (distance == 0 || distance > to - target || length > targetEnd - to) return -1;
      copyMatch(to, targetEnd - to, distance, length);
    }
    to += length;
  }
  return to == targetEnd ? <i32>targetBytes : -1;
}

/** The first byte after the length, which must be `length`; else the source itself. */
function skipLength(source: usize, sourceBytes: usize, length: usize): usize {
  let declared: u64 = 0;
  for (let i: usize = 0; i < 5 && i < sourceBytes; i++) {
    const byte = <u64>load<u8>(source + i);
    declared |= (byte & 127) << (i * 7);
    if (byte < 128) return declared == <u64>length ? source + i + 1 : source;
  }
  return source;
}

/** A number of 1 to 4 bytes. */
@inline
function littleEndian(from: usize, bytes: usize): usize {
  if (bytes == 2) return load<u16>(from);
  if (bytes == 4) return load<u32>(from);
  let value: usize = load<u8>(from);
  if (bytes == 3) value |= <usize>load<u16>(from, 1) << 8;
  return value;
}
