/** Tables that workers have but cannot open: a call for one is told so, and none is answered as if it were not there. */
import { BquerydError, isErrorCode } from "../../../base/errors.js";
import { findTableName, isNamedBy, shardOrder } from "../../../columns/names.js";
import type { BrokenTable } from "../../../wire/messages.js";
import type { ResolvedShards } from "./catalog.js";
import { describeWorker } from "../calls/failures.js";
import type { ControllerState, Scope } from "../state.js";

/** A table as one of the workers that cannot open it tells of it. */
export interface Unreadable extends BrokenTable {
  /** Where it is, for people. */
  readonly where: string;
}

/** The tables that some worker cannot open and nobody holds, each once, in order. */
export function listUnreadable({ workers, catalog }: ControllerState): Unreadable[] {
  const found = new Map<string, Unreadable>();
  for (const worker of workers.values()) {
    for (const table of worker.broken) if (!catalog.shards.has(table.name)) found.set(table.name, { ...table, where: describeWorker(worker) });
  }
  return [...found.values()].sort((a, b) => shardOrder(a.name, b.name));
}

/** A sentence about such a table: which, where, why. */
export function describeUnreadable({ name, where, message }: Unreadable): string {
  return `${name} cannot be opened by ${where}: ${message} (bqueryd verify tells more)`;
}

/**
 * The shards of a call as `resolve` finds them among those that are held. What the call names and cannot be opened is
 * thrown, with the code of what is wrong, or is lacking where a partial answer is allowed. A set knows by itself which of
 * its shards lack; shards outside any set would just be fewer.
 */
export function resolveBeside(state: ControllerState, { tables, isPartialAllowed }: Scope, resolve: () => ResolvedShards): ResolvedShards {
  const unreadable = namedOf(listUnreadable(state), tables);
  const [first] = unreadable;
  if (first === undefined) return resolve();
  const resolved = resolveOr(failureOf(first), resolve);
  const inSets = new Set(resolved.shards.filter(({ name }) => isOfSet(state, name)).map(({ name }) => findTableName(name)?.base));
  const lacking = new Set(resolved.lacking);
  const outside = unreadable.filter(({ name }) => !inSets.has(findTableName(name)?.base) && !lacking.has(name));
  if (outside.length === 0) return resolved;
  if (!isPartialAllowed) throw failureOf(outside[0]!);
  return { shards: resolved.shards, lacking: [...resolved.lacking, ...outside.map(({ name }) => name)] };
}

/** Those that a call means. A call may name very many tables, and few patterns. */
function namedOf(unreadable: readonly Unreadable[], tables: readonly string[]): readonly Unreadable[] {
  if (unreadable.length === 0) return unreadable;
  const names = new Set(tables);
  const globs = tables.filter((text) => text.includes("*"));
  return unreadable.filter(({ name }) => names.has(name) || names.has(findTableName(name)?.base ?? name) || globs.some((glob) => isNamedBy(name, glob)));
}

/** What resolving gives; that a table is unknown or has too few shards is said in the words of what cannot be opened. */
function resolveOr(failure: BquerydError, resolve: () => ResolvedShards): ResolvedShards {
  try {
    return resolve();
  } catch (cause) {
    if (cause instanceof BquerydError && (cause.code === "UNKNOWN_TABLE" || cause.code === "SHARD_UNAVAILABLE")) throw failure;
    throw cause;
  }
}

function failureOf(table: Unreadable): BquerydError {
  return new BquerydError(isErrorCode(table.code) ? table.code : "SHARD_UNAVAILABLE", describeUnreadable(table), { details: { table: table.name } });
}

function isOfSet({ catalog }: ControllerState, name: string): boolean {
  for (const { set } of catalog.shards.get(name)?.holders.values() ?? []) if (set !== null) return true;
  return false;
}
