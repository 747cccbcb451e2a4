/** Distributions of which a process, the power of a node or the registry dies at each operation in turn. */
import { killAtPoints } from "../../test/support/killpoints/run.js";

/** So many deaths, drawn by the seed, of which `only` is the number of one alone. */
export async function checkKillPoints(count: number, seed: number, only: number | undefined): Promise<{ figures: Readonly<Record<string, unknown>>; miss: string | undefined }> {
  const { failure, ...figures } = await killAtPoints(count, seed, only);
  return { figures, miss: failure };
}
