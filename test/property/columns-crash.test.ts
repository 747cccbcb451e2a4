import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { crashScenarios, openCrashStage, runCrash } from "../support/crash-runs.js";

/** The power is cut at one operation in so many, from one on that is drawn: each is in one run or another. */
const every = 8;
/** Around the commit, at the end, much depends on what is lost: there at more of them. */
const [lateOperations, everyLate] = [15, 2];

describe("a power cut", () => {
  for (const [name, scenario] of crashScenarios) {
    it(`at any operation of ${name} leaves the old table or the whole new one, and the next writer clears away`, async function () {
      this.timeout(240_000);
      const seed = freshSeed();
      const stage = await openCrashStage(scenario);
      try {
        for (let operations = 0; operations <= stage.operations; operations++) {
          const step = operations < stage.operations - lateOperations ? every : everyLate;
          if (operations % step !== seed % step) continue;
          const runSeed = (seed + operations) >>> 0;
          expect(await runCrash(stage, operations, runSeed), `after ${operations} operations, seed ${runSeed}`).to.equal(undefined);
        }
      } finally {
        await stage.close();
      }
    });
  }
});
