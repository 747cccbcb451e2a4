/** What a second worker is worth: questions of all workers beside the same of one. */
import { withCluster } from "../support/cluster.js";
import { askWhole, cacheOfMode, type Bench } from "./asking.js";
import { cases } from "./cases.js";
import { measureInTurn } from "./measure.js";
import type { TimedResult } from "./report.js";

/** Of these the scan is nearly everything. */
const compared = ["q4", "q9"];

/** The names of the cases. */
export const workersCases: readonly string[] = compared.map(nameOf);

/** Measures some of the cases, by their names, with columns decoded. */
export async function measureWorkers({ rows, workers, rpc, runs, signal }: Bench, names: readonly string[], dataDir: string): Promise<TimedResult[]> {
  return withCluster({ dataDir, workers: 1 }, async ({ rpc: ofOne }) => {
    const results: TimedResult[] = [];
    for (const { name, query } of cases) {
      if (!names.includes(nameOf(name))) continue;
      const asked = { ...query, cache: cacheOfMode.warm };
      const [all, one] = await measureInTurn([() => askWhole(rpc, asked), () => askWhole(ofOne, asked)], runs, signal);
      results.push({ bench: nameOf(name), mode: "warm", rows, times: all!, peer: { name: `1 worker, not ${workers}`, times: one! } });
    }
    return results;
  });
}

function nameOf(question: string): string {
  return `workers-${question}`;
}
