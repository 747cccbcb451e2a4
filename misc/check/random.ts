/** Random queries against DuckDB, and what they made use of. */
import { rarerThan } from "../../test/support/random/coverage.js";
import { runRandomQueries } from "../../test/support/random/run.js";
import { askThroughCluster } from "../../test/support/random/through-cluster.js";

/** A whole run: from so many queries on, everything has to have been made use of as often as it says. */
const wholeRun = { queries: 20_000, times: 50 };

/** So many queries of a seed, or the one of a number; ends at the first miss. */
export async function checkRandomQueries(count: number, seed: number, only: number | undefined): Promise<{ figures: Readonly<Record<string, unknown>>; miss: string | undefined }> {
  const { failure, coverage, ...figures } = await runRandomQueries({ count, seed, withCluster: askThroughCluster, ...(only === undefined ? {} : { only }) });
  for (const [kind, counts] of Object.entries(coverage.counts)) process.stdout.write(`${kind}: ${Object.entries(counts).map(([name, times]) => `${name} ${times}`).join(", ")}\n`);
  const rare = only === undefined && count >= wholeRun.queries ? rarerThan(coverage, wholeRun.times) : [];
  const miss = failure ?? (rare.length === 0 ? undefined : `made use of fewer than ${wholeRun.times} times: ${rare.join(", ")}`);
  return { figures: { ...figures, coverage: coverage.counts }, miss };
}
