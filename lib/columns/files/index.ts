/**
 * The index of a column's data file: where each chunk is, how it is encoded, and its statistics. All little-endian.
 *
 *   header   0  4 bytes  "BQIX"
 *            4  u8       1, the version
 *            5  u8       dtype number
 *            6  u16      48, bytes of a record
 *            8  u32      chunks
 *           12  u32      bytes of the tail
 *   record   0  u64      offset in the data file; chunks follow one another without a gap
 *            8  u32      stored bytes
 *           12  u32      raw bytes: before the codec
 *           16  u64      XXH64, seed 0, of the stored bytes
 *           24  u32      nulls
 *           28  u8       encoding, then u8 filter, u8 codec, u8 flags (bit 0: an extreme is truncated; bit 1: the
 *                        maximum is not known)
 *           32  8 bytes  minimum: int64 (uint64 as v - 2^63), float64, or u32 place and u32 length in the tail
 *           40  8 bytes  maximum
 *   tail                 extremes of texts, at most 64 bytes each
 *
 * A chunk whose rows are all null has no bytes, encoding constant, and zeros for extremes.
 */
import { limits } from "../../base/limits.js";
import { biasOf, chunkRows, isFloatDtype, isTextDtype, wholeRange, type Dtype, type WholeDtype } from "../dtypes.js";
import { codecs, dtypeNumbers, encodings, filters, findByNumber, widthOf, type Codec, type Encoding, type Filter } from "./encodings.js";
import { bitmapBytes, codeWidth, constantBytes, dictionaryParameterBytes, narrowedParameterBytes } from "./payload.js";
import { extremeBytesMax } from "../text-order.js";

/** An extreme of a chunk: number for floats, bytes for texts, else a bigint (uint64: v - 2^63; date: days). */
export type Extreme = bigint | number | Uint8Array;

/** What the index says about one chunk. */
export interface ChunkRecord {
  readonly offset: number;
  readonly storedBytes: number;
  readonly rawBytes: number;
  readonly checksum: bigint;
  readonly nullCount: number;
  readonly encoding: Encoding;
  readonly filter: Filter;
  readonly codec: Codec;
  /** Null when every row is. */
  readonly minimum: Extreme | null;
  /** Null when every row is, and for texts above all that 64 bytes can say. */
  readonly maximum: Extreme | null;
  readonly truncated: boolean;
}

/** What the index must agree with. */
export interface IndexClaims {
  readonly dtype: Dtype;
  readonly hasDictionary: boolean;
  /** Rows the footer uses of this segment; the chunks after them are not looked at. */
  readonly rows: number;
  readonly dataBytes: number;
  /** Throws the error for an index that is wrong in the way the words say. */
  readonly fail: (wrong: string) => never;
  /** Throws the error for an index of a newer release. */
  readonly refuse: (what: string) => never;
}

const magic = "BQIX";
const headerBytes = 16;
const recordBytes = 48;
const truncatedFlag = 1;
const openFlag = 2;
const knownFlags = truncatedFlag | openFlag;
/** Bytes of output for a byte of input at most: LZ4 adds 255, zstd repeats one byte 128 Ki times in a block of four. */
const ratioMax = { raw: 1, lz4: 255, zstd: 32_768 } as const satisfies Record<Codec, number>;

/** The bytes of an index. */
export function encodeIndex(dtype: Dtype, records: readonly ChunkRecord[]): Uint8Array {
  const tail = createTail();
  const body = new Uint8Array(headerBytes + recordBytes * records.length);
  const view = new DataView(body.buffer);
  records.forEach((record, chunk) => writeRecord(view, headerBytes + recordBytes * chunk, record, tail));
  const tailBytes = tail.finish();
  body.set(Buffer.from(magic));
  view.setUint8(4, 1);
  view.setUint8(5, dtypeNumbers[dtype]);
  view.setUint16(6, recordBytes, true);
  view.setUint32(8, records.length, true);
  view.setUint32(12, tailBytes.length, true);
  return Buffer.concat([body, tailBytes]);
}

