/**
 * Small unsigned numbers in Parquet's RLE/bit-packing hybrid: dictionary codes, definition levels and booleans.
 *
 * | bytes | content |
 * |---|---|
 * | varint | header h |
 * | ceil(width / 8) | h even: one value, little-endian, h >> 1 times |
 * | (h >> 1) * width | h odd: (h >> 1) * 8 values of `width` bits each, least significant bit first |
 */
import { damaged, readVarint } from "./varint.js";
import type { Place } from "./varint.js";

/** Reads on and on through a run of small numbers. */
export interface Runs {
  /** Fills `target[0]` up to `target[count]` (exclusive) with the next values. Throws where the bytes end before. */
  read(target: Uint32Array, count: number): void;
}

/** The numbers of `width` bits (0 to 32) in `bytes[from]` up to `bytes[to]` (exclusive), which are not copied. */
export function createRuns(bytes: Uint8Array, from: number, to: number, width: number): Runs {
  if (width > 32) throw damaged(`numbers of ${width} bits`);
  const place: Place = { bytes, at: from, end: to };
  const valueBytes = (width + 7) >> 3;
  let repeats = 0;
  let value = 0;
  /** Values left of a packed run, of which `packedDone` have been read from `packedFrom` on. */
  let packed = 0;
  let packedDone = 0;
  let packedFrom = 0;

  function startRun(): void {
    const header = readVarint(place);
    const count = header >>> 1;
    if ((header & 1) === 0) {
      if (place.at + valueBytes > to) throw damaged("a run without its value");
      value = 0;
      for (let i = 0; i < valueBytes; i++) value |= bytes[place.at + i]! << (8 * i);
      value >>>= 0;
      if (width < 32 && value >>> width !== 0) throw damaged(`${value} as a number of ${width} bits`);
      place.at += valueBytes;
      repeats = count;
    } else {
      packed = count * 8;
      packedDone = 0;
      packedFrom = place.at;
      // The bytes of the last group may be cut where its values are not needed.
      place.at = Math.min(to, place.at + count * width);
    }
  }

  function readPacked(target: Uint32Array, at: number, count: number): void {
    const firstBit = packedDone * width;
    const start = packedFrom + Math.floor(firstBit / 8);
    if (packedFrom + Math.ceil((packedDone + count) * width / 8) > to) throw damaged("packed numbers cut short");
    unpackBits({ bytes, start, shift: firstBit % 8, width }, target, at, count);
    packedDone += count;
    packed -= count;
  }

  return {
    read(target, count) {
      for (let done = 0; done < count;) {
        if (repeats > 0) {
          const taken = Math.min(repeats, count - done);
          target.fill(value, done, done + taken);
          repeats -= taken;
          done += taken;
        } else if (packed > 0) {
          const taken = Math.min(packed, count - done);
          readPacked(target, done, taken);
          done += taken;
        } else {
          startRun();
        }
      }
    },
  };
}

/** Numbers of `width` bits (0 to 32), one after another from bit `shift` of byte `start` on. */
export interface Packed {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly shift: number;
  readonly width: number;
}

/** Writes `count` packed numbers from `target[at]` on; those past the end of the bytes are made of zero bits. */
export function unpackBits(packed: Packed, target: Uint32Array, at: number, count: number): void {
  if (packed.width > 24) {
    unpackWide(packed, target, at, count);
    return;
  }
  const { bytes, start, shift, width } = packed;
  const mask = (1 << width) - 1;
  for (let i = 0, bit = shift; i < count; i++, bit += width) {
    const from = start + (bit >>> 3);
    const word = bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24);
    target[at + i] = (word >>> (bit & 7)) & mask;
  }
}

function unpackWide({ bytes, start, shift, width }: Packed, target: Uint32Array, at: number, count: number): void {
  for (let i = 0, bit = shift; i < count; i++, bit += width) target[at + i] = bitsAt(bytes, start, bit, width);
}

/** The `width` bits (0 to 32) from bit `bit` after byte `start` on, as an unsigned number. */
export function bitsAt(bytes: Uint8Array, start: number, bit: number, width: number): number {
  const from = start + (bit >>> 3);
  const shift = bit & 7;
  const low = bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24);
  const word = shift === 0 ? low : (low >>> shift) | (bytes[from + 4]! << (32 - shift));
  return width === 32 ? word >>> 0 : word & ((1 << width) - 1);
}
