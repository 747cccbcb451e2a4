import { expect } from "chai";
import * as fc from "fast-check";
import { describe, it } from "mocha";
import { nearestQuotient, nearestQuotients, quotientPairs } from "../../lib/engine/states/quotients.js";
import { totalsOf } from "../../lib/engine/states/sum.js";
import { limbsOf } from "../../lib/engine/states/whole-sums.js";

describe("quotients of exact sums", () => {
  it("add sums of different places before they are rounded", () => {
    const decimals = [{ places: 1, sums: Float64Array.of(1) }, { places: 4, sums: Float64Array.of(13) }, { places: 6, sums: Float64Array.of(-1_300) }];
    expect([...nearestQuotients(decimals, 1)]).to.deep.equal([0.1]);
    expect([...nearestQuotients([{ places: 2, sums: Float64Array.of(1) }, { places: 4, sums: Float64Array.of(13) }], 1)]).to.deep.equal([0.0113]);
  });

  it("round sums beyond 2^53 once", () => {
    expect([...nearestQuotients([{ places: 2, sums: limbsOf(30000060212188130n) }], 1)]).to.deep.equal([300000602121881.3]);
    expect([...nearestQuotients([{ places: 2, sums: limbsOf(-30000060212188130n) }], 1)]).to.deep.equal([-300000602121881.3]);
    expect([...nearestQuotients([{ places: 0, sums: Float64Array.of(2 ** 53 - 1) }, { places: 3, sums: Float64Array.of(1) }], 1)]).to.deep.equal([2 ** 53 - 1]);
  });

  it("round means once, and give 0 where there is nothing to divide by", () => {
    expect([...nearestQuotients([{ places: 2, sums: Float64Array.of(30, 30, 0) }], 3, Float64Array.of(3, 7, 0))]).to.deep.equal([0.1, 0.3 / 7, 0]);
    expect([...nearestQuotients([{ places: 18, sums: Float64Array.of(1e15) }], 1, Float64Array.of(7))]).to.deep.equal([0.001 / 7]);
  });

  it("of whole numbers are means that are rounded once", () => {
    const sum = { kind: "sum", dtype: "int64", sums: limbsOf(2n ** 63n + 1n) } as const;
    expect([...totalsOf(sum, 1, Float64Array.of(3))]).to.deep.equal([Number((2n ** 63n + 1n) / 3n)]);
  });

  it("stand as pairs beside sums of other floats, with what the nearest float64 leaves out", () => {
    const sum = { kind: "sum", dtype: "float64", decimals: [{ places: 2, sums: limbsOf(2n ** 60n * 100n + 50n) }], pairs: Float64Array.of(-(2 ** 60), 0) } as const;
    expect([...totalsOf(sum, 1)]).to.deep.equal([0.5]);
    expect([...totalsOf(sum, 1, Float64Array.of(4))]).to.deep.equal([0.125]);
    const third = quotientPairs({ places: 1, sums: Float64Array.of(1) }, 1);
    expect([...third]).to.deep.equal([0.1, -5.551115123125783e-18]);
  });

  it("of nothing are zeros", () => {
    expect([...nearestQuotients([], 2)]).to.deep.equal([0, 0]);
  });

  it("are what a literal of the same decimal is", () => {
    fc.assert(fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: 0, max: 18 }), (whole, places) => {
      expect(nearestQuotient(whole, 10n ** BigInt(places))).to.equal(Number(`${whole}e-${places}`));
    }));
  });

  it("go to the even neighbour from just between two", () => {
    expect(nearestQuotient(2n ** 53n + 1n, 1n)).to.equal(2 ** 53);
    expect(nearestQuotient(2n ** 53n + 3n, 1n)).to.equal(2 ** 53 + 4);
    expect(nearestQuotient((2n ** 53n + 1n) * 10n ** 30n + 1n, 10n ** 30n)).to.equal(2 ** 53 + 2);
  });
});
