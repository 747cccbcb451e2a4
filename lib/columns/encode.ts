/** Encoding a chunk: the smallest exact form of its values, as the bytes to store and their index record. */
import { compressSync } from "lz4-napi";
import { BquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { Kernels } from "../kernels/kernels.js";
import type { Arena } from "./arena.js";
import { isBitSet } from "./dtypes.js";
import type { Codec, Encoding, Filter } from "./encodings.js";
import type { ChunkRecord, Extreme } from "./index-file.js";
import { bitmapBytes, dictionaryParameterBytes, narrowedParameterBytes } from "./payload.js";
import { compareText, textBounds } from "./text.js";

/** The values of a chunk to encode. Floats hold no NaN and no -0.0 in rows that are not null. */
export type ChunkValues =
  | { readonly kind: "bool"; readonly values: Uint8Array }
  | { readonly kind: "int"; readonly values: BigInt64Array }
  | { readonly kind: "float"; readonly values: Float64Array }
  /** `textOf` gives the string behind a code, well-formed. */
  | { readonly kind: "code"; readonly values: Uint32Array; readonly textOf: (code: number) => string }
  | { readonly kind: "text"; readonly values: readonly string[] };

/** A chunk to encode: 1 to 65,536 rows. `nulls` is a bitmap, looked at when `nullCount` is not 0. */
export interface ChunkInput {
  readonly rows: number;
  readonly nulls: Uint8Array;
  readonly nullCount: number;
  readonly data: ChunkValues;
}

/** A chunk ready to be stored at the offset the caller knows. */
export interface EncodedChunk {
  readonly stored: Uint8Array;
  readonly record: Omit<ChunkRecord, "offset">;
}

/** The raw bytes of a chunk in the arena, with the part that a shuffle may turn. */
interface Payload {
  readonly encoding: Encoding;
  readonly pointer: number;
  readonly bytes: number;
  readonly valuesAt: number;
  readonly valueCount: number;
  readonly width: number;
  readonly minimum: Extreme;
  readonly maximum: Extreme;
  readonly truncated: boolean;
}

const int64Max = 2n ** 63n - 1n;
const noBytes = new Uint8Array(0);

/** Encodes a chunk. Throws MEMORY_LIMIT when its strings are too long together. */
export function encodeChunk(arena: Arena, chunk: ChunkInput): EncodedChunk {
  if (chunk.nullCount === chunk.rows) return encodeAllNull(arena, chunk.rows);
  const payload = encodePayload(arena, chunk);
  return pack(arena, payload, chunk.nullCount);
}

function encodePayload(arena: Arena, chunk: ChunkInput): Payload {
  const { data } = chunk;
  // Room for the source, the payload, its shuffled and its stored form, with bitmaps and alignment.
  if (data.kind !== "text") arena.start(4 * (8 * chunk.rows + 2 * chunk.rows + 4_096));
  switch (data.kind) {
    case "bool": return encodeBools(arena, chunk, data.values);
    case "int": return encodeInts(arena, chunk, data.values);
    case "float": return encodeFloats(arena, chunk, data.values);
    case "code": return encodeCodes(arena, chunk, data.values, data.textOf);
    case "text": return encodeTexts(arena, chunk, data.values);
  }
}

function encodeAllNull(arena: Arena, rows: number): EncodedChunk {
  const checksum = BigInt.asUintN(64, arena.kernels().xxh64(arena.kernels().heapStart, 0));
  return { stored: noBytes, record: { storedBytes: 0, rawBytes: 0, checksum, nullCount: rows, encoding: "constant", filter: "none", codec: "raw", minimum: null, maximum: null, truncated: false } };
}

function encodeBools(arena: Arena, chunk: ChunkInput, source: Uint8Array): Payload {
  const values = source.map((value, row) => (value === 0 || isNull(chunk, row) ? 0 : 1));
  const trues = values.reduce((sum, value) => sum + value, 0);
  const minimum = trues === chunk.rows - chunk.nullCount ? 1n : 0n;
  const maximum = trues === 0 ? 0n : 1n;
  if (minimum === maximum) return constant(arena, chunk, bytesOf(new BigInt64Array([minimum])), minimum);
  const room = open(arena, chunk, narrowedParameters(0n, 1n, 1), chunk.rows);
  arena.kernels().bytes.set(values, room.valuesAt);
  return { ...room, encoding: "narrowed", valueCount: chunk.rows, width: 1, minimum, maximum, truncated: false };
}

function encodeInts(arena: Arena, chunk: ChunkInput, values: BigInt64Array): Payload {
  const kernels = arena.kernels();
  const { rows } = chunk;
  const source = place(arena, bytesOf(values));
  const nulls = chunk.nullCount === 0 ? 0 : place(arena, chunk.nulls);
  // Null rows take part in the extremes, so they first repeat a value that counts, and then hold the minimum.
  if (nulls !== 0) kernels.fillNullsI64(source, nulls, rows, values[firstRow(chunk)]!);
  const minimum = kernels.minI64(source, rows);
  const maximum = kernels.maxI64(source, rows);
  if (minimum === maximum) return constant(arena, chunk, bytesOf(new BigInt64Array([minimum])), minimum);
  if (nulls !== 0) kernels.fillNullsI64(source, nulls, rows, minimum);
  const { width, step } = chooseNarrowing(kernels, source, rows, minimum, maximum);
  const room = open(arena, chunk, width === 8 ? noBytes : narrowedParameters(minimum, step, width), rows * width);
  switch (width) {
    case 1: kernels.narrowU8(source, rows, minimum, step, room.valuesAt); break;
    case 2: kernels.narrowU16(source, rows, minimum, step, room.valuesAt); break;
    case 4: kernels.narrowU32(source, rows, minimum, step, room.valuesAt); break;
    case 8: kernels.bytes.copyWithin(room.valuesAt, source, source + 8 * rows);
  }
  return { ...room, encoding: width === 8 ? "plain" : "narrowed", valueCount: rows, width, minimum, maximum, truncated: false };
}

/** The narrowest codes that are exact. Ranges past int64 stay plain, so that no difference wraps round. */
function chooseNarrowing(kernels: Kernels, source: number, rows: number, minimum: bigint, maximum: bigint): { width: 1 | 2 | 4 | 8; step: bigint } {
  const range = maximum - minimum;
  if (range <= 0xffn) return { width: 1, step: 1n };
  if (range > int64Max) return { width: 8, step: 1n };
  const step = BigInt.asUintN(64, kernels.gcdI64(source, rows, minimum));
  const codes = range / step;
  if (codes > 0xffff_ffffn) return { width: 8, step: 1n };
  return { width: codes <= 0xffn ? 1 : codes <= 0xffffn ? 2 : 4, step };
}

function encodeFloats(arena: Arena, chunk: ChunkInput, values: Float64Array): Payload {
  const kernels = arena.kernels();
  const { rows } = chunk;
  const source = place(arena, bytesOf(values));
  const nulls = chunk.nullCount === 0 ? 0 : place(arena, chunk.nulls);
  if (nulls !== 0) kernels.fillNullsF64(source, nulls, rows, values[firstRow(chunk)]!);
  const minimum = kernels.minF64(source, rows);
  const maximum = kernels.maxF64(source, rows);
  if (minimum === maximum) return constant(arena, chunk, bytesOf(new Float64Array([minimum])), minimum);
  if (nulls !== 0) kernels.fillNullsF64(source, nulls, rows, 0);
  const room = open(arena, chunk, noBytes, rows * 8);
  kernels.bytes.copyWithin(room.valuesAt, source, source + 8 * rows);
  return { ...room, encoding: "plain", valueCount: rows, width: 8, minimum, maximum, truncated: false };
}

function encodeCodes(arena: Arena, chunk: ChunkInput, values: Uint32Array, textOf: (code: number) => string): Payload {
  const codes = chunk.nullCount === 0 ? values : values.map((code, row) => (isNull(chunk, row) ? 0 : code));
  const seen = distinctCodes(chunk, codes);
  const bounds = boundsOf(seen.map(textOf));
  const highest = seen.at(-1)!;
  if (seen.length === 1 && chunk.nullCount === 0) return { ...constant(arena, chunk, bytesOf(new BigInt64Array([BigInt(highest)])), 0n), ...bounds };
  const narrow = highest <= 0xff ? new Uint8Array(codes) : highest <= 0xffff ? new Uint16Array(codes) : codes;
  const width = narrow.BYTES_PER_ELEMENT;
  const parameters = new Uint8Array(dictionaryParameterBytes);
  parameters[0] = width;
  const room = open(arena, chunk, parameters, chunk.rows * width);
  arena.kernels().bytes.set(bytesOf(narrow), room.valuesAt);
  return { ...room, encoding: "dictionary", valueCount: chunk.rows, width, ...bounds };
}

/** The codes that rows which are not null have, ascending. */
function distinctCodes(chunk: ChunkInput, codes: Uint32Array): number[] {
  let highest = 0;
  for (const code of codes) if (code > highest) highest = code;
  const isSeen = new Uint8Array(highest + 1);
  for (let row = 0; row < codes.length; row++) if (!isNull(chunk, row)) isSeen[codes[row]!] = 1;
  const seen: number[] = [];
  isSeen.forEach((flag, code) => { if (flag === 1) seen.push(code); });
  return seen;
}

function encodeTexts(arena: Arena, chunk: ChunkInput, source: readonly string[]): Payload {
  const { rows } = chunk;
  const values = source.map((value, row) => (isNull(chunk, row) ? "" : value));
  const textBytes = values.reduce((sum, value) => sum + Buffer.byteLength(value), 0);
  const offsetBytes = 4 * (rows + 1);
  const total = bitmapBytes(chunk.nullCount, rows) + offsetBytes + textBytes;
  if (total > limits.chunkBytesMax) throw new BquerydError("MEMORY_LIMIT", `${rows} strings in a row take ${total} bytes, the limit is ${limits.chunkBytesMax}; leave the column out or shorten its values`, { details: { bytes: total } });
  arena.start(3 * (total + 4_096));
  const room = open(arena, chunk, noBytes, offsetBytes + textBytes);
  const offsets = new Uint32Array(rows + 1);
  const text = Buffer.allocUnsafe(textBytes);
  values.forEach((value, row) => { offsets[row + 1] = offsets[row]! + text.write(value, offsets[row]!); });
  arena.kernels().bytes.set(bytesOf(offsets), room.valuesAt);
  arena.kernels().bytes.set(text, room.valuesAt + offsetBytes);
  const bounds = boundsOf(source.filter((_, row) => !isNull(chunk, row)));
  return { ...room, encoding: "plain", valueCount: rows + 1, width: 4, ...bounds };
}

function boundsOf(texts: readonly string[]): { minimum: Uint8Array; maximum: Uint8Array; truncated: boolean } {
  let least = texts[0]!;
  let greatest = least;
  for (const text of texts) {
    if (compareText(text, least) < 0) least = text;
    if (compareText(text, greatest) > 0) greatest = text;
  }
  return textBounds(least, greatest);
}

function constant(arena: Arena, chunk: ChunkInput, value: Uint8Array, extreme: Extreme): Payload {
  const room = open(arena, chunk, value, 0);
  return { ...room, encoding: "constant", valueCount: 0, width: 1, minimum: extreme, maximum: extreme, truncated: false };
}

function narrowedParameters(base: bigint, step: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(narrowedParameterBytes);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, base, true);
  view.setBigInt64(8, step, true);
  view.setUint8(16, width);
  return bytes;
}

