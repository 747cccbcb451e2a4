/** Asking a cluster and DuckDB the same: first whether the answers agree, then how long each takes. */
import type { GroupbyQuery, Rpc, Table } from "../../lib/index.js";
import { findDifference } from "../support/difference.js";
import type { DuckDb } from "../support/duckdb.js";
import type { Case } from "./cases.js";
import { measureInTurn, type Runs, type Times } from "./measure.js";

/** What questions are asked of, and how often. */
export interface Bench {
  readonly rows: number;
  readonly workers: number;
  readonly rpc: Rpc;
  readonly peer: DuckDb;
  readonly runs: Runs;
  readonly signal: AbortSignal;
}

/** What a query may use: `warm` the decoded columns, `bypass` nothing kept, `again` what came of the same question before. */
export const cacheOfMode = { warm: "columns", bypass: false, again: true } as const;

/** Throws naming the case unless the answer is DuckDB's, with the columns decoded before and without any cache. */
export async function requireRight({ rpc, peer, signal }: Pick<Bench, "rpc" | "peer" | "signal">, { name, query, sql, tolerance }: Pick<Case, "name" | "query" | "sql" | "tolerance">): Promise<void> {
  const expected = await peer.read(`${sql} ORDER BY ALL`);
  for (const mode of ["warm", "bypass", "again"] as const) {
    signal.throwIfAborted();
    const table = await rpc.groupby({ ...query, cache: cacheOfMode[mode] });
    const columns = table.columns.filter((column) => expected.names.includes(column.name));
    const difference = findDifference({ columns, numRows: table.numRows, column: (column) => table.column(column) }, expected, tolerance);
    if (difference !== undefined) throw new Error(`the answer to ${name}, ${mode}, is wrong: ${difference}`);
  }
}

/** The times of ours and of DuckDB's way to an answer, taken in turn. */
export async function measureBoth({ rpc, peer, runs, signal }: Bench, query: GroupbyQuery, sql: string): Promise<{ ours: Times; theirs: Times }> {
  const [ours, theirs] = await measureInTurn([() => askWhole(rpc, query), () => peer.fetch(sql)], runs, signal);
  return { ours: ours!, theirs: theirs! };
}

/** Asks, and has every column of the answer as an array. */
export async function askWhole(rpc: Rpc, query: GroupbyQuery): Promise<void> {
  materialize(await rpc.groupby(query));
}

/** Makes every column of an answer an array. */
export function materialize(table: Table): void {
  for (const { name } of table.columns) void table.column(name).values;
}
