/** Distributions under load while processes are killed, and one to a node whose disk is full. */
import { distributeToFullDisk } from "../../test/support/distribution/full-disk.js";
import { distributeUnderLoad } from "../../test/support/distribution/run.js";

/** Distributions in one cluster; then comes another one, with another registry and bucket. */
const perCluster = 10;

/** So many distributions, over both registries and both sorts of buckets in turn; ends at the first miss. */
export async function checkDistributions(count: number, seed: number): Promise<{ figures: Readonly<Record<string, unknown>>; miss: string | undefined }> {
  const runs: Readonly<Record<string, unknown>>[] = [];
  for (let done = 0; done < count; done += perCluster) {
    const { failure, ...figures } = await distributeUnderLoad({ count: Math.min(perCluster, count - done), seed: seed + runs.length, isStruck: true });
    runs.push(figures);
    if (failure !== undefined) return { figures: { runs }, miss: `seed ${seed + runs.length - 1}: ${failure}` };
  }
  if (process.getuid?.() !== 0) return { figures: { runs, fullDisk: "only root can mount a small disk" }, miss: undefined };
  const miss = await distributeToFullDisk();
  return { figures: { runs, fullDisk: miss ?? "ok" }, miss };
}
