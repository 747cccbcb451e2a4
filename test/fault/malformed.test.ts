import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { sendMalformed } from "../support/hostile/malformed.js";
import { sorts } from "../support/hostile/messages.js";

describe("malformed messages", function malformed() {
  this.timeout(180_000);

  for (const withKeys of [false, true]) it(`from all sides end no process and leave nothing behind, and an honest client is served through it all, ${withKeys ? "with" : "without"} keys`, async () => {
    const seed = freshSeed();
    const report = await sendMalformed({ count: withKeys ? 1_000 : 2_000, seed, withKeys, isWarm: false });
    expect(report.failure, `seed ${seed}`).to.equal(undefined);
    expect(report.sent).to.be.at.least(withKeys ? 1_000 : 2_000);
    expect(report.answers).to.be.greaterThan(10);
    for (const sort of sorts.filter((name) => !["frames", "bomb", "oversized"].includes(name))) expect(report.bySort[sort], sort).to.be.greaterThan(0);
  });
});
