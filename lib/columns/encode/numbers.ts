/** Whole numbers and floats as the raw bytes of a chunk. */
import type { Kernels } from "../../kernels/kernels.js";
import type { Arena } from "./arena.js";
import type { FloatDtype, WholeDtype } from "../dtypes.js";
import { constantPayload, firstRow, narrowedParameters, openPayload, place, type Narrowing, type Payload, type Rows } from "./payload.js";
import { widthOf } from "../files/encodings.js";
import { bitmapBytes } from "../files/payload.js";

const int64Max = 2n ** 63n - 1n;
const noParameters = new Uint8Array(0);

/** Bytes of the payload of numbers at most. */
export function numberBytes(rows: number): number {
  return 8 * rows + bitmapBytes(1, rows) + 128;
}

/** Bytes of the arena that numbers take at most until they are a payload: as given, widened, as keys of decimals, raw. */
export function numberRoom(rows: number): number {
  return 4 * numberBytes(rows);
}

/** The payload of whole numbers, given as the typed array of their dtype; some row is not null. */
export function encodeWhole(arena: Arena, rows: Rows, dtype: WholeDtype, bytes: Uint8Array): Payload {
  const kernels = arena.kernels();
  const source = placeWhole(arena, dtype, bytes, rows.count);
  // Null rows take part in the extremes, so they first repeat a value that counts, and then hold the minimum.
  if (rows.nullCount > 0) kernels.fillNullsI64(source, rows.nulls, rows.count, viewOf(kernels).getBigInt64(source + 8 * firstRow(arena, rows), true));
  const minimum = kernels.minI64(source, rows.count);
  const maximum = kernels.maxI64(source, rows.count);
  if (dtype === "bool" && (minimum < 0n || maximum > 1n)) throw new Error("a bool is 0 or 1");
  if (minimum === maximum) return constantPayload(arena, rows, BigInt64Array.of(minimum), minimum);
  if (rows.nullCount > 0) kernels.fillNullsI64(source, rows.nulls, rows.count, minimum);
  const own = widthOf(dtype);
  const narrowing = findNarrowing(kernels, source, rows.count, { minimum, maximum, below: own });
  const statistics = { minimum, maximum, truncated: false, valueCount: rows.count };
  if (narrowing === undefined) {
    const room = openPayload(arena, rows, noParameters, rows.count * own);
    storeCodes(kernels, source, rows.count, { base: 0n, step: 1n, width: own }, room.valuesAt);
    return { ...room, ...statistics, encoding: "plain", width: own };
  }
  const room = openPayload(arena, rows, narrowedParameters(narrowing), rows.count * narrowing.width);
  storeCodes(kernels, source, rows.count, narrowing, room.valuesAt);
  return { ...room, ...statistics, encoding: "narrowed", width: narrowing.width };
}

/** The payload of floats, given as the typed array of their dtype; null when every row is null, by NaN or by the bitmap. */
export function encodeFloats(arena: Arena, given: { readonly count: number; readonly nulls: Uint8Array }, dtype: FloatDtype, bytes: Uint8Array): Payload | null {
  const kernels = arena.kernels();
  const { count } = given;
  const source = placeFloats(arena, dtype, bytes, count);
  const nulls = place(arena, given.nulls);
  const rows: Rows = { count, nulls, nullCount: kernels.cleanF64(source, count, nulls) };
  if (rows.nullCount === count) return null;
  if (rows.nullCount > 0) kernels.fillNullsF64(source, nulls, count, viewOf(kernels).getFloat64(source + 8 * firstRow(arena, rows), true));
  const minimum = kernels.minF64(source, count);
  const maximum = kernels.maxF64(source, count);
  if (minimum === maximum) return constantPayload(arena, rows, Float64Array.of(minimum), minimum);
  if (rows.nullCount > 0) kernels.fillNullsF64(source, nulls, count, minimum);
  return encodeDecimals(arena, rows, dtype, { source, minimum, maximum }) ?? encodePlainFloats(arena, rows, dtype, { source, minimum, maximum });
}

