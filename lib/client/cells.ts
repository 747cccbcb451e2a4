/** One value of a result as a program sees it in a row, and as text. */
import { formatTimestamp } from "../columns/timestamps.js";
import type { Values } from "../engine/values.js";

/** A value in a row: a number where it is exact, else a bigint; timestamps as ISO 8601 text. */
export type Cell = number | bigint | string | boolean | null;

/** Reads values of a run as cells; nulls are the caller's affair. */
export function cellReader(values: Values): (row: number) => Cell {
  switch (values.dtype) {
    case "bool": return (row) => values.array[row] === 1;
    case "int64": return (row) => narrow(values.array[row]!);
    case "timestamp": return (row) => formatTimestamp(values.array[row]!);
    case "float64": return (row) => values.array[row]!;
    case "string": {
      // Without the option a leading U+FEFF would be taken for a byte order mark and left out.
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      return (row) => decoder.decode(values.bytes.subarray(values.offsets[row], values.offsets[row + 1]));
    }
  }
}

/** A cell as text in an aligned table: floats with at most 6 digits after the point, nothing left out of integers. */
export function formatCell(cell: Cell): string {
  if (cell === null) return "null";
  if (typeof cell !== "number" || Number.isInteger(cell)) return String(cell);
  const magnitude = Math.abs(cell);
  if (magnitude >= 1e15 || magnitude < 1e-4) return cell.toPrecision(7).replace(/\.?0+(e|$)/, "$1");
  return cell.toFixed(6).replace(/\.?0+$/, "");
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
