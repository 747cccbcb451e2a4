import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { roundtripFormats, runRoundtrips } from "../support/roundtrip-runs.js";

describe("a table exported and imported again is the same", () => {
  for (const format of roundtripFormats) {
    it(`through ${format}: every dtype, nulls, odd names and values`, async function () {
      this.timeout(120_000);
      await runRoundtrips(format, { count: 5, seed: freshSeed() });
    });
  }
});
