/** What writers left that were killed: files beside their places, under names that no object has. */
import { join } from "node:path";
import { wallMs } from "../../base/clock.js";
import type { Directory } from "./place.js";

/** How long nothing is written to a file whose writer is taken for dead. A living one that was stopped longer fails. */
const abandonedMs = 60 * 60 * 1_000;

/** Removes files in a folder that were being written when their writers died. */
export async function sweep({ root, files, swept }: Directory, folder: string, temporary: readonly string[]): Promise<void> {
  swept.add(folder);
  for (const name of temporary) {
    const path = join(root, folder, name);
    const facts = await files.find(path);
    if (facts === undefined || facts.isDirectory || wallMs() - facts.modifiedMs < abandonedMs) continue;
    // Another may remove it too, and who may only read leaves it there.
    await files.remove(path).catch(() => {});
  }
}
