/** Decoding a chunk: from stored bytes to a vector in the kernels' memory, everything a reader relies on verified. */
import type { Heap } from "../kernels/heap.js";
import { chunkRows } from "./dtypes.js";
import type { VectorKind } from "./encodings.js";
import type { ChunkRecord } from "./index-file.js";
import { bitmapBytes, codeWidth, constantBytes, dictionaryParameterBytes, narrowedParameterBytes } from "./payload.js";
import type { Vector } from "./vector.js";

/** A chunk to decode. */
export interface ChunkSource {
  readonly kind: VectorKind;
  readonly rows: number;
  readonly record: ChunkRecord;
  /** Codes must be below it. */
  readonly dictionaryCount: number;
  /** Fills the target with the stored bytes. */
  readonly load: (target: Uint8Array) => void;
  /** Throws the error for a chunk that is wrong in the way the words say. */
  readonly fail: (wrong: string) => never;
}

/** The blocks a decode has taken: scratch goes back when it ends, the rest stays with the vector. */
interface Room {
  readonly heap: Heap;
  /** A block that the vector will own. */
  keep(bytes: number): number;
  /** A block for the time of this decode. */
  borrow(bytes: number): number;
}

interface Payload {
  /** Where the parameters start: after the bitmap. */
  readonly at: number;
  /** Bytes from there on. */
  readonly bytes: number;
}

interface SharedPages {
  readonly zeros: number;
  readonly ones: number;
}

type Values = Pick<Vector, "width" | "values"> & Partial<Pick<Vector, "base" | "step" | "text">>;

const sharedPages = new WeakMap<Heap, SharedPages>();

/** The decoded chunk. `allocate` gives heap memory or throws; on failure nothing stays allocated. */
export function decodeChunk(source: ChunkSource, heap: Heap, allocate: (bytes: number) => number): Vector {
  const kept: { pointer: number; bytes: number }[] = [];
  const borrowed: number[] = [];
  const room: Room = {
    heap,
    keep(bytes) {
      const pointer = allocate(bytes);
      kept.push({ pointer, bytes });
      return pointer;
    },
    borrow(bytes) {
      const pointer = allocate(bytes);
      borrowed.push(pointer);
      return pointer;
    },
  };
  try {
    const pages = requirePages(heap, allocate);
    const { nulls, values } = decodeInto(source, room, pages);
    return {
      kind: source.kind, rows: source.rows, base: 0n, step: 1n, text: 0, nulls, nullCount: source.record.nullCount, ...values,
      owned: kept.map((block) => block.pointer),
      ownedBytes: kept.reduce((sum, block) => sum + heap.blockBytes(block.bytes), 0),
    };
  } catch (cause) {
    for (const { pointer } of kept) heap.release(pointer);
    throw cause;
  } finally {
    for (const pointer of borrowed) heap.release(pointer);
  }
}

/** Codes of constant chunks and the bitmap of all-null ones are the same for all: one page of each a heap, never released. */
function requirePages(heap: Heap, allocate: (bytes: number) => number): SharedPages {
  const found = sharedPages.get(heap);
  if (found !== undefined) return found;
  const zeros = allocate(chunkRows);
  const ones = allocate(chunkRows / 8);
  heap.kernels.bytes.fill(0, zeros, zeros + chunkRows);
  heap.kernels.bytes.fill(0xff, ones, ones + chunkRows / 8);
  const pages = { zeros, ones };
  sharedPages.set(heap, pages);
  return pages;
}

function decodeInto(source: ChunkSource, room: Room, pages: SharedPages): { nulls: number; values: Values } {
  if (source.record.nullCount === source.rows) return { nulls: pages.ones, values: decodeAllNull(source, room, pages) };
  const raw = unpack(source, room);
  const nulls = takeNulls(source, room, raw);
  const before = bitmapBytes(source.record.nullCount, source.rows);
  const payload = { at: raw + before, bytes: source.record.rawBytes - before };
  return { nulls, values: decodeValues(source, room, payload, nulls, pages) };
}

