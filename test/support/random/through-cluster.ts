/** Random queries through a controller and two workers. */
import { withCluster } from "../../../misc/support/cluster.js";
import { until } from "../until.js";
import type { AskCluster } from "./run.js";

/** Starts a real cluster over a directory of so many tables for the length of some work. */
export async function askThroughCluster(dataDir: string, tables: number, work: (ask: AskCluster) => Promise<void>): Promise<void> {
  await withCluster({ dataDir, workers: 2 }, async ({ rpc }) => {
    await until("all tables are known", async () => ((await rpc.files()) as unknown[]).length >= tables);
    await work((table, written) => rpc.groupby({ tables: written.missing === undefined ? table : [table, `no_${table}`], ...written }));
  });
}
