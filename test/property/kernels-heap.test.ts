import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { createHeap } from "../../lib/kernels/heap.js";
import { loadKernels } from "../../lib/kernels/kernels.js";

/** A step of a heap's life: find so many bytes, or release one of the blocks in use. */
const steps = fc.array(fc.oneof(fc.record({ find: fc.integer({ min: 0, max: 5_000 }) }), fc.record({ release: fc.nat() })), { maxLength: 300 });

describe("heap (property)", () => {
  it("blocks in use never overlap or leave the heap, and the count of bytes is right", () => {
    const kernels = loadKernels(2 ** 20);
    fc.assert(fc.property(steps, fc.integer({ min: 64, max: 40_000 }), (life, capacity) => {
      const heap = createHeap(kernels, capacity);
      const blocks: { start: number; end: number }[] = [];
      for (const step of life) {
        if ("release" in step) {
          if (blocks.length === 0) continue;
          const [block] = blocks.splice(step.release % blocks.length, 1);
          heap.release(block!.start);
        } else {
          const start = heap.find(step.find);
          if (start === undefined) continue;
          const end = start + heap.blockBytes(step.find);
          expect(end - start).to.be.at.least(step.find);
          expect(start).to.be.at.least(kernels.heapStart);
          expect(end).to.be.at.most(Math.ceil(kernels.heapStart / 64) * 64 + heap.capacityBytes);
          expect(blocks.some((block) => start < block.end && block.start < end)).to.equal(false);
          blocks.push({ start, end });
        }
        expect(heap.usedBytes).to.equal(blocks.reduce((sum, block) => sum + block.end - block.start, 0));
      }
      const largest = 2 ** Math.floor(Math.log2(heap.capacityBytes));
      for (const block of blocks) heap.release(block.start);
      expect(heap.find(largest)).to.be.a("number");
    }));
  });
});
