/**
 * Imports that no query reads: a table whose pointer names an earlier generation stays at that, also when somebody imports
 * it again by hand, until a rollback or a download names another one.
 */
import { parseTableName } from "../../../columns/names.js";
import type { Pointers } from "../../../registry/pointers.js";
import type { Holding } from "../../../wire/messages.js";
import type { ControllerState } from "../state.js";

/** Nodes that a sentence names. */
const nodesMax = 5;

interface Reach {
  readonly has: readonly string[];
  readonly lacking: readonly string[];
}

interface Beside {
  readonly name: string;
  readonly pointed: string;
  readonly holding: Holding;
}

/** Tells whether some worker's CURRENT is not what a pointer names: only then pointers have to be read. */
export function hasOtherCurrents(state: ControllerState): boolean {
  return findOtherCurrents(state).length > 0;
}

/**
 * A sentence for each table or set of which a worker has a generation that was written after its pointer was set. The times are of
 * two machines: clocks that differ much make one too many or too few.
 */
export function describeUnreadImports(state: ControllerState, { tables }: Pointers): string[] {
  const unread = new Map<string, string>();
  for (const { name, pointed, holding } of findOtherCurrents(state)) {
    const pointer = tables.get(name);
    if (pointer?.generation !== pointed || (holding.writtenMs ?? 0) <= pointer.epoch) continue;
    const { base, shard } = parseTableName(name);
    const table = shard === null ? name : base;
    const made = (shard === null ? holding.generation : holding.set?.id ?? holding.generation).slice(0, 8);
    const what = pointer.source === null ? "a pointer from a rollback" : "the pointer of its download";
    const advice = adviceOn(table, made, findReach(state, name, { pointed, made: holding.generation }));
    unread.set(table, unread.get(table) ?? `${table}: ${what} names generation ${pointed.slice(0, 8)}${shard === null ? "" : ` of ${name}`}; an import has made ${made}; ${advice}`);
  }
  return [...unread.values()];
}

/** A rollback takes what all nodes of the table have; to the others it has to be brought first. */
function adviceOn(table: string, made: string, { has, lacking }: Reach): string {
  if (lacking.length === 0) return `rpc.rollback('${table}', '${made}') switches to it`;
  const named = lacking.slice(0, nodesMax).join(", ") + (lacking.length > nodesMax ? ` and ${lacking.length - nodesMax} more` : "");
  return `${named} ${lacking.length === 1 ? "lacks" : "lack"} it: bqueryd distribute ${table} BUCKET on ${has[0]!} brings it to all and switches to it`;
}

/** Which nodes have a generation of a shard, and which have the one in use alone. */
function findReach({ catalog, workers }: ControllerState, name: string, { pointed, made }: { readonly pointed: string; readonly made: string }): Reach {
  const has = new Set<string>();
  const serving = new Set<string>();
  for (const [workerId, holding] of catalog.shards.get(name)?.holders ?? []) {
    const { node } = workers.get(workerId)!;
    const held = [holding, ...holding.kept ?? []].map(({ generation }) => generation);
    if (held.includes(made)) has.add(node);
    if (held.includes(pointed)) serving.add(node);
  }
  return { has: [...has].sort(), lacking: [...serving].filter((node) => !has.has(node)).sort() };
}

function findOtherCurrents({ catalog }: ControllerState): Beside[] {
  return [...catalog.pointed].flatMap(([name, pointed]) => {
    const holdings = [...catalog.shards.get(name)?.holders.values() ?? []].filter(({ generation, prepared }) => generation !== pointed && prepared !== true);
    return holdings.map((holding) => ({ name, pointed, holding }));
  });
}
