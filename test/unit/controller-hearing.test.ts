import { expect } from "chai";
import { describe, it } from "mocha";
import { createHearing } from "../../lib/cluster/controller/peers/hearing.js";

describe("a controller before it calls somebody silent", () => {
  const hearing = () => createHearing(5_000);

  it("reads on for a moment, and knows when there is nothing more to be read", () => {
    const { isBehind } = hearing();
    expect([0, 10, 20].map((nowMs) => isBehind({ nowMs, read: 7, peers: 3 }))).to.deep.equal([true, true, false]);
    expect(isBehind({ nowMs: 21, read: 7, peers: 3 }), "the next silence is one of its own").to.equal(true);
  });

  it("reads on under a flood, until everybody had his turn", () => {
    const { isBehind } = hearing();
    expect([0, 100, 200, 256].map((read) => isBehind({ nowMs: read * 9, read, peers: 10 }))).to.deep.equal([true, true, true, true]);
    expect(isBehind({ nowMs: 2_500, read: 276, peers: 10 })).to.equal(false);
  });

  it("reads on for as long as a silence may be, and no longer", () => {
    const { isBehind } = hearing();
    let read = 0;
    for (let nowMs = 0; nowMs < 5_000; nowMs += 100) expect(isBehind({ nowMs, read: read++, peers: 1_000 })).to.equal(true);
    expect(isBehind({ nowMs: 5_000, read, peers: 1_000 })).to.equal(false);
  });

  it("begins anew when nobody is silent any more", () => {
    const { isBehind, reset } = hearing();
    expect(isBehind({ nowMs: 0, read: 0, peers: 1 })).to.equal(true);
    reset();
    expect(isBehind({ nowMs: 4_000, read: 900, peers: 1 })).to.equal(true);
  });
});
