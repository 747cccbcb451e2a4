/** What a query knows of baskets that go on over the borders of shards. */
import { limits } from "../../base/limits.js";
import { badQuery, show } from "./bad-query.js";

/**
 * "ask" asks for the outermost baskets of each shard instead of the answer itself; else the ordinals of the shards whose
 * first, and whose last, basket is selected by a row of another shard. Null: of none.
 */
export type BasketUse = "ask" | BasketFacts | null;

/** Ordinals, ascending. */
export interface BasketFacts {
  readonly first: readonly number[];
  readonly last: readonly number[];
}

const sets = new WeakMap<BasketFacts, { readonly first: ReadonlySet<number>; readonly last: ReadonlySet<number> }>();

/** Which of the outermost baskets of a shard are selected by a row of another shard. */
export function outsideOf(baskets: BasketUse, ordinal: number): { readonly first: boolean; readonly last: boolean } {
  if (baskets === null || baskets === "ask") return { first: false, last: false };
  const { first, last } = sets.get(baskets) ?? { first: new Set(baskets.first), last: new Set(baskets.last) };
  sets.set(baskets, { first, last });
  return { first: first.has(ordinal), last: last.has(ordinal) };
}

/** The basket use of a query's bytes; throws BAD_QUERY. */
export function parseBaskets(written: unknown): BasketUse {
  if (written === undefined || written === null) return null;
  if (written === "ask") return written;
  if (typeof written !== "object" || !("first" in written) || !("last" in written)) throw badQuery(`baskets ${show(written)} are neither 'ask' nor {first, last}`);
  return { first: parseOrdinals(written.first), last: parseOrdinals(written.last) };
}

function parseOrdinals(written: unknown): number[] {
  if (!Array.isArray(written) || written.length > limits.shardsMax) throw badQuery(`baskets name ${show(written)}, which is no list of at most ${limits.shardsMax} shards`);
  return written.map((ordinal: unknown) => {
    if (typeof ordinal !== "number" || !Number.isSafeInteger(ordinal) || ordinal < 0) throw badQuery(`baskets name ${show(ordinal)}, which is no ordinal of a shard`);
    return ordinal;
  });
}
