/** A downloader and a mover beside the workers of a cluster. */
import { until } from "../../../test/support/until.js";
import type { Cluster } from "../../support/cluster.js";
import { startBqueryd, type BquerydProcess } from "../../support/process.js";

/** Calls `use` with both once the controller lists them, and ends them in any case. */
export async function withDaemons<T>({ rpc, registryDir }: Cluster, { dataDir, flags = [], env = {} }: { dataDir: string; flags?: readonly string[]; env?: Readonly<Record<string, string>> }, use: (daemons: { downloader: BquerydProcess; mover: BquerydProcess }) => Promise<T>): Promise<T> {
  const start = (role: string): Promise<BquerydProcess> => startBqueryd([role, `--registry-dir=${registryDir}`, "--redis-url=", `--data-dir=${dataDir}`, ...flags], { env });
  const [downloader, mover] = await Promise.all([start("downloader"), start("movebcolz")]);
  try {
    await until("there are a downloader and a mover", async () => {
      const { downloaders, movers } = await rpc.info();
      return downloaders.length > 0 && movers.length > 0;
    }, 60_000);
    return await use({ downloader, mover });
  } finally {
    for (const running of [downloader, mover]) running.signal("SIGTERM");
    await Promise.all([downloader.ended, mover.ended]);
  }
}
