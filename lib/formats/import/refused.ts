/** Columns that no dtype holds: an error that names all of an input, with flags that can be pasted. */
import { BquerydError } from "../../base/errors.js";
import type { Dtype } from "../../columns/dtypes.js";
import { nestedJson, type RefusedColumn, type SourceColumn } from "../source.js";

/** Refused columns that a sentence names; the flags after it say all. */
const namedMax = 50;

/**
 * Throws UNSUPPORTED_DTYPE for the first input with columns among `names` that no dtype holds. It names them all, with the
 * dtype to ask for where one does, and else with the columns that are left; `types` are those asked for already.
 */
export function requireHeld(inputs: readonly { readonly path: string; readonly columns: readonly SourceColumn[] }[], names: readonly string[], types: ReadonlyMap<string, Dtype>): void {
  const wanted = new Set(names);
  for (const { path, columns } of inputs) {
    const refused = columns.filter((column): column is RefusedColumn => "refused" in column && wanted.has(column.name));
    if (refused.length > 0) throw refusal(path, refused, { names, types });
  }
}

function refusal(path: string, refused: readonly RefusedColumn[], { names, types }: { readonly names: readonly string[]; readonly types: ReadonlyMap<string, Dtype> }): BquerydError {
  const named = refused.slice(0, namedMax).map((column) => `'${column.name}' is ${column.refused}`);
  const more = refused.length > namedMax ? ` and ${refused.length - namedMax} more are such` : "";
  const message = `${path} has columns that no dtype holds exactly: ${named.join(", ")}${more}; ${adviseOn(refused, names, types)}`;
  return new BquerydError("UNSUPPORTED_DTYPE", message, { details: { path, columns: refused.map(({ name, refused: type }) => ({ name, type })) } });
}

function adviseOn(refused: readonly RefusedColumn[], names: readonly string[], types: ReadonlyMap<string, Dtype>): string {
  const cures = refused.flatMap((column) => {
    const cure = types.has(column.name) ? undefined : cureOf(column);
    return cure === undefined ? [] : [[column.name, cure] as const];
  });
  const lost = new Set(refused.map(({ name }) => name));
  for (const [name] of cures) lost.delete(name);
  const advice: string[] = [];
  if (cures.length > 0) advice.push(`give --types ${formatTypes([...types, ...cures.map(([name, { dtype }]) => [name, dtype] as const)])} (${[...new Set(cures.map(([, { why }]) => why))].join("; ")})`);
  const left = names.filter((name) => !lost.has(name));
  if (lost.size > 0) advice.push(left.length === 0 ? "there is no other column to import" : `leave ${cures.length > 0 ? "the others" : "them"} out with --columns ${formatNames(left)}`);
  return advice.join(", and ");
}

/** The dtype that takes the values of such a column when it is asked for. */
function cureOf({ refused: type, isDecimal }: RefusedColumn): { readonly dtype: Dtype; readonly why: string } | undefined {
  if (isDecimal === true) return { dtype: "float64", why: "decimals as float64 are rounded, as string they keep every digit" };
  return type === nestedJson ? { dtype: "string", why: "an object or a list is stored as its JSON text" } : undefined;
}

function formatTypes(types: readonly (readonly [string, Dtype])[]): string {
  const isPlain = types.every(([name]) => !/^\{|,/.test(name) && name !== "");
  return quoteForShell(isPlain ? types.map(([name, dtype]) => `${name}=${dtype}`).join(",") : JSON.stringify(Object.fromEntries(types)));
}

function formatNames(names: readonly string[]): string {
  return quoteForShell(names.every((name) => !/^\[|,/.test(name)) ? names.join(",") : JSON.stringify(names));
}

function quoteForShell(text: string): string {
  return /^[\w.,=:+/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
