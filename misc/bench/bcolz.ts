/** Questions over directories of Python's bcolz, beside the times of bquery, for which they were made. */
import { askWhole, cacheOfMode, requireRight, type Bench } from "./asking.js";
import { cases } from "./cases.js";
import { measureInTurn } from "./measure.js";
import type { TimedResult } from "./report.js";

/** What bquery took for these questions over 1e7 rows, warm, on two cores: the figures that this project set out from. */
const bqueryMs: ReadonlyMap<string, number> = new Map([["q1", 510], ["q2", 1_000], ["q5", 440]]);
const bqueryRows = 1e7;

/** The names of the cases. */
export const bcolzCases: readonly string[] = [...bqueryMs.keys()].map(nameOf);

/** Measures one of them with its columns decoded, having seen that the answer is DuckDB's. The peer is that of 1e7 rows alone. */
export async function measureBcolz(bench: Bench, name: string): Promise<TimedResult> {
  const { rows, rpc, runs, signal } = bench;
  const question = cases.find((item) => nameOf(item.name) === name);
  if (question === undefined) throw new Error(`no question is called ${name}`);
  const query = { ...question.query, tables: "b1", cache: cacheOfMode.warm };
  await requireRight(bench, { ...question, name, query });
  const [times] = await measureInTurn([() => askWhole(rpc, query)], runs, signal);
  const publishedMs = bqueryMs.get(question.name)!;
  return { bench: name, mode: "warm", rows, times: times!, peer: rows === bqueryRows ? { name: "bquery, published", times: { medianMs: publishedMs, minMs: publishedMs } } : null };
}

function nameOf(question: string): string {
  return `bcolz-${question}`;
}
