import { expect } from "chai";
import { describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { createHeap } from "../../lib/kernels/heap.js";
import { loadKernels } from "../../lib/kernels/kernels.js";

const kernels = loadKernels(8 * 2 ** 20);
const heap = createHeap(kernels, 6 * 2 ** 20);
const random = seededRandom(81);

interface Case {
  readonly keys: number[];
  readonly slots: number[];
  readonly places: number;
}

function draw(rows: number, slotCount: number, most: number, places: number): Case {
  let slot = 0;
  return {
    places,
    keys: Array.from({ length: rows }, () => Math.round((random() * 2 - 1) * most)),
    // Runs of one slot now and then.
    slots: Array.from({ length: rows }, (_, row) => (slot = row % 500 > 300 ? slot : Math.floor(random() * slotCount))),
  };
}

const cases = [
  draw(1, 1, 10, 0), draw(63, 3, 1e6, 2), draw(2_047, 100, 2 ** 51 - 1, 0), draw(2_048, 512, 2 ** 51 - 1, 3), draw(2_051, 2, 1e8, 6), draw(65_536, 513, 1e9, 9), draw(9_999, 3_000, 2 ** 40, 18),
];

function withMemory<T>(doing: (allocate: (bytes: number) => number) => T): T {
  const taken: number[] = [];
  const result = doing((bytes) => {
    const pointer = heap.find(bytes)!;
    taken.push(pointer);
    return pointer;
  });
  for (const pointer of taken) heap.release(pointer);
  return result;
}

describe("kernels of sums of decimals", () => {
  for (const { keys, slots, places } of cases) {
    const scale = Number(`1e${places}`);
    const slotCount = Math.max(...slots) + 1;
    const name = `${keys.length} rows of ${places} places in ${slotCount} slots`;

    it(`add up ${name}`, () => {
      const expected = Array.from({ length: slotCount }, () => 5n);
      keys.forEach((key, row) => { expected[slots[row]!]! += BigInt(key); });
      const found = withMemory((allocate) => {
        const [values, at, sums, one] = [allocate(8 * keys.length), allocate(4 * keys.length), allocate(8 * slotCount), allocate(8)];
        const { buffer } = kernels.memory;
        new Float64Array(buffer, values, keys.length).set(keys.map((key) => key / scale));
        new Uint32Array(buffer, at, keys.length).set(slots);
        new BigInt64Array(buffer, sums, slotCount).fill(5n);
        new BigInt64Array(buffer, one, 1).fill(7n);
        kernels.sumDecimalSlots(at, values, keys.length, scale, sums);
        kernels.totalDecimals(values, keys.length, scale, one);
        return { sums: [...new BigInt64Array(buffer, sums, slotCount)], total: new BigInt64Array(buffer, one, 1)[0] };
      });
      expect(found.sums).to.deep.equal(expected);
      expect(found.total).to.equal(keys.reduce((sum, key) => sum + BigInt(key), 7n));
    });
  }

  it("find whole numbers up to 2^52 as they were found when they became decimals", () => {
    const keys = [2 ** 52, -(2 ** 52), 2 ** 52 - 1, 2 ** 51 + 1, 0, 12_345];
    for (const places of [0, 1, 3]) {
      const scale = 10 ** places;
      // Of two whole numbers that have one quotient, the one that the kernel of decimals keeps.
      const kept = keys.filter((key) => Math.abs(Math.round((key / scale) * scale)) <= 2 ** 52 && Math.round((key / scale) * scale) / scale === key / scale);
      const found = withMemory((allocate) => {
        const [values, target, again] = [allocate(8 * kept.length), allocate(8 * kept.length), allocate(8 * kept.length)];
        new Float64Array(kernels.memory.buffer, values, kept.length).set(kept.map((key) => key / scale));
        kernels.decimalKeysAt(values, kept.length, scale, target);
        expect(kernels.decimalKeys(values, kept.length, 0, again)).to.be.at.most(places);
        return [...new BigInt64Array(kernels.memory.buffer, target, kept.length)].map(Number);
      });
      found.forEach((key, at) => { expect(key / scale).to.equal(kept[at]! / scale); });
    }
  });
});
