/** Random tables exported to each format and imported again. */
import { roundtripFormats, runRoundtrips } from "../../test/support/roundtrip-runs.js";

/** So many tables through each format; ends at the first miss. */
export async function checkRoundtrips(count: number, seed: number): Promise<{ figures: Readonly<Record<string, number>>; miss: string | undefined }> {
  let formats = 0;
  for (const format of roundtripFormats) {
    try {
      await runRoundtrips(format, { count, seed });
    } catch (cause) {
      return { figures: { formats }, miss: `${format}: ${cause instanceof Error ? cause.message : String(cause)}` };
    }
    formats++;
  }
  return { figures: { formats }, miss: undefined };
}
