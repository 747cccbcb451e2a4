/** Chooses the registry of a process. */
import { hideRedisPassword } from "../base/redis-url.js";
import { openEmbeddedRegistry } from "./embedded.js";
import type { Registry } from "./registry.js";

/**
 * The registry of a cluster: in the Redis server at `redisUrl`, for clusters of several machines; without one the folder
 * `registryDir`, shared by the processes of one machine and created when missing. Throws REGISTRY_UNAVAILABLE when it
 * cannot be used.
 */
export async function openRegistry({ redisUrl = "", registryDir, cluster }: { redisUrl?: string; registryDir: string; cluster: string }): Promise<Registry> {
  if (redisUrl === "") return openEmbeddedRegistry({ registryDir, cluster });
  // Its client takes a tenth of a second to load, which those without a server need not wait for.
  const { openRedisRegistry } = await import("./redis.js");
  return openRedisRegistry({ redisUrl, cluster });
}

/** Names the registry of a configuration, for people: without its password. */
export function describeRegistry({ redisUrl, registryDir }: { redisUrl: string; registryDir: string }): string {
  return redisUrl === "" ? registryDir : hideRedisPassword(redisUrl);
}
