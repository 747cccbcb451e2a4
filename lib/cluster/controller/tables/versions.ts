/** The generations that nodes have of a table: of a set its imports, each with all its shards, as they are switched together. */
import { BquerydError } from "../../../base/errors.js";
import { findTableName, shardOrder } from "../../../columns/names.js";
import type { Holding } from "../../../wire/messages.js";
import type { ControllerState } from "../state.js";
import { chosenHoldings } from "./catalog.js";

/** How a node has a generation: as the one of its CURRENT, beside that, or waiting for its ticket. */
export type KeptState = "current" | "kept" | "prepared";

/** One generation of a table, or one import of a set. */
export interface Version {
  /** The generation of a table; of a set the id that all its shards name. */
  readonly id: string;
  /** Shards that it has; what is a table by itself has one. */
  readonly shards: number;
  /** By directory name, as one of the workers that have it tells of it. */
  readonly members: Map<string, Generation>;
  /** By node, then by directory name. */
  readonly nodes: Map<string, Map<string, KeptState>>;
}

/** What there is of one table. */
export interface Versions {
  /** Directory names that nodes have, or that have a pointer. */
  readonly names: readonly string[];
  /** The latest first. */
  readonly list: readonly Version[];
  /** The generation that queries read, by directory name; without an entry nobody has it. */
  readonly inUse: ReadonlyMap<string, string>;
}

type Generation = NonNullable<Holding["kept"]>[number];

/** All versions of a table or set, by a name as queries use it but for patterns. Throws UNKNOWN_TABLE, AMBIGUOUS_TABLE. */
export function listVersions(state: ControllerState, table: string): Versions {
  const { catalog, workers } = state;
  const names = namesOf(state, table);
  const versions = new Map<string, Version>();
  const order: string[] = [];
  for (const name of names) {
    for (const [workerId, holding] of catalog.shards.get(name)?.holders ?? []) {
      const held = generationsOf(holding);
      if (name === names[0]) mergeOrder(order, held.map(([generation]) => idOf(generation)));
      for (const [generation, kept] of held) addMember(versions, { name, generation, kept, node: workers.get(workerId)!.node });
    }
  }
  const listed = [...versions.values()].sort((a, b) => placeIn(order, a) - placeIn(order, b) || writtenMs(b) - writtenMs(a));
  const chosen = chosenHoldings(catalog);
  const inUse = new Map(names.flatMap((name): [string, string][] => {
    const generation = catalog.pointed.get(name) ?? chosen.get(name)?.generation;
    return generation === undefined ? [] : [[name, generation]];
  }));
  return { names, list: listed, inUse };
}

/** Tells whether queries read a version. */
export function isInUse({ members }: Version, inUse: ReadonlyMap<string, string>): boolean {
  return [...members].every(([name, { generation }]) => inUse.get(name) === generation);
}

/** Tells whether of every shard of a version some node has it. */
export function isWhole({ members, shards }: Version): boolean {
  return members.size === shards;
}

/** When the last of its footers was written, ms since 1970 of some machine. */
export function writtenMs({ members }: Version): number {
  return [...members.values()].reduce((latest, member) => Math.max(latest, member.writtenMs ?? 0), 0);
}

function namesOf({ catalog }: ControllerState, table: string): string[] {
  const all = new Set([...catalog.shards.keys(), ...catalog.pointed.keys()]);
  if (all.has(table)) return [table];
  const names = [...all].filter((name) => findTableName(name)?.base === table).sort(shardOrder);
  if (names.length === 0) throw new BquerydError("UNKNOWN_TABLE", `no worker has a table or set '${table}'; see rpc.files(), and name one without patterns`, { details: { table } });
  const tables = names.filter((name) => findTableName(name)?.shard === null);
  if (tables.length > 0 && tables.length < names.length) {
    throw new BquerydError("AMBIGUOUS_TABLE", `'${table}' is a table and a set; name ${tables[0]}, or rename one of them`, { details: { table } });
  }
  return names;
}

/** The generations of a holding, the latest first. */
function generationsOf(holding: Holding): [Generation, KeptState][] {
  const { kept = [] } = holding;
  const waiting = kept.filter(({ prepared }) => prepared === true);
  const earlier = kept.filter(({ prepared }) => prepared !== true);
  return [
    ...waiting.map((one): [Generation, KeptState] => [one, "prepared"]), [holding, holding.prepared === true ? "prepared" : "current"],
    ...earlier.map((one): [Generation, KeptState] => [one, "kept"]),
  ];
}

function idOf({ generation, set }: Generation): string {
  return set?.id ?? generation;
}

/** Puts ids into the list in their order, each that is new right after the one before it. */
function mergeOrder(order: string[], ids: readonly string[]): void {
  let next = 0;
  for (const id of ids) {
    const known = order.indexOf(id);
    if (known < 0) order.splice(next, 0, id);
    next = (known < 0 ? next : known) + 1;
  }
}

/** What the first of the names does not have comes last. */
function placeIn(order: readonly string[], { id }: Version): number {
  const place = order.indexOf(id);
  return place < 0 ? order.length : place;
}

function addMember(versions: Map<string, Version>, { name, generation, kept, node }: { name: string; generation: Generation; kept: KeptState; node: string }): void {
  const id = idOf(generation);
  const version: Version = versions.get(id) ?? { id, shards: generation.set?.count ?? 1, members: new Map(), nodes: new Map() };
  versions.set(id, version);
  version.members.set(name, generation);
  const ofNode = version.nodes.get(node) ?? new Map<string, KeptState>();
  version.nodes.set(node, ofNode.set(name, kept));
}
