import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { chooseBatch, chooseBlocks } from "../../lib/cluster/controller/schedule/batches.js";
import { alignedBlocks, isAligned } from "../../lib/engine/tree.js";

const ordinals = fc.uniqueArray(fc.nat(200), { maxLength: 120 }).map((list) => list.sort((a, b) => a - b));
const size = fc.integer({ min: 1, max: 64 });

describe("batches", () => {
  it("are some of the ordinals, as many as asked for where there are so many", () => {
    fc.assert(fc.property(ordinals, size, (list, most) => {
      const batch = chooseBatch(list, most);
      expect(list).to.include.members(batch);
      expect(batch.length).to.equal(Math.min(most, list.length));
      expect(batch).to.deep.equal([...new Set(batch)].sort((a, b) => a - b));
    }));
  });

  it("hold the largest aligned block there is within the size", () => {
    fc.assert(fc.property(ordinals, size, (list, most) => {
      const largest = Math.max(0, ...alignedBlocks(list, most).map((block) => block.size));
      const inBatch = Math.max(0, ...alignedBlocks(chooseBatch(list, most), most).map((block) => block.size));
      expect(inBatch).to.equal(largest);
    }));
  });

  it("come from blocks that cover the ordinals once, each aligned", () => {
    fc.assert(fc.property(ordinals, size, (list, most) => {
      const blocks = alignedBlocks(list, most);
      expect(blocks.every(isAligned)).to.equal(true);
      expect(blocks.flatMap((block) => Array.from({ length: block.size }, (_, offset) => block.start + offset))).to.deep.equal(list);
    }));
  });

  it("of whole blocks alone are never cut, and the nearest of the largest come first", () => {
    fc.assert(fc.property(ordinals, size, fc.func(fc.boolean()), (list, most, isNear) => {
      const batch = chooseBlocks(list, most, isNear);
      expect(batch.length).to.be.within(Math.min(1, list.length), most);
      const blocks = alignedBlocks(list, most).map(({ start, size: count }) => Array.from({ length: count }, (_, offset) => start + offset));
      for (const block of blocks) expect([0, block.length]).to.include(block.filter((ordinal) => batch.includes(ordinal)).length);
      const nearness = (block: readonly number[]): number => block.length * 1_000 + block.filter(isNear).length;
      const best = Math.max(0, ...blocks.map(nearness));
      expect(Math.max(0, ...blocks.filter(([first]) => batch.includes(first!)).map(nearness))).to.equal(best);
    }));
  });

  it("prefer a whole block to loose shards before it", () => {
    expect(chooseBatch([1, 3, 8, 9, 10, 11, 13], 5)).to.deep.equal([1, 8, 9, 10, 11]);
  });
});

describe("alignment of a block", () => {
  it("wants a power of two and a multiple of it", () => {
    for (const block of [{ start: 0, size: 1 }, { start: 12, size: 4 }, { start: 0, size: 2 ** 40 }]) expect(isAligned(block)).to.equal(true);
    for (const block of [{ start: 0, size: 3 }, { start: 2, size: 4 }, { start: 0, size: 2 ** 40 + 1 }]) expect(isAligned(block)).to.equal(false);
  });
});
