/** Columns that a table lacks, as columns of nulls: for queries that take what is missing for empty. */
import { chunkRows, dtypes, isFloatDtype, isTextDtype, type Dtype } from "../columns/dtypes.js";
import type { Table, TableColumn } from "../columns/read/table.js";
import type { Vector } from "../columns/vector.js";
import type { Heap } from "../kernels/heap.js";
import type { ScanTable } from "./scan.js";

/** The dtype of columns that no table has. */
const unknownDtype: Dtype = "int64";

/** The table with a column of nulls for every name that it lacks, of the dtype given for it, else int64. */
export function withAbsent(table: ScanTable & Pick<Table, "columns" | "refused">, absent: readonly { readonly name: string; readonly dtype: string }[]): ScanTable {
  const known = new Set(table.columns.map(({ name }) => name));
  const refused = new Set((table.refused ?? []).map(({ name }) => name));
  const named = new Set(absent.map(({ name }) => name));
  const made = new Map<string, TableColumn>();
  return {
    name: table.name, generation: table.generation, rows: table.rows,
    lacks: (name) => !known.has(name) && !refused.has(name) && !named.has(name),
    column(name) {
      if (known.has(name) || refused.has(name)) return table.column(name);
      const dtype = dtypes.find((candidate) => candidate === absent.find((column) => column.name === name)?.dtype) ?? unknownDtype;
      const column = made.get(name) ?? nullColumn(name, dtype, table.rows);
      made.set(name, column);
      return column;
    },
  };
}

function nullColumn(name: string, dtype: Dtype, rows: number): TableColumn {
  const rowsOf = (chunk: number): number => Math.min(chunkRows, rows - chunk * chunkRows);
  return {
    name, dtype, nullable: true, rows, chunkCount: Math.ceil(rows / chunkRows),
    chunkKey: (chunk) => `nulls ${dtype} ${rowsOf(chunk)}`,
    statistics: (chunk) => ({ rows: rowsOf(chunk), nullCount: rowsOf(chunk), minimum: null, maximum: null, truncated: false, storedBytes: 0, isDecimal: dtype === "float64" }),
    dictionary: () => null,
    decode: (chunk, heap, allocate) => nullVector(dtype, rowsOf(chunk), heap, allocate),
  };
}

/** Zeros of whichever form the dtype has, and a bit for every row. */
function nullVector(dtype: Dtype, rows: number, heap: Heap, allocate: (bytes: number) => number): Vector {
  const { bytes } = heap.kernels;
  const width = isTextDtype(dtype) ? 4 : isFloatDtype(dtype) ? 8 : 1;
  const valueBytes = width * (rows + 1);
  const nullBytes = Math.ceil(rows / 8);
  const values = allocate(valueBytes + 8 + nullBytes);
  const nulls = values + 8 * Math.ceil(valueBytes / 8);
  bytes.fill(0, values, nulls);
  bytes.fill(0xff, nulls, nulls + (rows >> 3));
  if (rows % 8 > 0) bytes[nulls + (rows >> 3)] = (1 << rows % 8) - 1;
  const kind = isTextDtype(dtype) ? "text" : isFloatDtype(dtype) ? "float" : "int";
  return {
    kind, rows, width, values, base: 0n, step: 1n, nulls, nullCount: rows, text: values,
    owned: [values], ownedBytes: heap.blockBytes(valueBytes + 8 + nullBytes),
  };
}
