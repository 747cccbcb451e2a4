/** One value of a result as a program sees it in a row, and as text. */
import { formatHex } from "../base/hex.js";
import { formatDate, formatTimestamp } from "../columns/moments.js";
import { biasOf, isTextDtype, type Dtype } from "../columns/dtypes.js";
import { isFloats, isLists, isText, type Lists, type Text, type Values, type Wholes } from "../engine/values.js";

/** Items of a list that are printed. */
const printedItemsMax = 8;

/** A value in a row: a number where it is exact, else a bigint; timestamps and dates as ISO 8601 text; bytes as a copy. */
export type Cell = ItemCell | readonly ItemCell[] | null;

/** A value that is no list. */
export type ItemCell = number | bigint | string | boolean | Uint8Array;

/** Reads values of a run as cells; nulls are the caller's affair. */
export function cellReader(values: Values | Lists): (row: number) => ItemCell | ItemCell[] {
  return isLists(values) ? listReader(values) : itemReader(values);
}

/** Reads values that are no lists. */
export function itemReader(values: Values): (row: number) => ItemCell {
  if (isText(values)) return textReader(values);
  if (isFloats(values)) return (row) => values.array[row]!;
  if (values.dtype === "bool") return (row) => values.array[row] === 1;
  return wholeReader(values);
}

function listReader({ item, offsets }: Lists): (row: number) => ItemCell[] {
  const read = itemReader(item);
  return (row) => Array.from({ length: offsets[row + 1]! - offsets[row]! }, (_, place) => read(offsets[row]! + place));
}

function textReader({ dtype, offsets, bytes }: Text): (row: number) => ItemCell {
  if (dtype === "bytes") return (row) => bytes.slice(offsets[row], offsets[row + 1]);
  // Without the option a leading U+FEFF would be taken for a byte order mark and left out.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return (row) => decoder.decode(bytes.subarray(offsets[row], offsets[row + 1]));
}

function wholeReader({ dtype, array }: Wholes): (row: number) => ItemCell {
  switch (dtype) {
    case "timestamp": return (row) => formatTimestamp(array[row]!);
    case "date": return (row) => formatDate(Number(array[row]));
    case "int8": case "int16": case "int32": case "int64": case "uint8": case "uint16": case "uint32": return (row) => narrow(array[row]!);
    case "uint64": return (row) => narrow(array[row]! + biasOf(dtype));
  }
}

/**
 * A cell as text in an aligned table: floats with at most 6 digits after the point, nothing left out of integers, bytes in
 * hexadecimal, of a long list the first and last items.
 */
export function formatCell(cell: Cell): string {
  if (cell === null) return "null";
  if (isList(cell)) return formatList(cell);
  if (cell instanceof Uint8Array) return formatHex(cell);
  if (typeof cell !== "number" || Number.isInteger(cell)) return String(cell);
  const magnitude = Math.abs(cell);
  if (magnitude >= 1e15 || magnitude < 1e-4) return cell.toPrecision(7).replace(/\.?0+(e|$)/, "$1");
  return cell.toFixed(6).replace(/\.?0+$/, "");
}

/** Tells whether values of a dtype are numbers to people: flush right in a table. */
export function isNumericDtype(dtype: Dtype | "list"): boolean {
  return !(dtype === "list" || isTextDtype(dtype) || dtype === "bool" || dtype === "timestamp" || dtype === "date");
}

function isList(cell: ItemCell | readonly ItemCell[]): cell is readonly ItemCell[] {
  return Array.isArray(cell);
}

function formatList(items: readonly ItemCell[]): string {
  if (items.length <= printedItemsMax) return `[${items.map(formatCell).join(", ")}]`;
  const half = printedItemsMax / 2;
  return `[${[...items.slice(0, half).map(formatCell), "...", ...items.slice(-half).map(formatCell)].join(", ")}]`;
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
