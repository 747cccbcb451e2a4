/** Encoding a chunk: the smallest exact form of its values, as the bytes to store and their index record. */
import type { Arena } from "./arena.js";
import { encodeFloats, encodeWhole, numberBytes, numberRoom } from "./numbers.js";
import type { ChunkInput, EncodedChunk } from "./input.js";
import { packChunk, packRoom } from "./pack.js";
import { place, type Payload, type Rows } from "./payload.js";
import { encodeCodes, encodeTexts, textRoom } from "./texts.js";
import type { Compression } from "../files/encodings.js";
import { bitmapBytes } from "../files/payload.js";

const noBytes = new Uint8Array(0);

/**
 * Encodes a chunk. The chunk has been read and the arena is free again when the call returns its promise, so several
 * may be under way; lz4 is done by then. Of long texts this takes several times the memory of their bytes.
 */
export async function encodeChunk(arena: Arena, chunk: ChunkInput, codec: Compression): Promise<EncodedChunk> {
  const payload = chunk.nullCount === chunk.rows ? null : encodePayload(arena, chunk);
  return payload === null ? encodeAllNull(arena, chunk.rows) : packChunk(arena, payload, codec);
}

/** Null when every row is. */
function encodePayload(arena: Arena, chunk: ChunkInput): Payload | null {
  const { data, rows, nullCount } = chunk;
  switch (data.kind) {
    case "number": {
      const { dtype, bytes } = data;
      startForNumbers(arena, rows);
      if (dtype === "float32" || dtype === "float64") return encodeFloats(arena, { count: rows, nulls: bitmapOf(chunk) }, dtype, bytes);
      return encodeWhole(arena, placeRows(arena, chunk), dtype, bytes);
    }
    case "code": {
      startForNumbers(arena, rows);
      return encodeCodes(arena, placeRows(arena, chunk), data.values, data.entries);
    }
    case "text": {
      const most = textRoom(rows, nullCount, data.bytes.length);
      arena.start(most + packRoom(most, 1) + bitmapBytes(1, rows));
      return encodeTexts(arena, placeRows(arena, chunk), data.offsets, data.bytes);
    }
  }
}

function startForNumbers(arena: Arena, rows: number): void {
  arena.start(numberRoom(rows) + packRoom(numberBytes(rows), 2));
}

function placeRows(arena: Arena, { rows, nulls, nullCount }: ChunkInput): Rows {
  return { count: rows, nullCount, nulls: nullCount === 0 ? 0 : place(arena, nulls.subarray(0, bitmapBytes(nullCount, rows))) };
}

function bitmapOf({ rows, nulls, nullCount }: ChunkInput): Uint8Array {
  return nullCount === 0 ? new Uint8Array(bitmapBytes(1, rows)) : nulls.subarray(0, bitmapBytes(nullCount, rows));
}

function encodeAllNull(arena: Arena, rows: number): EncodedChunk {
  const kernels = arena.kernels();
  const checksum = kernels.xxh64(kernels.heapStart, 0);
  return { stored: noBytes, record: { storedBytes: 0, rawBytes: 0, checksum, nullCount: rows, encoding: "constant", filter: "none", codec: "raw", minimum: null, maximum: null, truncated: false } };
}
