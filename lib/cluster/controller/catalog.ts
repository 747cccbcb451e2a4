/** Who holds what: the shards that live workers have, by name and generation. */
import { BquerydError } from "../../base/errors.js";
import { resolveSome, resolveTables, type AvailableTable, type Leniency, type ResolvedTables } from "../../columns/names.js";
import type { AbsentColumn, Holding, ShardRef, WidenedColumn } from "../../wire/messages.js";
import { widestDtype } from "../../engine/widening.js";
import { chooseHoldings, type GoneGeneration, type HeldShard } from "./generations.js";
import { choosePreferred } from "./rendezvous.js";

/** A shard with the worker ids that hold it. A worker holds one generation of a name as its current one. */
export interface Shard extends HeldShard {
  readonly holders: Map<string, Holding>;
  readonly byGeneration: Map<string, Set<string>>;
  /** The preferred reader of each generation, once computed; emptied when a holder comes or goes. */
  readonly preferred: Map<string, string>;
}

/** The shards of all live workers. Answers computed from them are kept until a holding changes. */
export interface Catalog {
  readonly shards: Map<string, Shard>;
  chosen: ReadonlyMap<string, Holding> | undefined;
  readonly resolved: Map<string, readonly ShardRef[]>;
  /** Of lists of shards, by columns. */
  widened: WeakMap<readonly ShardRef[], Map<string, readonly WidenedColumn[]>>;
}

/** A set of worker ids. */
export interface Readers {
  readonly size: number;
  has(workerId: string): boolean;
  keys(): Iterable<string>;
}

const nobody: Readers = new Set<string>();
const resolvedMax = 256;

/** A catalog of nothing. */
export function createCatalog(): Catalog {
  return { shards: new Map(), chosen: undefined, resolved: new Map(), widened: new WeakMap() };
}

/** Records that a worker holds a shard, in place of what it held under that name. */
export function addHolding(catalog: Catalog, workerId: string, holding: Holding): void {
  removeHolding(catalog, workerId, holding.name);
  const shard = getOrCreateShard(catalog, holding.name);
  shard.holders.set(workerId, holding);
  const readers = shard.byGeneration.get(holding.generation);
  if (readers === undefined) shard.byGeneration.set(holding.generation, new Set([workerId]));
  else readers.add(workerId);
  forgetAnswers(catalog, shard);
}

/** Records that a worker no longer holds a shard; one it never held is no error. */
export function removeHolding(catalog: Catalog, workerId: string, name: string): void {
  const shard = catalog.shards.get(name);
  const holding = shard?.holders.get(workerId);
  if (shard === undefined || holding === undefined) return;
  shard.holders.delete(workerId);
  const readers = shard.byGeneration.get(holding.generation);
  readers?.delete(workerId);
  if (readers?.size === 0) shard.byGeneration.delete(holding.generation);
  if (shard.holders.size === 0) catalog.shards.delete(name);
  forgetAnswers(catalog, shard);
}

/** The holding of each name that a query which starts now would read. */
export function chosenHoldings(catalog: Catalog): ReadonlyMap<string, Holding> {
  catalog.chosen ??= chooseHoldings(catalog.shards.values());
  return catalog.chosen;
}

/**
 * The ordered shards of a call, each pinned to a generation, leaving out the generations known to be gone. Throws
 * UNKNOWN_TABLE, AMBIGUOUS_TABLE, SHARD_UNAVAILABLE.
 */
export function resolveShards(catalog: Catalog, tables: readonly string[], gone: readonly GoneGeneration[] = []): readonly ShardRef[] {
  if (gone.length > 0) return pin(tables, chooseHoldings(catalog.shards.values(), gone));
  const key = JSON.stringify(tables);
  const known = catalog.resolved.get(key);
  if (known !== undefined) return known;
  const shards = pin(tables, chosenHoldings(catalog));
  if (catalog.resolved.size >= resolvedMax) catalog.resolved.clear();
  catalog.resolved.set(key, shards);
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
  const holdings = gone.length > 0 ? chooseHoldings(catalog.shards.values(), gone) : chosenHoldings(catalog);
  const { names, lacking } = resolveSome(tables, holdings.values(), leniency);
  return { shards: refsOf(names, (name) => holdings.get(name)!.generation), lacking };
}

