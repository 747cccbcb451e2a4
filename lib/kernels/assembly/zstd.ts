/**
 * Decodes Zstandard frames (RFC 8878), hostile ones included. A frame:
 *
 *   u32 0xfd2fb528 | u8 descriptor | u8 window, absent if single segment | dictionary id | content size | blocks | u32 checksum, if declared
 *
 * with the descriptor's bits 6-7: bytes of the content size (0, or 1 if single segment; 2; 4; 8), 5: single segment, 3:
 * reserved, 2: checksum, 0-1: bytes of the dictionary id (0, 1, 2, 4). A block is u24 (bit 0: last, 1-2: raw, repeated
 * byte, compressed, from bit 3: size) and its content; that of a compressed block is a section of literals and one of
 * sequences. Skippable frames, u32 0x184d2a50 to 0x184d2a5f, u32 size, content, may stand before.
 *
 * All scratch is static: 18 KB of tables in zstd-huffman.ts, zstd-tables.ts and zstd-sequences.ts, 128 KB of literals
 * here. Sizes are compared as distances to ends, so that a range may end at 4 GB.
 */
import { decodeStream, decodeStreams, readHuffman } from "./zstd-huffman";
import { decodeSequences, startSequences } from "./zstd-sequences";
import { xxh64 } from "./xxhash";

const frameMagic: u32 = 0xfd2fb528;
const skippableMagic: u32 = 0x184d2a50;
const blockBytesMax: u32 = 128 << 10;

/** Behind the literals, what a copy of whole vectors reads too much. */
const literalScratch = memory.data((128 << 10) + 16, 16);

/** The literals of the block: in the scratch, or as they stand in the source. */
let literals: usize = 0;
let literalBytes: u32 = 0;
/** Whether a block of the frame has left its Huffman code to the next. */
let hasHuffman: bool = false;

/** Decodes one frame that makes up the source, after skippable ones, into exactly `targetBytes`; gives these, or -1 on any malformed input. */
export function zstdDecode(source: usize, sourceBytes: usize, target: usize, targetBytes: usize): i32 {
  const sourceEnd = source + sourceBytes;
  let from = source;
  while (sourceEnd - from >= 8 && (load<u32>(from) & ~15) == skippableMagic) {
    const skipped = <usize>load<u32>(from, 4);
    if (skipped > sourceEnd - from - 8) return -1;
    from += skipped + 8;
  }
  if (sourceEnd - from < 5 || load<u32>(from) != frameMagic) return -1;
  const descriptor = <u32>load<u8>(from, 4);
  const header = headerBytes(descriptor);
  if (sourceEnd - from < header || !isHeaderGood(from, descriptor, header, targetBytes)) return -1;
  const blocks = decodeBlocks(from + header, sourceEnd, target, targetBytes);
  if (blocks < 0) return -1;
  from += header + blocks;
  if ((descriptor & 4) != 0) {
    if (sourceEnd - from < 4 || load<u32>(from) != <u32>xxh64(target, <u32>targetBytes)) return -1;
    from += 4;
  }
  return from == sourceEnd ? <i32>targetBytes : -1;
}

/** Bytes of a frame's header, from its magic on. */
@inline
function headerBytes(descriptor: u32): u32 {
  const isSingle = (descriptor >> 5) & 1;
  return 5 + (1 - isSingle) + dictionaryBytes(descriptor) + sizeBytes(descriptor);
}

@inline
function dictionaryBytes(descriptor: u32): u32 {
  return (1 << (descriptor & 3)) >> 1;
}

@inline
function sizeBytes(descriptor: u32): u32 {
  const log = descriptor >> 6;
  return log == 0 ? (descriptor >> 5) & 1 : 1 << log;
}

/** Refuses reserved bits, dictionaries and another content size than the target's. */
function isHeaderGood(frame: usize, descriptor: u32, header: u32, targetBytes: usize): bool {
  if ((descriptor & 8) != 0) return false;
  const dictionary = dictionaryBytes(descriptor), size = sizeBytes(descriptor);
  const sizeAt = frame + header - size;
  for (let i: u32 = 1; i <= dictionary; i++) if (load<u8>(sizeAt - i) != 0) return false;
  if (size == 0) return true;
  let declared: u64 = size == 2 ? 256 : 0;
  for (let i: u32 = 0; i < size; i++) declared += <u64>load<u8>(sizeAt + i) << (i << 3);
  return declared == <u64>targetBytes;
}

