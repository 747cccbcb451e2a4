/** The columns of an import: which of its inputs' columns are taken, and the dtype that all inputs agree on. */
import { BquerydError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { suggestion } from "../../base/nearest.js";
import { isTextDtype } from "../../columns/dtypes.js";
import type { Dtype } from "../../columns/dtypes.js";
import { dtypeOfKinds, inferColumn, kindsOfDtype, knownKinds, widenColumn } from "../values/infer.js";
import type { HeldColumn, SourceColumn, WantedColumn } from "../source.js";
import { requireHeld } from "./refused.js";

/** What an import needs to know of an input, or of the table that it appends to. */
export interface Schema {
  readonly path: string;
  readonly columns: readonly SourceColumn[];
  /**
   * `described`: the dtypes are its own; `inferred`: they come from a sample of text, and later values may widen them;
   * `open`: so do the names, and a column may be missing, which is to be null; `growing`: a table with dtypes that stay, so
   * that a value of text that does not fit rejects its row.
   */
  readonly nature: "described" | "inferred" | "open" | "growing";
}

/** What the user said about columns. */
export interface ColumnChoice {
  /** Columns to store, in this order; undefined: all. */
  readonly columns: readonly string[] | undefined;
  readonly types: ReadonlyMap<string, Dtype>;
}

/** A column of an import. */
export interface AgreedColumn extends WantedColumn {
  /** The input, or the table appended to, that has this dtype and no other; null when a value may widen it. */
  readonly describedBy: string | null;
}

/**
 * The columns that an import of these inputs stores: those chosen, in that order, or all of the first input's and then
 * those that only later ones have, where that may be. Throws UNKNOWN_COLUMN with the nearest name, UNSUPPORTED_DTYPE for
 * a column that no dtype holds, SCHEMA_MISMATCH for an input that differs, USAGE for a column named twice or none.
 */
export function agreeOnColumns(schemas: readonly Schema[], choice: ColumnChoice): AgreedColumn[] {
  if (schemas.length === 0) throw new BquerydError("USAGE", "there is nothing to import; name at least one file");
  const names = choice.columns === undefined ? joinNames(schemas) : checkNames(choice.columns);
  for (const name of choice.types.keys()) if (!names.includes(name)) throw unknownType(name, names);
  const indexed = schemas.map((schema) => ({ ...schema, byName: new Map(schema.columns.map((column) => [column.name, column])) }));
  requireHeld(schemas, names, choice.types);
  return names.map((name) => agreeOnColumn(indexed, name, choice));
}

/**
 * The columns once values were met that did not fit: with wider dtypes, and new columns at the end. Throws
 * SCHEMA_MISMATCH for a column whose dtype is given, and for a new one where the columns were chosen.
 */
export function widenColumns(columns: readonly AgreedColumn[], kinds: ReadonlyMap<string, number>, { path, isChosen }: { readonly path: string; readonly isChosen: boolean }): AgreedColumn[] {
  const wider = columns.map((column): AgreedColumn => {
    const seen = kinds.get(column.name);
    if (seen === undefined) return column;
    const widened = widenColumn(column, seen);
    if (column.describedBy === null) return widened;
    const { dtype } = widened;
    if (dtype !== column.dtype) {
      throw new BquerydError("SCHEMA_MISMATCH", `column '${column.name}' of ${path} has values that need ${dtype}, and it is ${column.dtype} in ${column.describedBy}; correct them, or reject them with --types`, {
        details: { path, column: column.name, dtype },
      });
    }
    return column;
  });
  const known = new Set(columns.map(({ name }) => name));
  const added = [...kinds].filter(([name]) => !known.has(name));
  if (added.length > 0 && isChosen) throw mismatch(path, added[0]![0], "is none of the columns");
  if (wider.length + added.length > limits.columnsMax) throw new BquerydError("BAD_INPUT", `${path} has more than ${limits.columnsMax} different keys; choose some with --columns`, { details: { path } });
  return [...wider, ...added.map(([name, seen]) => ({ ...inferColumn(name, seen), fixed: false, describedBy: null }))];
}

function checkNames(names: readonly string[]): readonly string[] {
  if (names.length === 0) throw new BquerydError("USAGE", "the list of columns is empty; name at least one");
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new BquerydError("USAGE", `column '${name}' is named twice; name it once`);
    seen.add(name);
  }
  return names;
}

