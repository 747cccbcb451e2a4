import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { createMergeTree } from "../../lib/engine/tree.js";

type Node = string;
const join = (left: Node, right: Node): Node => `(${left} ${right})`;

describe("the merge tree", () => {
  it("is the same for any order of arrival", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (count, stream) => {
      const ordinals = Array.from({ length: count }, (_, ordinal) => ({ ordinal, key: stream.next().value }));
      const inOrder = createMergeTree<Node>(count, join);
      for (const { ordinal } of ordinals) inOrder.add({ start: ordinal, size: 1 }, String(ordinal));
      const shuffled = createMergeTree<Node>(count, join);
      for (const { ordinal } of ordinals.toSorted((a, b) => a.key - b.key)) shuffled.add({ start: ordinal, size: 1 }, String(ordinal));
      expect(shuffled.root()).to.equal(inOrder.root());
      expect(inOrder.root()).to.be.a("string");
    }));
  });

  it("is the same whatever blocks a worker merged before", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 40, maxLength: 40 }), (count, owners) => {
      const whole = createMergeTree<Node>(count, join);
      for (let ordinal = 0; ordinal < count; ordinal++) whole.add({ start: ordinal, size: 1 }, String(ordinal));
      const client = createMergeTree<Node>(count, join);
      for (const owner of [2, 0, 1]) {
        const batch = createMergeTree<Node>(count, join, false);
        for (let ordinal = 0; ordinal < count; ordinal++) if (owners[ordinal] === owner) batch.add({ start: ordinal, size: 1 }, String(ordinal));
        for (const { block, value } of batch.take()) client.add(block, value);
      }
      expect(client.root()).to.equal(whole.root());
    }));
  });

  it("has no root while a shard is missing", () => {
    const tree = createMergeTree<Node>(3, join);
    tree.add({ start: 0, size: 1 }, "0");
    tree.add({ start: 2, size: 1 }, "2");
    expect(tree.root()).to.equal(undefined);
    tree.add({ start: 1, size: 1 }, "1");
    expect(tree.root()).to.equal("((0 1) 2)");
  });

  it("refuses a block twice, past the end or not aligned", () => {
    const tree = createMergeTree<Node>(4, join);
    tree.add({ start: 0, size: 2 }, "01");
    for (const block of [{ start: 1, size: 1 }, { start: 4, size: 1 }, { start: 1, size: 2 }, { start: 2, size: 3 }, { start: -1, size: 1 }]) {
      expect(() => { tree.add(block, "x"); }).to.throw("does not fit the tree");
    }
  });
});
