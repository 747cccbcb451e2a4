/** The columns of an import: which of its inputs' columns are taken, and that all inputs agree on them. */
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import type { HeldColumn, Source, SourceColumn } from "./source.js";

/** What an import needs to know of an input. */
export type Schema = Pick<Source, "path" | "columns">;

/**
 * The columns that an import of these inputs stores: those named, in that order, or all of the first input's. Throws
 * UNKNOWN_COLUMN with the nearest name, UNSUPPORTED_DTYPE for a column that no dtype holds, SCHEMA_MISMATCH for a later
 * input that differs, USAGE for a column named twice or none.
 */
export function agreeOnColumns(schemas: readonly Schema[], names: readonly string[] | undefined): HeldColumn[] {
  const [first, ...others] = schemas;
  if (first === undefined) throw new BquerydError("USAGE", "there is nothing to import; name at least one file");
  const chosen = names === undefined ? first.columns.map(({ name }) => name) : checkNames(names);
  const columns = chosen.map((name) => requireHeld(first, requireNamed(first, name)));
  for (const other of others) requireAgreement({ first, other, columns, whole: names === undefined });
  return columns;
}

function checkNames(names: readonly string[]): readonly string[] {
  if (names.length === 0) throw new BquerydError("USAGE", "the list of columns is empty; name at least one");
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new BquerydError("USAGE", `column '${twice}' is named twice; name it once`);
  return names;
}

function requireNamed({ path, columns }: Schema, name: string): SourceColumn {
  const column = columns.find((candidate) => candidate.name === name);
  if (column !== undefined) return column;
  const known = columns.map((candidate) => candidate.name);
  throw new BquerydError("UNKNOWN_COLUMN", `${path} has no column '${name}'${suggestion(name, known, `it has ${listNames(known)}`)}`, {
    details: { path, column: name },
  });
}

function requireHeld({ path, columns }: Schema, column: SourceColumn): HeldColumn {
  if ("dtype" in column) return { name: column.name, dtype: column.dtype };
  const others = columns.filter((other) => "dtype" in other).map(({ name }) => name);
  const advice = others.length === 0 ? "no other column can be imported either" : `leave it out with --columns ${listNames(others, ",")}`;
  throw new BquerydError("UNSUPPORTED_DTYPE", `column '${column.name}' of ${path} is ${column.refused}, which no dtype holds exactly; ${advice}`, {
    details: { path, column: column.name, type: column.refused },
  });
}

function requireAgreement({ first, other, columns, whole }: { first: Schema; other: Schema; columns: readonly HeldColumn[]; whole: boolean }): void {
  for (const { name, dtype } of columns) {
    const found = other.columns.find((candidate) => candidate.name === name);
    if (found === undefined) throw mismatch(other, name, `is missing, and ${first.path} has it`);
    const type = "dtype" in found ? found.dtype : found.refused;
    if (type !== dtype) throw mismatch(other, name, `is ${type}, and ${dtype} in ${first.path}`);
  }
  const extra = whole ? other.columns.find(({ name }) => columns.every((column) => column.name !== name)) : undefined;
  if (extra !== undefined) throw mismatch(other, extra.name, `is not in ${first.path}`);
}

function mismatch({ path }: Schema, column: string, how: string): BquerydError {
  return new BquerydError("SCHEMA_MISMATCH", `column '${column}' of ${path} ${how}; import them apart, or choose with --columns`, {
    details: { path, column },
  });
}

/** Names for a message, cut after a dozen. */
function listNames(names: readonly string[], separator = ", "): string {
  const shown = names.slice(0, 12).join(separator);
  return names.length > 12 ? `${shown}${separator}...` : shown;
}
