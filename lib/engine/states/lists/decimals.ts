/**
 * Numbers as int32 codes, value = code / 10^exponent: half the bytes of float64. What they are in the bytes of a partial:
 *
 *   offsets   uint32 a list and one more
 *   codes     1, 2 or 4 bytes each: less `base`, modulo 2^32
 */
import { biasOf, isFloatDtype, isTextDtype, wholeRange, type Dtype, type TextDtype } from "../../../columns/dtypes.js";
import { keyColumnOf } from "../../groups/keys.js";
import type { ScanColumn } from "../../scan-column.js";
import { requireCount, requireDtype, type ArrayReader, type Description, type StateWriter } from "../bytes.js";
import type { NumberItems } from "./items.js";

/** A run of numbers of one dtype. Of whole ones the exponent is 0. */
export interface DecimalItems {
  readonly form: "decimals";
  readonly dtype: Exclude<Dtype, TextDtype>;
  readonly exponent: number;
  readonly array: Int32Array;
}

/** Lists of them, as ItemLists are of items. */
export interface DecimalLists {
  readonly offsets: Uint32Array;
  readonly items: DecimalItems;
}

const exponentMax = 9;
const codeEnd = 2 ** 31;

/** The least exponent with which all extremes of a column are such numbers; undefined where there is none. What lies between extremes of floats may not be. */
export function findExponent(column: ScanColumn): number | undefined {
  if (!isFloatDtype(column.dtype)) {
    const { minimum, size } = keyColumnOf(column);
    const least = minimum + biasOf(column.dtype);
    return size !== undefined && (size === 0n || (least >= -codeEnd && least + size <= codeEnd)) ? 0 : undefined;
  }
  const extremes: number[] = [];
  for (let chunk = 0; chunk < column.chunkCount; chunk++) {
    const { minimum, maximum } = column.statistics(chunk);
    if (typeof minimum === "number" && typeof maximum === "number") extremes.push(minimum, maximum);
  }
  for (let exponent = 0; exponent <= exponentMax; exponent++) if (extremes.every((value) => isDecimal(value, exponent))) return exponent;
  return undefined;
}

function isDecimal(value: number, exponent: number): boolean {
  const code = Math.round(value * 10 ** exponent);
  return code >= -codeEnd && code < codeEnd && code / 10 ** exponent === value;
}

/** The numbers themselves. */
export function numbersOf({ dtype, exponent, array: codes }: DecimalItems): NumberItems {
  const power = 10 ** exponent;
  const array = new Float64Array(codes.length);
  for (let k = 0; k < array.length; k++) array[k] = codes[k]! / power;
  return { form: "numbers", dtype, array };
}

/** Writes lists; what it gives is JSON that readDecimals gets back. */
export function writeDecimals({ offsets, items: { form, dtype, exponent, array } }: DecimalLists, writer: StateWriter): Description {
  let [least, greatest] = [codeEnd, -codeEnd];
  for (let k = 0; k < array.length && greatest - least < 0x1_0000; k++) {
    const code = array[k]!;
    least = code < least ? code : least;
    greatest = code > greatest ? code : greatest;
  }
  const width = greatest - least < 0x100 ? 1 : greatest - least < 0x1_0000 ? 2 : 4;
  const base = width === 4 || array.length === 0 ? 0 : least;
  writer.array(offsets);
  writer.array(width === 4 ? new Uint32Array(array.buffer, array.byteOffset, array.length) : shifted(array, base, width));
  return { form, dtype, exponent, base, width };
}

function shifted(array: Int32Array, base: number, width: 1 | 2): Uint8Array | Uint16Array {
  const codes = width === 1 ? new Uint8Array(array.length) : new Uint16Array(array.length);
  for (let k = 0; k < codes.length; k++) codes[k] = array[k]! - base;
  return codes;
}

/** Reads what writeDecimals wrote; throws on what is none. */
export function readDecimals({ dtype: named, exponent, base, width }: Description, lists: number, reader: ArrayReader): DecimalLists {
  const dtype = requireDtype(named);
  if (isTextDtype(dtype) || dtype === "bool") throw new TypeError(`numbers of ${dtype}`);
  const offsets = reader.offsets(lists);
  const array = readCodes(width, base, offsets[lists]!, reader);
  const items: DecimalItems = { form: "decimals", dtype, exponent: requireCount(exponent, isFloatDtype(dtype) ? exponentMax : 0), array };
  if (!isFloatDtype(dtype)) requireRange(dtype, array);
  return { offsets, items };
}

function readCodes(width: unknown, base: unknown, count: number, reader: ArrayReader): Int32Array {
  if (width === 4) {
    const codes = reader.uint32(count);
    return new Int32Array(codes.buffer, codes.byteOffset, codes.length);
  }
  if (width !== 1 && width !== 2) throw new TypeError("a width is none");
  if (typeof base !== "number" || !Number.isInteger(base) || base < -codeEnd || base >= codeEnd) throw new RangeError("a base is none");
  const codes = width === 1 ? reader.uint8(count) : reader.uint16(count);
  reader.grow(4 * count);
  const array = new Int32Array(count);
  for (let k = 0; k < count; k++) array[k] = base + codes[k]!;
  return array;
}

function requireRange(dtype: Parameters<typeof wholeRange>[0], array: Int32Array): void {
  const { least, greatest } = wholeRange(dtype);
  const [low, high] = [Number(least), Number(greatest)];
  for (let k = 0; k < array.length; k++) if (array[k]! < low || array[k]! > high) throw new RangeError(`a value is none of ${dtype}`);
}
