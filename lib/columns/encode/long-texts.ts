/**
 * Encoding a chunk of long texts, with hardly more memory than its raw bytes: they are put together in the arena,
 * compressed there onto the place where they begin, and stored from there.
 */
import { compress } from "@mongodb-js/zstd";
import { limits } from "../../base/limits.js";
import { createArena, type Arena } from "./arena.js";
import { chunkRows } from "../dtypes.js";
import type { EncodedChunk } from "./input.js";
import { bytesOf } from "./payload.js";
import { boundsOfTexts } from "./texts.js";
import type { Codec, Compression, Filter } from "../files/encodings.js";
import { bitmapBytes } from "../files/payload.js";
import { sizedBytes, writeSized } from "../files/zstd-frame.js";

/** A chunk of texts that need not be in memory together: 1 to 65,536 rows, some text not empty. */
export interface LongTexts {
  readonly rows: number;
  /** A bitmap that ends in zeros, looked at when `nullCount` is not 0. */
  readonly nulls: Uint8Array;
  readonly nullCount: number;
  /** rows + 1, the first 0. */
  readonly offsets: Uint32Array;
  /** Fills the target, which they fit, with the bytes of all texts; may be asked for them again. */
  readonly load: (target: Uint8Array) => Promise<void>;
}

/** Where the raw bytes of a chunk are in the arena. */
interface Places {
  /** Where compressed bytes go: so far before the raw ones that those not read yet are never written over. */
  readonly packedAt: number;
  readonly pointer: number;
  readonly bytes: number;
  readonly offsetsAt: number;
  readonly textAt: number;
}

interface Packed {
  readonly at: number;
  readonly bytes: number;
  readonly filter: Filter;
  readonly codec: Codec;
}

/** Shorter texts are encoded as everything else is, several columns at once. */
const longBytes = 8 * 1024 * 1024;

/** Tells whether texts of so many bytes together are encoded here. */
export function isLong(textBytes: number): boolean {
  return textBytes > longBytes;
}

/**
 * Gives the arena for long texts to one chunk at a time, those that wait in the order they came. It is made at the first
 * use, for the longest there may be, and only what is used of it costs memory.
 */
export function createLongArena(): <T>(work: (arena: Arena) => Promise<T>) => Promise<T> {
  let arena: Arena | undefined;
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(() => {
      arena ??= createArena();
      arena.start(roomFor(rawBytes({ rows: chunkRows, nullCount: 1 }, limits.chunkTextBytesMax)));
      return work(arena);
    });
    last = next.catch(() => undefined);
    return next;
  };
}

/**
 * Encodes texts in an arena that nothing else uses meanwhile; the stored bytes are a view of it. The chunk is the same
 * as `encodeChunk` gives.
 */
export async function encodeLongTexts(arena: Arena, texts: LongTexts, codec: Compression): Promise<EncodedChunk> {
  const kernels = arena.kernels();
  const places = findPlaces(arena, texts);
  await fill(arena, texts, places);
  const { nullCount, rows, offsets } = texts;
  const bounds = boundsOfTexts(kernels, { offsetsAt: places.offsetsAt, textAt: places.textAt, nulls: nullCount === 0 ? 0 : places.pointer, count: rows });
  const turned = arena.take(offsets.byteLength);
  kernels.shuffle(places.offsetsAt, turned, offsets.length, 4);
  kernels.bytes.copyWithin(places.offsetsAt, turned, turned + offsets.byteLength);
  const { at, bytes, ...form } = await (codec === "lz4" ? packLz4(arena, places) : packZstd(arena, places)) ?? await leaveRaw(arena, texts, places);
  const stored = kernels.bytes.subarray(at, at + bytes);
  return { stored, record: { storedBytes: bytes, rawBytes: places.bytes, checksum: kernels.xxh64(at, bytes), nullCount, encoding: "plain", ...form, ...bounds } };
}

function rawBytes({ rows, nullCount }: Pick<LongTexts, "rows" | "nullCount">, textBytes: number): number {
  return bitmapBytes(nullCount, rows) + 4 * (rows + 1) + textBytes;
}

/** LZ4 refers back to at most 64 KiB, and makes of bytes that do not repeat one in 255 more. */
function marginFor(bytes: number): number {
  return 65_536 + Math.ceil(bytes / 255) + 64;
}

function roomFor(bytes: number): number {
  return marginFor(bytes) + bytes + 4 * (chunkRows + 1) + 1_024;
}

function findPlaces(arena: Arena, texts: LongTexts): Places {
  const bytes = rawBytes(texts, texts.offsets[texts.rows]!);
  const packedAt = arena.take(marginFor(bytes) + bytes);
  const pointer = packedAt + marginFor(bytes);
  const offsetsAt = pointer + bitmapBytes(texts.nullCount, texts.rows);
  return { packedAt, pointer, bytes, offsetsAt, textAt: offsetsAt + texts.offsets.byteLength };
}

/** Puts the raw bytes in their place. */
async function fill(arena: Arena, { rows, nulls, nullCount, offsets, load }: LongTexts, { pointer, bytes, offsetsAt, textAt }: Places): Promise<void> {
  const memory = arena.kernels().bytes;
  memory.set(nulls.subarray(0, bitmapBytes(nullCount, rows)), pointer);
  memory.set(bytesOf(offsets), offsetsAt);
  await load(memory.subarray(textAt, pointer + bytes));
}

/** Undefined where it is no smaller; then the raw bytes are no more what they were. */
function packLz4(arena: Arena, { packedAt, pointer, bytes }: Places): Packed | undefined {
  const length = arena.kernels().lz4Encode(pointer, bytes, packedAt, bytes - 1);
  return length < 0 ? undefined : { at: packedAt, bytes: length, filter: "shuffle", codec: "lz4" };
}

async function packZstd(arena: Arena, { packedAt, pointer, bytes }: Places): Promise<Packed | undefined> {
  const memory = arena.kernels().bytes;
  const frame = await compress(Buffer.from(memory.buffer, pointer, bytes));
  const length = sizedBytes(frame);
  if (length >= bytes) return undefined;
  writeSized(frame, bytes, memory.subarray(packedAt, packedAt + length));
  return { at: packedAt, bytes: length, filter: "shuffle", codec: "zstd" };
}

async function leaveRaw(arena: Arena, texts: LongTexts, places: Places): Promise<Packed> {
  await fill(arena, texts, places);
  return { at: places.pointer, bytes: places.bytes, filter: "none", codec: "raw" };
}
