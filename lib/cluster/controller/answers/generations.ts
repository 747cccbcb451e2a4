/** The verbs generations and rollback: what nodes have of a table, and moving its pointers to another generation of that. */
import { BquerydError, toBquerydError } from "../../../base/errors.js";
import { formatNames } from "../../../base/quantities.js";
import type { PointerChange } from "../../../registry/pointers.js";
import type { Registry } from "../../../registry/registry.js";
import type { GenerationInfo, Rollback } from "../../../wire/documents.js";
import type { ClientMessage } from "../../../wire/messages.js";
import type { ControllerState } from "../state.js";
import { isInUse, isWhole, listVersions, writtenMs, type KeptState, type Version, type Versions } from "../tables/versions.js";

/** What moving pointers needs of its controller. */
export interface PointerHost {
  readonly state: ControllerState;
  readonly registry: Registry;
  /** Calls `then` when queries go by the pointers of an epoch, or the registry cannot be read. */
  reach(epoch: number, then: () => void): void;
}

type Asked = Pick<ClientMessage & { type: "call" }, "tables" | "generation">;

/** Nodes named in an error. */
const nodesMax = 5;

/** A document for each generation of the one table of a call, the latest first. Throws USAGE, UNKNOWN_TABLE, AMBIGUOUS_TABLE. */
export function listGenerations(state: ControllerState, asked: Asked): GenerationInfo[] {
  const { list, inUse } = listVersions(state, requireTable(asked));
  return list.map((version) => describeVersion(version, inUse));
}

/**
 * Moves all pointers of a table together: to the generation named, else to the one before that in use. Throws as
 * listGenerations, NOT_FOUND where there is no such generation, SHARD_UNAVAILABLE where a node that serves the table lacks it,
 * STALE when somebody else has moved pointers of the table meanwhile, REGISTRY_UNAVAILABLE.
 */
export async function rollBack(host: PointerHost, asked: Asked): Promise<Rollback> {
  const { state, registry } = host;
  const table = requireTable(asked);
  const plan = planRollback(listVersions(state, table), table, asked.generation);
  if (plan.changes.length === 0) return { ...plan.told, epoch: state.catalog.epoch };
  const epoch = await moveOnce(host, plan.changes).catch(async (cause: unknown) => {
    if (!(cause instanceof BquerydError) || cause.code !== "STALE") throw cause;
    // Other tables may have moved meanwhile: their epoch is that of all.
    await new Promise<void>((resolve) => { void registry.pointers().then(({ epoch: now }) => { host.reach(now, resolve); }, resolve); });
    const again = planRollback(listVersions(state, table), table, asked.generation);
    if (again.told.from !== plan.told.from || again.told.to !== plan.told.to) throw cause;
    return moveOnce(host, again.changes);
  });
  await new Promise<void>((resolve) => { host.reach(epoch, resolve); });
  return { ...plan.told, epoch };
}

function moveOnce({ state, registry }: PointerHost, changes: readonly PointerChange[]): Promise<number> {
  return registry.movePointers(changes, state.catalog.epoch).catch((cause: unknown) => { throw toBquerydError(cause, "move the pointers of a table"); });
}

function requireTable({ tables }: Asked): string {
  const [table] = tables;
  if (table !== undefined && tables.length === 1) return table;
  throw new BquerydError("USAGE", `generations and rollback are about one table, not ${tables.length}; write rpc.rollback('taxi')`);
}

/** What is to be changed, and what is told of it. Shards that the version has not are read as if they never had a pointer. */
function planRollback(versions: Versions, table: string, wanted: string | undefined): { readonly changes: PointerChange[]; readonly told: Omit<Rollback, "epoch"> } {
  const { names, list, inUse } = versions;
  const from = list.find((version) => isInUse(version, inUse));
  const target = wanted === undefined ? requireEarlier(list, from, table) : requireNamed(list, wanted, table);
  requireSwitchable(target, versions, table);
  requireEverywhere(target, versions, table);
  const changes = names.flatMap((name): PointerChange[] => {
    const member = target.members.get(name);
    if (member !== undefined) return [{ table: name, generation: member.generation }];
    return inUse.has(name) ? [{ table: name, generation: null }] : [];
  });
  return { changes, told: { table, from: from?.id ?? null, to: target.id, shards: target.shards } };
}

