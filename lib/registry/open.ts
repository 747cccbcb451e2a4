/** Chooses the registry of a process. */
import { openEmbeddedRegistry } from "./embedded.js";
import type { Registry } from "./registry.js";

/**
 * The registry of a cluster. Today it is always the embedded one: the folder `registryDir`, shared by the processes of
 * one machine and created when missing. Throws REGISTRY_UNAVAILABLE when the folder cannot be used.
 */
export function openRegistry(options: { registryDir: string; cluster: string }): Promise<Registry> {
  return openEmbeddedRegistry(options);
}
