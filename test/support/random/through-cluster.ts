/** Random queries through a controller and two workers. */
import { withCluster } from "../../../misc/support/cluster.js";
import { columnOf, termsOf } from "./oracle.js";
import type { AskCluster } from "./run.js";

/** Starts a real cluster over a directory for the length of some work. */
export async function askThroughCluster(dataDir: string, work: (ask: AskCluster) => Promise<void>): Promise<void> {
  await withCluster({ dataDir, workers: 2 }, ({ rpc }) => work((table, { keys, measures, where, cache }) => rpc.groupby({
    tables: table, keys: keys.map(({ expr }) => columnOf(expr)), cache,
    measures: measures.map(({ inputs: [input], op, name }) => [input === undefined ? "*" : columnOf(input), op, name]),
    where: termsOf(where).map(({ operand, op, values }) => [columnOf(operand), op, op === "in" || op === "not in" ? values : values[0]]),
  })));
}
