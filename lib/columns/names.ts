/** Names of tables: `taxi.bcolz` is a table, `taxi-3.bcolzs` a shard, `taxi` whichever of table and set there is. */
import { BquerydError } from "../base/errors.js";

/** The parts of a directory name. */
export interface TableName {
  /** The name without shard number and suffix. */
  readonly base: string;
  /** Number of the shard; null for a table of its own. */
  readonly shard: number | null;
  readonly directory: string;
}

const baseGrammar = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const shardGrammar = /^(.+)-([0-9]{1,15})\.bcolzs$/;
const tableSuffix = ".bcolz";

/** The parts of the directory name of a table or shard. Throws BAD_INPUT with the grammar. */
export function parseTableName(text: string): TableName {
  const name = findTableName(text);
  if (name !== undefined) return name;
  throw new BquerydError("BAD_INPUT", `'${text}' does not name a table; use NAME.bcolz or NAME-0.bcolzs, with a NAME of at most 128 letters, digits, '_', '.' and '-' that starts with none of the last two`, { details: { name: text } });
}

/** The parts of the directory name of a table or shard; undefined when it is neither. */
export function findTableName(text: string): TableName | undefined {
  const shard = shardGrammar.exec(text);
  if (shard !== null) return baseGrammar.test(shard[1]!) ? { base: shard[1]!, shard: Number(shard[2]), directory: text } : undefined;
  if (!text.endsWith(tableSuffix)) return undefined;
  const base = text.slice(0, -tableSuffix.length);
  return baseGrammar.test(base) ? { base, shard: null, directory: text } : undefined;
}

/** Tells whether a text is the directory name of a table or shard. */
export function isTableName(text: string): boolean {
  return findTableName(text) !== undefined;
}

/** Tells whether a text can be the name of a table or set without suffix. */
export function isBaseName(text: string): boolean {
  return baseGrammar.test(text) && !isTableName(text);
}

/** Tells whether a directory name is among those a text of a call can mean: its own, that of its base, or a glob over it. */
export function isNamedBy(directory: string, text: string): boolean {
  return text.includes("*") ? matchesGlob(text, directory) : text === directory || text === findTableName(directory)?.base;
}

/** Orders directory names: by base name, tables before shards, shards by number. */
export function shardOrder(a: string, b: string): number {
  const left = findTableName(a);
  const right = findTableName(b);
  if (left === undefined || right === undefined) return compareCodeUnits(a, b);
  return compareNames(left, right);
}

/** Orders names as shardOrder does. */
export function compareNames(a: TableName, b: TableName): number {
  return compareCodeUnits(a.base, b.base) || (a.shard ?? -1) - (b.shard ?? -1) || compareCodeUnits(a.directory, b.directory);
}

function compareCodeUnits(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** Tells whether a text is as a glob says, in which only `*` is special; linear in both lengths times the stars. */
export function matchesGlob(glob: string, text: string): boolean {
  const parts = glob.split("*");
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}
