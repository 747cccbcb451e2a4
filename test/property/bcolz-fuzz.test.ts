import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { fuzzBcolz } from "../support/bcolz-fuzz.js";

describe("mutated tables of bcolz", () => {
  it("give their values or an error of ours, soon and in bounded memory", function mutations() {
    this.timeout(120_000);
    const seed = freshSeed();
    const report = fuzzBcolz({ count: 2_000, seed });
    if (report.failure !== undefined) throw new Error(`npm run check -- fuzz --count 2000 --seed ${seed}: ${report.failure}`);
    // Most mutations are noticed; those of values alone cannot be, as bcolz has no checksums.
    expect(report.refused).to.be.above(500);
    expect(report.read).to.be.above(300);
  });
});
