/** Who holds what: the shards that live workers have, by name and generation. */
import { resolveTables } from "../../columns/names.js";
import type { Holding, ShardRef } from "../../wire/messages.js";
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
  return { shards: new Map(), chosen: undefined, resolved: new Map() };
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
  return resolveTables([...tables], holdings.values()).map((name, ordinal) => {
    return { ordinal, name, generation: holdings.get(name)!.generation };
  });
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
}
