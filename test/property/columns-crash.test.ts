import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { crashScenarios, openCrashStage, runCrash } from "../support/crash-runs.js";

/** Around the commit, at the end, much depends on what is lost: there the power is cut at each operation. */
const lateOperations = 15;
/** Before, at one operation in so many, from one on that is drawn: each is in one run or another. */
const every = 4;

describe("a power cut", () => {
  for (const [name, scenario] of crashScenarios) {
    it(`at any operation of ${name} leaves the old table or the whole new one, and the next writer clears away`, async function () {
      this.timeout(240_000);
      const seed = freshSeed();
      const stage = await openCrashStage(scenario);
      try {
        for (let operations = 0; operations <= stage.operations; operations++) {
          if (operations % every !== seed % every && operations < stage.operations - lateOperations) continue;
          const runSeed = (seed + operations) >>> 0;
          expect(await runCrash(stage, operations, runSeed), `after ${operations} operations, seed ${runSeed}`).to.equal(undefined);
        }
      } finally {
        await stage.close();
      }
    });
  }
});
