import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { crashScenarios, openCrashStage, runCrash } from "../support/crash-runs.js";

/** Around the commit, at the end, much depends on what is lost. */
const lateOperations = 15;
const lateRuns = 2;

describe("a power cut", () => {
  for (const [name, scenario] of crashScenarios) {
    it(`at any operation of ${name} leaves the old table or the whole new one, and the next writer clears away`, async function () {
      this.timeout(240_000);
      const seed = freshSeed();
      const stage = await openCrashStage(scenario);
      try {
        for (let operations = 0; operations <= stage.operations; operations++) {
          const runs = operations >= stage.operations - lateOperations ? lateRuns : 1;
          for (let run = 0; run < runs; run++) {
            const runSeed = (seed + operations * lateRuns + run) >>> 0;
            expect(await runCrash(stage, operations, runSeed), `after ${operations} operations, seed ${runSeed}`).to.equal(undefined);
          }
        }
      } finally {
        await stage.close();
      }
    });
  }
});