/**
 * The shards that tables meant when their generations were these: the names alone count, as the sets they belonged to may
 * be others by now. `lacking` are those that nobody holds at any generation and, of a partial answer over sets that are
 * still the same, those that have no generation here. Throws BAD_QUERY, AMBIGUOUS_TABLE.
 */
export function resolvePinned(catalog: Catalog, tables: readonly string[], generations: ReadonlyMap<string, string>, leniency: Leniency): ResolvedShards {
  const named = [...generations.keys()];
  const sets = new Map(named.map((name) => [name, currentSetOf(catalog, name, generations.get(name)!)]));
  const isCurrent = leniency.isPartialAllowed && named.every((name) => sets.get(name) !== undefined);
  const { names, lacking } = resolveNamed(tables, named.map((name) => ({ name, set: isCurrent ? sets.get(name)! : null })), leniency);
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
  for (const { name: shard } of shards) {
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
  const key = JSON.stringify(columns);
  const known = ofShards.get(key);
  if (known !== undefined) return known;
  const dtypesOf = new Map(columns.map((name) => [name, new Set<string>()]));
  for (const { name: shard } of shards) for (const { name, dtype } of holdingOf(catalog, shard)?.columns ?? []) dtypesOf.get(name)?.add(dtype);
  const found = [...dtypesOf].flatMap(([name, dtypes]) => (dtypes.size < 2 ? [] : [{ name, dtype: widestDtype(dtypes) }]));
  if (ofShards.size >= resolvedMax) ofShards.clear();
  ofShards.set(key, found);
  return found;
}

/** The rows of a shard as one of its holders says; null when there is none. */
export function rowsOf(catalog: Catalog, name: string): number | null {
  return holdingOf(catalog, name)?.rows ?? null;
}

function holdingOf(catalog: Catalog, name: string): Holding | undefined {
  return catalog.shards.get(name)?.holders.values().next().value;
}

/**
 * The workers that may read a pinned shard: those whose current generation it is; when there is none, all that hold the
 * name, because a table keeps its earlier generations for a while.
 */
export function readersOf(catalog: Catalog, { name, generation }: ShardRef): Readers {
  const shard = catalog.shards.get(name);
  return shard?.byGeneration.get(generation) ?? shard?.holders ?? nobody;
}

/** Tells whether a worker other than the one named has exactly this generation as its current one. */
export function isHeldByOther(catalog: Catalog, { name, generation }: ShardRef, workerId: string): boolean {
  const readers = catalog.shards.get(name)?.byGeneration.get(generation);
  return readers !== undefined && readers.size > (readers.has(workerId) ? 1 : 0);
}

/** The worker that should read a pinned shard when nothing else decides, so that each shard is cached once. */
export function preferredReader(catalog: Catalog, ref: ShardRef): string | undefined {
  const shard = catalog.shards.get(ref.name);
  if (shard === undefined) return undefined;
  const known = shard.preferred.get(ref.generation);
  if (known !== undefined) return known;
  const preferred = choosePreferred(ref.name, readersOf(catalog, ref).keys());
  if (preferred !== undefined) shard.preferred.set(ref.generation, preferred);
  return preferred;
}

function pin(tables: readonly string[], holdings: ReadonlyMap<string, Holding>): ShardRef[] {
  return refsOf(resolveTables(tables, holdings.values()), (name) => holdings.get(name)!.generation);
}

function refsOf(names: readonly string[], generationOf: (name: string) => string): ShardRef[] {
  return names.map((name, ordinal) => ({ ordinal, name, generation: generationOf(name) }));
}

function getOrCreateShard(catalog: Catalog, name: string): Shard {
  const known = catalog.shards.get(name);
  if (known !== undefined) return known;
  const shard: Shard = { name, holders: new Map(), byGeneration: new Map(), preferred: new Map() };
  catalog.shards.set(name, shard);
  return shard;
}

function forgetAnswers(catalog: Catalog, shard: Shard): void {
  shard.preferred.clear();
  catalog.chosen = undefined;
  catalog.resolved.clear();
  catalog.widened = new WeakMap();
}
