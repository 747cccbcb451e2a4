import { expect } from "chai";
import { describe, it } from "mocha";
import { switchUnderLoad } from "../support/switch-runs.js";

describe("switching versions in a cluster", function switching() {
  this.timeout(60_000);

  it("gives every answer from one version, whole, and none from an earlier one than before, while two nodes take in 8 under load", async () => {
    const { failure, switches, answers } = await switchUnderLoad({ count: 8, seed: 1 });
    expect(failure).to.equal(undefined);
    expect(switches).to.equal(8);
    expect(answers).to.be.at.least(24);
  });
});
