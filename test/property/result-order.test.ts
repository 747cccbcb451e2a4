import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import type { ResultColumn } from "../../lib/engine/finish.js";
import { orderRows } from "../../lib/engine/result/order.js";
import { upTo, type Values } from "../../lib/engine/values.js";

const count = 6_000;
type Random = () => number;

/** Columns of many ties, with what orders badly by its bits. */
const makers: readonly ((random: Random) => { values: Values; plain: (number | bigint | string)[] })[] = [
  (random) => {
    const array = Float64Array.from({ length: count }, () => [0, -0, Infinity, -Infinity, 5e-324][Math.floor(random() * 12)] ?? Math.round((random() - 0.5) * 1e4) / 8);
    return { values: { dtype: "float64", array }, plain: [...array] };
  },
  (random) => {
    const array = BigInt64Array.from({ length: count }, () => BigInt(Math.floor((random() - 0.5) * 300)) * 2n ** BigInt(Math.floor(random() * 55)));
    return { values: { dtype: "int64", array }, plain: [...array] };
  },
  (random) => {
    const array = Uint8Array.from({ length: count }, () => Math.floor(random() * 2));
    return { values: { dtype: "bool", array }, plain: [...array] };
  },
  (random) => {
    const distinct = random() < 0.5 ? 30 : 5_000;
    const plain = Array.from({ length: count }, () => ["", "a", "a\0", "b\u007f"][Math.floor(random() * 20)] ?? `id${"0".repeat(Math.floor(random() * 3))}${Math.floor(random() * distinct)}`);
    const texts = plain.map((text) => Buffer.from(text));
    const offsets = new Uint32Array(count + 1);
    texts.forEach((text, k) => (offsets[k + 1] = offsets[k]! + text.length));
    return { values: { dtype: "string", offsets, bytes: Buffer.concat(texts) }, plain };
  },
];

describe("many rows ordered by numbers and texts", () => {
  it("are in the order of a comparison, ties as they came, nulls last", () => {
    fc.assert(fc.property(fc.nat(), fc.integer({ min: 1, max: 3 }), (seed, names) => {
      const random = seededRandom(seed);
      const drawn = Array.from({ length: names }, (_, place) => ({
        name: `c${place}`, ...makers[Math.floor(random() * makers.length)]!(random), descending: random() < 0.5,
        isNull: random() < 0.5 ? null : Uint8Array.from({ length: count }, () => Number(random() < 0.2)),
      }));
      const columns: ResultColumn[] = drawn.map(({ name, values, isNull }) => ({ name, values, isNull }));
      const rows = upTo(count).filter((row) => row % 7 !== 0);
      const compare = (i: number, j: number): number => {
        for (const { plain, isNull, descending } of drawn) {
          if ((isNull?.[i] ?? 0) !== (isNull?.[j] ?? 0)) return (isNull?.[i] ?? 0) - (isNull?.[j] ?? 0);
          if (isNull?.[i] === 1 || plain[i] === plain[j]) continue;
          return (plain[i]! < plain[j]!) === descending ? 1 : -1;
        }
        return 0;
      };
      const expected = [...rows].sort(compare).slice(3);
      expect([...orderRows(rows, drawn.map(({ name, descending }) => ({ name, descending })), columns, { offset: 3, limit: null })], `seed ${seed}`).to.deep.equal(expected);
    }), { numRuns: 40 });
  });

  it("are given up as soon as they are asked to", () => {
    const random = seededRandom(3);
    for (const make of makers) {
      const columns: ResultColumn[] = [{ name: "c", values: make(random).values, isNull: null }];
      let looks = 0;
      const stop = (): void => { if (++looks === 2) throw new Error("given up"); };
      expect(() => orderRows(upTo(count), [{ name: "c", descending: false }], columns, { offset: 0, limit: null, stop })).to.throw("given up");
    }
  });
});
