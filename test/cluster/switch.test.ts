import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { distributeUnderLoad } from "../support/distribution/run.js";

describe("switching versions in a cluster", function switching() {
  this.timeout(180_000);

  // Versions that are laid there by hand, in place of being distributed, are `npm run check -- switch`.
  it("gives every answer from one version, whole, and none from an earlier one than before, without an error, while versions are distributed to two nodes, and leaves nothing of it behind", async () => {
    const seed = freshSeed();
    const { failure, distributions, answers } = await distributeUnderLoad({ count: 2, seed, isStruck: false });
    expect(failure, `seed ${seed}`).to.equal(undefined);
    expect(distributions).to.equal(3);
    expect(answers).to.be.greaterThan(3);
  });
});