/** The chunks an index describes, checked so far that nothing read by them can reach outside the file or their claims. */
export function decodeIndex(bytes: Uint8Array, claims: IndexClaims): ChunkRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { count, tail } = readHeader(bytes, view, claims);
  if (count < Math.ceil(claims.rows / chunkRows)) claims.fail("has too few chunks");
  const records: ChunkRecord[] = [];
  let end = 0;
  for (let chunk = 0; chunk < count; chunk++) {
    const rows = Math.min(chunkRows, claims.rows - chunk * chunkRows);
    if (rows <= 0) break;
    const record = readRecord(view, headerBytes + recordBytes * chunk, rows, tail, claims);
    if (record.offset !== end) claims.fail("has a gap between chunks");
    end += record.storedBytes;
    if (end > claims.dataBytes) claims.fail("reaches past the end of the data");
    checkSizes(record, rows, claims);
    records.push(record);
  }
  return records;
}

interface Tail {
  add(bytes: Uint8Array): { place: number; length: number };
  finish(): Uint8Array;
}

function createTail(): Tail {
  const parts: Uint8Array[] = [];
  let length = 0;
  return {
    add(bytes) {
      parts.push(bytes);
      length += bytes.length;
      return { place: length - bytes.length, length: bytes.length };
    },
    finish: () => Buffer.concat(parts),
  };
}

function writeRecord(view: DataView, at: number, record: ChunkRecord, tail: Tail): void {
  view.setBigUint64(at, BigInt(record.offset), true);
  view.setUint32(at + 8, record.storedBytes, true);
  view.setUint32(at + 12, record.rawBytes, true);
  view.setBigUint64(at + 16, record.checksum, true);
  view.setUint32(at + 24, record.nullCount, true);
  view.setUint8(at + 28, encodings[record.encoding]);
  view.setUint8(at + 29, filters[record.filter]);
  view.setUint8(at + 30, codecs[record.codec]);
  const isOpen = record.maximum === null && record.minimum !== null;
  view.setUint8(at + 31, (record.truncated ? truncatedFlag : 0) | (isOpen ? openFlag : 0));
  writeExtreme(view, at + 32, record.minimum, tail);
  writeExtreme(view, at + 40, record.maximum, tail);
}

function writeExtreme(view: DataView, at: number, extreme: Extreme | null, tail: Tail): void {
  if (extreme === null) return;
  if (typeof extreme === "bigint") return view.setBigInt64(at, extreme, true);
  if (typeof extreme === "number") return view.setFloat64(at, extreme, true);
  const { place, length } = tail.add(extreme);
  view.setUint32(at, place, true);
  view.setUint32(at + 4, length, true);
}

function readHeader(bytes: Uint8Array, view: DataView, claims: IndexClaims): { count: number; tail: Uint8Array } {
  if (bytes.length < headerBytes || Buffer.from(bytes.subarray(0, 4)).toString("latin1") !== magic) claims.fail("is not an index");
  if (view.getUint8(4) !== 1 || view.getUint16(6, true) !== recordBytes) claims.refuse("an index of another version");
  if (view.getUint8(5) !== dtypeNumbers[claims.dtype]) claims.fail("is of another dtype");
  const count = view.getUint32(8, true);
  const tailBytes = view.getUint32(12, true);
  if (bytes.length !== headerBytes + recordBytes * count + tailBytes) claims.fail("has a wrong length");
  return { count, tail: bytes.subarray(bytes.length - tailBytes) };
}

function readRecord(view: DataView, at: number, rows: number, tail: Uint8Array, claims: IndexClaims): ChunkRecord {
  const nullCount = view.getUint32(at + 24, true);
  if (nullCount > rows) claims.fail("has more nulls than rows");
  const flags = view.getUint8(at + 31);
  if ((flags & ~knownFlags) !== 0) claims.refuse(`chunk flags ${flags}`);
  const isOpen = (flags & openFlag) !== 0 && isTextDtype(claims.dtype);
  const record: ChunkRecord = {
    offset: Number(view.getBigUint64(at, true)),
    storedBytes: view.getUint32(at + 8, true),
    rawBytes: view.getUint32(at + 12, true),
    checksum: view.getBigUint64(at + 16, true),
    nullCount,
    encoding: findByNumber(encodings, view.getUint8(at + 28)) ?? claims.refuse(`encoding ${view.getUint8(at + 28)}`),
    filter: findByNumber(filters, view.getUint8(at + 29)) ?? claims.refuse(`filter ${view.getUint8(at + 29)}`),
    codec: findByNumber(codecs, view.getUint8(at + 30)) ?? claims.refuse(`codec ${view.getUint8(at + 30)}`),
    minimum: nullCount === rows ? null : readExtreme(view, at + 32, tail, claims),
    maximum: nullCount === rows || isOpen ? null : readExtreme(view, at + 40, tail, claims),
    truncated: (flags & truncatedFlag) !== 0,
  };
  if (!isOrdered(record.minimum, record.maximum)) claims.fail("has a minimum above the maximum");
  return record;
}

