/** Whole numbers in the bytes of a partial: less a base, in as few bytes each as hold them all; beyond 2^32 as float64. */
import { requireBelow, requireExact, type ArrayReader, type Description, type StateWriter } from "./bytes.js";

/** Bytes of each number; `wide` is float64. */
export type NumberWidth = 1 | 2 | 4 | "wide";

/** Writes whole numbers within 2^53 of 0; what it gives is JSON that readWholes gets back. */
export function writeWholes(numbers: Float64Array, writer: StateWriter): { readonly base: number; readonly width: NumberWidth } {
  let [least, greatest] = [Infinity, -Infinity];
  for (let k = 0; k < numbers.length; k++) {
    const number = numbers[k]!;
    least = number < least ? number : least;
    greatest = number > greatest ? number : greatest;
  }
  if (numbers.length === 0) [least, greatest] = [0, 0];
  const width = widthFor(greatest - least + 1);
  if (width === "wide") {
    writer.array(numbers);
    return { base: 0, width };
  }
  // Most numbers are from 0 on, and need no base.
  const base = least >= 0 && widthFor(greatest + 1) === width ? 0 : least;
  writer.array(narrow(base === 0 ? numbers : shifted(numbers, -base), width));
  return { base, width };
}

/** Reads what writeWholes wrote: whole numbers within 2^53 of 0, whatever the bytes; throws on what is none. */
export function readWholes({ base, width }: Description, count: number, reader: ArrayReader): Float64Array {
  if (width === "wide") return requireExact(reader.float64(count));
  if (typeof base !== "number" || !Number.isInteger(base)) throw new RangeError("a base is none");
  const narrow = readNarrow(width, count, reader);
  reader.grow(8 * count);
  const numbers = new Float64Array(narrow);
  if (base === 0) return numbers;
  for (let k = 0; k < numbers.length; k++) numbers[k]! += base;
  return requireExact(numbers);
}

/** The same of numbers that count something: none is below 0. */
export function readCounts(description: Description, count: number, reader: ArrayReader): Float64Array {
  const counts = readWholes(description, count, reader);
  for (let k = 0; k < counts.length; k++) if (counts[k]! < 0) throw new RangeError("a count is none");
  return counts;
}

/** Writes codes below an end; what it gives is JSON that readCodes gets back. */
export function writeCodes(codes: Uint32Array, end: number, writer: StateWriter): NumberWidth {
  const width = widthFor(end);
  writer.array(width === 1 ? new Uint8Array(codes) : width === 2 ? new Uint16Array(codes) : codes);
  return width;
}

/** Reads what writeCodes wrote; throws unless all are below the end. */
export function readCodes(width: unknown, count: number, end: number, reader: ArrayReader): Uint32Array {
  const codes = readNarrow(width, count, reader);
  if (codes instanceof Uint32Array) return requireBelow(codes, end);
  reader.grow(4 * count);
  return requireBelow(new Uint32Array(codes), end);
}

/** Reads whole numbers of so many bytes each; throws where these are none. */
export function readNarrow(width: unknown, count: number, reader: ArrayReader): Uint8Array | Uint16Array | Uint32Array {
  switch (width) {
    case 1: return reader.uint8(count);
    case 2: return reader.uint16(count);
    case 4: return reader.uint32(count);
    default: throw new TypeError("a width is none");
  }
}

/** The bytes that hold any whole number in [0, end). */
function widthFor(end: number): NumberWidth {
  return end <= 0x100 ? 1 : end <= 0x1_0000 ? 2 : end <= 0x1_0000_0000 ? 4 : "wide";
}

function narrow(numbers: Float64Array, width: 1 | 2 | 4): Uint8Array | Uint16Array | Uint32Array {
  return width === 1 ? new Uint8Array(numbers) : width === 2 ? new Uint16Array(numbers) : new Uint32Array(numbers);
}

function shifted(numbers: Float64Array, by: number): Float64Array {
  const found = new Float64Array(numbers.length);
  for (let k = 0; k < found.length; k++) found[k] = numbers[k]! + by;
  return found;
}
