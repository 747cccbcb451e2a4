/** Random queries through a controller and two workers. */
import { withCluster } from "../../../misc/support/cluster.js";
import type { AskCluster } from "./run.js";

/** Starts a real cluster over a directory for the length of some work. */
export async function askThroughCluster(dataDir: string, work: (ask: AskCluster) => Promise<void>): Promise<void> {
  await withCluster({ dataDir, workers: 2 }, ({ rpc }) => work((table, { keys, measures, where, cache }) => rpc.groupby({
    tables: table, keys, cache,
    measures: measures.map(({ column, op, name }) => [column, op, name]),
    where: where.map(({ column, op, values }) => [column, op, op === "in" || op === "not in" ? values : values[0]]),
  })));
}
