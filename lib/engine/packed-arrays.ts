/**
 * A description and arrays in one run of bytes, as partials and slices of rows travel.
 *
 *   0..3   uint32 LE: length J of the description
 *   4..4+J description, JSON; its `lengths` are the bytes of every array
 *   then   the arrays in that order, each padded to start at a multiple of 8
 */
import { createMappedBytes } from "../base/mapped-bytes.js";
import { requireCount, type AnyArray, type Description } from "./states/bytes.js";

// Making one takes longer than what it does here.
const [encoder, decoder] = [new TextEncoder(), new TextDecoder("utf-8", { fatal: true })];

/** The bytes of a description and arrays; `check` may throw, told how many there will be before they are taken. */
export function packArrays(description: Description, arrays: readonly AnyArray[], check: (bytes: number) => void = () => undefined): Uint8Array {
  const head = encoder.encode(JSON.stringify({ ...description, lengths: arrays.map((array) => array.byteLength) }));
  let at = padded(4 + head.length);
  const length = arrays.reduce((sum, array) => sum + padded(array.byteLength), at);
  check(length);
  const bytes = createMappedBytes(length);
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 4);
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    if (array instanceof Float64Array) unifyNaNs(array, new Float64Array(bytes.buffer, at, array.length));
    at += padded(array.byteLength);
  }
  return bytes;
}

/** One form of NaN in place of the many: which of them arithmetic gives differs between compiled code and code that is not yet. */
function unifyNaNs(values: Float64Array, written: Float64Array): void {
  for (let k = 0; k < values.length; k++) if (values[k] !== values[k]) written[k] = NaN;
}

/**
 * The description and the arrays, as views; of a copy only where alignment asks for one. Throws a RangeError, TypeError or
 * SyntaxError when the bytes are none.
 */
export function unpackArrays(packed: Uint8Array): { description: Description; arrays: Uint8Array[] } {
  const bytes = packed.byteOffset % 8 === 0 ? packed : packed.slice();
  const headBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  if (headBytes > bytes.length - 4) throw new RangeError("cut short");
  const description = requireRecord(JSON.parse(decoder.decode(bytes.subarray(4, 4 + headBytes))));
  let at = padded(4 + headBytes);
  const arrays = requireArray(description.lengths).map((entry) => {
    const length = requireCount(entry);
    const array = bytes.subarray(at, at + length);
    if (array.length !== length) throw new RangeError("cut short");
    at += padded(length);
    return array;
  });
  if (at !== bytes.length) throw new RangeError("longer or shorter than it says");
  return { description, arrays };
}

/** An object of a description; throws a TypeError where it is none. */
export function requireRecord(input: unknown): Description {
  if (typeof input !== "object" || input === null) throw new TypeError("no description");
  return input as Description;
}

/** A list of a description; throws a TypeError where it is none. */
export function requireArray(input: unknown): readonly unknown[] {
  if (!Array.isArray(input)) throw new TypeError("no list");
  return input;
}

function padded(bytes: number): number {
  // No bit operators: these are of 32 bits, and lengths from outside are not.
  return Math.ceil(bytes / 8) * 8;
}
