/**
 * Imports that no query reads: a table whose pointer names an earlier generation stays at that, also when somebody imports
 * it again by hand, until a rollback or a download names another one.
 */
import { parseTableName } from "../../../columns/names.js";
import type { Pointers } from "../../../registry/pointers.js";
import type { Holding } from "../../../wire/messages.js";
import type { ControllerState } from "../state.js";

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
    unread.set(table, unread.get(table) ?? `${table}: ${what} names generation ${pointed.slice(0, 8)}${shard === null ? "" : ` of ${name}`}; an import has made ${made}; rpc.rollback('${table}', '${made}') switches to it`);
  }
  return [...unread.values()];
}

function findOtherCurrents({ catalog }: ControllerState): Beside[] {
  return [...catalog.pointed].flatMap(([name, pointed]) => {
    const holdings = [...catalog.shards.get(name)?.holders.values() ?? []].filter(({ generation, prepared }) => generation !== pointed && prepared !== true);
    return holdings.map((holding) => ({ name, pointed, holding }));
  });
}
