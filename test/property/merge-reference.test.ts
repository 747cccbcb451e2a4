import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { mergePartials } from "../../lib/engine/merge.js";
import { mergeTree } from "../../lib/engine/merge-tree.js";
import type { Partial } from "../../lib/engine/partial.js";
import { encodePartial } from "../../lib/engine/partial-bytes.js";
import { isPair, type Tree } from "../../lib/engine/states/adding.js";
import { mergePlainly } from "../support/merge-reference.js";
import { randomPartials } from "../support/random-partials.js";

/** Any tree over partials in their order. */
function randomTree(partials: readonly Partial[], random: () => number): Tree<Partial> {
  if (partials.length === 1) return partials[0]!;
  const cut = 1 + Math.floor(random() * (partials.length - 1));
  return [randomTree(partials.slice(0, cut), random), randomTree(partials.slice(cut), random)];
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

describe("merged partials", () => {
  it("have the bytes that the plain formula gives", () => {
    fc.assert(fc.property(seeds, fc.integer({ min: 0, max: 3 }), (seed, keyCount) => {
      const [left, right] = randomPartials(seed, 2, keyCount);
      expect(Buffer.from(encodePartial(mergePartials(left!, right!))).equals(encodePartial(mergePlainly(left!, right!))), JSON.stringify({ seed, keyCount })).to.equal(true);
    }), { numRuns: 300 });
  });

  it("are the same at once and by twos, whatever the tree", () => {
    fc.assert(fc.property(seeds, fc.integer({ min: 3, max: 7 }), fc.integer({ min: 0, max: 3 }), (seed, count, keyCount) => {
      const tree = randomTree(randomPartials(seed, count, keyCount), seededRandom(seed));
      const fold = (part: Tree<Partial>): Partial => (isPair(part) ? mergePlainly(fold(part[0]), fold(part[1])) : part);
      expect(Buffer.from(encodePartial(mergeTree(tree))).equals(encodePartial(fold(tree))), JSON.stringify({ seed, count, keyCount })).to.equal(true);
    }), { numRuns: 300 });
  });
});