/** All names, each once. Those of a later input are new only where the inputs before it may lack a column. */
function joinNames(schemas: readonly Schema[]): string[] {
  return [...new Set(schemas.flatMap(({ columns }) => columns.map(({ name }) => name)))];
}

interface IndexedSchema extends Schema {
  readonly byName: ReadonlyMap<string, SourceColumn>;
}

function agreeOnColumn(schemas: readonly IndexedSchema[], name: string, { columns: chosen, types }: ColumnChoice): AgreedColumn {
  const found = schemas.flatMap((schema) => {
    const column = schema.byName.get(name);
    if (column === undefined) requireMayLack(schemas, schema, name, { isChosen: chosen !== undefined, isTyped: types.has(name) });
    return column !== undefined && "dtype" in column ? [{ schema, held: column }] : [];
  });
  const given = types.get(name);
  const described = found.filter(({ schema }) => isDescribed(schema));
  const unit = described[0]?.held.unit;
  for (const { schema, held } of described) {
    const dtype = given ?? described[0]!.held.dtype;
    if (held.dtype !== dtype || held.unit !== unit) throw differs(schema, held, given === undefined ? describe(described[0]!.held, described[0]!.schema.path) : `${given} by --types`);
  }
  if (given !== undefined) return { name, dtype: given, fixed: true, unit, describedBy: described[0]?.schema.path ?? null };
  const inferred = found.filter(({ schema }) => !isDescribed(schema));
  if (described.length === 0) return { ...inferColumn(name, inferred.reduce((seen, other) => seen | knownKinds(other.held), 0)), fixed: false, describedBy: null };
  const { held, schema } = described[0]!;
  if (schema.nature === "growing") return { name, dtype: held.dtype, fixed: true, unit, describedBy: schema.path };
  for (const other of inferred) if (!canBecome(other.held, held.dtype)) throw differs(other.schema, other.held, describe(held, schema.path));
  return { name, dtype: held.dtype, fixed: false, unit, describedBy: schema.path };
}

function isDescribed({ nature }: Schema): boolean {
  return nature === "described" || nature === "growing";
}

/** Tells whether the values of a column of text, as far as they are known, may all be read as a dtype. */
function canBecome(inferred: HeldColumn, dtype: Dtype): boolean {
  if (isTextDtype(dtype)) return true;
  const own = kindsOfDtype(dtype);
  return dtypeOfKinds(own | knownKinds(inferred)) === dtypeOfKinds(own);
}

function requireMayLack(schemas: readonly IndexedSchema[], schema: Schema, name: string, { isChosen, isTyped }: { isChosen: boolean; isTyped: boolean }): void {
  const holder = schemas.find(({ byName }) => byName.has(name));
  if (schema.nature === "open" && (holder !== undefined || isTyped)) return;
  if (isChosen) throw unknownColumn(schema, name);
  const first = schemas[0]!;
  if (holder === first || holder === undefined) throw mismatch(schema.path, name, `is missing, and ${first.path} has it`);
  throw mismatch(holder.path, name, `is not in ${schema.path}`);
}

function unknownColumn({ path, columns }: Schema, name: string): BquerydError {
  const known = columns.map((candidate) => candidate.name);
  return new BquerydError("UNKNOWN_COLUMN", `${path} has no column '${name}'${suggestion(name, known, `it has ${listNames(known)}`)}`, {
    details: { path, column: name },
  });
}

function unknownType(name: string, names: readonly string[]): BquerydError {
  return new BquerydError("UNKNOWN_COLUMN", `--types names '${name}', which is none of the columns${suggestion(name, names, `they are ${listNames(names)}`)}`, { details: { column: name } });
}

function describe({ dtype, unit }: HeldColumn, path: string): string {
  return `${dtype}${unit === undefined ? "" : ` in ${unit}`} in ${path}`;
}

function differs({ path }: Schema, { name, dtype, unit }: HeldColumn, other: string): BquerydError {
  return mismatch(path, name, `is ${dtype}${unit === undefined ? "" : ` in ${unit}`}, and ${other}`);
}

function mismatch(path: string, column: string, how: string): BquerydError {
  return new BquerydError("SCHEMA_MISMATCH", `column '${column}' of ${path} ${how}; import them apart, or choose with --columns`, {
    details: { path, column },
  });
}

/** Names for a message, cut after a dozen. */
function listNames(names: readonly string[], separator = ", "): string {
  const shown = names.slice(0, 12).join(separator);
  return names.length > 12 ? `${shown}${separator}...` : shown;
}
