/** The partial cache: what a query made of one generation of a shard, so that the same question again scans nothing. */
import { createHash } from "node:crypto";
import type { Partial } from "./partial.js";
import { bytesOfPartials } from "./partial-size.js";
import { outsideOf } from "./query/baskets.js";
import { encodeQuery } from "./query/bytes.js";
import type { Query } from "./query/query.js";

/** Partials by key, least recently used first out, bounded in bytes. Partials are never changed in place, so they are shared. */
export interface PartialCache {
  find(key: string): Partial | undefined;
  /** Keeps a partial, unless it is so large that it would push out most others. */
  keep(key: string, partial: Partial): void;
  clear(): void;
}

/** A partial may take this part of the cache. */
const largestShare = 1 / 8;
/** What keeping track of a partial costs besides its arrays. */
const entryBytes = 1_024;

/** A cache of at most `limitBytes`; with 0 it keeps nothing. */
export function createPartialCache(limitBytes: number): PartialCache {
  /** A Map keeps insertion order: re-inserting on use makes its first key the least recently used. */
  const entries = new Map<string, { readonly partial: Partial; readonly bytes: number }>();
  let usedBytes = 0;
  return {
    find(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.partial;
    },
    keep(key, partial) {
      const bytes = entryBytes + bytesOfPartials(partial);
      if (bytes > limitBytes * largestShare || entries.has(key)) return;
      entries.set(key, { partial, bytes });
      usedBytes += bytes;
      for (const [oldest, entry] of entries) {
        if (usedBytes <= limitBytes) return;
        entries.delete(oldest);
        usedBytes -= entry.bytes;
      }
    },
    clear() {
      entries.clear();
      usedBytes = 0;
    },
  };
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
      ...query, baskets: null, computed: [], having: null, order: [], limit: null, offset: 0, cache: true,
      keys: query.keys.map((key, place) => ({ ...key, name: `k${place}` })),
      measures: query.measures.map((measure, place) => ({ ...measure, name: `m${place}` })),
    };
    plan = createHash("sha256").update(encodeQuery(unnamed)).digest("hex");
    plans.set(query, plan);
  }
  return plan;
}
