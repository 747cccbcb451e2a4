/** Baskets over the borders of shards (expand_filter_column): the shards are asked for theirs before the question itself. */
import { BquerydError } from "../base/errors.js";
import type { Partial } from "../engine/partial.js";
import type { Query } from "../engine/query/query.js";
import { factsOf } from "../engine/where/basket-edges.js";
import type { ClientReply } from "../wire/messages.js";

/** A query that was asked, and what came of it. */
export interface Asked {
  readonly partial: Partial;
  readonly accepted: Extract<ClientReply, { type: "accepted" }>;
}

/** Times that both questions are asked before the tables must have been left alone between them. */
const roundsMax = 3;

/**
 * Asks a query; one with expand_filter_column is asked twice, for its edges with `askEdges` first, and both times again when tables were replaced in between.
 * `before` is what was asked besides the answer. Rejects as `ask`, and with STALE when tables were replaced every time.
 */
export async function askWithBaskets<T extends Pick<Asked, "accepted">, E extends Asked>(
  query: Query, ask: (query: Query) => Promise<T>, askEdges: (query: Query) => Promise<E>,
): Promise<{ answer: T; before: (T | E)[] }> {
  if (query.expand === null) return { answer: await ask(query), before: [] };
  const before: (T | E)[] = [];
  for (let round = 0; round < roundsMax; round++) {
    const edges = await askEdges({ ...query, baskets: "ask" });
    const answer = await ask({ ...query, baskets: factsOf(edges.partial) });
    before.push(edges);
    if (readsOf(edges) === readsOf(answer)) return { answer, before };
    before.push(answer);
  }
  throw new BquerydError("STALE", `tables were replaced ${roundsMax} times while their baskets were asked for; ask again when they are left alone`);
}

/** Which generations were read, in order. */
export function readsOf({ accepted }: Pick<Asked, "accepted">): string {
  return JSON.stringify(accepted.shards.map(({ name, generation }) => [name, generation]));
}
