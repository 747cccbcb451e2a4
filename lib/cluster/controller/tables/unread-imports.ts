/**
 * Imports that no query reads: a table whose pointer names an earlier generation stays at that, also when somebody imports
 * it again by hand, until a rollback or a download names another one.
 */
import { formatNames } from "../../../base/quantities.js";
import { parseTableName } from "../../../columns/names.js";
import type { Pointers } from "../../../registry/pointers.js";
import type { Holding } from "../../../wire/messages.js";
import type { ControllerState } from "../state.js";

/** Nodes that a sentence names. */
const nodesMax = 5;

/** What a worker has for CURRENT beside what the pointer names. */
interface Beside {
  readonly name: string;
  readonly pointed: string;
  readonly holding: Holding;
  /** Whose worker it is. */
  readonly node: string;
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
  const unread = new Map<string, Beside[]>();
  for (const beside of findOtherCurrents(state)) {
    const pointer = tables.get(beside.name);
    if (pointer?.generation !== beside.pointed || (beside.holding.writtenMs ?? 0) <= pointer.epoch) continue;
    const { base, shard } = parseTableName(beside.name);
    const table = shard === null ? beside.name : base;
    const besides = unread.get(table);
    if (besides === undefined) unread.set(table, [beside]);
    else besides.push(beside);
  }
  return [...unread].map(([table, besides]) => describeTable(state, table, besides, tables));
}

function describeTable(state: ControllerState, table: string, besides: readonly Beside[], tables: Pointers["tables"]): string {
  const { name, pointed, holding, node } = besides[0]!;
  const isShard = name !== table;
  const made = (isShard ? holding.set?.id ?? holding.generation : holding.generation).slice(0, 8);
  const what = (tables.get(name)?.source ?? null) === null ? "a pointer from a rollback" : "the pointer of its download";
  const lacking = [...new Set(besides.flatMap((beside) => findLacking(state, beside)))].sort();
  const advice = lacking.length === 0 ? `rpc.rollback('${table}', '${made}') switches to it`
    : `${formatNames(lacking, nodesMax)} ${lacking.length === 1 ? "lacks" : "lack"} it: bqueryd distribute ${table} BUCKET on ${node} brings it to all and switches to it`;
  return `${table}: ${what} names generation ${pointed.slice(0, 8)}${isShard ? ` of ${name}` : ""}; an import has made ${made}; ${advice}`;
}

/** The nodes that have the generation of a shard that is in use, and not the one that was made: while there are any, a rollback to that is refused. */
function findLacking({ catalog, workers }: ControllerState, { name, pointed, holding: { generation: made } }: Beside): string[] {
  const has = new Set<string>();
  const serving = new Set<string>();
  for (const [workerId, holding] of catalog.shards.get(name)?.holders ?? []) {
    const { node } = workers.get(workerId)!;
    const held = [holding, ...holding.kept ?? []].map(({ generation }) => generation);
    if (held.includes(made)) has.add(node);
    if (held.includes(pointed)) serving.add(node);
  }
  return [...serving].filter((node) => !has.has(node));
}

function findOtherCurrents({ catalog, workers }: ControllerState): Beside[] {
  return [...catalog.pointed].flatMap(([name, pointed]) => [...catalog.shards.get(name)?.holders ?? []]
    .filter(([, { generation, prepared }]) => generation !== pointed && prepared !== true)
    .map(([workerId, holding]) => ({ name, pointed, holding, node: workers.get(workerId)!.node })));
}
