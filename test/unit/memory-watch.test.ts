import { expect } from "chai";
import { describe, it } from "mocha";
import { createMemoryWatch, describeExcess, watchMemory } from "../../lib/cluster/worker/memory-watch.js";

describe("watch over memory", () => {
  const over = { residentBytes: 101, limitBytes: 100, isBusy: false };

  function verdicts(facts: readonly (typeof over | { residentBytes: number; limitBytes: number | undefined; isBusy: boolean })[]): string {
    const watch = createMemoryWatch();
    return facts.map((one) => watchMemory(watch, one)[0]).join("");
  }

  it("drops caches after three heartbeats over the limit, and ends the worker after three more", () => {
    expect(verdicts(Array.from({ length: 6 }, () => over))).to.equal("nndnne");
  });

  it("forgets what was before a heartbeat below the limit", () => {
    const fine = { ...over, residentBytes: 100 };
    expect(verdicts([over, over, fine, over, over, over, fine, over, over, over])).to.equal("nnnnndnnnd");
  });

  it("is patient with a task, under which caches cannot be dropped", () => {
    const busy = { ...over, isBusy: true };
    expect(verdicts([...Array.from({ length: 9 }, () => busy), over])).to.equal("nnnnnnnnnd");
    expect(verdicts(Array.from({ length: 10 }, () => busy))).to.equal("nnnnnnnnne");
  });

  it("does nothing without a limit", () => {
    expect(verdicts(Array.from({ length: 20 }, () => ({ ...over, limitBytes: undefined })))).to.match(/^n+$/);
  });

  it("says how much of how much, in the units of the configuration", () => {
    expect(describeExcess({ residentBytes: 2.1 * 2 ** 30, limitBytes: 2 ** 31 })).to.equal("memory limit: 2.10 GB of 2.00 GB");
    expect(describeExcess({ residentBytes: 70 * 2 ** 20, limitBytes: 2 ** 26 })).to.equal("memory limit: 70.00 MB of 64.00 MB");
  });
});
