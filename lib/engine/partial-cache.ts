/** The partial cache: what a query made of one generation of a shard, so that the same question again scans nothing. */
import { createHash } from "node:crypto";
import type { Partial } from "./partial.js";
import { outsideOf } from "./query/baskets.js";
import { encodeQuery } from "./query/bytes.js";
import type { Query } from "./query/query.js";
import { createValueCache, type ValueCache } from "./value-cache.js";

/** Partials by key. */
export type PartialCache = ValueCache<Partial>;

/** A cache of at most `limitBytes`; with 0 it keeps nothing. */
export function createPartialCache(limitBytes: number): PartialCache {
  return createValueCache(limitBytes);
}

/** The key of what a query makes of a shard: everything that matters to a partial, and nothing that does not. */
function partialKey(query: Query, shard: { readonly name: string; readonly generation: string; readonly ordinal: number }): string {
  const { baskets } = query;
  // The answer to which baskets a shard has names the shard by its ordinal.
  const outside = baskets === "ask" ? ["ask", shard.ordinal] : outsideOf(baskets, shard.ordinal);
  return JSON.stringify([planOf(query), shard.name, shard.generation, outside]);
}

/** The same of a block of shards. */
export function blockKey(query: Query, shards: readonly Parameters<typeof partialKey>[1][]): string {
  return shards.map((shard) => partialKey(query, shard)).join();
}

const plans = new WeakMap<Query, string>();

/** A hash of the part of a query that workers see the same of in every shard; lists of a million values are read once. */
function planOf(query: Query): string {
  let plan = plans.get(query);
  if (plan === undefined) {
    const unnamed: Query = {
      ...query, baskets: null, blocks: "any", computed: [], having: null, order: [], limit: null, offset: 0, cache: true,
      keys: query.keys.map((key, place) => ({ ...key, name: `k${place}` })),
      measures: query.measures.map((measure, place) => ({ ...measure, name: `m${place}` })),
    };
    plan = createHash("sha256").update(encodeQuery(unnamed)).digest("hex");
    plans.set(query, plan);
  }
  return plan;
}
