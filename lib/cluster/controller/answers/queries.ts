/** What runs and waits at a controller: the documents of queries(). */
import { limits } from "../../../base/limits.js";
import type { QueryInfo } from "../../../wire/documents.js";
import type { Call, ControllerState } from "../state.js";

/** Names of tables listed for one query. */
const tablesMax = 5;

/** A document for each call that is not answered, the oldest first. `nowMs` is of the steady clock. */
export function listQueries(state: ControllerState, controllerId: string, nowMs: number): QueryInfo[] {
  return [...state.calls.values()].slice(0, limits.queriesListedMax).map((call) => describeQuery(call, controllerId, nowMs));
}

/** The verb of a call, as people asked for it. */
export function verbOf({ errand, streamAsked }: Call): string {
  if (errand !== null) return errand.errand.kind;
  return streamAsked === null ? "groupby" : "rows";
}

/** What a call is about, on one line: its tables, or its errand. */
export function subjectOf({ errand, scope, shards }: Call): string {
  const names = errand === null ? scope.tables.slice(0, tablesMax) : shards.map(({ name }) => name);
  return names.join(", ");
}

function describeQuery(call: Call, controllerId: string, nowMs: number): QueryInfo {
  const { queryId, scope, clientId, affinity, arrivedMs, firstAssignedMs, tasks, answeredCount, shards } = call;
  return {
    query: queryId, verb: verbOf(call), subject: subjectOf(call), tables: scope.tables.slice(0, tablesMax), client: clientId, affinity,
    state: tasks.size > 0 ? "running" : "waiting", shards_done: answeredCount, shards: shards.length,
    queued: seconds((firstAssignedMs ?? nowMs) - arrivedMs), running: firstAssignedMs === undefined ? 0 : seconds(nowMs - firstAssignedMs),
    workers: tasks.size, controller: controllerId,
  };
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
