/** Bitmaps outside WebAssembly memory: bit i % 8 of byte i >> 3 belongs to row i. */

/** Tells whether the bit of a row is set in a bitmap; a null bitmap has no bit set. */
export function isBitSet(bitmap: Uint8Array | null, row: number): boolean {
  return bitmap !== null && ((bitmap[row >> 3]! >> (row & 7)) & 1) === 1;
}

/** Copies `count` bits from bit `from` of a bitmap to bit `at` of another, where they must be 0 so far. */
export function copyBits(source: Uint8Array, from: number, target: Uint8Array, at: number, count: number): void {
  for (let done = 0; done < count;) {
    const room = 8 - ((at + done) & 7);
    const taken = Math.min(room, count - done);
    const bits = readBits(source, from + done) & ((1 << taken) - 1);
    target[(at + done) >> 3]! |= bits << ((at + done) & 7);
    done += taken;
  }
}

/** Number of bits set from bit `from` to bit `to`, exclusive. */
export function countBits(bits: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at += 8) count += onesOf(readBits(bits, at) & ((1 << Math.min(8, to - at)) - 1));
  return count;
}

/** Eight bits from any place; those past the end are 0. */
function readBits(bits: Uint8Array, from: number): number {
  const byte = from >> 3;
  const next = byte + 1 < bits.length ? bits[byte + 1]! : 0;
  return ((bits[byte]! | (next << 8)) >> (from & 7)) & 0xff;
}

function onesOf(byte: number): number {
  const pairs = byte - ((byte >> 1) & 0x55);
  const nibbles = (pairs & 0x33) + ((pairs >> 2) & 0x33);
  return (nibbles + (nibbles >> 4)) & 0x0f;
}
