import { expect } from "chai";
import { describe, it } from "mocha";
import type { Dtype } from "../../lib/columns/dtypes.js";
import type { Condition } from "../../lib/engine/expressions/tree.js";
import { parseWhere } from "../../lib/engine/query/where.js";
import { testOf, type ValueTest } from "../../lib/engine/where/literals.js";

type Term = Extract<Condition, { kind: "compare" }>;

function term(op: string, value: unknown): Term {
  return parseWhere([["c", op, value]]) as Term;
}

function conditionOf(asked: Term, dtype: Dtype): ValueTest {
  return testOf(asked, { name: "c", dtype });
}

const intMin = -(2n ** 63n);
const intMax = 2n ** 63n - 1n;

describe("where literals", () => {
  it("compare integers with fractions exactly: 1 is above 0.7 and 0 is not", () => {
    expect(conditionOf(term(">", 0.7), "int64")).to.deep.equal({ kind: "int-range", lo: 1n, hi: intMax, negate: false });
    expect(conditionOf(term("<", 0.7), "int64")).to.deep.equal({ kind: "int-range", lo: intMin, hi: 0n, negate: false });
    expect(conditionOf(term("<=", -0.5), "int64")).to.deep.equal({ kind: "int-range", lo: intMin, hi: -1n, negate: false });
    expect(conditionOf(term(">=", -0.5), "int64")).to.deep.equal({ kind: "int-range", lo: 0n, hi: intMax, negate: false });
  });

  it("never find an integer equal to a fraction, and every one unequal", () => {
    const equal = conditionOf(term("==", 0.5), "int64");
    expect(equal.kind === "int-range" && equal.lo > equal.hi && !equal.negate).to.equal(true);
    const unequal = conditionOf(term("!=", 0.5), "int64");
    expect(unequal.kind === "int-range" && unequal.lo > unequal.hi && unequal.negate).to.equal(true);
  });

  it("keep integers beyond 2^53 exact", () => {
    expect(conditionOf(term("==", 2n ** 53n + 1n), "int64")).to.deep.equal({ kind: "int-range", lo: 2n ** 53n + 1n, hi: 2n ** 53n + 1n, negate: false });
  });

  it("beyond int64 select nothing, or everything, by side", () => {
    const above = conditionOf(term(">", 2n ** 80n), "int64");
    expect(above.kind === "int-range" && above.lo > above.hi).to.equal(true);
    expect(conditionOf(term("<", 2n ** 80n), "int64")).to.deep.equal({ kind: "int-range", lo: intMin, hi: intMax, negate: false });
    expect(conditionOf(term("<", Infinity), "int64")).to.deep.equal({ kind: "int-range", lo: intMin, hi: intMax, negate: false });
    const below = conditionOf(term("<=", -Infinity), "int64");
    expect(below.kind === "int-range" && below.lo > below.hi).to.equal(true);
  });

  it("outside int64 are unequal to every value, as an empty range turned round", () => {
    for (const value of [2n ** 63n, -(2n ** 63n) - 1n, 1e19, Infinity, -Infinity]) {
      expect(conditionOf(term("!=", value), "int64"), String(value)).to.deep.equal({ kind: "int-range", lo: 1n, hi: 0n, negate: true });
    }
    expect(conditionOf(term("<", "9999-12-31"), "timestamp")).to.deep.equal({ kind: "int-range", lo: intMin, hi: intMax, negate: false });
  });

  it("beyond float64 still know infinity to be above them", () => {
    expect(conditionOf(term(">", 10n ** 309n), "float64")).to.include({ lo: Infinity, hi: Infinity });
    expect(conditionOf(term("<", -(10n ** 309n)), "float64")).to.include({ lo: -Infinity, hi: -Infinity });
  });

  it("drop fractions and integers beyond int64 from a list, and keep the rest sorted once each", () => {
    expect(conditionOf(term("in", [3, 1, 0.5, 3, 2n ** 70n]), "int64")).to.deep.equal({ kind: "int-set", values: new BigInt64Array([1n, 3n]), negate: false });
  });

  it("bracket an integer that no float64 is equal to", () => {
    const odd = 2n ** 53n + 1n;
    const equal = conditionOf(term("==", odd), "float64");
    expect(equal.kind === "float-range" && equal.lo > equal.hi).to.equal(true);
    expect(conditionOf(term("<", odd), "float64")).to.deep.equal({ kind: "float-range", lo: -Infinity, hi: 2 ** 53, negate: false });
    expect(conditionOf(term(">", odd), "float64")).to.deep.equal({ kind: "float-range", lo: 2 ** 53 + 2, hi: Infinity, negate: false });
    expect(conditionOf(term("in", [odd, 4]), "float64")).to.deep.equal({ kind: "float-set", values: new Float64Array([4]), negate: false });
  });

  it("step to the next float64 for strict comparisons", () => {
    expect(conditionOf(term("<", 1), "float64")).to.deep.equal({ kind: "float-range", lo: -Infinity, hi: 1 - Number.EPSILON / 2, negate: false });
    expect(conditionOf(term(">", 1), "float64")).to.deep.equal({ kind: "float-range", lo: 1 + Number.EPSILON, hi: Infinity, negate: false });
    expect(conditionOf(term(">", 0), "float64")).to.deep.equal({ kind: "float-range", lo: Number.MIN_VALUE, hi: Infinity, negate: false });
    expect(conditionOf(term("<", -Infinity), "float64")).to.include({ lo: 1, hi: 0 });
    expect(conditionOf(term(">", Infinity), "float64")).to.include({ lo: 1, hi: 0 });
  });

  it("find 0.0 by -0 in a list, as columns store it", () => {
    const condition = conditionOf(term("in", [-0]), "float64");
    expect(condition.kind === "float-set" && Object.is(condition.values[0], 0)).to.equal(true);
  });

  it("read timestamps as text, without zone as UTC", () => {
    const value = 1_451_606_400_000_000_000n;
    for (const text of ["2016-01-01", "2016-01-01T00:00:00Z", "2016-01-01 01:00:00+01:00"]) {
      expect(conditionOf(term("==", text), "timestamp")).to.include({ lo: value, hi: value });
    }
    expect(conditionOf(term("==", new Date("2016-01-01T00:00:00Z")), "timestamp")).to.include({ lo: value, hi: value });
  });

  it("stay within the values of a narrow dtype, and compare with anything outside them", () => {
    expect(conditionOf(term("<", 1_000), "int8")).to.deep.equal({ kind: "int-range", lo: -128n, hi: 127n, negate: false });
    expect(conditionOf(term(">=", -0.5), "uint8")).to.deep.equal({ kind: "int-range", lo: 0n, hi: 255n, negate: false });
    expect(conditionOf(term("==", 256), "uint8")).to.deep.equal({ kind: "int-range", lo: 1n, hi: 0n, negate: false });
    expect(conditionOf(term("!=", -1), "uint32")).to.deep.equal({ kind: "int-range", lo: 1n, hi: 0n, negate: true });
    expect(conditionOf(term("in", [-1, 0, 65_535, 65_536]), "uint16")).to.deep.equal({ kind: "int-set", values: new BigInt64Array([0n, 65_535n]), negate: false });
  });

  it("of uint64 reach to 2^64 - 1, less the 2^63 that tables keep them by", () => {
    expect(conditionOf(term("==", 2n ** 64n - 1n), "uint64")).to.deep.equal({ kind: "int-range", lo: intMax, hi: intMax, negate: false });
    expect(conditionOf(term(">", 2n ** 63n), "uint64")).to.deep.equal({ kind: "int-range", lo: 1n, hi: intMax, negate: false });
    expect(conditionOf(term("<", 0.5), "uint64")).to.deep.equal({ kind: "int-range", lo: intMin, hi: intMin, negate: false });
    expect(conditionOf(term(">=", 2n ** 64n), "uint64")).to.deep.equal({ kind: "int-range", lo: 1n, hi: 0n, negate: false });
    expect(conditionOf(term("<", Infinity), "uint64")).to.deep.equal({ kind: "int-range", lo: intMin, hi: intMax, negate: false });
    expect(conditionOf(term("in", [-1, 0, 2n ** 64n]), "uint64")).to.deep.equal({ kind: "int-range", lo: intMin, hi: intMin, negate: false });
  });

  it("are not rounded to the float32 of their column", () => {
    expect(conditionOf(term("==", 0.1), "float32")).to.deep.equal({ kind: "float-range", lo: 0.1, hi: 0.1, negate: false });
    expect(conditionOf(term("in", [0.1, 2n ** 53n + 1n]), "float32")).to.deep.equal({ kind: "float-set", values: new Float64Array([0.1]), negate: false });
  });

  it("compare dates with instants: a day is its first instant", () => {
    const day = 16_801n;
    expect(conditionOf(term("==", "2016-01-01"), "date")).to.include({ lo: day, hi: day });
    expect(conditionOf(term("==", new Date("2016-01-01T00:00:00Z")), "date")).to.include({ lo: day, hi: day });
    expect(conditionOf(term("==", "2016-01-01T01:00:00+01:00"), "date")).to.include({ lo: day, hi: day });
    expect(conditionOf(term("==", "2016-01-01T00:00:00.000000001Z"), "date")).to.deep.equal({ kind: "int-range", lo: 1n, hi: 0n, negate: false });
    expect(conditionOf(term(">=", "2016-01-01T00:00:00.000000001Z"), "date")).to.include({ lo: day + 1n });
    expect(conditionOf(term("<", "2016-01-01T12:00:00Z"), "date")).to.include({ hi: day });
    expect(conditionOf(term("<", "1969-12-31T12:00:00Z"), "date")).to.include({ hi: -1n });
    expect(conditionOf(term("in", ["2016-01-01", "2016-01-02T00:00:01Z"]), "date")).to.deep.equal({ kind: "int-range", lo: day, hi: day, negate: false });
  });

  it("know dates that no timestamp reaches", () => {
    expect(conditionOf(term("==", "+5881580-07-11"), "date")).to.include({ lo: 2n ** 31n - 1n, hi: 2n ** 31n - 1n });
    expect(conditionOf(term(">", "+5881580-07-11"), "date")).to.deep.equal({ kind: "int-range", lo: 1n, hi: 0n, negate: false });
    expect(conditionOf(term("<", "+5881580-07-11"), "timestamp")).to.deep.equal({ kind: "int-range", lo: intMin, hi: intMax, negate: false });
  });

  it("of bytes are bytes, or their hexadecimal digits after \\x", () => {
    const literal = Uint8Array.of(0x0a, 0xff);
    for (const value of [literal, Buffer.from(literal), "\\x0aff", "\\x0AFF"]) {
      expect(conditionOf(term("<=", value), "bytes")).to.deep.equal({ kind: "text-compare", literal, accept: 3 });
    }
    expect(conditionOf(term("in", [literal, "\\x"]), "bytes")).to.deep.equal({
      kind: "text-set", values: { offsets: Uint32Array.of(0, 2, 2), bytes: literal }, known: { texts: [new Uint8Array(0), literal], areAll: true }, negate: false,
    });
  });

  it("of long lists of texts keep the least and the greatest to rule chunks out by", () => {
    const test = conditionOf(term("in", Array.from({ length: 60_000 }, (_, k) => `k${k}`)), "string");
    expect(test.kind === "text-set" && test.known).to.deep.equal({ texts: [Buffer.from("k0"), Buffer.from("k9999")].map((text) => new Uint8Array(text)), areAll: false });
  });

  it("of another type are DTYPE_MISMATCH naming column, dtype and what to write", () => {
    const cases: [string, unknown, Dtype][] = [
      ["==", "1", "int64"], ["==", true, "float64"], ["<", 5, "string"], ["==", 2, "bool"], [">", 5, "timestamp"], [">", "yesterday", "timestamp"], ["in", [1, "x"], "int64"],
      ["==", "1", "uint8"], ["==", "1", "float32"], ["==", 16_801, "date"], ["==", "2015-02-29", "date"], ["==", "0aff", "bytes"], ["==", "\\x0af", "bytes"], ["==", "\\x0g", "bytes"],
      ["==", 1, "bytes"], ["==", Uint8Array.of(1), "string"], ["==", Uint8Array.of(1), "int64"],
    ];
    for (const [op, value, dtype] of cases) {
      expect(() => conditionOf(term(op, value), dtype), `${String(value)} ${dtype}`).to.throw(`column 'c' is ${dtype}`).with.property("code", "DTYPE_MISMATCH");
    }
  });
});
