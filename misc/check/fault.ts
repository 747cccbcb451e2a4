/** A cluster of processes under load, and what can happen to processes, connections and a registry, one after another. */
import { formatTable } from "../../test/support/text-columns.js";
import { strikeUnderLoad } from "../../test/support/faults/run.js";

/** So many faults; ends at the first miss. */
export async function checkFaults(count: number, seed: number): Promise<{ figures: Readonly<Record<string, unknown>>; miss: string | undefined }> {
  const { misses, kinds, ...figures } = await strikeUnderLoad({ count, seed });
  const lines = Object.entries(kinds).map(([name, { faults, outcomes, slowestMs, wholeAgainMs }]) => {
    return [name, `${faults}`, `${slowestMs}`, `${wholeAgainMs}`, Object.entries(outcomes).map(([outcome, calls]) => `${outcome} ${calls}`).join(", ")];
  });
  process.stdout.write(formatTable(["fault", "times", "slowest ms", "whole again ms", "calls"], lines));
  return { figures: { ...figures, kinds }, miss: misses[0] };
}
