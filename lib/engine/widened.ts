/** Columns that are not of one dtype in all tables of a call, as expressions take them. */
import { dtypes, type Dtype } from "../columns/dtypes.js";
import type { ScanTable } from "./scan.js";

/** The table with the dtypes, given by name, that hold those of a column in all tables of the call; null where none does. */
export function withWidened(table: ScanTable, widened: readonly { readonly name: string; readonly dtype: string | null }[]): ScanTable {
  const dtypeOf = new Map(widened.map(({ name, dtype }): [string, Dtype | null] => [name, dtypes.find((candidate) => candidate === dtype) ?? null]));
  return { name: table.name, generation: table.generation, rows: table.rows, column: (name) => table.column(name), ...(table.lacks === undefined ? {} : { lacks: table.lacks }), widened: (name) => dtypeOf.get(name) };
}
