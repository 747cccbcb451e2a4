/** What the processes of one cluster have in common, whatever address they meet at. */
import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { parseRedisUrl } from "../base/redis-url.js";

/** Where the processes of a cluster find each other. */
export interface ClusterPlace {
  readonly redisUrl: string;
  readonly registryDir: string;
  readonly cluster: string;
}

/**
 * 32 hexadecimal digits that are the same for all who share a registry, and others for the clusters beside it. A
 * controller that ends leaves its port, which one of another cluster may take: whoever knew the first must not take the
 * second for it. A Redis server may have several names, so of one only the database counts.
 */
export function clusterMark({ redisUrl, registryDir, cluster }: ClusterPlace): string {
  const place = redisUrl === "" ? ["folder", realPath(registryDir)] : ["redis", String(parseRedisUrl(redisUrl)?.db ?? 0)];
  return createHash("sha256").update(JSON.stringify([...place, cluster])).digest("hex").slice(0, 32);
}

/** A folder that is not there yet is itself. */
function realPath(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return resolve(folder);
  }
}
