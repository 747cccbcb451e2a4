/** Whether an answer of ours is the one that DuckDB gives. */
import { DuckDBListValue, type DuckDBValue } from "@duckdb/node-api";
import { formatCell } from "../../lib/client/cells.js";
import type { Cell, Column, ItemCell, Table } from "../../lib/index.js";
import type { DuckDbAnswer } from "./duckdb.js";

/** How far two floats may be apart: relative to the larger, or by so much, whichever is more. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** Both are rounded sums in an order of their own. */
const ofSums: Tolerance = { relative: 1e-12, absolute: 0 };

/**
 * The first difference between a table and DuckDB's answer, as a sentence; undefined when there is none. Names, order
 * and rows have to be the same, and all values but floats exactly. DuckDB's NaN is a null of ours.
 */
export function findDifference(table: Pick<Table, "columns" | "numRows" | "column">, expected: DuckDbAnswer, tolerance = ofSums): string | undefined {
  const names = table.columns.map(({ name }) => name);
  if (names.join() !== expected.names.join()) return `the columns are ${names.join(", ")}; in DuckDB ${expected.names.join(", ")}`;
  const rows = expected.columns[0]?.length ?? 0;
  if (table.numRows !== rows) return `there are ${table.numRows} rows; in DuckDB ${rows}`;
  for (const [index, name] of names.entries()) {
    const difference = findDifferenceInColumn(name, table.column(name), expected.columns[index]!, tolerance);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function findDifferenceInColumn(name: string, column: Column, expected: readonly DuckDBValue[], tolerance: Tolerance): string | undefined {
  const areExact = column.dtype !== "float64" && column.dtype !== "list";
  for (const [row, theirs] of expected.entries()) {
    const ours = column.get(row);
    if (!isSame(ours, toCell(theirs), areExact ? undefined : tolerance)) return `${name} of row ${row} is ${formatCell(ours)}; in DuckDB ${String(theirs)}`;
  }
  return undefined;
}

function isSame(ours: Cell, theirs: Cell, tolerance: Tolerance | undefined): boolean {
  if (ours === theirs) return true;
  if (isList(ours) && isList(theirs)) return ours.length === theirs.length && ours.every((item, at) => isSame(item, theirs[at]!, tolerance));
  if (tolerance === undefined || typeof ours !== "number" || typeof theirs !== "number") return false;
  return Math.abs(ours - theirs) <= Math.max(tolerance.absolute, tolerance.relative * Math.max(Math.abs(ours), Math.abs(theirs)));
}

function isList(cell: Cell): cell is readonly ItemCell[] {
  return Array.isArray(cell);
}

/** A value of DuckDB as a row of ours has it. */
function toCell(value: DuckDBValue): Cell {
  if (!(value instanceof DuckDBListValue)) return toItem(value);
  return value.items.map((item) => {
    const cell = toItem(item);
    if (cell === null) throw new Error("a list of DuckDB has a null, and lists of ours never have");
    return cell;
  });
}

function toItem(value: DuckDBValue): ItemCell | null {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  throw new Error(`a value of DuckDB of this type cannot be compared yet: ${String(value)}`);
}
