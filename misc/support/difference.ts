/** Whether an answer of ours is the one that DuckDB gives. */
import type { DuckDBValue } from "@duckdb/node-api";
import { formatCell } from "../../lib/client/cells.js";
import type { Cell, Column, Table } from "../../lib/index.js";
import type { DuckDbAnswer } from "./duckdb.js";

/** How far two float64 may be apart, relative to the larger: both are rounded sums in an order of their own. */
const toleranceOfFloats = 1e-12;

/**
 * The first difference between a table and DuckDB's answer, as a sentence; undefined when there is none. Names, order
 * and rows have to be the same, and all values but floats exactly.
 */
export function findDifference(table: Table, expected: DuckDbAnswer): string | undefined {
  const names = table.columns.map(({ name }) => name);
  if (names.join() !== expected.names.join()) return `the columns are ${names.join(", ")}; in DuckDB ${expected.names.join(", ")}`;
  const rows = expected.columns[0]?.length ?? 0;
  if (table.numRows !== rows) return `there are ${table.numRows} rows; in DuckDB ${rows}`;
  for (const [index, name] of names.entries()) {
    const difference = findDifferenceInColumn(name, table.column(name), expected.columns[index]!);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function findDifferenceInColumn(name: string, column: Column, expected: readonly DuckDBValue[]): string | undefined {
  const isFloat = column.dtype === "float64";
  for (const [row, theirs] of expected.entries()) {
    const ours = column.get(row);
    if (!isSame(ours, toCell(theirs), isFloat)) return `${name} of row ${row} is ${formatCell(ours)}; in DuckDB ${String(theirs)}`;
  }
  return undefined;
}

function isSame(ours: Cell, theirs: Cell, isFloat: boolean): boolean {
  if (ours === theirs) return true;
  if (!isFloat || typeof ours !== "number" || typeof theirs !== "number") return false;
  return Math.abs(ours - theirs) <= toleranceOfFloats * Math.max(Math.abs(ours), Math.abs(theirs));
}

/** A value of DuckDB as a row of ours has it. */
function toCell(value: DuckDBValue): Cell {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (value === null || typeof value === "number" || typeof value === "string" || typeof value === "boolean") return value;
  throw new Error(`a value of DuckDB of this type cannot be compared yet: ${String(value)}`);
}
