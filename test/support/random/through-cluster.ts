/** Random queries through a controller and workers, one in ten through others that share a registry in Redis. */
import { withCluster } from "../../../misc/support/cluster.js";
import type { Rpc } from "../../../lib/index.js";
import { startRedis } from "../redis.js";
import { until } from "../until.js";
import type { AskCluster } from "./run.js";

const redisEvery = 10;

/** Starts real clusters over a directory of so many tables for the length of some work. */
export async function askThroughCluster(dataDir: string, tables: number, work: (ask: AskCluster) => Promise<void>): Promise<void> {
  const server = await startRedis();
  try {
    await withCluster({ dataDir, workers: 2 }, async ({ rpc: overFolder }) => {
      await withCluster({ dataDir, workers: 1, redisUrl: server.url }, async ({ rpc: overRedis }) => {
        for (const rpc of [overFolder, overRedis]) await until("all tables are known", async () => ((await rpc.files()) as unknown[]).length >= tables);
        await work(askInTurn(overFolder, overRedis));
      });
    });
  } finally {
    await server.remove();
  }
}

/** Asks the first of every ten over Redis. */
function askInTurn(overFolder: Rpc, overRedis: Rpc): AskCluster {
  let asked = 0;
  return (table, written) => {
    const rpc = asked++ % redisEvery === 0 ? overRedis : overFolder;
    return rpc.groupby({ tables: written.missing === undefined ? table : [table, `no_${table}`], ...written });
  };
}
