/**
 * Nodes that have less than they should: some shards of a set of which another node has all, or other generations than the one
 * that a pointer names, as a node that was away while a table was switched. It is asked for no such table until it has that.
 */
import { parseTableName } from "../../../columns/names.js";
import { chosenHoldings, isHeldBy } from "./catalog.js";
import type { ControllerState } from "../state.js";

/** A sentence for each such node and table or set. Sets that no node has whole are spread over nodes on purpose. */
export function describeLackingNodes(state: ControllerState): string[] {
  return [...describeOtherGenerations(state), ...describeFewerShards(state)];
}

function describeFewerShards(state: ControllerState): string[] {
  return [...countShards(state)].flatMap(([base, { shards, byNode }]) => {
    const whole = [...byNode].find(([, count]) => count === shards)?.[0];
    if (whole === undefined) return [];
    return [...byNode].filter(([, count]) => count < shards).map(([node, count]) => {
      return `node ${node} lacks ${shards - count} of the ${shards} shards of ${base}, all of which ${whole} has; copy the set again to ${node}`;
    });
  });
}

function describeOtherGenerations({ catalog, workers }: ControllerState): string[] {
  const lacking = new Map<string, { readonly node: string; readonly table: string; count: number }>();
  for (const [name, generation] of catalog.pointed) {
    const held = catalog.shards.get(name);
    if (held === undefined) continue;
    const nodes = new Map<string, boolean>();
    for (const workerId of held.holders.keys()) {
      const { node } = workers.get(workerId)!;
      nodes.set(node, nodes.get(node) === true || isHeldBy(catalog, { ordinal: 0, name, generation }, workerId));
    }
    const { base, shard } = parseTableName(name);
    const table = shard === null ? name : base;
    for (const [node, isHeld] of nodes) {
      if (isHeld) continue;
      const found = lacking.get(`${node} ${table}`);
      if (found === undefined) lacking.set(`${node} ${table}`, { node, table, count: 1 });
      else found.count += 1;
    }
  }
  return [...lacking.values()].map(({ node, table, count }) => {
    const what = table.endsWith(".bcolz") ? table : `${count} of the shards of ${table}`;
    return `node ${node} lacks the generation in use of ${what}, and is not asked for it; copy or download the table again to ${node}`;
  });
}

interface SetCounts {
  shards: number;
  /** Shards that workers of a node have, in whichever generation. */
  readonly byNode: Map<string, number>;
}

function countShards({ catalog, workers }: ControllerState): ReadonlyMap<string, SetCounts> {
  const sets = new Map<string, SetCounts>();
  for (const name of chosenHoldings(catalog).keys()) {
    const { base, shard } = parseTableName(name);
    if (shard === null) continue;
    const counts = sets.get(base) ?? { shards: 0, byNode: new Map<string, number>() };
    sets.set(base, counts);
    counts.shards += 1;
    const nodes = new Set([...catalog.shards.get(name)?.holders.keys() ?? []].flatMap((workerId) => workers.get(workerId)?.node ?? []));
    for (const node of nodes) counts.byNode.set(node, (counts.byNode.get(node) ?? 0) + 1);
  }
  return sets;
}
