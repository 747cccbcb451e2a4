/**
 * Whole numbers as differences: Parquet's DELTA_BINARY_PACKED, also the lengths within DELTA_LENGTH_BYTE_ARRAY.
 *
 * | bytes | content |
 * |---|---|
 * | varint x 3 | values of a block, miniblocks of a block, values in all |
 * | zigzag | the first value |
 * | per block: zigzag | least difference |
 * | per block: a byte a miniblock | bits of a difference, 0 to 64 |
 * | per block and miniblock | differences less the least one, packed, least significant bit first |
 *
 * Miniblocks are whole, but a last block may lack those that hold no value. Sums wrap around at the width of the type.
 */
import { bitsAt } from "./runs.js";
import { damaged, readVarint, readZigzag64 } from "./varint.js";
import type { Place } from "./varint.js";

/** Reads on and on through whole numbers. */
export interface Deltas {
  /** Values in all. */
  readonly count: number;
  /**
   * Writes the next values from value `at` of `words` on: the low 32 bits each, or with `wide` two words each, the low
   * one first. Throws where there are fewer.
   */
  read(words: Int32Array, at: number, count: number, wide: boolean): void;
}

/** Far more than any writer puts in a block. */
const blockValuesMax = 1 << 20;

interface Header {
  readonly blockValues: number;
  readonly miniblocks: number;
  readonly count: number;
  readonly first: bigint;
}

/** The numbers that begin at `place`, which is moved to the first byte after them. */
export function createDeltas(place: Place): Deltas {
  const header = readHeader(place);
  const start = { ...place };
  skipBlocks(place, header);
  return createReader(start, header);
}

function readHeader(place: Place): Header {
  const [blockValues, miniblocks, count] = [readVarint(place), readVarint(place), readVarint(place)];
  const first = readZigzag64(place);
  const size = blockValues / miniblocks;
  if (!Number.isInteger(size) || size === 0 || size % 8 !== 0 || blockValues > blockValuesMax) throw damaged(`blocks of ${blockValues} values in ${miniblocks} parts`);
  return { blockValues, miniblocks, count, first };
}

/** Goes through the blocks by their sizes alone. */
function skipBlocks(place: Place, { blockValues, miniblocks, count }: Header): void {
  const size = blockValues / miniblocks;
  for (let left = count - 1; left > 0;) {
    readZigzag64(place);
    const widths = place.at;
    place.at += miniblocks;
    for (let i = 0; i < miniblocks && left > 0; i++, left -= size) place.at += widthAt(place, widths + i) * size / 8;
    if (place.at > place.end) throw damaged("differences cut short");
  }
}

function widthAt({ bytes, end }: Place, at: number): number {
  const width = at < end ? bytes[at]! : 65;
  if (width > 64) throw damaged("differences of more than 64 bits");
  return width;
}

function createReader(place: Place, header: Header): Deltas {
  const { miniblocks, count } = header;
  const size = header.blockValues / miniblocks;
  const { bytes } = place;
  let [low, high] = wordsOf(header.first);
  let [leastLow, leastHigh] = [0, 0];
  let widths = 0;
  let miniblock = miniblocks;
  let width = 0;
  let start = 0;
  let inMiniblock = size;
  let done = 0;

  function startMiniblock(): void {
    if (miniblock === miniblocks) {
      [leastLow, leastHigh] = wordsOf(readZigzag64(place));
      widths = place.at;
      place.at += miniblocks;
      miniblock = 0;
    }
    width = widthAt(place, widths + miniblock);
    miniblock += 1;
    start = place.at;
    place.at += width * size / 8;
    inMiniblock = 0;
  }

  function addNext(): void {
    if (inMiniblock === size) startMiniblock();
    const bit = inMiniblock * width;
    const addLow = bitsAt(bytes, start, bit, Math.min(width, 32));
    const addHigh = width > 32 ? bitsAt(bytes, start, bit + 32, width - 32) : 0;
    const sum = (low >>> 0) + (leastLow >>> 0) + addLow;
    low = sum | 0;
    high = (high + leastHigh + addHigh + Math.floor(sum / 0x1_0000_0000)) | 0;
    inMiniblock += 1;
  }

  return {
    count,
    read(words, at, wanted, wide) {
      if (done + wanted > count) throw damaged(`${count} numbers where more belong`);
      for (let i = at; i < at + wanted; i++, done++) {
        if (done > 0) addNext();
        if (wide) {
          words[2 * i] = low;
          words[2 * i + 1] = high;
        } else {
          words[i] = low;
        }
      }
    },
  };
}

function wordsOf(value: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}
