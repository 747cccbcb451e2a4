/** A filter on the sorted column that selects one hundredth of the rows, beside the same question without it. */
import { chunkRows } from "../../lib/columns/dtypes.js";
import type { GroupbyQuery } from "../../lib/index.js";
import { askWhole, requireRight, type Bench } from "./asking.js";
import { groupCount } from "./data.js";
import { measureInTurn } from "./measure.js";
import type { TimedResult } from "./report.js";

/** The name of the case. */
export const sortedCase = "sorted-1-percent";

const columnCount = 4; // id4, id6, v1 and v3
const query = { tables: "sorted", keys: ["id4"], measures: ["v1", ["v3", "mean"]], cache: false } as const satisfies GroupbyQuery;

/** Measures from the files, having seen that the answer is DuckDB's and that few more chunks were decoded than hold the rows. */
export async function measureSorted(bench: Bench): Promise<TimedResult> {
  const { rows, rpc, peer, runs, signal } = bench;
  const groups = groupCount(rows);
  const first = 1 + Math.floor(groups / 2);
  const last = first + Math.max(1, Math.floor(groups / 100)) - 1;
  const filtered = { ...query, where: [["id6", ">=", first], ["id6", "<=", last]] };
  const condition = `id6 BETWEEN ${first} AND ${last}`;
  await requireRight(bench, { name: sortedCase, query: filtered, sql: `SELECT id4, sum(v1) AS v1, avg(v3) AS v3 FROM g1 WHERE ${condition} GROUP BY id4` });
  const { columns: [counted] } = await peer.read(`SELECT count(*) FROM g1 WHERE ${condition}`);
  const selected = Number(counted?.[0]);
  const { summary } = await rpc.groupby(filtered);
  // Rows that follow each other lie in one chunk more than they fill, and in one more where a shard ends among them.
  const chunksMost = Math.ceil(selected / chunkRows) + 2;
  if (summary.chunksDecoded > chunksMost * columnCount) {
    throw new Error(`${sortedCase} decoded ${summary.chunksDecoded} chunks of ${columnCount} columns, and ${selected} rows in order lie in at most ${chunksMost} of each`);
  }
  const [ours, whole] = await measureInTurn([() => askWhole(rpc, filtered), () => askWhole(rpc, query)], runs, signal);
  return { bench: sortedCase, mode: "bypass", rows, times: ours!, peer: { name: "no filter", times: whole! } };
}
