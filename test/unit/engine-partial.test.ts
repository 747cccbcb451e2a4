import { expect } from "chai";
import { describe, it } from "mocha";
import { wholeRange } from "../../lib/columns/dtypes.js";
import { finishQuery } from "../../lib/engine/finish.js";
import { mergePartials } from "../../lib/engine/merge.js";
import type { Partial } from "../../lib/engine/partial.js";
import { unpackArrays } from "../../lib/engine/packed-arrays.js";
import { decodePartial, encodePartial } from "../../lib/engine/partial-bytes.js";
import { namesOf } from "../../lib/engine/partial-names.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { createReader, createWriter } from "../../lib/engine/states/bytes.js";
import { definitionOf, type StateColumn } from "../../lib/engine/states/kinds.js";
import { totalsOf } from "../../lib/engine/states/sum.js";
import { addBiases, bigintSum, limbsOf } from "../../lib/engine/states/whole-sums.js";
import type { Text } from "../../lib/engine/values.js";
import { rowsOf } from "../support/random/local.js";

function text(...values: string[]): Text {
  const bytes = new TextEncoder().encode(values.join(""));
  const offsets = new Uint32Array(values.length + 1);
  values.forEach((value, k) => { offsets[k + 1] = offsets[k]! + Buffer.byteLength(value); });
  return { dtype: "string", offsets, bytes };
}

/** Groups by one string key with a count, an integer sum and a least text; the last group is null when `hasNull`. */
function partial(keys: string[], sums: bigint[], hasNull = false): Partial {
  const groups = sums.length;
  return {
    groups,
    keys: [{ dtype: "string", domain: text(...keys), codes: null, source: null }],
    rows: new Float64Array(groups).fill(1),
    states: [
      { kind: "count", counts: new Float64Array(groups).fill(1) },
      { kind: "sum", dtype: "int64", sums: Uint32Array.from(sums.flatMap((sum) => [...limbsOf(sum)])) },
      { kind: "min", seen: new Uint8Array(groups).fill(hasNull ? 0 : 1), values: text(...sums.map(String)) },
    ],
  };
}

const query = parseQuery({ keys: ["k"], measures: [["v", "sum", "sum"], ["t", "min", "least"], ["v", "mean", "mean"]], where: [] });

function finished(merged: Partial): unknown[][] {
  // The query shares its states over v; the partial above has one count, one sum and one min.
  const [count, sum, min] = merged.states;
  return rowsOf(finishQuery(query, { ...merged, states: [count!, sum!, min!] }));
}

