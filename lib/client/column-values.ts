/** The values of a result column as a program takes them: the typed array of the dtype, or an array of texts. */
import { isAscii } from "node:buffer";
import type { ValuesByDtype } from "../columns/dtypes.js";
import { countOf, isFloats, isLists, isText, type Flags, type Floats, type Lists, type Text, type Values, type Wholes } from "../engine/values.js";
import { itemReader } from "./cells.js";

/** The values of a column, one a row; of lists the values of their items. */
export type ColumnValues = ItemValues | readonly ItemValues[];

/** Values that are no lists. */
export type ItemValues = FixedValues | readonly string[] | readonly Uint8Array[];

type FixedValues = ValuesByDtype[Exclude<Values["dtype"], Text["dtype"]>];

/** The strings of a column that others have as well: those of before, or what `make` gives. Nobody writes into the array. */
export type SharedStrings = (column: string, make: () => readonly string[]) => readonly string[];

/** The same of one column. */
export type ColumnStrings = (make: () => readonly string[]) => readonly string[];

/**
 * The values of a run of that many rows. What is held in another form than the dtype's own is copied, and so is what is
 * shared, of which `shared` has the strings.
 */
export function columnValues(values: Values | Lists, rows: number, shared: ColumnStrings | null): ColumnValues {
  return isLists(values) ? listValues(values, rows, shared) : itemValues(values, rows, shared);
}

/** The same of values that are no lists. */
export function itemValues(values: Values, rows: number, shared: ColumnStrings | null): ItemValues {
  if (isText(values)) return values.dtype === "bytes" ? bytesValues(values, rows) : shared === null ? stringValues(values, rows) : shared(() => stringValues(values, rows)).slice();
  const own = fixedValues(values);
  return shared !== null && own === values.array ? own.slice() : own;
}

/** The typed array of the dtype: the array that is held where it is one already, else a copy. */
export function fixedValues(values: Flags | Wholes | Floats): FixedValues {
  return isFloats(values) ? floatValues(values) : values.dtype === "bool" ? values.array : wholeValues(values);
}

function floatValues({ dtype, array }: Floats): FixedValues {
  return dtype === "float64" ? array : new Float32Array(array);
}

/** Views of one array where items are of a fixed width. */
function listValues({ item, offsets }: Lists, rows: number, shared: ColumnStrings | null): readonly ItemValues[] {
  const items = itemValues(item, countOf(item), shared);
  const lists = new Array<ItemValues>(rows);
  for (let row = 0; row < rows; row++) {
    const [from, to] = [offsets[row]!, offsets[row + 1]!];
    lists[row] = "subarray" in items ? items.subarray(from, to) : items.slice(from, to);
  }
  return lists;
}

function bytesValues({ offsets, bytes }: Text, rows: number): readonly Uint8Array[] {
  return Array.from({ length: rows }, (_, row) => bytes.slice(offsets[row], offsets[row + 1]));
}

function stringValues(values: Text, rows: number): readonly string[] {
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

function wholeValues({ dtype, array }: Wholes): FixedValues {
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
