import { expect } from "chai";
import { describe, it } from "mocha";
import { getHeapStatistics } from "node:v8";
import { createCollector } from "../../lib/base/garbage.js";

const megabyte = 2 ** 20;
const outsideBytes = (): number => getHeapStatistics().external_memory;

/** Arrays of so many megabytes, old enough to be collected only with everything else. */
function takeOld(megabytes: number): Float64Array[] {
  const arrays = Array.from({ length: megabytes }, () => new Float64Array(megabyte / 8));
  for (let turn = 0; turn < 3; turn++) Array.from({ length: 200_000 }, (_, k) => ({ k }));
  return arrays;
}

describe("the garbage of a task", () => {
  it("is collected when much has been taken outside the heap, and only then", () => {
    const collect = createCollector(16 * megabyte);
    const before = outsideBytes();
    expect(takeOld(8)).to.have.length(8);
    expect(collect()).to.equal(false);
    expect(takeOld(64)).to.have.length(64);
    expect(outsideBytes() - before).to.be.at.least(60 * megabyte);
    expect(collect()).to.equal(true);
    expect(outsideBytes() - before).to.be.below(16 * megabyte);
    expect(collect()).to.equal(false);
  });

  it("leaves what is still held, which counts as staying from then on", () => {
    const collect = createCollector(16 * megabyte);
    const held = takeOld(32);
    expect(collect()).to.equal(true);
    expect(collect()).to.equal(false);
    expect(held.reduce((sum, array) => sum + array.byteLength, 0)).to.equal(32 * megabyte);
  });

  it("is no function that programs could call", () => {
    createCollector(1);
    expect(globalThis).not.to.have.property("gc");
  });
});
