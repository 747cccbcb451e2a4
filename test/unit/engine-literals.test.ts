import { expect } from "chai";
import { describe, it } from "mocha";
import { conditionOf } from "../../lib/engine/literals.js";
import { parseQuery, type Term } from "../../lib/engine/query.js";

function term(op: string, value: unknown): Term {
  return parseQuery({ keys: ["c"], measures: [], where: [["c", op, value]] }).where[0]!;
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

  it("of another type are DTYPE_MISMATCH naming column, dtype and what to write", () => {
    const cases: [string, unknown, Parameters<typeof conditionOf>[1]][] = [["==", "1", "int64"], ["==", true, "float64"], ["<", 5, "string"], ["==", 2, "bool"], [">", 5, "timestamp"], [">", "yesterday", "timestamp"], ["in", [1, "x"], "int64"]];
    for (const [op, value, dtype] of cases) {
      expect(() => conditionOf(term(op, value), dtype)).to.throw(`column 'c' is ${dtype}`).with.property("code", "DTYPE_MISMATCH");
    }
  });
});
