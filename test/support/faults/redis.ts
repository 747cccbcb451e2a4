/** The registry of a stage in a Redis server that can fail: controllers keep themselves listed in it, and the pointers of tables. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describeTable } from "../../../lib/columns/read/describe.js";
import { openRegistry } from "../../../lib/registry/open.js";
import { startRedis, type RedisServer } from "../redis.js";
import { until } from "../until.js";

/** The server, and what has to be in it. */
export interface StageRedis {
  readonly server: RedisServer;
  /** Waits until the controllers are listed again, and the pointers are what they were. */
  untilBack(): Promise<void>;
  close(): Promise<void>;
}

const backWithinMs = 60_000;
const controllers = 2;

/** Starts a server, and names in it the generations of the tables of a folder. */
export async function startStageRedis(dataDir: string): Promise<StageRedis> {
  const server = await startRedis();
  const registry = await openRegistry({ redisUrl: server.url, registryDir: "", cluster: "default" });
  const names = await readdir(dataDir);
  const epoch = await registry.movePointers(names.map((table) => ({ table, generation: describeTable(join(dataDir, table)).generation })), 0);
  return {
    server,
    async untilBack() {
      await until("both controllers are listed", async () => (await registry.controllers().catch(() => [])).length === controllers, backWithinMs);
      await until("the pointers are back", async () => {
        const found = await registry.pointers().catch(() => undefined);
        return found?.epoch === epoch && found.tables.size === names.length;
      }, backWithinMs);
    },
    async close() {
      await registry.close();
      await server.remove();
    },
  };
}
