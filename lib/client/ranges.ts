/** Histograms with open ends: the range of their values is asked for before the question itself. */
import { finishQuery } from "../engine/finish.js";
import { closeRanges, rangeQuery } from "../engine/measures/ranges.js";
import type { Query } from "../engine/query/query.js";
import type { Asked } from "./baskets.js";

/** The query with both ends of every histogram, and what was asked to know them. Rejects as `ask`, and with BAD_QUERY. */
export async function askForRanges<T extends Asked>(query: Query, ask: (query: Query) => Promise<T>): Promise<{ query: Query; before: T[] }> {
  const asked = rangeQuery(query);
  if (asked === null) return { query, before: [] };
  const ranges = await ask(asked);
  return { query: closeRanges(query, finishQuery(asked, ranges.partial)), before: [ranges] };
}