function decodeValues(source: ChunkSource, room: Room, payload: Payload, nulls: number, pages: SharedPages): Values {
  switch (source.kind) {
    case "int": return decodeInts(source, room, payload, pages);
    case "float": return decodeFloats(source, room, payload, nulls);
    case "code": return decodeCodes(source, room, payload, pages);
    case "text": return decodeTexts(source, room, payload);
  }
}

function decodeAllNull(source: ChunkSource, room: Room, pages: SharedPages): Values {
  if (source.kind === "float") return { width: 8, values: filled(room, 8 * source.rows) };
  if (source.kind === "text") return { width: 4, values: filled(room, 4 * (source.rows + 1)), text: pages.zeros };
  return { width: 1, values: pages.zeros };
}

function filled(room: Room, bytes: number): number {
  const pointer = room.keep(bytes);
  room.heap.kernels.bytes.fill(0, pointer, pointer + bytes);
  return pointer;
}

/** The raw bytes of the chunk in borrowed memory, their checksum and length verified. */
function unpack(source: ChunkSource, room: Room): number {
  const { storedBytes, rawBytes, codec, checksum } = source.record;
  const { kernels } = room.heap;
  const stored = room.borrow(storedBytes);
  source.load(kernels.bytes.subarray(stored, stored + storedBytes));
  if (BigInt.asUintN(64, kernels.xxh64(stored, storedBytes)) !== checksum) source.fail("its checksum differs");
  if (codec === "raw") return stored;
  const raw = room.borrow(rawBytes);
  if (kernels.lz4Decode(stored, storedBytes, raw, rawBytes) !== rawBytes) source.fail("its LZ4 block is malformed");
  return raw;
}

function takeNulls(source: ChunkSource, room: Room, raw: number): number {
  const { nullCount } = source.record;
  if (nullCount === 0) return 0;
  const bytes = bitmapBytes(nullCount, source.rows);
  const nulls = room.keep(bytes);
  room.heap.kernels.bytes.copyWithin(nulls, raw, raw + bytes);
  if (room.heap.kernels.countBits(nulls, source.rows) !== nullCount) source.fail("its null count differs");
  return nulls;
}

function decodeInts(source: ChunkSource, room: Room, payload: Payload, pages: SharedPages): Values {
  const { encoding, minimum, maximum } = source.record;
  const { kernels } = room.heap;
  if (typeof minimum !== "bigint" || typeof maximum !== "bigint") return source.fail("its extremes are of another dtype");
  if (encoding === "plain") {
    const values = takeValues(source, room, payload.at, source.rows, 8);
    if (kernels.minI64(values, source.rows) < minimum || kernels.maxI64(values, source.rows) > maximum) source.fail("a value is outside its statistics");
    return { width: 8, values };
  }
  const parameters = new DataView(kernels.bytes.buffer, payload.at, payload.bytes);
  const base = parameters.getBigInt64(0, true);
  if (base !== minimum) source.fail("its base is not its minimum");
  if (encoding === "constant") return base === maximum ? { width: 1, values: pages.zeros, base } : source.fail("its constant is not its maximum");
  const step = parameters.getBigInt64(8, true);
  const width = requireWidth(source, parameters.getUint8(16), payload.bytes - narrowedParameterBytes);
  if (step < 1n || parameters.getUint8(17) !== 0) source.fail("its parameters are out of range");
  const values = takeValues(source, room, payload.at + narrowedParameterBytes, source.rows, width);
  if (base + step * BigInt(highestCode(source, room, values, width)) > maximum) source.fail("a value is outside its statistics");
  return { width, values, base, step };
}

