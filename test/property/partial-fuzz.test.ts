import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { fuzzPartials } from "../support/partial-fuzz.js";

describe("partials with something wrong in them", function () {
  this.timeout(60_000);

  it("are merged and finished to some answer, or refused by a code that says so", async () => {
    const { partials, refused, failure } = await fuzzPartials({ count: 800, seed: freshSeed() });
    expect(failure).to.equal(undefined);
    expect(refused).to.be.within(partials / 2, partials - 1);
  });
});
