/** Writes cut off at chance operations, with chance losses, over every sort of write. */
import { seededRandom } from "../../lib/base/clock.js";
import { crashScenarios, openCrashStage, runCrash } from "../../test/support/crash-runs.js";

/** So many cuts, shared among the sorts of write; ends at the first miss. */
export async function checkCrashes(count: number, seed: number): Promise<{ figures: Readonly<Record<string, number>>; miss: string | undefined }> {
  const random = seededRandom(seed);
  let cuts = 0;
  let operations = 0;
  const each = Math.ceil(count / crashScenarios.size);
  for (const [name, scenario] of crashScenarios) {
    const stage = await openCrashStage(scenario);
    operations += stage.operations;
    try {
      for (let run = 0; run < each && cuts < count; run++, cuts++) {
        const after = Math.floor(random() * (stage.operations + 1));
        const runSeed = Math.floor(random() * 2 ** 32);
        const problem = await runCrash(stage, after, runSeed);
        if (problem !== undefined) return { figures: { cuts, operations }, miss: `${name} cut after ${after} operations, seed ${runSeed}: ${problem}` };
      }
    } finally {
      await stage.close();
    }
  }
  return { figures: { cuts, operations }, miss: undefined };
}
