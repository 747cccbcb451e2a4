/**
 * Names of tables: `taxi.bcolz` is a table, `taxi-3.bcolzs` a shard, `taxi` whichever of table and set there is. And from
 * the tables a call names to the shards it reads.
 */
import { BquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { suggestion } from "../base/nearest.js";
import type { SetPlace } from "./files/footer.js";

/** The parts of a directory name. */
export interface TableName {
  /** The name without shard number and suffix. */
  readonly base: string;
  /** Number of the shard; null for a table of its own. */
  readonly shard: number | null;
  readonly directory: string;
}

/** A table that can be read. One name may come several times, from several holders. */
export interface AvailableTable {
  /** Directory name. */
  readonly name: string;
  readonly set: SetPlace | null;
}

/** What is available under one base name. */
interface Family {
  table: string | undefined;
  /** Shards by set id, then by index in the set; those outside any set have the id "" and their number as index. */
  readonly sets: Map<string, Map<number, string>>;
  /** Shards in each set when whole; undefined outside sets. */
  readonly counts: Map<string, number | undefined>;
  /** Shards outside any set whose number another one has, written with other zeros: `t-07` beside `t-7`. */
  readonly doubles: string[];
}

interface Catalogue {
  /** By directory name. */
  readonly directories: ReadonlyMap<string, TableName>;
  readonly families: ReadonlyMap<string, Family>;
  readonly leniency: Leniency;
  /** Names that are known to be missing, added in place. */
  readonly lacking: Set<string>;
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

/**
 * The directory names that requested tables stand for, each once, in order of name and shard number. A request is the
 * bare name of a table or set, a directory name, or a glob over directory names in which only `*` is special; a request
 * for all shards of a name takes the one set of them that is whole. Throws BAD_QUERY, UNKNOWN_TABLE naming the nearest,
 * AMBIGUOUS_TABLE, and SHARD_UNAVAILABLE naming what is missing.
 */
export function resolveTables(requested: readonly string[], available: Iterable<AvailableTable>): string[] {
  return resolveSome(requested, available, { missingIsEmpty: false, isPartialAllowed: false }).names;
}

/** Directory names, and those that are known to be missing among them. */
export interface ResolvedTables {
  readonly names: string[];
  readonly lacking: string[];
}

/** What is no error: tables that nobody has, and sets that are not whole. */
export interface Leniency {
  readonly missingIsEmpty: boolean;
  readonly isPartialAllowed: boolean;
}

/** The same, as far as it goes: what is lenient is left out, and shards that a set lacks are named. Throws as resolveTables. */
export function resolveSome(requested: readonly string[], available: Iterable<AvailableTable>, leniency: Leniency): ResolvedTables {
  const lacking = new Set<string>();
  const catalogue: Catalogue = { ...buildCatalogue(available), leniency, lacking };
  const asked = [...new Set(requested)];
  requireFewGlobs(asked);
  const found = new Set(asked.flatMap((text) => resolveOne(text, catalogue)));
  const names = [...found].map((directory) => catalogue.directories.get(directory)!).sort(compareNames);
  requireOneSetEach(names, catalogue);
  return { names: names.map((name) => name.directory), lacking: [...lacking] };
}

/** Each glob is matched with every name there is, while others wait. */
function requireFewGlobs(requested: readonly string[]): void {
  const globs = requested.filter((text) => text.includes("*"));
  if (globs.length > limits.globsMax) throw new BquerydError("BAD_QUERY", `the query names ${globs.length} patterns of tables; the limit is ${limits.globsMax}, so name the tables`);
  const long = globs.find((text) => text.split("*").length - 1 > limits.globStarsMax);
  if (long !== undefined) throw new BquerydError("BAD_QUERY", `the pattern '${long}' has more than ${limits.globStarsMax} stars; use fewer`);
}

function compareNames(a: TableName, b: TableName): number {
  return compareCodeUnits(a.base, b.base) || (a.shard ?? -1) - (b.shard ?? -1) || compareCodeUnits(a.directory, b.directory);
}

function compareCodeUnits(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function buildCatalogue(available: Iterable<AvailableTable>): Pick<Catalogue, "directories" | "families"> {
  const directories = new Map<string, TableName>();
  const families = new Map<string, Family>();
  for (const { name, set } of available) {
    const parsed = findTableName(name);
    if (parsed === undefined) continue;
    directories.set(name, parsed);
    const family: Family = families.get(parsed.base) ?? { table: undefined, sets: new Map(), counts: new Map(), doubles: [] };
    families.set(parsed.base, family);
    if (parsed.shard === null) {
      family.table = name;
      continue;
    }
    const id = set?.id ?? "";
    const members = family.sets.get(id) ?? new Map<number, string>();
    const index = set?.index ?? parsed.shard;
    const earlier = members.get(index);
    const isDouble = set === null && earlier !== undefined && earlier !== name;
    if (isDouble) family.doubles.push(name);
    else members.set(index, name);
    family.sets.set(id, members);
    family.counts.set(id, set?.count);
  }
  return { directories, families };
}

function resolveOne(text: string, catalogue: Catalogue): string[] {
  if (text.includes("*")) return resolveGlob(text, catalogue);
  if (catalogue.directories.has(text)) return [text];
  const family = catalogue.families.get(text);
  if (family !== undefined) return resolveBase(text, family, catalogue);
  const missing = findMissingShard(text, catalogue);
  if (missing === undefined) return resolveUnknown(text, catalogue);
  if (!catalogue.leniency.isPartialAllowed) throw unavailable(missing, `${text} is not available`);
  catalogue.lacking.add(text);
  return [];
}

function resolveUnknown(text: string, catalogue: Catalogue): string[] {
  if (catalogue.leniency.missingIsEmpty) return [];
  throw unknownTable(text, catalogue);
}

function resolveBase(base: string, family: Family, catalogue: Catalogue): string[] {
  if (family.table === undefined) return resolveSet(base, family, catalogue);
  if (family.sets.size > 0) throw ambiguous(base, `both a table and a set; ask for '${family.table}' or '${base}-*.bcolzs'`);
  return [family.table];
}

/** The shards of the one set under a name that is whole. */
function resolveSet(base: string, family: Family, { leniency, lacking }: Catalogue): string[] {
  if (family.doubles.length > 0) throw ambiguous(base, `shards of which two have one number, one of them ${family.doubles[0]!}; rename it, or name its shards`);
  const whole = [...family.sets].filter(([id, members]) => isWhole(members, family.counts.get(id)));
  if (whole.length > 1) throw ambiguous(base, `${whole.length} complete sets; remove one of them, or name its shards`);
  if (whole.length === 1) return [...whole[0]![1].values()];
  if (leniency.isPartialAllowed) {
    const [id, members] = largestSet(family);
    for (const name of missingNames(base, members, family.counts.get(id)!)) lacking.add(name);
    return [...members.values()];
  }
  if (family.sets.size > 1) throw unavailable(base, `the shards of ${base} are of ${family.sets.size} imports, none of which is whole`);
  const [id, members] = [...family.sets][0]!;
  throw unavailable(base, `${base} lacks ${listMissing(base, members, family.counts.get(id)!)}`);
}

/** The set of which most is there; of equal ones that of the greater id. */
function largestSet({ sets }: Family): readonly [string, ReadonlyMap<number, string>] {
  return [...sets].reduce((best, set) => (set[1].size > best[1].size || (set[1].size === best[1].size && set[0] > best[0]) ? set : best));
}

function isWhole(members: ReadonlyMap<number, string>, count: number | undefined): boolean {
  return count === undefined || members.size === count;
}

function resolveGlob(glob: string, catalogue: Catalogue): string[] {
  const matched = [...catalogue.directories.values()].filter((name) => matchesGlob(glob, name.directory));
  if (matched.length === 0) return resolveUnknown(glob, catalogue);
  const tables = matched.filter((name) => name.shard === null).map((name) => name.directory);
  const shards = [...groupShards(matched)].flatMap(([base, directories]) => {
    const family = catalogue.families.get(base)!;
    const all = new Set([...[...family.sets.values()].flatMap((members) => [...members.values()]), ...family.doubles]);
    return directories.length === all.size ? resolveSet(base, family, catalogue) : directories;
  });
  return [...tables, ...shards];
}

/** Directory names of shards by base name. */
function groupShards(names: readonly TableName[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { base, shard, directory } of names) {
    if (shard === null) continue;
    const group = groups.get(base);
    if (group === undefined) groups.set(base, [directory]);
    else group.push(directory);
  }
  return groups;
}

/** Linear in both lengths times the stars, whatever the glob. */
function matchesGlob(glob: string, text: string): boolean {
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

/** No call reads two imports of one name. */
function requireOneSetEach(names: readonly TableName[], catalogue: Catalogue): void {
  for (const [base, directories] of groupShards(names)) {
    const family = catalogue.families.get(base)!;
    const sets = [...family.sets].map(([id, members]) => new Set([...members.values(), ...(id === "" ? family.doubles : [])]));
    if (!sets.some((members) => directories.every((name) => members.has(name)))) throw unavailable(base, `the shards of ${base} are of different imports`);
  }
}

/** The base of a shard that is not there, but that a set says it has. */
function findMissingShard(text: string, catalogue: Catalogue): string | undefined {
  const name = findTableName(text);
  if (name === undefined || name.shard === null) return undefined;
  const { base, shard } = name;
  const family = catalogue.families.get(base);
  if (family === undefined) return undefined;
  const isMissing = [...family.sets].some(([id, members]) => missingIndexes(members, family.counts.get(id) ?? 0).some((index) => index + numberOffset(members) === shard));
  return isMissing ? base : undefined;
}

function missingIndexes(members: ReadonlyMap<number, string>, count: number): number[] {
  return Array.from({ length: Math.min(count, limits.shardsMax) }, (_, index) => index).filter((index) => !members.has(index));
}

/** Number of the shard with index 0: sets need not begin at 0. */
function numberOffset(members: ReadonlyMap<number, string>): number {
  const [index, name] = [...members][0]!;
  return findTableName(name)!.shard! - index;
}

function listMissing(base: string, members: ReadonlyMap<number, string>, count: number): string {
  const shown = 5;
  const names = missingNames(base, members, count);
  const more = names.length > shown ? ` and ${names.length - shown} more` : "";
  return `${names.slice(0, shown).join(", ")}${more} of ${count} shards`;
}

function missingNames(base: string, members: ReadonlyMap<number, string>, count: number): string[] {
  const offset = numberOffset(members);
  return missingIndexes(members, count).map((index) => `${base}-${index + offset}.bcolzs`);
}

function unavailable(base: string, wrong: string): BquerydError {
  return new BquerydError("SHARD_UNAVAILABLE", `${wrong}; try again when every worker is back, or import ${base} again`, { details: { table: base } });
}

function ambiguous(base: string, what: string): BquerydError {
  return new BquerydError("AMBIGUOUS_TABLE", `${base} is ${what}`, { details: { table: base } });
}

function unknownTable(text: string, { directories, families }: Catalogue): BquerydError {
  const base = text.replace(/\.bcolzs?$/, "");
  // The whole set before one of its shards: asking a shard instead would answer, and wrongly.
  if (base !== text && families.has(base)) {
    return new BquerydError("UNKNOWN_TABLE", `no table '${text}'; did you mean the set '${base}'?`, { details: { table: text } });
  }
  const names = [...families.keys(), ...directories.keys()];
  const advice = names.length === 0 ? "no table is available: import one, or check data_dir" : "files() lists what there is";
  return new BquerydError("UNKNOWN_TABLE", `no table '${text}'${suggestion(text, names, advice)}`, { details: { table: text } });
}