describe("partials", () => {
  it("merge as sorted runs, nulls last", () => {
    const merged = mergePartials(partial(["a", "c"], [1n, 2n]), partial(["b", "c"], [10n, 20n, 30n], true));
    expect(finished(merged)).to.deep.equal([["a", 1n, "1", 1], ["b", 10n, null, 10], ["c", 22n, "2", 11], [null, 30n, null, 30]]);
  });

  it("have one form of NaN, which arithmetic gives with either sign", () => {
    const bytesOf = (bits: bigint): Uint8Array => {
      const means = new Float64Array(1);
      new BigUint64Array(means.buffer)[0] = bits;
      return encodePartial({ groups: 1, keys: [], rows: Float64Array.of(1), states: [{ kind: "moments", counts: Float64Array.of(1), means, squares: Float64Array.of(0) }] });
    };
    expect(bytesOf(0xfff8_0000_0000_0000n)).to.deep.equal(bytesOf(0x7ff8_0000_0000_0000n));
  });

  it("compare strings by bytes even when a prefix", () => {
    const merged = mergePartials(partial(["a", "ab"], [1n, 2n]), partial(["", "aa", "é"], [3n, 4n, 5n]));
    expect(finished(merged).map((row) => row[0])).to.deep.equal(["", "a", "aa", "ab", "é"]);
  });

  it("carry sums past 64 bits and back", () => {
    const half = 2n ** 63n - 1n;
    const merged = mergePartials(mergePartials(partial(["a"], [half]), partial(["a"], [half])), partial(["a"], [-half]));
    expect(finished(merged)[0]![1]).to.equal(half);
  });

  it("say OVERFLOW only when the result does not fit, and then name the measure", () => {
    const merged = mergePartials(partial(["a"], [2n ** 63n - 1n]), partial(["a"], [1n]));
    expect(() => finished(merged)).to.throw("the sum 'sum' is 9223372036854775808").with.property("code", "OVERFLOW");
  });

  it("of dtypes that nothing holds together are SCHEMA_MISMATCH", () => {
    const other: Partial = { ...partial(["a"], [1n]), keys: [{ dtype: "int64", domain: { dtype: "int64", array: new BigInt64Array(1) }, codes: null, source: null }] };
    expect(() => mergePartials(partial(["a"], [1n]), other)).to.throw("a key is string in one shard and int64").with.property("code", "SCHEMA_MISMATCH");
  });

  it("of dtypes that do not hold all values name the key or column", () => {
    const wholes = (dtype: "int64" | "uint64", kept: bigint): Partial => ({
      groups: 1, rows: Float64Array.of(1),
      keys: [{ dtype, domain: { dtype, array: BigInt64Array.of(kept) }, codes: null, source: null }],
      states: [{ kind: "min", seen: Uint8Array.of(1), values: { dtype, array: BigInt64Array.of(kept) } }],
    });
    const names = namesOf(parseQuery({ keys: ["k"], measures: [["v w", "min", "m"]] }));
    const texts: Partial = { ...partial(["a"], [1n]), states: wholes("int64", 1n).states };
    expect(() => mergePartials(texts, wholes("int64", 1n), names)).to.throw("key 'k' is string in one shard and int64 in another").with.property("code", "SCHEMA_MISMATCH");
    const [signed, unsigned] = [wholes("int64", 1n), wholes("uint64", 2n ** 63n - 1n)];
    const inexact = "is uint64 in one shard and widens to float64, which does not hold its value 18446744073709551615";
    expect(() => mergePartials(signed, unsigned, names)).to.throw(`key 'k' ${inexact}`).with.property("code", "SCHEMA_MISMATCH");
    const [fewer, more] = [signed, unsigned].map((one): Partial => ({ ...one, keys: [] }));
    expect(() => mergePartials(fewer!, more!, { ...names, keys: [] })).to.throw(`column 'v w' ${inexact}`).with.property("code", "SCHEMA_MISMATCH");
  });

  it("hold sums of uint64 to 2^64 - 1 and no less than 0", () => {
    const of = (sums: bigint[], counts: number[]): Partial => ({
      ...partial(["a"], sums),
      states: [
        { kind: "count", counts: Float64Array.from(counts) },
        { kind: "sum", dtype: "uint64", sums: Uint32Array.from(sums.flatMap((sum) => [...limbsOf(sum)])) },
        { kind: "min", seen: Uint8Array.of(1), values: { dtype: "uint64", array: BigInt64Array.of(-(2n ** 63n)) } },
      ],
    });
    const most = 2n ** 64n - 1n;
    expect(finished(mergePartials(of([most - 5n], [2]), of([5n], [1])))).to.deep.equal([["a", most, 0n, Number(most) / 3]]);
    expect(() => finished(mergePartials(of([most], [1]), of([1n], [1])))).to.throw("the sum 'sum' is 18446744073709551616 in one group and does not fit uint64");
    expect(() => finished(of([-1n], [1]))).to.throw("the sum 'sum' is -1 ").with.property("code", "OVERFLOW");
  });

  it("with a value that its dtype does not have are refused", () => {
    for (const [dtype, value] of [["int8", 128n], ["uint8", -1n], ["uint16", 65_536n], ["int32", -(2n ** 31n) - 1n], ["uint32", 2n ** 32n], ["date", 2n ** 31n]] as const) {
      const of = (entry: bigint): Partial => ({ ...partial(["a"], [1n]), keys: [{ dtype, domain: { dtype, array: BigInt64Array.of(entry) }, codes: null, source: null }] });
      expect(() => decodePartial(encodePartial(of(value))), `${value} as ${dtype}`).to.throw().with.property("code", "BAD_MESSAGE");
      const { least, greatest } = wholeRange(dtype);
      for (const entry of [least, greatest]) expect(decodePartial(encodePartial(of(entry)))).to.deep.equal(of(entry));
    }
    const texts = { ...partial(["a"], [1n]), states: [{ kind: "sum", dtype: "string", sums: new Float64Array(1) }] } as unknown as Partial;
    expect(() => decodePartial(encodePartial(texts))).to.throw().with.property("code", "BAD_MESSAGE");
  });

  it("hold extremes of whole numbers in as few bytes as tell them apart", () => {
    for (const [span, bytesEach] of [[0n, 1], [255n, 1], [256n, 2], [65_535n, 2], [65_536n, 4], [2n ** 32n - 1n, 4], [2n ** 32n, 8], [2n ** 63n, 8]] as const) {
      for (const least of [-(2n ** 63n), -3n, 0n, 2n ** 32n - 2n, -(2n ** 32n) - 2n, 2n ** 63n - 1n - span]) {
        if (least + span >= 2n ** 63n) continue;
        const array = BigInt64Array.from({ length: 1_000 }, (_, at) => (at === 700 ? least + span : at % 3 === 0 ? least + span / 2n : least));
        for (const seen of [new Uint8Array(1_000).fill(1), Uint8Array.from(array, (value) => Number(value === least))]) {
          const state: StateColumn = { kind: "max", seen, values: { dtype: "int64", array } };
          const writer = createWriter();
          const description = definitionOf("max").write(state, writer);
          expect(writer.arrays.at(-1)!.BYTES_PER_ELEMENT, `${least} to ${least + span}`).to.equal(bytesEach);
          const arrays = writer.arrays.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
          expect(definitionOf("max").read({ ...description, kind: "max" }, 1_000, createReader(arrays))).to.deep.equal({ kind: "max", seen, values: { dtype: "int64", array } });
          if (bytesEach === 8) continue;
          for (const base of [null, 5, "", "1.5", "x", "1".repeat(30)]) expect(() => definitionOf("max").read({ ...description, base }, 1_000, createReader(arrays))).to.throw("a base is none");
          expect(() => definitionOf("max").read({ ...description, width: 3 }, 1_000, createReader(arrays))).to.throw("a width is none");
          expect(() => definitionOf("max").read(description, 999, createReader(arrays))).to.throw("wrong length");
          if (least < -3n) expect(() => definitionOf("max").read({ ...description, dtype: "date" }, 1_000, createReader(arrays))).to.throw("a value is none of date");
        }
      }
    }
  });

  it("hold histograms in as few bytes as their counts take", () => {
    const histograms = (count: number): Partial => ({ groups: 1, keys: [], rows: Float64Array.of(1), states: [{ kind: "histogram", inputs: ["float64"], cells: 10_000, counts: new Float64Array(10_000).fill(count, 1) }] });
    for (const [count, width] of [[200, 1], [60_000, 2], [2 ** 40, 8]] as const) {
      const bytes = encodePartial(histograms(count));
      expect(bytes.length, `${count}`).to.be.within(width * 10_000, width * 10_000 + 400);
      expect(decodePartial(bytes)).to.deep.equal(histograms(count));
    }
  });

  it("survive their bytes, at any alignment of the frame", () => {
    const whole = mergePartials(partial(["a", "c"], [1n, -2n]), partial(["b"], [10n, 20n], true));
    const bytes = encodePartial(whole);
    for (let shift = 0; shift < 8; shift++) {
      const frame = new Uint8Array(bytes.length + shift);
      frame.set(bytes, shift);
      expect(encodePartial(decodePartial(frame.subarray(shift)))).to.deep.equal(bytes);
    }
  });

  it("whose description is longer than all of them are refused", () => {
    for (const headBytes of [0xffff_fff8, 0xffff_ffff, 0x8000_0000]) {
      // As 32 bits its end would be the start, and the whole frame an array.
      const text = JSON.stringify({ lengths: [64] }).padEnd(60);
      const frame = new Uint8Array(64);
      new DataView(frame.buffer).setUint32(0, headBytes, true);
      frame.set(new TextEncoder().encode(text), 4);
      expect(() => unpackArrays(frame)).to.throw(RangeError, "cut short");
    }
  });

  it("cut anywhere or with any byte changed are refused or decode, and never crash otherwise", () => {
    const bytes = encodePartial(partial(["a", "bb"], [1n, 2n, 3n], true));
    for (let length = 0; length < bytes.length; length++) expect(() => decodePartial(bytes.slice(0, length))).to.throw().with.property("code", "BAD_MESSAGE");
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at]! ^= 0x41;
      try {
        decodePartial(changed);
      } catch (error) {
        expect(error).to.have.property("code", "BAD_MESSAGE");
      }
    }
  });
});

