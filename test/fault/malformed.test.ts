import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { sendMalformed } from "../support/hostile/malformed.js";
import { sorts } from "../support/hostile/messages.js";

describe("malformed messages", function malformed() {
  this.timeout(180_000);

  it("from all sides end no process and leave nothing behind, and an honest client is served through it all, with keys or without", async () => {
    const seed = freshSeed();
    // Each run of the tests takes one; .ci/run sends many more with keys and without.
    const withKeys = seed % 2 === 0;
    const report = await sendMalformed({ count: 1_000, seed, withKeys, isWarm: false });
    const what = `seed ${seed}, ${withKeys ? "with" : "without"} keys`;
    expect(report.failure, what).to.equal(undefined);
    expect(report.sent, what).to.be.at.least(1_000);
    expect(report.answers, what).to.be.greaterThan(10);
    for (const sort of sorts.filter((name) => !["frames", "bomb", "oversized"].includes(name))) expect(report.bySort[sort], `${sort}, ${what}`).to.be.greaterThan(0);
  });
});