function readExtreme(view: DataView, at: number, tail: Uint8Array, claims: IndexClaims): Extreme {
  const { dtype } = claims;
  if (isFloatDtype(dtype)) {
    const value = view.getFloat64(at, true);
    return dtype === "float64" || Math.fround(value) === value ? value : claims.fail("has an extreme that is no float32");
  }
  if (!isTextDtype(dtype)) {
    const value = view.getBigInt64(at, true);
    return isOfDtype(value, dtype) ? value : claims.fail(`has an extreme that is no ${dtype}`);
  }
  const place = view.getUint32(at, true);
  const length = view.getUint32(at + 4, true);
  if (length > extremeBytesMax || place + length > tail.length) claims.fail("has an extreme outside its tail");
  return tail.subarray(place, place + length);
}

function isOfDtype(value: bigint, dtype: WholeDtype): boolean {
  const { least, greatest } = wholeRange(dtype);
  return value + biasOf(dtype) >= least && value + biasOf(dtype) <= greatest;
}

/** Also false for a NaN, which no chunk may claim. */
function isOrdered(minimum: Extreme | null, maximum: Extreme | null): boolean {
  if (minimum === null || maximum === null) return true;
  if (minimum instanceof Uint8Array && maximum instanceof Uint8Array) return Buffer.compare(minimum, maximum) <= 0;
  return minimum <= maximum;
}

/** Raw bytes may be what rows and encoding imply, or for plain text what the stored bytes can hold: no bombs. */
function checkSizes(record: ChunkRecord, rows: number, claims: IndexClaims): void {
  const { rawBytes, storedBytes, codec } = record;
  if (!isKnownPair(record, rows, claims)) claims.fail("has an encoding its dtype does not use");
  if (!isPossibleSize(record, rows, claims)) claims.fail("has a chunk of a size its rows cannot have");
  if (rawBytes > limits.chunkBytesMax || storedBytes > rawBytes) claims.fail("has a chunk past the size limit");
  if (rawBytes > storedBytes * ratioMax[codec]) claims.fail("has a chunk of a size its codec cannot have");
}

function isPossibleSize(record: ChunkRecord, rows: number, claims: IndexClaims): boolean {
  if (record.nullCount === rows) return record.rawBytes === 0;
  const bytes = record.rawBytes - bitmapBytes(record.nullCount, rows);
  switch (record.encoding) {
    case "constant": return bytes === constantBytes;
    case "narrowed": case "decimal": return codeWidth(bytes - narrowedParameterBytes, rows) !== undefined;
    case "dictionary": return codeWidth(bytes - dictionaryParameterBytes, rows) !== undefined;
    case "plain": return isTextDtype(claims.dtype) ? bytes >= 4 * (rows + 1) : bytes === widthOf(claims.dtype) * rows;
  }
}

function isKnownPair({ encoding, nullCount }: ChunkRecord, rows: number, { dtype, hasDictionary }: IndexClaims): boolean {
  if (nullCount === rows) return encoding === "constant";
  switch (encoding) {
    case "constant": return !isTextDtype(dtype) || hasDictionary;
    case "narrowed": return !isTextDtype(dtype) && !isFloatDtype(dtype);
    case "decimal": return isFloatDtype(dtype);
    case "dictionary": return isTextDtype(dtype) && hasDictionary;
    case "plain": return !isTextDtype(dtype) || !hasDictionary;
  }
}