interface Floats {
  /** float64 in the arena. */
  readonly source: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** Undefined where some value would not come back bit for bit, or nothing would be saved. */
function encodeDecimals(arena: Arena, rows: Rows, dtype: FloatDtype, { source, minimum, maximum }: Floats): Payload | undefined {
  const kernels = arena.kernels();
  const { count } = rows;
  const floatBytes = widthOf(dtype);
  const keys = arena.take(8 * count);
  const exponent = kernels.decimalKeys(source, count, dtype === "float32" ? 1 : 0, keys);
  if (exponent < 0) return undefined;
  const narrowing = findNarrowing(kernels, keys, count, { minimum: kernels.minI64(keys, count), maximum: kernels.maxI64(keys, count), below: floatBytes });
  if (narrowing === undefined) return undefined;
  const room = openPayload(arena, rows, narrowedParameters(narrowing, { exponent, floatBytes }), count * narrowing.width);
  storeCodes(kernels, keys, count, narrowing, room.valuesAt);
  return { ...room, encoding: "decimal", valueCount: count, width: narrowing.width, minimum, maximum, truncated: false };
}

function encodePlainFloats(arena: Arena, rows: Rows, dtype: FloatDtype, { source, minimum, maximum }: Floats): Payload {
  const kernels = arena.kernels();
  const { count } = rows;
  const width = widthOf(dtype);
  if (rows.nullCount > 0) kernels.fillNullsF64(source, rows.nulls, count, 0);
  const room = openPayload(arena, rows, noParameters, count * width);
  if (dtype === "float32") kernels.narrowF32(source, count, room.valuesAt);
  else kernels.bytes.copyWithin(room.valuesAt, source, source + 8 * count);
  return { ...room, encoding: "plain", valueCount: count, width, minimum, maximum, truncated: false };
}

/** The values as int64 in the arena; uint64 as v - 2^63. */
function placeWhole(arena: Arena, dtype: WholeDtype, bytes: Uint8Array, rows: number): number {
  const kernels = arena.kernels();
  const source = place(arena, bytes);
  if (dtype === "uint64") kernels.flipSigns(source, rows);
  if (widthOf(dtype) === 8) return source;
  const target = arena.take(8 * rows);
  switch (dtype) {
    case "int8": kernels.widenI8(source, rows, target); break;
    case "int16": kernels.widenI16(source, rows, target); break;
    case "int32": case "date": kernels.widenI32(source, rows, target); break;
    case "bool": case "uint8": kernels.widenU8(source, rows, target); break;
    case "uint16": kernels.widenU16(source, rows, target); break;
    case "uint32": kernels.widenU32(source, rows, target); break;
    case "int64": case "uint64": case "timestamp": break;
  }
  return target;
}

function placeFloats(arena: Arena, dtype: FloatDtype, bytes: Uint8Array, rows: number): number {
  const source = place(arena, bytes);
  if (dtype === "float64") return source;
  const target = arena.take(8 * rows);
  arena.kernels().widenF32(source, rows, target);
  return target;
}

/**
 * The narrowest codes that are exact, of fewer bytes than `below`; undefined when there are none. Ranges past int64 have
 * none, so that no difference wraps round.
 */
function findNarrowing(kernels: Kernels, source: number, rows: number, { minimum, maximum, below }: { minimum: bigint; maximum: bigint; below: number }): Narrowing | undefined {
  const range = maximum - minimum;
  if (below === 1 || range > int64Max) return undefined;
  if (range <= 0xffn) return { base: minimum, step: 1n, width: 1 };
  const step = kernels.gcdI64(source, rows, minimum);
  const codes = range / step;
  const width = codes <= 0xffn ? 1 : codes <= 0xffffn ? 2 : codes <= 0xffff_ffffn ? 4 : 8;
  return width < below && width !== 8 ? { base: minimum, step, width } : undefined;
}

function storeCodes(kernels: Kernels, source: number, rows: number, { base, step, width }: Omit<Narrowing, "width"> & { width: 1 | 2 | 4 | 8 }, target: number): void {
  switch (width) {
    case 1: kernels.narrowU8(source, rows, base, step, target); break;
    case 2: kernels.narrowU16(source, rows, base, step, target); break;
    case 4: kernels.narrowU32(source, rows, base, step, target); break;
    case 8: kernels.bytes.copyWithin(target, source, source + 8 * rows);
  }
}

function viewOf({ bytes }: Kernels): DataView {
  return new DataView(bytes.buffer);
}
