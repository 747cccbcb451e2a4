import { expect } from "chai";
import { describe, it } from "mocha";
import { countMalformed, createMalformedCounts } from "../../lib/wire/malformed.js";

describe("malformed messages", () => {
  it("are logged once per peer and minute, with those in between", () => {
    const counts = createMalformedCounts();
    expect([0, 1, 59_999].map((nowMs) => countMalformed(counts, "a", nowMs))).to.deep.equal([1, 0, 0]);
    expect(countMalformed(counts, "b", 59_999)).to.equal(1);
    expect(countMalformed(counts, "a", 60_000)).to.equal(3);
    expect(countMalformed(counts, "a", 120_000)).to.equal(1);
    expect(counts.total).to.equal(6);
  });

  it("of very many peers are remembered for the latest alone", () => {
    const counts = createMalformedCounts();
    for (let peer = 0; peer < 5_000; peer++) countMalformed(counts, `${peer}`, peer);
    expect(counts.total).to.equal(5_000);
    expect(counts.peers.size).to.equal(1_024);
    expect(countMalformed(counts, "4999", 5_000)).to.equal(0);
    expect(countMalformed(counts, "0", 5_000)).to.equal(1);
  });
});