function requireEarlier(list: readonly Version[], from: Version | undefined, table: string): Version {
  const place = from === undefined ? list.length : list.indexOf(from);
  const earlier = list.slice(place + 1).find((version) => !isWaiting(version));
  if (earlier !== undefined) return earlier;
  throw new BquerydError("NOT_FOUND", `no node keeps a generation of ${table} from before the one in use; see rpc.generations('${table}') and keep_generations`, { details: { table } });
}

function requireNamed(list: readonly Version[], wanted: string, table: string): Version {
  const found = list.filter(({ id }) => id.startsWith(wanted));
  if (found.length === 1) return found[0]!;
  if (found.length === 0) throw new BquerydError("NOT_FOUND", `no node has a generation of ${table} that begins with ${wanted}; see rpc.generations('${table}')`, { details: { table, generation: wanted } });
  throw new BquerydError("USAGE", `${wanted} begins ${found.length} generations of ${table}; give more of the one that is meant`, { details: { table, generation: wanted } });
}

/** What is not in any CURRENT may be taken back by its ticket; and shards that are of no set have nothing to be switched by together. */
function requireSwitchable(target: Version, { names }: Versions, table: string): void {
  const of = { details: { table, generation: target.id } };
  if (isWaiting(target)) throw new BquerydError("USAGE", `generation ${target.id} of ${table} waits for its ticket, which switches to it; see rpc.downloads()`, of);
  const [member] = target.members.values();
  if (names.length > 1 && member!.set === null) throw new BquerydError("USAGE", `the shards of ${table} were not imported together; roll back each by its own name, such as ${names[0]}`, of);
  if (names[0] === table && member!.set !== null) throw new BquerydError("USAGE", `${table} is a shard of a set, which is switched as a whole; name the set`, of);
}

/** Every node that has a shard of the table in the generation in use has to have it in the other one, and somebody every shard. */
function requireEverywhere(target: Version, { list, inUse }: Versions, table: string): void {
  const lacking = [...serving(list, inUse)].filter(([node, names]) => {
    const has = target.nodes.get(node);
    return [...target.members.keys()].some((name) => names.has(name) && has?.has(name) !== true);
  }).map(([node]) => node);
  const details = { table, generation: target.id, nodes: lacking.slice(0, nodesMax) };
  if (lacking.length > 0) {
    throw new BquerydError("SHARD_UNAVAILABLE", `${lacking.length === 1 ? "node" : "nodes"} ${formatNames(lacking, nodesMax)} ${lacking.length === 1 ? "lacks" : "lack"} generation ${target.id} of ${table}; name one that all have, of rpc.generations('${table}')`, { details });
  }
  if (!isWhole(target)) throw new BquerydError("SHARD_UNAVAILABLE", `nodes have ${target.members.size} of the ${target.shards} shards of generation ${target.id} of ${table}; name one that is whole, of rpc.generations('${table}')`, { details });
}

/** The nodes that have something in the generation in use, with the directory names of that. */
function serving(list: readonly Version[], inUse: ReadonlyMap<string, string>): Map<string, Set<string>> {
  const serve = new Map<string, Set<string>>();
  for (const { members, nodes } of list) {
    for (const [node, names] of nodes) {
      for (const name of names.keys()) if (members.get(name)?.generation === inUse.get(name)) serve.set(node, (serve.get(node) ?? new Set()).add(name));
    }
  }
  return serve;
}

function isWaiting({ nodes }: Version): boolean {
  return [...nodes.values()].every((names) => [...names.values()].every((state) => state === "prepared"));
}

function describeVersion(version: Version, inUse: ReadonlyMap<string, string>): GenerationInfo {
  const members = [...version.members.values()];
  const written = writtenMs(version);
  return {
    generation: version.id, in_use: isInUse(version, inUse), shards: version.shards, lacking: version.shards - members.length,
    rows: members.reduce((sum, { rows }) => sum + rows, 0), bytes: members.reduce((sum, { bytes }) => sum + bytes, 0),
    written: written === 0 ? null : new Date(written).toISOString(),
    nodes: [...version.nodes].map(([node, names]) => ({ node, state: stateOf(names), shards: names.size })).sort((a, b) => (a.node < b.node ? -1 : 1)),
  };
}

/** Of a node that is between two states the one it comes from. */
function stateOf(names: ReadonlyMap<string, KeptState>): KeptState {
  const states = [...names.values()];
  return states.includes("prepared") ? "prepared" : states.includes("kept") ? "kept" : "current";
}
