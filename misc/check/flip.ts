/** Small random tables of which every byte is flipped, and every file is cut at every length. */
import { runFlips } from "../../test/support/flip-runs.js";

/** So many tables, the first by the seed, the others by the ones after it; ends at the first miss. */
export async function checkFlips(count: number, seed: number): Promise<{ figures: Readonly<Record<string, number>>; miss: string | undefined }> {
  const figures = { tables: 0, flips: 0, cuts: 0 };
  for (let table = 0; table < count; table++) {
    const tableSeed = (seed + table) >>> 0;
    const { flips, cuts, problem } = await runFlips(tableSeed);
    figures.tables++;
    figures.flips += flips;
    figures.cuts += cuts;
    if (problem !== undefined) return { figures, miss: `table of seed ${tableSeed}: ${problem}` };
  }
  return { figures, miss: undefined };
}
