import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { killWorkersUnderLoad } from "../support/killing-workers.js";

describe("kill -9 of one of two workers", function workerKilled() {
  this.timeout(120_000);

  it("during a stream of queries: every answer is right, none is lost, and the worker is back", async () => {
    const seed = freshSeed();
    const report = await killWorkersUnderLoad({ kills: 1, seed });
    expect(report, `seed ${seed}`).to.deep.include({ kills: 1, wrong: [], failed: [] });
    expect(report.answers).to.be.greaterThan(20);
  });
});
