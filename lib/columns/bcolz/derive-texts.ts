/** What bcolz does not keep of a text column and queries need: its dictionary, its codes, and the extremes of chunks. */
import { crc32 } from "node:zlib";
import { BquerydError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { createArena, type Arena } from "../encode/arena.js";
import { createDictionaryBuilder, type DictionaryBuilder } from "../dictionary/builder.js";
import { compareBytes, textBounds } from "../text-order.js";
import { createPoolMemory, type PoolMemory } from "../dictionary/text-pool.js";
import { bytesAt, countTexts, type Texts } from "../texts.js";

/** The extremes of a chunk of texts, or bounds of them, as in an index. */
export type TextBounds = ReturnType<typeof textBounds>;

/** The codes of a chunk, packed: of `width` bytes each, as an LZ4 block where that is shorter. */
export interface PackedCodes {
  readonly width: 1 | 2 | 4;
  readonly stored: Uint8Array;
  /** CRC-32 of what is stored. */
  readonly crc: number;
}

/** The dictionary of a column and the codes of its chunks. */
export interface Coded {
  /** As a dictionary file of a table. */
  readonly file: Uint8Array<ArrayBuffer>;
  readonly count: number;
  /** Bytes of its texts. */
  readonly bytes: number;
  readonly codes: readonly PackedCodes[];
}

/** What was derived from a text column. */
export interface DerivedTexts {
  /** One a chunk of 65,536 rows. */
  readonly bounds: readonly TextBounds[];
  /** Null for a column without rows or with too many distinct values: it is read as plain texts. */
  readonly coded: Coded | null;
}

/** Bytes of the codes of one column at most, as they wait to be written. */
const codeBytesMax = 1024 * 1024 * 1024;

/** Shared by the columns derived in this thread, until one needed much of it. */
let memory: PoolMemory | undefined;
/** Where codes are compressed. */
let arena: Arena | undefined;
const keptTextsMax = 65_536;

/** Derives it from the texts of one chunk after another. Throws MEMORY_LIMIT; and what `readChunk` throws. */
export function deriveTexts(column: string, chunkCount: number, readChunk: (chunk: number) => Texts): DerivedTexts {
  memory ??= createPoolMemory();
  const builder = createDictionaryBuilder({ valuesMax: limits.dictionaryValuesMax, bytesMax: limits.dictionaryBytesMax, memory });
  try {
    return deriveWith(builder, column, chunkCount, readChunk);
  } finally {
    if (builder.count() > keptTextsMax) memory = undefined;
    builder.release();
  }
}

function deriveWith(builder: DictionaryBuilder, column: string, chunkCount: number, readChunk: (chunk: number) => Texts): DerivedTexts {
  const findBounds = createBoundsFinder();
  const bounds: TextBounds[] = [];
  let packed: PackedCodes[] | undefined = [];
  let codeBytes = 0;
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    const texts = readChunk(chunk);
    const codes = packed === undefined ? undefined : builder.encode(texts, null, 0, countTexts(texts));
    bounds.push(findBounds(texts, codes, builder.count()));
    if (codes === undefined) packed = undefined;
    else codeBytes += packed!.at(packed!.push(packCodes(codes)) - 1)!.stored.length;
    if (codeBytes > codeBytesMax) throw new BquerydError("MEMORY_LIMIT", `the codes of column '${column}' take more than ${codeBytesMax} bytes; import the table instead`, { details: { column } });
  }
  return { bounds, coded: packed === undefined || chunkCount === 0 ? null : { ...builder.finish(), codes: packed } };
}

function packCodes(codes: Uint32Array): PackedCodes {
  const greatest = codes.reduce((most, code) => (code > most ? code : most), 0);
  const width = greatest <= 0xff ? 1 : greatest <= 0xffff ? 2 : 4;
  const narrow = width === 1 ? Uint8Array.from(codes) : width === 2 ? Uint16Array.from(codes) : codes;
  const raw = new Uint8Array(narrow.buffer, narrow.byteOffset, narrow.byteLength);
  const stored = compress(raw);
  return { width, stored, crc: crc32(stored) };
}

/** The bytes as an LZ4 block, or themselves where that is not shorter. */
function compress(raw: Uint8Array): Uint8Array {
  arena ??= createArena();
  arena.start(2 * raw.length + 256);
  const { bytes, lz4Encode } = arena.kernels();
  const source = arena.take(raw.length);
  const target = arena.take(raw.length);
  bytes.set(raw, source);
  const length = lz4Encode(source, raw.length, target, raw.length - 1);
  return length < 0 ? raw : bytes.slice(target, target + length);
}

/** Finds the extremes of chunks; where there are codes each distinct text is compared once. */
function createBoundsFinder(): (texts: Texts, codes: Uint32Array | undefined, codeCount: number) => TextBounds {
  /** The last chunk, from 1 on, in which a code was seen. */
  let seenIn = new Uint32Array(0);
  let chunk = 0;
  return (texts, codes, codeCount) => {
    chunk++;
    if (seenIn.length < codeCount) seenIn = grown(seenIn, 2 * codeCount);
    const { offsets, bytes } = texts;
    const compare = (a: number, b: number) => compareBytes(bytes, offsets[a]!, offsets[a + 1]!, offsets[b]!, offsets[b + 1]!);
    let least = 0;
    let greatest = 0;
    for (let row = 0; row < countTexts(texts); row++) {
      if (codes !== undefined) {
        if (seenIn[codes[row]!] === chunk) continue;
        seenIn[codes[row]!] = chunk;
      }
      if (compare(row, least) < 0) least = row;
      else if (compare(row, greatest) > 0) greatest = row;
    }
    return textBounds(bytesAt(texts, least), bytesAt(texts, greatest));
  };
}

function grown(values: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(values);
  return larger;
}
