/** The raw bytes of a chunk while it is encoded, in the arena. */
import type { Arena } from "./arena.js";
import type { Encoding } from "../files/encodings.js";
import type { Extreme } from "../files/index.js";
import { bitmapBytes, narrowedParameterBytes } from "../files/payload.js";

/** The rows of a chunk that is being encoded. */
export interface Rows {
  readonly count: number;
  readonly nullCount: number;
  /** The bitmap in the arena; 0 when no row is null. */
  readonly nulls: number;
}

/** Raw bytes, with the part that a shuffle may turn: `valueCount` values of `width` bytes. */
export interface Payload {
  readonly encoding: Encoding;
  readonly pointer: number;
  readonly bytes: number;
  readonly valuesAt: number;
  readonly valueCount: number;
  readonly width: number;
  readonly nullCount: number;
  readonly minimum: Extreme | null;
  readonly maximum: Extreme | null;
  readonly truncated: boolean;
}

/** The place of a payload: bitmap and parameters written, room for `valueBytes` after them. */
export function openPayload(arena: Arena, rows: Rows, parameters: Uint8Array, valueBytes: number): Pick<Payload, "pointer" | "bytes" | "valuesAt" | "nullCount"> {
  const bitmap = bitmapBytes(rows.nullCount, rows.count);
  const bytes = bitmap + parameters.length + valueBytes;
  const pointer = arena.take(bytes);
  const memory = arena.kernels().bytes;
  memory.copyWithin(pointer, rows.nulls, rows.nulls + bitmap);
  memory.set(parameters, pointer + bitmap);
  return { pointer, bytes, valuesAt: pointer + bitmap + parameters.length, nullCount: rows.nullCount };
}

/** The payload of rows that all hold one value. */
export function constantPayload(arena: Arena, rows: Rows, value: BigInt64Array | Float64Array, extreme: Extreme): Payload {
  const room = openPayload(arena, rows, bytesOf(value), 0);
  return { ...room, encoding: "constant", valueCount: 0, width: 1, minimum: extreme, maximum: extreme, truncated: false };
}

/** How whole numbers become unsigned codes: value = base + step * code. */
export interface Narrowing {
  readonly base: bigint;
  readonly step: bigint;
  readonly width: 1 | 2 | 4;
}

/** The parameters of a narrowed chunk, or of a decimal one. */
export function narrowedParameters({ base, step, width }: Narrowing, decimal?: { readonly exponent: number; readonly floatBytes: number }): Uint8Array {
  const bytes = new Uint8Array(narrowedParameterBytes);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, base, true);
  view.setBigInt64(8, step, true);
  bytes.set([width, decimal?.exponent ?? 0, decimal?.floatBytes ?? 0], 16);
  return bytes;
}

/** Copies bytes into the arena and gives their place. */
export function place(arena: Arena, bytes: Uint8Array): number {
  const pointer = arena.take(bytes.length);
  arena.kernels().bytes.set(bytes, pointer);
  return pointer;
}

/** The bytes of a typed array: a view. */
export function bytesOf(values: BigInt64Array | Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The first row that is not null; there is one. */
export function firstRow(arena: Arena, { nulls, nullCount }: Rows): number {
  if (nullCount === 0) return 0;
  const { bytes } = arena.kernels();
  let at = nulls;
  while (bytes[at] === 0xff) at++;
  return (at - nulls) * 8 + (31 - Math.clz32(~bytes[at]! & -~bytes[at]!));
}
