import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { victims } from "../support/killpoints/kill.js";
import { killAtPoints } from "../support/killpoints/run.js";

describe("a distribution of which something dies", function () {
  this.timeout(600_000);

  it("goes on by itself, old or new everywhere at any time, and leaves nothing", async () => {
    const seed = freshSeed();
    const { failure, points, distributions } = await killAtPoints(victims.length, seed);
    expect(failure, `seed ${seed}`).to.equal(undefined);
    expect(distributions).to.equal(victims.length);
    for (const victim of victims) expect(points[victim]!.operations, victim).to.be.above(victim === "controller" ? 2 : 10);
  });
});