function decodeFloats(source: ChunkSource, room: Room, payload: Payload, nulls: number): Values {
  const { encoding, minimum, maximum } = source.record;
  const { kernels } = room.heap;
  const { rows } = source;
  if (typeof minimum !== "number" || typeof maximum !== "number") return source.fail("its extremes are of another dtype");
  if (encoding === "constant") {
    const value = new DataView(kernels.bytes.buffer, payload.at, constantBytes).getFloat64(0, true);
    if (value !== minimum || value !== maximum) source.fail("its constant is not its extremes");
    const values = room.keep(8 * rows);
    kernels.fillF64(values, rows, value);
    if (nulls !== 0) kernels.fillNullsF64(values, nulls, rows, 0);
    return { width: 8, values };
  }
  const values = takeValues(source, room, payload.at, rows, 8);
  // Null rows hold 0.0, which need not lie between the extremes.
  const [low, high] = nulls === 0 ? [minimum, maximum] : [Math.min(minimum, 0), Math.max(maximum, 0)];
  const isInside = kernels.minF64(values, rows) >= low && kernels.maxF64(values, rows) <= high;
  return isInside ? { width: 8, values } : source.fail("a value is outside its statistics");
}

function decodeCodes(source: ChunkSource, room: Room, payload: Payload, pages: SharedPages): Values {
  const { kernels } = room.heap;
  const parameters = new DataView(kernels.bytes.buffer, payload.at, payload.bytes);
  if (source.record.encoding === "constant") {
    const code = parameters.getBigUint64(0, true);
    if (code >= BigInt(source.dictionaryCount)) source.fail("a code is past the end of the dictionary");
    return code === 0n ? { width: 1, values: pages.zeros } : fillCodes(source, room, Number(code));
  }
  const width = requireWidth(source, parameters.getUint8(0), payload.bytes - dictionaryParameterBytes);
  const values = takeValues(source, room, payload.at + dictionaryParameterBytes, source.rows, width);
  if (highestCode(source, room, values, width) >= source.dictionaryCount) source.fail("a code is past the end of the dictionary");
  return { width, values };
}

function fillCodes(source: ChunkSource, room: Room, code: number): Values {
  const { buffer } = room.heap.kernels.bytes;
  const width = code <= 0xff ? 1 : code <= 0xffff ? 2 : 4;
  const values = room.keep(width * source.rows);
  switch (width) {
    case 1: new Uint8Array(buffer, values, source.rows).fill(code); break;
    case 2: new Uint16Array(buffer, values, source.rows).fill(code); break;
    case 4: new Uint32Array(buffer, values, source.rows).fill(code);
  }
  return { width, values };
}

function decodeTexts(source: ChunkSource, room: Room, payload: Payload): Values {
  const { kernels } = room.heap;
  const offsetBytes = 4 * (source.rows + 1);
  const textBytes = payload.bytes - offsetBytes;
  const values = takeValues(source, room, payload.at, source.rows + 1, 4);
  const offsets = new Uint32Array(kernels.bytes.buffer, values, source.rows + 1);
  if (offsets[0] !== 0 || offsets[source.rows] !== textBytes || !isAscending(offsets)) source.fail("its offsets are out of order");
  const text = room.keep(Math.max(1, textBytes));
  kernels.bytes.copyWithin(text, payload.at + offsetBytes, payload.at + payload.bytes);
  return { width: 4, values, text };
}

function isAscending(offsets: Uint32Array): boolean {
  for (let i = 1; i < offsets.length; i++) if (offsets[i]! < offsets[i - 1]!) return false;
  return true;
}

/** `count` values in a block of their own, unshuffled. */
function takeValues(source: ChunkSource, room: Room, at: number, count: number, width: number): number {
  const { kernels } = room.heap;
  const values = room.keep(count * width);
  if (source.record.filter === "shuffle" && width > 1) kernels.unshuffle(at, values, count, width);
  else kernels.bytes.copyWithin(values, at, at + count * width);
  return values;
}

function requireWidth(source: ChunkSource, declared: number, bytes: number): 1 | 2 | 4 {
  const width = codeWidth(bytes, source.rows);
  return width === undefined || width !== declared ? source.fail("its width differs") : width;
}

function highestCode(source: ChunkSource, room: Room, values: number, width: 1 | 2 | 4): number {
  const { kernels } = room.heap;
  switch (width) {
    case 1: return kernels.maxU8(values, source.rows);
    case 2: return kernels.maxU16(values, source.rows) >>> 0;
    case 4: return kernels.maxU32(values, source.rows) >>> 0;
  }
}
