/** Asking for aligned blocks alone: where the shards of an answer turn out to differ, runs of them cannot be put together with the rest. */
import { BquerydError } from "../base/errors.js";
import type { Query } from "../engine/query/query.js";

const apart = "apart";

/** The failure of merging runs with what does not add up in any order; it is no fault, and asking for aligned blocks helps. */
export function askApart(): BquerydError {
  return new BquerydError("BAD_MESSAGE", "the shards differ, and workers merged some that are no block; ask for aligned blocks", { details: { ask: apart } });
}

/** Asks a query; where the shards differ in the dtypes of their columns or in how they add up, a second time, for aligned blocks. Rejects as `ask`. */
export async function askRuns<T>(query: Query, ask: (query: Query) => Promise<T>): Promise<T> {
  try {
    return await ask(query);
  } catch (error) {
    if (query.blocks === "aligned" || !isAskApart(error)) throw error;
    return ask({ ...query, blocks: "aligned" });
  }
}

/** Tells whether asking for aligned blocks helps. */
export function isAskApart(error: unknown): boolean {
  return error instanceof BquerydError && error.code === "BAD_MESSAGE" && error.details.ask === apart;
}
