/** Tests of daemons over one of the registries, drawn anew in each run. */
import { after, afterEach, before, describe } from "mocha";
import { freshSeed, seededRandom } from "../../../lib/base/clock.js";
import { openRegistry } from "../../../lib/registry/open.js";
import { openRedisRegistry } from "../../../lib/registry/redis.js";
import type { Registry } from "../../../lib/registry/registry.js";
import { startRedis, type RedisServer } from "../redis.js";

/** Describes tests over a folder; or over a Redis server, which each finds empty, together with those that need one. */
export function describeOverDrawnRegistry(title: string, describeTests: (name: string, open: (folder: string) => Promise<Registry>) => void, describeWithRedis: (open: () => Promise<Registry>, server: () => RedisServer) => void): void {
  const isOverRedis = seededRandom(freshSeed())() < 0.5;
  if (!isOverRedis) {
    describeTests("embedded registry", (folder) => openRegistry({ registryDir: folder, cluster: "default" }));
    return;
  }
  describe(`${title} with Redis`, function () {
    this.timeout(90_000);
    let server: RedisServer;
    before(async () => { server = await startRedis(); });
    after(() => server.remove());
    const open = (): Promise<Registry> => openRedisRegistry({ redisUrl: server.url, cluster: "default" });
    afterEach(() => server.ask("FLUSHALL"));

    describeTests("redis registry", open);
    describeWithRedis(open, () => server);
  });
}
