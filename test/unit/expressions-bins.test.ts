import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { openMeasuring, type Measuring } from "../support/measuring.js";

describe("bins of floats", () => {
  let measuring: Measuring;

  before(async () => {
    measuring = await openMeasuring();
  });

  after(() => measuring.close());

  /** The edge of each value, in the order of the values, which are distinct. */
  async function edgesOf(values: readonly number[], bin: string): Promise<number[]> {
    const answer = await measuring.ask([[{ name: "v", dtype: "float64", values }]], { keys: ["v", { expr: `bin(v, ${bin})`, as: "edge" }], measures: [["*", "count", "n"]] });
    const edges = new Map(answer.map(([value, edge]) => [value, edge]));
    return values.map((value) => Number(edges.get(value)));
  }

  it("have edges that are not above their values, and are the decimals that are meant", async () => {
    const values = [15.6, 15.599999999999998, 0.3, 0.7, -0.15, 1e15 + 0.1];
    expect(await edgesOf(values, "0.05")).to.deep.equal([15.6, 15.55, 0.3, 0.7, -0.15, 1_000_000_000_000_000.1]);
    expect(await edgesOf([0.3, 0.29, -0.01, 2.3], "0.1, 0.2")).to.deep.equal([0.3, 0.2, -0.1, 2.3]);
    expect(await edgesOf([1, 2, 3], "0.3333333333333333")).to.deep.equal([1, 2, 3]);
  });

  it("have finite edges for finite values, and infinite ones for those alone", async () => {
    const { MAX_VALUE: most, MIN_VALUE: least } = Number;
    expect(await edgesOf([1e308, Infinity, -Infinity, -1e308, most, 0], "0.5")).to.deep.equal([1e308, Infinity, -Infinity, -1e308, most, 0]);
    expect(await edgesOf([-1.7e308, -1.1e308, -0.9e308, 0.5, 1.7e308], "1e308")).to.deep.equal([-most, -most, -1e308, 0, 1e308]);
    expect(await edgesOf([least, 3 * least, 1], "1e-323")).to.deep.equal([0, 2 * least, 1]);
    expect(await edgesOf([5.5, 5.25, -0.5], "1.0, 1e20")).to.deep.equal([5, 5, -1]);
  });

  it("are the same for all values between two edges", async () => {
    const random = seededRandom(7);
    for (const bin of ["0.05", "0.1, 0.3", "0.7", "3.0", "0.001, 100.0", "1e-9", "0.123456789012345"]) {
      const values = [...new Set(Array.from({ length: 2_000 }, () => (random() - 0.5) * 10 ** Math.floor(random() * 12)))].sort((a, b) => a - b);
      const edges = await edgesOf(values, bin);
      values.forEach((value, place) => {
        expect(edges[place], `${value} in ${bin}`).to.be.at.most(value);
        if (place > 0 && edges[place] !== edges[place - 1]) expect(edges[place], `${value} and ${values[place - 1]} in ${bin}`).to.be.above(values[place - 1]!);
      });
    }
  });
});