/** Decodes blocks up to the last; gives the bytes they took, -1 when one is malformed or they do not fill the target. */
function decodeBlocks(source: usize, sourceEnd: usize, target: usize, targetBytes: usize): i32 {
  const targetEnd = target + targetBytes;
  let from = source;
  let to = target;
  hasHuffman = false;
  startSequences();
  let isLast = false;
  while (!isLast) {
    if (sourceEnd - from < 3) return -1;
    const header = <u32>load<u16>(from) | (<u32>load<u8>(from, 2) << 16);
    const kind = (header >> 1) & 3, size: usize = header >> 3;
    const stored: usize = kind == 1 ? 1 : size;
    from += 3;
    if (size > blockBytesMax || stored > sourceEnd - from) return -1;
    if (kind == 2) {
      const written = decodeBlock(from, <u32>size, target, to, targetEnd);
      if (written < 0) return -1;
      to += written;
    } else {
      if (kind == 3 || size > targetEnd - to) return -1;
      if (kind == 0) memory.copy(to, from, size);
      else memory.fill(to, load<u8>(from), size);
      to += size;
    }
    from += stored;
    isLast = (header & 1) != 0;
  }
  return to == targetEnd ? <i32>(from - source) : -1;
}

/** Decodes a compressed block; gives the bytes written, -1 when it is malformed or does not fit. */
function decodeBlock(source: usize, sourceBytes: u32, target: usize, to: usize, targetEnd: usize): i32 {
  if (sourceBytes == 0) return -1;
  const format = <u32>load<u8>(source);
  const used = (format & 2) == 0 ? readLiterals(source, sourceBytes) : unpackLiterals(source, sourceBytes);
  if (used == 0) return -1;
  return decodeSequences(source + used, sourceBytes - used, literals, literalBytes, target, to, targetEnd);
}

/** Literals stored raw or as one repeated byte: 1 to 3 bytes of header; gives the bytes of the section, 0 when malformed. */
function readLiterals(source: usize, sourceBytes: u32): u32 {
  const format = (<u32>load<u8>(source) >> 2) & 3;
  const header: u32 = (format & 1) == 0 ? 1 : format == 1 ? 2 : 3;
  const isRepeated = (load<u8>(source) & 1) != 0;
  if (header + <u32>isRepeated > sourceBytes) return 0;
  literalBytes = <u32>headerBits(source, header) >> (header == 1 ? 3 : 4);
  if (literalBytes > blockBytesMax) return 0;
  literals = literalScratch;
  if (isRepeated) {
    memory.fill(literalScratch, load<u8>(source + header), literalBytes);
    return header + 1;
  }
  if (literalBytes > sourceBytes - header) return 0;
  if (sourceBytes - header - literalBytes >= 16) literals = source + header;
  else memory.copy(literalScratch, source + header, literalBytes);
  return header + literalBytes;
}

/** Literals in Huffman codes: 3 to 5 bytes of header with both sizes, the code unless it is that of before, 1 or 4 streams. */
function unpackLiterals(source: usize, sourceBytes: u32): u32 {
  const format = (<u32>load<u8>(source) >> 2) & 3;
  const header: u32 = format < 2 ? 3 : format + 2;
  if (header > sourceBytes) return 0;
  const bits: u32 = format < 2 ? 10 : format == 2 ? 14 : 18;
  const sizes = headerBits(source, header) >> 4;
  literalBytes = <u32>sizes & ((1 << bits) - 1);
  const packed = <u32>(sizes >> <u64>bits);
  if (packed > sourceBytes - header || literalBytes > blockBytesMax) return 0;
  let code: u32 = 0;
  if ((load<u8>(source) & 1) == 0) {
    code = readHuffman(source + header, packed);
    hasHuffman = code != 0;
  }
  if (!hasHuffman) return 0;
  literals = literalScratch;
  const streams = source + header + code;
  const isGood = format == 0 ? decodeStream(streams, packed - code, literals, literalBytes) : decodeStreams(streams, packed - code, literals, literalBytes);
  return isGood ? header + packed : 0;
}

@inline
function headerBits(source: usize, header: u32): u64 {
  let bits: u64 = 0;
  for (let i: u32 = 0; i < header; i++) bits |= <u64>load<u8>(source + i) << (i << 3);
  return bits;
}
