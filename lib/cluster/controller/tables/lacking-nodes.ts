/**
 * Nodes that have less than they should: some shards of a set of which another node has all, or other generations than the one
 * that a pointer names, as a node that was away while a table was switched. It is asked for no such table until it has that.
 */
import { parseTableName } from "../../../columns/names.js";
import type { Pointers } from "../../../registry/pointers.js";
import { chosenHoldings, isHeldBy } from "./catalog.js";
import type { ControllerState } from "../state.js";

/** A sentence for each such node and table or set; what pointers have a source for the node's mover fetches by itself. Sets that no node has whole are spread over nodes on purpose. */
export function describeLackingNodes(state: ControllerState, pointers?: Pointers): string[] {
  return [...describeOtherGenerations(state, pointers), ...describeFewerShards(state)];
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

function describeOtherGenerations({ catalog, workers, carriers }: ControllerState, pointers: Pointers | undefined): string[] {
  const lacking = new Map<string, { readonly node: string; readonly table: string; count: number; hasSource: boolean }>();
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
      const hasSource = (pointers?.tables.get(name)?.source ?? null) !== null;
      const found = lacking.get(`${node} ${table}`);
      if (found === undefined) lacking.set(`${node} ${table}`, { node, table, count: 1, hasSource });
      else Object.assign(found, { count: found.count + 1, hasSource: found.hasSource && hasSource });
    }
  }
  return [...lacking.values()].map(({ node, table, count, hasSource }) => {
    const what = table.endsWith(".bcolz") ? table : `${count} of the shards of ${table}`;
    return `node ${node} lacks the generation in use of ${what}, and is not asked for it; ${hasSource ? remedyOf(node, carriers) : `copy or download the table again to ${node}`}`;
  });
}

/** Who brings it there, or what to start for that. */
function remedyOf(node: string, carriers: ControllerState["carriers"]): string {
  const roles = new Set([...carriers.values()].flatMap((carrier) => (carrier.node === node ? [carrier.role] : [])));
  const absent = [...(roles.has("downloader") ? [] : ["bqueryd downloader"]), ...(roles.has("mover") ? [] : ["bqueryd movebcolz"])];
  return absent.length === 0 ? "its mover has it fetched by itself" : `start ${absent.join(" and ")} on ${node}, which fetch it by themselves`;
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
