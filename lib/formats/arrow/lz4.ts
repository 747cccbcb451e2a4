/**
 * LZ4 frames (lz4/lz4, doc/lz4_Frame_format.md), whose blocks may refer to those before.
 *
 * | bytes | content |
 * |---|---|
 * | 4 | 04 22 4d 18 |
 * | u8, u8 | flags (bit 4: blocks have a checksum, 3: content size follows, 2: content has a checksum, 0: dictionary id follows), sizes |
 * | 8, 4, 1 | content size and dictionary id where there are any; checksum of the header |
 * | u32 and bytes | each block: its bytes, the top bit set where it is not compressed; then 4 bytes where blocks have a checksum |
 * | u32 | 0: the end; then 4 bytes where the content has a checksum |
 */

const magic = 0x184d_2204;

/** The content of a frame, exactly `rawBytes` bytes; undefined for a malformed one. Checksums are not looked at. */
export function decodeLz4Frame(frame: Uint8Array, rawBytes: number): Uint8Array | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length < 7 || view.getUint32(0, true) !== magic || frame[4]! >> 6 !== 1) return undefined;
  const flags = frame[4]!;
  if ((flags & 1) !== 0) return undefined;
  let at = 7 + ((flags & 8) === 0 ? 0 : 8);
  const target = new Uint8Array(rawBytes);
  let done = 0;
  while (at + 4 <= frame.length) {
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return done === rawBytes ? target : undefined;
    const end = at + (word & 0x7fff_ffff);
    if (end > frame.length) return undefined;
    const block = frame.subarray(at, end);
    const next = word >>> 31 === 1 ? copyBlock(block, target, done) : decodeBlock(block, target, done);
    if (next === undefined) return undefined;
    done = next;
    at = end + ((flags & 16) === 0 ? 0 : 4);
  }
  return undefined;
}

function copyBlock(block: Uint8Array, target: Uint8Array, at: number): number | undefined {
  if (at + block.length > target.length) return undefined;
  target.set(block, at);
  return at + block.length;
}

/** Decodes a block behind what is there already; gives where it ends. */
function decodeBlock(block: Uint8Array, target: Uint8Array, start: number): number | undefined {
  let from = 0;
  let to = start;
  while (from < block.length) {
    const token = block[from++]!;
    const literals = readLength(token >> 4);
    if (literals > block.length - from || literals > target.length - to) return undefined;
    target.set(block.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === block.length) return to;
    const offset = block[from]! | (block[from + 1]! << 8);
    from += 2;
    const length = readLength(token & 15) + 4;
    if (from > block.length || offset === 0 || offset > to || length > target.length - to) return undefined;
    if (offset >= length) target.copyWithin(to, to - offset, to - offset + length);
    else for (let i = to; i < to + length; i++) target[i] = target[i - offset]!;
    to += length;
  }
  return undefined;

  function readLength(first: number): number {
    let length = first;
    if (first < 15) return length;
    for (let more = 255; more === 255; length += more) {
      if (from >= block.length) return Infinity;
      more = block[from++]!;
    }
    return length;
  }
}