describe("sums", () => {
  it("hold 128 bits", () => {
    for (const value of [0n, 1n, -1n, 2n ** 64n, -(2n ** 100n), 2n ** 127n - 1n]) expect(bigintSum(limbsOf(value), 0)).to.equal(value);
  });

  it("of values kept less 2^63 get it back for each of them", () => {
    const counts = [0, 1, 2, 3, 2 ** 33 + 1, 2 ** 52 + 3];
    for (const kept of [0n, -1n, 2n ** 63n, -(2n ** 100n) + 7n]) {
      const biased = addBiases(Uint32Array.from(counts.flatMap(() => [...limbsOf(kept)])), Float64Array.from(counts));
      expect(counts.map((_, group) => bigintSum(biased, group))).to.deep.equal(counts.map((count) => kept + 2n ** 63n * BigInt(count)));
    }
  });

  it("of floats keep what rounding leaves out", () => {
    const merge = (a: number[], b: number[]): number => {
      const of = (pair: number[]): Partial => ({ groups: 1, keys: [], rows: new Float64Array([1]), states: [{ kind: "sum", dtype: "float64", decimals: [], pairs: Float64Array.from(pair) }] });
      const state = mergePartials(of(a), of(b)).states[0]!;
      return "pairs" in state ? totalsOf(state, 1)[0]! : NaN;
    };
    expect(merge([1e16, 1], [-1e16, 0])).to.equal(1);
    expect(merge([Infinity, 0], [1, 0])).to.equal(Infinity);
    expect(merge([Infinity, 0], [-Infinity, 0])).to.be.NaN;
  });
});
