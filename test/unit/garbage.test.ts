import { expect } from "chai";
import { beforeEach, describe, it } from "mocha";
import { getHeapStatistics } from "node:v8";
import { createCollector, createHeapCollector } from "../../lib/base/garbage.js";

const megabyte = 2 ** 20;
const outsideBytes = (): number => getHeapStatistics().external_memory;

/** Arrays of so many megabytes, old enough to be collected only with everything else. */
function takeOld(megabytes: number): Float64Array[] {
  const arrays = Array.from({ length: megabytes }, () => new Float64Array(megabyte / 8));
  for (let turn = 0; turn < 3; turn++) Array.from({ length: 200_000 }, (_, k) => ({ k }));
  return arrays;
}

/** What tests of other files left would be collected meanwhile by V8 itself, and hide what is taken here. */
function collectOfOthers(): void {
  beforeEach(() => { expect(createCollector(-Infinity)()).to.equal(true); });
}

describe("the garbage of a thread that has nothing to do", () => {
  collectOfOthers();

  it("is collected when there is much of it in the heap, and only then", () => {
    const heapBytes = (): number => getHeapStatistics().used_heap_size;
    const collect = createHeapCollector(32 * megabyte);
    collect();
    const before = heapBytes();
    expect(collect()).to.equal(false);
    const held = Array.from({ length: 1_000_000 }, (_, k) => ({ k, more: [k] }));
    expect(heapBytes() - before).to.be.above(64 * megabyte);
    held.length = 0;
    expect(collect()).to.equal(true);
    expect(heapBytes() - before).to.be.below(32 * megabyte);
    expect(collect()).to.equal(false);
  });
});

describe("the garbage of a task", () => {
  collectOfOthers();

  it("is collected when much has been taken outside the heap, and only then", () => {
    const collect = createCollector(16 * megabyte);
    const before = outsideBytes();
    // Held until it is to be collected, so that V8 does not do so by itself.
    const held = takeOld(8);
    expect(collect()).to.equal(false);
    held.push(...takeOld(56));
    expect(outsideBytes()).to.be.at.least(64 * megabyte);
    held.length = 0;
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
