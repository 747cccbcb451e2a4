/** From the tables a call names to the shards it reads, among those that there are. */
import { BquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { suggestion } from "../base/nearest.js";
import type { SetPlace } from "./files/footer.js";
import { compareNames, findTableName, matchesGlob, type TableName } from "./names.js";

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

/** Tables that can be read, as many calls are resolved over them. */
export interface TableIndex {
  /** By directory name. */
  readonly directories: ReadonlyMap<string, TableName>;
  readonly families: ReadonlyMap<string, Family>;
}

interface Catalogue extends TableIndex {
  readonly leniency: Leniency;
  /** Names that are known to be missing, added in place. */
  readonly lacking: Set<string>;
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
  return resolveAmong(requested, indexTables(available), leniency);
}

/** The same over tables that were indexed before. */
export function resolveAmong(requested: readonly string[], index: TableIndex, leniency: Leniency): ResolvedTables {
  const lacking = new Set<string>();
  const catalogue: Catalogue = { ...index, leniency, lacking };
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

/** The index of tables, by directory name and by what they have in common. */
export function indexTables(available: Iterable<AvailableTable>): TableIndex {
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
  throw unavailable(base, describeLack(base, family));
}

function describeLack(base: string, { sets, counts }: Family): string {
  if (sets.size > 1) return `the shards of ${base} are of ${sets.size} imports, none of which is whole`;
  const [id, members] = [...sets][0]!;
  return `${base} lacks ${listMissing(base, members, counts.get(id)!)}`;
}

/** A phrase for each set of which shards are missing, such as `taxi lacks taxi-3.bcolzs of 4 shards`. */
export function describeIncomplete(available: Iterable<AvailableTable>): string[] {
  return [...indexTables(available).families].flatMap(([base, family]) => {
    const isLacking = family.sets.size > 0 && ![...family.sets].some(([id, members]) => isWhole(members, family.counts.get(id)));
    return isLacking ? [describeLack(base, family)] : [];
  });
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
  const isMissing = [...family.sets].some(([id, members]) => {
    const index = shard - numberOffset(members);
    return index >= 0 && index < (family.counts.get(id) ?? 0) && !members.has(index);
  });
  return isMissing ? base : undefined;
}

function missingIndexes(members: ReadonlyMap<number, string>, count: number): number[] {
  return Array.from({ length: Math.min(count, limits.shardsMax) }, (_, index) => index).filter((index) => !members.has(index));
}

/** Number of the shard with index 0: sets need not begin at 0. */
function numberOffset(members: ReadonlyMap<number, string>): number {
  for (const [index, name] of members) return findTableName(name)!.shard! - index;
  return 0;
}

function listMissing(base: string, members: ReadonlyMap<number, string>, count: number): string {
  const shown = 5;
  // A set says by itself how many shards it has: whatever it says, a few of them are looked at.
  const names = missingNames(base, members, Math.min(count, members.size + shown)).slice(0, shown);
  const missing = count - members.size;
  const more = missing > names.length ? ` and ${missing - names.length} more` : "";
  return `${names.join(", ")}${more} of ${count} shards`;
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
