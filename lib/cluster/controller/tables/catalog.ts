/** Who holds what: the shards that live workers have, by name and generation. */
import { BquerydError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { indexTables, resolveAmong, resolveSome, type AvailableTable, type Leniency, type ResolvedTables, type TableIndex } from "../../../columns/resolve-tables.js";
import { keyOfNames } from "../../../wire/digest.js";
import type { AbsentColumn, Holding, ShardRef, WidenedColumn } from "../../../wire/messages.js";
import { widestDtype } from "../../../engine/widening.js";
import { chooseHoldings, type GoneGeneration, type HeldShard, type Pointed } from "./generations.js";
import { absentOf, generationsAbsent, namedAbsent, withoutAbsent } from "./pointed.js";
import { findTableName } from "../../../columns/names.js";
import { choosePreferred } from "../../../base/rendezvous.js";

/** A shard with the worker ids that hold it. A worker holds one generation of a name as its current one. */
export interface Shard extends HeldShard {
  readonly holders: Map<string, Holding>;
  readonly byGeneration: Map<string, Set<string>>;
  /** The same of the generations that are kept beside the current one, or wait. */
  readonly byKept: Map<string, Set<string>>;
  /** Both together, of generations that are current here and kept there, once asked for; emptied like `preferred`. */
  readonly byEither: Map<string, ReadonlySet<string>>;
  /** The preferred reader of each generation, once computed; emptied when a holder comes or goes. */
  readonly preferred: Map<string, string>;
}

/** The shards of all live workers. Answers computed from them are kept until a holding changes. */
export interface Catalog {
  readonly shards: Map<string, Shard>;
  /** The pointers that queries go by, and their epoch, which never falls. */
  pointed: Pointed;
  epoch: number;
  chosen: ReadonlyMap<string, Holding> | undefined;
  /** Of what is chosen. */
  index: TableIndex | undefined;
  /** Lists of shards by the key of the tables of their calls, and the shards in all of them. */
  readonly resolved: Map<string, readonly ShardRef[]>;
  resolvedShards: number;
  /** Of lists of shards, by the key of columns. */
  widened: WeakMap<readonly ShardRef[], Map<string, readonly WidenedColumn[]>>;
}

/** A set of worker ids. */
export interface Readers {
  readonly size: number;
  has(workerId: string): boolean;
  keys(): Iterable<string>;
}

const strict: Leniency = { missingIsEmpty: false, isPartialAllowed: false };
const nobody: Readers = new Set<string>();
/** Answers kept: lists of shards or of columns, and shards in all those lists. */
const resolvedMax = 256;
const resolvedShardsMax = 4 * limits.shardsMax;
/** Parts into which sets of more shards are divided among their readers at least. */
const placesMin = 256;

/** A catalog of nothing. */
export function createCatalog(): Catalog {
  return { shards: new Map(), pointed: new Map(), epoch: 0, chosen: undefined, index: undefined, resolved: new Map(), resolvedShards: 0, widened: new WeakMap() };
}

/** Records that a worker holds a shard, in place of what it held under that name. */
export function addHolding(catalog: Catalog, workerId: string, holding: Holding): void {
  removeHolding(catalog, workerId, holding.name);
  const shard = getOrCreateShard(catalog, holding.name);
  shard.holders.set(workerId, holding);
  for (const [workersOf, generation] of entriesOf(shard, holding)) {
    const readers = workersOf.get(generation);
    if (readers === undefined) workersOf.set(generation, new Set([workerId]));
    else readers.add(workerId);
  }
  forgetAnswers(catalog, shard);
}

/** Lets queries that begin from now on go by these pointers; those of an earlier epoch are old news. */
export function followPointers(catalog: Catalog, epoch: number, pointed: Pointed): void {
  if (epoch < catalog.epoch) return;
  Object.assign(catalog, { epoch, pointed });
  forgetChosen(catalog);
}

/** Records that a worker no longer holds a shard; one it never held is no error. */
export function removeHolding(catalog: Catalog, workerId: string, name: string): void {
  const shard = catalog.shards.get(name);
  const holding = shard?.holders.get(workerId);
  if (shard === undefined || holding === undefined) return;
  shard.holders.delete(workerId);
  for (const [workersOf, generation] of entriesOf(shard, holding)) {
    workersOf.get(generation)?.delete(workerId);
    if (workersOf.get(generation)?.size === 0) workersOf.delete(generation);
  }
  if (shard.holders.size === 0) catalog.shards.delete(name);
  forgetAnswers(catalog, shard);
}

/** Where the generations of a holding are kept account of: one that waits in place of a current one is none. */
function entriesOf({ byGeneration, byKept }: Shard, { generation, prepared, kept = [] }: Holding): [Map<string, Set<string>>, string][] {
  return [[prepared === true ? byKept : byGeneration, generation], ...kept.map((one): [Map<string, Set<string>>, string] => [byKept, one.generation])];
}

/** The holding of each name that a query which starts now would read. */
export function chosenHoldings(catalog: Catalog): ReadonlyMap<string, Holding> {
  catalog.chosen ??= chooseHoldings(catalog.shards.values(), catalog.pointed);
  return catalog.chosen;
}

/**
 * The ordered shards of a call, each pinned to a generation, leaving out the generations known to be gone. Throws
 * UNKNOWN_TABLE, AMBIGUOUS_TABLE, SHARD_UNAVAILABLE.
 */
export function resolveShards(catalog: Catalog, tables: readonly string[], gone: readonly GoneGeneration[] = []): readonly ShardRef[] {
  if (gone.length > 0) return resolveChosen(catalog, tables, strict, gone).shards;
  const key = keyOfNames(tables);
  const known = catalog.resolved.get(key);
  if (known !== undefined) return known;
  const { shards } = resolveChosen(catalog, tables, strict, gone);
  if (catalog.resolved.size >= resolvedMax || catalog.resolvedShards + shards.length > resolvedShardsMax) forgetResolved(catalog);
  catalog.resolved.set(key, shards);
  catalog.resolvedShards += shards.length;
  return shards;
}

/** Ordered shards, and the names of those that nobody holds. */
export interface ResolvedShards {
  readonly shards: readonly ShardRef[];
  readonly lacking: readonly string[];
}

/** The same as far as it goes: see resolveSome. Throws as resolveShards. */
export function resolveSomeShards(catalog: Catalog, tables: readonly string[], leniency: Leniency, gone: readonly GoneGeneration[]): ResolvedShards {
  if (!leniency.missingIsEmpty && !leniency.isPartialAllowed) return { shards: resolveShards(catalog, tables, gone), lacking: [] };
  return resolveChosen(catalog, tables, leniency, gone);
}

/** Over what is chosen now, of which the index is kept, or over what would be without the generations that are gone. */
function resolveChosen(catalog: Catalog, tables: readonly string[], leniency: Leniency, gone: readonly GoneGeneration[]): ResolvedShards {
  const holdings = gone.length > 0 ? chooseHoldings(catalog.shards.values(), catalog.pointed, gone) : chosenHoldings(catalog);
  const index = gone.length > 0 ? indexTables(holdings.values()) : (catalog.index ??= indexTables(holdings.values()));
  const absent = namedAbsent(absentOf(catalog.pointed, holdings), tables);
  if (absent.length > 0 && !leniency.isPartialAllowed) throw generationsAbsent(absent);
  const { names, lacking } = resolveAmong(absent.length === 0 ? tables : withoutAbsent(tables, absent, index), index, leniency);
  return { shards: refsOf(names, (name) => holdings.get(name)!.generation), lacking: [...new Set([...lacking, ...absent])] };
}

/**
 * The shards that tables meant when their generations were these: the names alone count, as the sets they belonged to may
 * be others by now. `lacking` are those that nobody holds at any generation and, of sets that are still the same, those
 * that have no generation here. Throws BAD_QUERY, AMBIGUOUS_TABLE.
 */
export function resolvePinned(catalog: Catalog, tables: readonly string[], generations: ReadonlyMap<string, string>, leniency: Leniency): ResolvedShards {
  const named = [...generations.keys()];
  const sets = new Map(named.map((name) => [name, currentSetOf(catalog, name, generations.get(name)!)]));
  const isCurrent = named.every((name) => sets.get(name) !== undefined);
  const members = named.map((name) => ({ name, set: isCurrent ? sets.get(name)! : null }));
  const { names, lacking: unnamed } = resolveNamed(tables, leniency.isPartialAllowed ? members : named.map((name) => ({ name, set: null })), leniency);
  // An answer from these generations alone is what was asked for, and is to say what it is without.
  const lacking = leniency.isPartialAllowed ? unnamed : resolveNamed(tables, members, { ...leniency, isPartialAllowed: true }).lacking;
  const held = names.filter((name) => catalog.shards.has(name));
  return { shards: refsOf(held, (name) => generations.get(name)!), lacking: [...lacking, ...names.filter((name) => !catalog.shards.has(name))] };
}

function resolveNamed(tables: readonly string[], named: readonly AvailableTable[], leniency: Leniency): ResolvedTables {
  try {
    return resolveSome(tables, named, leniency);
  } catch (cause) {
    if (!(cause instanceof BquerydError) || cause.code !== "UNKNOWN_TABLE") throw cause;
    throw new BquerydError("BAD_QUERY", `the generations of the query name no shard of '${String(cause.details["table"])}'; give those of an answer over the same tables`, { details: cause.details });
  }
}

/** The set of a shard, null for a table by itself; undefined where that generation is no longer current, or nobody holds it. */
function currentSetOf(catalog: Catalog, name: string, generation: string): Holding["set"] | undefined {
  for (const holding of catalog.shards.get(name)?.holders.values() ?? []) if (holding.generation === generation) return holding.set;
  return undefined;
}

/** The dtypes of columns, each as the first of the shards that has it; those that none has are left out. */
export function columnDtypes(catalog: Catalog, shards: readonly ShardRef[], columns: readonly string[]): AbsentColumn[] {
  const wanted = new Set(columns);
  const found: AbsentColumn[] = [];
  for (const shard of shards) {
    if (wanted.size === 0) break;
    for (const { name, dtype } of holdingOf(catalog, shard)?.columns ?? []) if (wanted.delete(name)) found.push({ name, dtype });
  }
  return found;
}

/**
 * The columns that are not of one dtype in all shards that have them, with the dtype that holds all of these, null where none
 * does. The same list of shards is looked through once for the same columns.
 */
export function widenedColumns(catalog: Catalog, shards: readonly ShardRef[], columns: readonly string[]): readonly WidenedColumn[] {
  const ofShards = catalog.widened.get(shards) ?? new Map<string, readonly WidenedColumn[]>();
  catalog.widened.set(shards, ofShards);
  const key = keyOfNames(columns);
  const known = ofShards.get(key);
  if (known !== undefined) return known;
  const dtypesOf = new Map(columns.map((name) => [name, new Set<string>()]));
  for (const shard of shards) for (const { name, dtype } of holdingOf(catalog, shard)?.columns ?? []) dtypesOf.get(name)?.add(dtype);
  const found = [...dtypesOf].flatMap(([name, dtypes]) => (dtypes.size < 2 ? [] : [{ name, dtype: widestDtype(dtypes) }]));
  if (ofShards.size >= resolvedMax) ofShards.clear();
  ofShards.set(key, found);
  return found;
}

/** The rows of a shard as one of its holders says; null when there is none. */
export function rowsOf(catalog: Catalog, name: string): number | null {
  return anyHoldingOf(catalog, name)?.rows ?? null;
}

/** The generation of a shard as one of its holders describes it; another one where nobody does. */
function holdingOf(catalog: Catalog, { name, generation }: ShardRef): Holding | undefined {
  const chosen = chosenHoldings(catalog).get(name);
  return chosen?.generation === generation ? chosen : anyHoldingOf(catalog, name);
}

function anyHoldingOf(catalog: Catalog, name: string): Holding | undefined {
  return catalog.shards.get(name)?.holders.values().next().value;
}

/**
 * The workers that may read a pinned shard: those that say they have that generation, current or kept; when there is none,
 * all that hold the name, because a table keeps its earlier generations for a while.
 */
export function readersOf(catalog: Catalog, { name, generation }: ShardRef): Readers {
  const shard = catalog.shards.get(name);
  return shard === undefined ? nobody : (haversOf(shard, generation) ?? shard.holders);
}

/** Tells whether a worker has exactly this generation. */
export function isHeldBy(catalog: Catalog, { name, generation }: ShardRef, workerId: string): boolean {
  const shard = catalog.shards.get(name);
  return shard !== undefined && haversOf(shard, generation)?.has(workerId) === true;
}

/** Tells whether any worker has exactly this generation. */
export function isHeld(catalog: Catalog, name: string, generation: string): boolean {
  const shard = catalog.shards.get(name);
  return shard !== undefined && (shard.byGeneration.has(generation) || shard.byKept.has(generation));
}

/** Who has exactly this generation; undefined for nobody. */
function haversOf(shard: Shard, generation: string): ReadonlySet<string> | undefined {
  const current = shard.byGeneration.get(generation);
  const kept = shard.byKept.size === 0 ? undefined : shard.byKept.get(generation);
  if (current === undefined || kept === undefined) return current ?? kept;
  const known = shard.byEither.get(generation) ?? new Set([...current, ...kept]);
  shard.byEither.set(generation, known);
  return known;
}

/** Tells whether a worker other than the one named has exactly this generation. */
export function isHeldByOther(catalog: Catalog, { name, generation }: ShardRef, workerId: string): boolean {
  const shard = catalog.shards.get(name);
  const readers = shard === undefined ? undefined : haversOf(shard, generation);
  return readers !== undefined && readers.size > (readers.has(workerId) ? 1 : 0);
}

/** The worker that should read a pinned shard when nothing else decides, so that each shard is cached once. */
export function preferredReader(catalog: Catalog, ref: ShardRef): string | undefined {
  const shard = catalog.shards.get(ref.name);
  return shard === undefined ? undefined : preferredOf(catalog, shard, ref);
}

/** What a worker is to a pinned shard: the preferred reader, another one, or none; undefined where it may not read it. */
export function readerRank(catalog: Catalog, ref: ShardRef, workerId: string): "preferred" | "other" | undefined {
  const shard = catalog.shards.get(ref.name);
  if (shard === undefined || !(haversOf(shard, ref.generation) ?? shard.holders).has(workerId)) return undefined;
  return preferredOf(catalog, shard, ref) === workerId ? "preferred" : "other";
}

function preferredOf(catalog: Catalog, shard: Shard, ref: ShardRef): string | undefined {
  const known = shard.preferred.get(ref.generation);
  if (known !== undefined) return known;
  const preferred = choosePreferred(placeOf(ref.name, holdingOf(catalog, ref)?.set?.count ?? 1), readersOf(catalog, ref).keys());
  if (preferred !== undefined) shard.preferred.set(ref.generation, preferred);
  return preferred;
}

/**
 * What a shard is given to its reader by: its name, or in a set of very many that of the first of an aligned block, so that
 * one worker has neighbours and merges them into one partial.
 */
function placeOf(name: string, count: number): string {
  const size = 2 ** Math.floor(Math.log2(count / placesMin));
  const shard = size < 2 ? undefined : findTableName(name);
  return shard === undefined || shard.shard === null ? name : `${shard.base}-${shard.shard - shard.shard % size}`;
}

function refsOf(names: readonly string[], generationOf: (name: string) => string): ShardRef[] {
  return names.map((name, ordinal) => ({ ordinal, name, generation: generationOf(name) }));
}

function getOrCreateShard(catalog: Catalog, name: string): Shard {
  const known = catalog.shards.get(name);
  if (known !== undefined) return known;
  const shard: Shard = { name, holders: new Map(), byGeneration: new Map(), byKept: new Map(), byEither: new Map(), preferred: new Map() };
  catalog.shards.set(name, shard);
  return shard;
}

function forgetAnswers(catalog: Catalog, shard: Shard): void {
  shard.preferred.clear();
  shard.byEither.clear();
  forgetChosen(catalog);
}

function forgetChosen(catalog: Catalog): void {
  catalog.chosen = undefined;
  catalog.index = undefined;
  forgetResolved(catalog);
  catalog.widened = new WeakMap();
}

function forgetResolved(catalog: Catalog): void {
  catalog.resolved.clear();
  catalog.resolvedShards = 0;
}
