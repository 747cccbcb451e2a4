/** One query on an engine in this process: one task over all shards, merged and finished as a client does. */
import { askWithBaskets, type Asked } from "../../lib/client/baskets.js";
import { createMerger } from "../../lib/client/merger.js";
import type { Engine, TaskCost } from "../../lib/engine/engine.js";
import type { Partial } from "../../lib/engine/partial.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery, type Query, type QueryInput } from "../../lib/engine/query/query.js";
import { addCosts } from "../../lib/wire/costs.js";
import type { StoredShard } from "./random/store.js";

/** What an engine answered. */
export interface LocalAnswer {
  readonly partial: Partial;
  /** The encoded partials of its blocks. */
  readonly bytes: readonly Uint8Array[];
  /** Over both questions of one with baskets. */
  readonly cost: TaskCost;
}

/** Asks an engine; a query with expand_filter_column twice, as clients do. */
export async function askEngine(engine: Engine, shards: readonly StoredShard[], input: { readonly [K in keyof QueryInput]?: QueryInput[K] }): Promise<LocalAnswer> {
  const query = parseQuery({ keys: [], measures: [], ...input });
  const asking = async (asked: Query): Promise<LocalAnswer & Asked> => ask(engine, shards, asked);
  const { answer, before } = await askWithBaskets(query, asking, asking);
  return { ...answer, cost: before.reduce((sum, { cost }) => addCosts(sum, cost), answer.cost) };
}

function ask(engine: Engine, shards: readonly StoredShard[], query: Query): LocalAnswer & Asked {
  const merger = createMerger(query, shards.length, { bytesMax: Infinity });
  const bytes: Uint8Array[] = [];
  const cost = engine.run({
    query: encodeQuery(query), shards, shouldStop: () => false,
    onBlock(block, encoded) {
      bytes.push(encoded);
      merger.add(block, encoded);
    },
  });
  return { partial: merger.partial(), bytes, cost, accepted: { type: "accepted", id: "", queryId: "", attempt: 1, shards: [...shards] } };
}
