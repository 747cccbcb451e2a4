/** Imports and exports of large files that differ little: each run of the tests takes a few of them, `check files` all. */
import { seededRandom } from "../../../lib/base/clock.js";
import { someOf } from "../random/draw.js";

/** One of them. `run` makes what it needs in the folder, unless another has made it there, and throws what is wrong. */
export interface FileCase {
  readonly name: string;
  run(folder: string): Promise<void>;
}

/** Runs so many of the cases, drawn by the seed, each at most once; gives their count. Throws the first failure, with its case and seed. */
export async function runFileCases(cases: readonly FileCase[], { folder, count, seed }: { readonly folder: string; readonly count: number; readonly seed: number }): Promise<number> {
  const drawn = someOf(seededRandom(seed), cases, count);
  for (const { name, run } of drawn) {
    try {
      await run(folder);
    } catch (cause) {
      throw new Error(`${name} (seed ${seed}, all cases: npm run check -- files): ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }
  return drawn.length;
}
