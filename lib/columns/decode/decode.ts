/** Decoding a chunk: from stored bytes to a vector in the kernels' memory, everything a reader relies on verified. */
import type { Heap } from "../../kernels/heap.js";
import { decodeFloats, decodeInts } from "./numbers.js";
import type { ChunkSource, Payload, Room, SharedPages, Values } from "./room.js";
import { decodeCodes, decodeTexts } from "./texts.js";
import { chunkRows } from "../dtypes.js";
import { bitmapBytes } from "../files/payload.js";
import type { Vector } from "../vector.js";

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
  if (kernels.xxh64(stored, storedBytes) !== checksum) source.fail("its checksum differs");
  if (codec === "raw") return stored;
  const raw = room.borrow(rawBytes);
  const decode = codec === "lz4" ? kernels.lz4Decode : kernels.zstdDecode;
  if (decode(stored, storedBytes, raw, rawBytes) !== rawBytes) source.fail(`its ${codec} block is malformed`);
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
