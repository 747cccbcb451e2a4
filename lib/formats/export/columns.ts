/** The columns of an export, which all its tables have. */
import { BquerydError } from "../../base/errors.js";
import type { Dtype } from "../../columns/dtypes.js";
import type { Table, TableColumn } from "../../columns/read/table.js";

/** A column as it is written. */
export interface ExportColumn {
  readonly name: string;
  readonly dtype: Dtype;
  /** Whether some row of some table may be null. */
  readonly nullable: boolean;
}

/**
 * The columns named, in that order, or all of the first table. Throws UNKNOWN_COLUMN, USAGE for a name given twice or
 * none, UNSUPPORTED_DTYPE for a column that cannot be read, SCHEMA_MISMATCH where tables differ.
 */
export function agreeOnExport(tables: readonly Table[], names: readonly string[] | undefined): ExportColumn[] {
  const [first] = tables;
  if (first === undefined) throw new BquerydError("USAGE", "there is nothing to export; name a table");
  const chosen = names === undefined ? allNames(first, tables) : checkNames(names);
  return chosen.map((name) => {
    const columns = tables.map((table) => requireSame(table, name, first));
    return { name, dtype: columns[0]!.dtype, nullable: columns.some(({ nullable }) => nullable) };
  });
}

function allNames({ name, columns, refused = [] }: Table, tables: readonly Table[]): string[] {
  const names = columns.map((column) => column.name);
  const [unreadable] = refused;
  if (unreadable !== undefined) {
    throw new BquerydError("UNSUPPORTED_DTYPE", `column '${unreadable.name}' of ${name} is ${unreadable.reason}; leave it out with --columns ${names.slice(0, 12).join(",")}`, { details: { table: name, column: unreadable.name } });
  }
  for (const other of tables) {
    const extra = [...other.columns, ...other.refused ?? []].find((column) => !names.includes(column.name));
    if (extra !== undefined) throw mismatch(other, extra.name, `is not in ${name}; export them apart, or choose with --columns`);
  }
  if (names.length === 0) throw new BquerydError("BAD_INPUT", `${name} has no columns; there is nothing to export`, { details: { table: name } });
  return names;
}

function checkNames(names: readonly string[]): readonly string[] {
  if (names.length === 0) throw new BquerydError("USAGE", "the list of columns is empty; name at least one");
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new BquerydError("USAGE", `column '${twice}' is named twice; name it once`);
  return names;
}

/** No value is turned into another dtype: what float32 and float64 print differs, though one holds the other. */
function requireSame(table: Table, name: string, first: Table): TableColumn {
  const column = table.column(name);
  if (column.dtype !== first.column(name).dtype) throw mismatch(table, name, `is ${column.dtype}, and ${first.column(name).dtype} in ${first.name}; export them apart`);
  const [unit, firstUnit] = [unitOf(table, name), unitOf(first, name)];
  if (unit !== firstUnit) throw mismatch(table, name, `counts ${unit ?? "no unit"}, and ${firstUnit ?? "no unit"} in ${first.name}; export them apart`);
  return column;
}

function unitOf({ footer }: Table, name: string): string | null {
  return footer.columns.find((column) => column.name === name)?.unit ?? null;
}

function mismatch({ name: table }: Table, column: string, how: string): BquerydError {
  return new BquerydError("SCHEMA_MISMATCH", `column '${column}' of ${table} ${how}`, { details: { table, column } });
}