/** Opens the payload of a chunk: bitmap and parameters written, room for the values after them. */
function open(arena: Arena, chunk: ChunkInput, parameters: Uint8Array, valueBytes: number): { pointer: number; bytes: number; valuesAt: number } {
  const bitmap = bitmapBytes(chunk.nullCount, chunk.rows);
  const bytes = bitmap + parameters.length + valueBytes;
  const pointer = arena.take(bytes);
  const memory = arena.kernels().bytes;
  memory.set(chunk.nulls.subarray(0, bitmap), pointer);
  memory.set(parameters, pointer + bitmap);
  return { pointer, bytes, valuesAt: pointer + bitmap + parameters.length };
}

/** The smallest of raw, LZ4, and LZ4 over shuffled values. */
function pack(arena: Arena, payload: Payload, nullCount: number): EncodedChunk {
  const kernels = arena.kernels();
  const raw = kernels.bytes.subarray(payload.pointer, payload.pointer + payload.bytes);
  let best: { bytes: Uint8Array; filter: Filter; codec: Codec } = { bytes: raw, filter: "none", codec: "raw" };
  const compressed = compress(raw);
  if (compressed.length < best.bytes.length) best = { bytes: compressed, filter: "none", codec: "lz4" };
  if (payload.width > 1 && payload.valueCount > 1) {
    const shuffled = compress(shuffle(arena, payload));
    if (shuffled.length < best.bytes.length) best = { bytes: shuffled, filter: "shuffle", codec: "lz4" };
  }
  const stored = best.bytes.slice();
  const checksum = BigInt.asUintN(64, kernels.xxh64(place(arena, stored), stored.length));
  const { encoding, minimum, maximum, truncated } = payload;
  return { stored, record: { storedBytes: stored.length, rawBytes: payload.bytes, checksum, nullCount, encoding, filter: best.filter, codec: best.codec, minimum, maximum, truncated } };
}

