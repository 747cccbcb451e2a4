/**
 * The header of a Zstandard frame (RFC 8878, section 3.1.1.1), little-endian:
 *
 *   0  4 bytes  28 b5 2f fd
 *   4  u8       descriptor: bits 6 and 7 tell the bytes of the content size (0 with bit 5 unset: none; 2: four), bit 5
 *               that there is no window descriptor
 *   5  u8       window descriptor
 *   6           content size, then blocks
 */

const descriptorAt = 4;
const windowBytes = 1;
const sizeFlags = 0b1110_0000;
const fourByteSize = 0b1000_0000;

/** The frame with the size of its content in its header, where the library that wrote it left that out. */
export function withContentSize(frame: Uint8Array, contentBytes: number): Uint8Array {
  if (hasContentSize(frame)) return frame;
  const sized = new Uint8Array(sizedBytes(frame));
  writeSized(frame, contentBytes, sized);
  return sized;
}

/** Bytes of the frame with the size of its content. */
export function sizedBytes(frame: Uint8Array): number {
  return hasContentSize(frame) ? frame.length : frame.length + 4;
}

/** Writes the frame with the size of its content. */
export function writeSized(frame: Uint8Array, contentBytes: number, target: Uint8Array): void {
  if (hasContentSize(frame)) return target.set(frame);
  const blocksAt = descriptorAt + 1 + windowBytes;
  target.set(frame.subarray(0, blocksAt));
  target[descriptorAt] = frame[descriptorAt]! | fourByteSize;
  new DataView(target.buffer, target.byteOffset).setUint32(blocksAt, contentBytes, true);
  target.set(frame.subarray(blocksAt), blocksAt + 4);
}

function hasContentSize(frame: Uint8Array): boolean {
  return (frame[descriptorAt]! & sizeFlags) !== 0;
}
