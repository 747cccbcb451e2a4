/** The values of a result column as a program takes them: the typed array of the dtype, or an array of texts. */
import { isAscii } from "node:buffer";
import type { ValuesByDtype } from "../columns/dtypes.js";
import { countOf, isFloats, isLists, isText, type Floats, type Lists, type Text, type Values, type Wholes } from "../engine/values.js";
import { itemReader } from "./cells.js";

/** The values of a column, one a row; of lists the values of their items. */
export type ColumnValues = ItemValues | readonly ItemValues[];

/** Values that are no lists. */
export type ItemValues = ValuesByDtype[Exclude<Values["dtype"], Text["dtype"]>] | readonly string[] | readonly Uint8Array[];

/** The values of a run of that many rows; what is held in another form than the dtype's own is copied, and what is shared. */
export function columnValues(values: Values | Lists, rows: number, isShared: boolean): ColumnValues {
  return isLists(values) ? listValues(values, rows, isShared) : itemValues(values, rows, isShared);
}

/** The same of values that are no lists. */
export function itemValues(values: Values, rows: number, isShared: boolean): ItemValues {
  if (isText(values)) return textValues(values, rows);
  const own = isFloats(values) ? floatValues(values) : values.dtype === "bool" ? values.array : wholeValues(values);
  return isShared && own === values.array ? own.slice() : own;
}

function floatValues({ dtype, array }: Floats): ItemValues {
  return dtype === "float64" ? array : new Float32Array(array);
}

/** Views of one array where items are of a fixed width. */
function listValues({ item, offsets }: Lists, rows: number, isShared: boolean): readonly ItemValues[] {
  const items = itemValues(item, countOf(item), isShared);
  return Array.from({ length: rows }, (_, row) => {
    const [from, to] = [offsets[row]!, offsets[row + 1]!];
    return "subarray" in items ? items.subarray(from, to) : items.slice(from, to);
  });
}

function textValues(values: Text, rows: number): readonly string[] | readonly Uint8Array[] {
  const { dtype, offsets, bytes } = values;
  if (dtype === "bytes") return Array.from({ length: rows }, (_, row) => bytes.slice(offsets[row], offsets[row + 1]));
  const texts = new Array<string>(rows);
  for (let row = 0; row < rows;) row = decodeBlock(values, row, rows, texts);
  return texts;
}

/** Bytes that are decoded at once, of which each text may keep all alive. */
const blockBytes = 65_536;

/** Decodes some texts from a row on, at least one, and gives the row behind them: ASCII at once, which is several times as fast. */
function decodeBlock(values: Text, start: number, rows: number, texts: string[]): number {
  const { offsets, bytes } = values;
  const from = offsets[start]!;
  let end = start + 1;
  while (end < rows && offsets[end + 1]! - from <= blockBytes) end += 1;
  const block = Buffer.from(bytes.buffer, bytes.byteOffset + from, offsets[end]! - from);
  if (isAscii(block)) {
    const text = block.toString("latin1");
    for (let row = start; row < end; row++) texts[row] = text.slice(offsets[row]! - from, offsets[row + 1]! - from);
  } else {
    const read = itemReader(values);
    for (let row = start; row < end; row++) texts[row] = String(read(row));
  }
  return end;
}

function wholeValues({ dtype, array }: Wholes): ItemValues {
  switch (dtype) {
    case "int64": case "timestamp": return array;
    case "uint64": return unbiased(array);
    case "int8": return lowHalves(array, new Int8Array(array.length));
    case "int16": return lowHalves(array, new Int16Array(array.length));
    case "int32": case "date": return lowHalves(array, new Int32Array(array.length));
    case "uint8": return lowHalves(array, new Uint8Array(array.length));
    case "uint16": return lowHalves(array, new Uint16Array(array.length));
    case "uint32": return lowHalves(array, new Uint32Array(array.length));
  }
}

/** The numbers in a narrower array, which takes of each half what it has room for. */
function lowHalves<A extends Int8Array | Int16Array | Int32Array | Uint8Array | Uint16Array | Uint32Array>(array: BigInt64Array, target: A): A {
  const halves = new Uint32Array(array.buffer, array.byteOffset, array.length * 2);
  for (let row = 0; row < target.length; row++) target[row] = halves[2 * row]!;
  return target;
}

/** uint64 from what is kept of it: adding 2^63 turns the highest bit round. */
function unbiased(array: BigInt64Array): BigUint64Array {
  const values = new BigUint64Array(array);
  const halves = new Uint32Array(values.buffer);
  for (let row = 0; row < values.length; row++) halves[2 * row + 1]! ^= 0x8000_0000;
  return values;
}
