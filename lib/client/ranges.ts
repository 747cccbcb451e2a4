/** Histograms with open ends: the range of their values is asked for before the question itself. */
import { BquerydError } from "../base/errors.js";
import { finishQuery } from "../engine/finish.js";
import { closeRanges, rangeQuery } from "../engine/measures/ranges.js";
import type { Query } from "../engine/query/query.js";
import { readsOf, type Asked } from "./baskets.js";

/** Times that both questions are asked before the tables must have been left alone between them. */
const roundsMax = 3;

/** The query with both ends of every histogram, and what was asked to know them. Rejects as `ask`, and with BAD_QUERY. */
export async function askForRanges<T extends Asked>(query: Query, ask: (query: Query) => Promise<T>): Promise<{ query: Query; before: T[] }> {
  const asked = rangeQuery(query);
  if (asked === null) return { query, before: [] };
  const ranges = await ask(asked);
  return { query: closeRanges(query, finishQuery(asked, ranges.partial)), before: [ranges] };
}

/**
 * Asks a query whose histograms may have open ends, and both questions again when tables were replaced between them.
 * `before` is what was asked besides the answer. Rejects as askForRanges and `ask`, and with STALE when tables were replaced every time.
 */
export async function askWithRanges<A extends Pick<Asked, "accepted">, B, R extends Asked>(
  query: Query, ask: (query: Query) => Promise<{ answer: A; before: B[] }>, askRanges: (query: Query) => Promise<R>,
): Promise<{ answer: A; before: (A | B | R)[] }> {
  const earlier: (A | B | R)[] = [];
  for (let round = 0; round < roundsMax; round++) {
    const ranged = await askForRanges(query, askRanges);
    const { answer, before } = await ask(ranged.query);
    earlier.push(...ranged.before, ...before);
    if (ranged.before.every((ranges) => readsOf(ranges) === readsOf(answer))) return { answer, before: earlier };
    earlier.push(answer);
  }
  throw new BquerydError("STALE", `tables were replaced ${roundsMax} times while the ends of histograms were asked for; ask again when they are left alone`);
}
