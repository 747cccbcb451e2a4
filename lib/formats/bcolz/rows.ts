/** Rows as bcolz keeps them: fixed width, little-endian, texts padded with NUL, missing times the least int64. */
import { isBitSet } from "../../columns/bits.js";
import type { Batch } from "../../columns/dtypes.js";
import { isTextBatch, type TextBatch } from "../values/batches.js";
import { unsupported, type BcolzPlan } from "./plan.js";

const notATime = -(2n ** 63n);

/** The bytes of rows [from, to) of a batch. Throws UNSUPPORTED_DTYPE for a time that would be taken for a missing one. */
export function encodeRows(plan: BcolzPlan, batch: Batch, from: number, to: number): Uint8Array {
  if (isTextBatch(batch)) return batch.dtype === "string" ? encodeStrings(plan, batch, from, to) : encodeBytes(plan, batch, from, to);
  if (batch.dtype === "float32" || batch.dtype === "float64") return encodeFloats(batch, from, to);
  const isTime = batch.dtype === "timestamp" || batch.dtype === "date" || (batch.dtype === "int64" && plan.stored !== batch.dtype);
  if (isTime) return encodeTimes(plan, batch, from, to);
  return bytesOf(batch.values.subarray(from, to));
}

function encodeFloats({ nulls, values }: Extract<Batch, { dtype: "float32" | "float64" }>, from: number, to: number): Uint8Array {
  const slice = values.slice(from, to);
  if (nulls !== null) for (let row = from; row < to; row++) if (isBitSet(nulls, row)) slice[row - from] = NaN;
  return bytesOf(slice);
}

function encodeTimes({ name }: BcolzPlan, { nulls, values }: Extract<Batch, { dtype: "timestamp" | "date" | "int64" }>, from: number, to: number): Uint8Array {
  const times = values instanceof BigInt64Array ? values.slice(from, to) : BigInt64Array.from(values.subarray(from, to), BigInt);
  for (let row = from; row < to; row++) {
    if (isBitSet(nulls, row)) times[row - from] = notATime;
    else if (times[row - from] === notATime) throw unsupported(name, `holds ${notATime}, which bcolz takes for a missing time`);
  }
  return bytesOf(times);
}

function encodeBytes({ itemBytes }: BcolzPlan, { values: { offsets, bytes, codes } }: TextBatch, from: number, to: number): Uint8Array {
  const result = new Uint8Array((to - from) * itemBytes);
  for (let row = from; row < to; row++) {
    const entry = codes === null ? row : codes[row]!;
    result.set(bytes.subarray(offsets[entry], offsets[entry + 1]), (row - from) * itemBytes);
  }
  return result;
}

function encodeStrings({ itemBytes }: BcolzPlan, { values: { offsets, bytes, codes } }: TextBatch, from: number, to: number): Uint8Array {
  const width = itemBytes / 4;
  const points = new Uint32Array((to - from) * width);
  for (let row = from; row < to; row++) {
    const entry = codes === null ? row : codes[row]!;
    const end = offsets[entry + 1]!;
    let target = (row - from) * width;
    for (let at = offsets[entry]!; at < end; target++) {
      const lead = bytes[at]!;
      const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      points[target] = decodePoint(bytes, at, length);
      at += length;
    }
  }
  return bytesOf(points);
}

/** The code point of a character of so many bytes of valid UTF-8. */
function decodePoint(bytes: Uint8Array, at: number, length: number): number {
  const lead = bytes[at]!;
  if (length === 1) return lead;
  let point = lead & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) point = (point << 6) | (bytes[at + i]! & 0x3f);
  return point;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
