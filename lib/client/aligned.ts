/** Asking for aligned blocks alone: where the shards of an answer turn out to differ, runs of them cannot be put together with the rest. */
import { BquerydError } from "../base/errors.js";
import { columnsOf, type Query } from "../engine/query/query.js";

const apart = "apart";

/** The failure of merging runs with what does not add up in any order; it is no fault, and asking for aligned blocks helps. */
export function askApart(): BquerydError {
  return new BquerydError("BAD_MESSAGE", "the shards differ, and workers merged some that are no block; ask for aligned blocks", { details: { ask: apart } });
}

/** Which columns of which tables turned out to differ between shards, so that they are not asked for twice each time. Updated in place. */
export interface Differing {
  readonly keys: Set<string>;
}

/** Columns remembered; when there are more, all are forgotten. */
const differingMax = 1_000;

/**
 * Asks a query of tables; where the shards differ in the dtypes of their columns or in how they add up, a second time, for
 * aligned blocks, and the next time for these at once. Rejects as `ask`.
 */
export async function askRuns<T>(tables: readonly string[], query: Query, { keys }: Differing, ask: (query: Query) => Promise<T>): Promise<T> {
  const aligned: Query = { ...query, blocks: "aligned" };
  const key = JSON.stringify([tables, columnsOf(query)]);
  if (keys.has(key)) return ask(aligned);
  try {
    return await ask(query);
  } catch (error) {
    if (!isAskApart(error)) throw error;
    if (keys.size >= differingMax) keys.clear();
    keys.add(key);
    return ask(aligned);
  }
}

/** Tells whether asking for aligned blocks helps. */
export function isAskApart(error: unknown): boolean {
  return error instanceof BquerydError && error.code === "BAD_MESSAGE" && error.details.ask === apart;
}