function shuffle(arena: Arena, payload: Payload): Uint8Array {
  const kernels = arena.kernels();
  const target = arena.take(payload.bytes);
  const before = payload.valuesAt - payload.pointer;
  const turned = payload.valueCount * payload.width;
  kernels.bytes.copyWithin(target, payload.pointer, payload.valuesAt);
  kernels.shuffle(payload.valuesAt, target + before, payload.valueCount, payload.width);
  kernels.bytes.copyWithin(target + before + turned, payload.valuesAt + turned, payload.pointer + payload.bytes);
  return kernels.bytes.subarray(target, target + payload.bytes);
}

/** A raw LZ4 block; the library puts the size, 4 bytes, before it. */
function compress(bytes: Uint8Array): Uint8Array {
  return compressSync(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)).subarray(4);
}

function place(arena: Arena, bytes: Uint8Array): number {
  const pointer = arena.take(bytes.length);
  arena.kernels().bytes.set(bytes, pointer);
  return pointer;
}

function bytesOf(values: BigInt64Array | Float64Array | Uint32Array | Uint16Array | Uint8Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function isNull(chunk: ChunkInput, row: number): boolean {
  return chunk.nullCount !== 0 && isBitSet(chunk.nulls, row);
}

/** The first row that is not null. */
function firstRow(chunk: ChunkInput): number {
  let row = 0;
  while (isNull(chunk, row)) row++;
  return row;
}
