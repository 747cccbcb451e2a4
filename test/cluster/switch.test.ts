import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { distributeUnderLoad } from "../support/distribution/run.js";
import { switchUnderLoad } from "../support/switch-runs.js";

describe("switching versions in a cluster", function switching() {
  this.timeout(180_000);

  it("gives every answer from one version, whole, and none from an earlier one than before, while two nodes take in 8 under load", async () => {
    const { failure, switches, answers } = await switchUnderLoad({ count: 8, seed: 1 });
    expect(failure).to.equal(undefined);
    expect(switches).to.equal(8);
    expect(answers).to.be.at.least(24);
  });

  it("does the same when each version is distributed, without an error, and leaves nothing of it behind", async () => {
    const seed = freshSeed();
    const { failure, distributions, answers } = await distributeUnderLoad({ count: 3, seed, isStruck: false });
    expect(failure, `seed ${seed}`).to.equal(undefined);
    expect(distributions).to.equal(4);
    expect(answers).to.be.greaterThan(3);
  });
});
