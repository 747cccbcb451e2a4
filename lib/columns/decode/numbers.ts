/** Whole numbers and floats, from the raw bytes of a chunk. */
import { highestCode, readValues, requireWidth, takeValues, viewOf, type ChunkSource, type Payload, type Room, type SharedPages, type Values } from "./room.js";
import { codeWidth, decimalExponent, decimalExponentMax, decimalMax, narrowedParameterBytes } from "../files/payload.js";
import type { Vector } from "../vector.js";

/** The whole numbers of a chunk, verified against its extremes. */
export function decodeInts(source: ChunkSource, room: Room, payload: Payload, pages: SharedPages): Values {
  const { encoding, minimum, maximum } = source.record;
  if (typeof minimum !== "bigint" || typeof maximum !== "bigint") return source.fail("its extremes are of another dtype");
  if (encoding === "plain") return decodePlainInts(source, room, payload, { minimum, maximum });
  if (encoding === "constant") {
    const value = viewOf(room, payload).getBigInt64(0, true);
    return value === minimum && value === maximum ? { width: 1, values: pages.zeros, base: value } : source.fail("its constant is not its extremes");
  }
  const { base, step, width, exponent, floatBytes, codesAt } = readParameters(source, room, payload);
  if (exponent !== 0 || floatBytes !== 0) source.fail("its parameters are out of range");
  const values = takeValues(source, room, codesAt, source.rows, width);
  if (base !== minimum) source.fail("its base is not its minimum");
  if (base + step * BigInt(highestCode(source, room, values, width)) > maximum) source.fail("a value is outside its statistics");
  return { width, values, base, step };
}

/** Numbers of 8 bytes stay as they are; smaller ones become distances to the minimum, signed or not. */
function decodePlainInts(source: ChunkSource, room: Room, payload: Payload, { minimum, maximum }: { minimum: bigint; maximum: bigint }): Values {
  const { kernels } = room.heap;
  const { rows } = source;
  const width = codeWidth(payload.bytes, rows);
  if (width === undefined) {
    const values = takeValues(source, room, payload.at, rows, 8);
    return kernels.areWithinI64(values, rows, minimum, maximum) === 1 ? { width: 8, values } : source.fail("a value is outside its statistics");
  }
  const values = takeValues(source, room, payload.at, rows, width);
  const least = Number(BigInt.asIntN(32, minimum));
  switch (width) {
    case 1: kernels.rebaseU8(values, rows, least); break;
    case 2: kernels.rebaseU16(values, rows, least); break;
    case 4: kernels.rebaseU32(values, rows, least);
  }
  return minimum + BigInt(highestCode(source, room, values, width)) <= maximum ? { width, values, base: minimum } : source.fail("a value is outside its statistics");
}

interface Parameters {
  readonly base: bigint;
  /** At least 1. */
  readonly step: bigint;
  readonly width: 1 | 2 | 4;
  readonly exponent: number;
  /** Of the dtype: 4 or 8 in a chunk of decimals. */
  readonly floatBytes: number;
  readonly codesAt: number;
}

/** The parameters of a narrowed or decimal chunk. */
function readParameters(source: ChunkSource, room: Room, payload: Payload): Parameters {
  const view = viewOf(room, payload);
  const step = view.getBigInt64(8, true);
  if (step < 1n) source.fail("its parameters are out of range");
  return {
    base: view.getBigInt64(0, true), step,
    width: requireWidth(source, view.getUint8(16), payload.bytes - narrowedParameterBytes),
    exponent: view.getUint8(17), floatBytes: view.getUint8(18),
    codesAt: payload.at + narrowedParameterBytes,
  };
}

/** The floats of a chunk as float64, verified against its extremes. */
export function decodeFloats(source: ChunkSource, room: Room, payload: Payload, nulls: number): Values {
  const { encoding, minimum, maximum } = source.record;
  const { kernels } = room.heap;
  const { rows } = source;
  if (typeof minimum !== "number" || typeof maximum !== "number") return source.fail("its extremes are of another dtype");
  if (encoding === "constant") {
    const value = viewOf(room, payload).getFloat64(0, true);
    if (value !== minimum || value !== maximum) source.fail("its constant is not its extremes");
    const values = room.keep(8 * rows);
    kernels.fillF64(values, rows, value);
    if (nulls !== 0) kernels.fillNullsF64(values, nulls, rows, 0);
    return { width: 8, values, exponent: decimalExponent(value) };
  }
  const { values, exponent } = encoding === "decimal" ? decodeDecimals(source, room, payload) : { values: decodePlainFloats(source, room, payload) };
  // Null rows hold 0.0, which need not lie between the extremes.
  if (nulls !== 0) kernels.fillNullsF64(values, nulls, rows, minimum);
  if (kernels.areWithinF64(values, rows, minimum, maximum) === 0) source.fail("a value is outside its statistics");
  if (nulls !== 0) kernels.fillNullsF64(values, nulls, rows, 0);
  return { width: 8, values, exponent };
}

function decodePlainFloats(source: ChunkSource, room: Room, payload: Payload): number {
  const { rows } = source;
  if (payload.bytes === 8 * rows) return takeValues(source, room, payload.at, rows, 8);
  const singles = readValues(source, room, payload.at, rows, 4);
  const values = room.keep(8 * rows);
  room.heap.kernels.widenF32(singles, rows, values);
  return values;
}

/** The quotient of a float32 is rounded once more, and so is no decimal of this exponent. */
function decodeDecimals(source: ChunkSource, room: Room, payload: Payload): Pick<Vector, "values" | "exponent"> {
  const { kernels } = room.heap;
  const { rows } = source;
  const { base, step, width, exponent, floatBytes, codesAt } = readParameters(source, room, payload);
  const codes = readValues(source, room, codesAt, rows, width);
  const greatest = base + step * BigInt(highestCode(source, room, codes, width));
  if (base < -decimalMax || greatest > decimalMax || exponent > decimalExponentMax || (floatBytes !== 4 && floatBytes !== 8)) source.fail("its parameters are out of range");
  const values = room.keep(8 * rows);
  const single = floatBytes === 4 ? 1 : 0;
  switch (width) {
    case 1: kernels.decimalU8(codes, rows, base, step, exponent, single, values); break;
    case 2: kernels.decimalU16(codes, rows, base, step, exponent, single, values); break;
    case 4: kernels.decimalU32(codes, rows, base, step, exponent, single, values);
  }
  return { values, exponent: single === 0 ? exponent : undefined };
}
