import { expect } from "chai";
import { describe, it } from "mocha";
import type { Asked } from "../../lib/client/baskets.js";
import { askForRanges, askWithRanges } from "../../lib/client/ranges.js";
import { failureOf } from "../support/failure.js";
import { closeRanges, rangeQuery } from "../../lib/engine/measures/ranges.js";
import type { FinishedColumn } from "../../lib/engine/measures/measure.js";
import { parseQuery, type Query } from "../../lib/engine/query/query.js";
import type { StateColumn } from "../../lib/engine/states/kinds.js";
import type { Values } from "../../lib/engine/values.js";

function queryOf(...measures: unknown[]): Query {
  return parseQuery({ keys: ["k"], measures, where: [["v", ">", 3]], limit: 5 });
}

/** The least and greatest value; none where they are null. */
function rangeOf(dtype: "float64" | "int64" | "uint64" | "timestamp" | "date", range: readonly [number, number] | readonly [bigint, bigint] | null): FinishedColumn[] {
  return [0, 1].map((side) => {
    const value = range?.[side] ?? 0;
    const values: Values = dtype === "float64" ? { dtype, array: Float64Array.of(Number(value)) } : { dtype, array: BigInt64Array.of(BigInt(value)) };
    return { values, isNull: range === null ? Uint8Array.of(1) : null };
  });
}

function endsOf(params: object, columns: readonly FinishedColumn[]): unknown[] {
  const { measures } = closeRanges(queryOf(["v", "histogram", "h", params]), columns);
  return [measures[0]!.params.low?.[0], measures[0]!.params.high?.[0]];
}

describe("histograms with open ends", () => {
  it("ask for the least and greatest value of their inputs first, over all rows, and others do not", () => {
    const query = queryOf(["v", "sum", "s"], [["a", "b"], "histogram2d", "h", { bins: 2, low: [0, null], high: [1, 1] }], ["c", "histogram", "g"], ["d", "histogram", "closed", { low: 0, high: 1 }]);
    const asked = rangeQuery(query)!;
    expect(asked.measures.map(({ op, inputs }) => [op, inputs])).to.deep.equal(
      ["a", "b", "c"].flatMap((name) => ["min", "max"].map((op) => [op, [{ kind: "column", name }]])),
    );
    expect([asked.keys, asked.where, asked.limit]).to.deep.equal([[], null, null]);
    expect(rangeQuery(queryOf(["v", "sum", "s"], ["d", "histogram", "closed", { low: 0, high: 1 }]))).to.equal(null);
    const closed = closeRanges(query, [...rangeOf("float64", [5, 6]), ...rangeOf("float64", [-3, 9]), ...rangeOf("float64", [2, 4])]);
    expect(closed.measures.map(({ params }) => [params.low, params.high])).to.deep.equal([[undefined, undefined], [[0, -3], [1, 1]], [[2], [4]], [[0], [1]]]);
    expect(rangeQuery(closed)).to.equal(null);
  });

  it("ask of expressions for what the conditions select alone, unless these select whole baskets", () => {
    const open = ["v", { expr: "v * 4" }].map((input, place) => [input, "histogram", `h${place}`]);
    const { where } = queryOf();
    const [, , computed] = rangeQuery(queryOf(...open))!.measures;
    expect(computed!.inputs).to.deep.equal([{ kind: "case", branches: [{ when: where, then: queryOf(open[1]!).measures[0]!.inputs[0] }], otherwise: null }]);
    const baskets = parseQuery({ keys: ["k"], measures: open, where: [["v", ">", 3]], expand_filter_column: "k" });
    expect(rangeQuery(baskets)!.measures[2]!.inputs).to.deep.equal(baskets.measures[1]!.inputs);
  });

  it("end at the values, or around them where they are all one, or anywhere where there are none", () => {
    expect(endsOf({}, rangeOf("float64", [-1.5, 7]))).to.deep.equal([-1.5, 7]);
    expect(endsOf({ low: 3 }, rangeOf("float64", [-1.5, 7]))).to.deep.equal([3, 7]);
    expect(endsOf({}, rangeOf("float64", [7, 7]))).to.deep.equal([6.5, 7.5]);
    expect(endsOf({ low: 9 }, rangeOf("float64", [0, 7]))).to.deep.equal([9, 10]);
    expect(endsOf({ high: -2 }, rangeOf("float64", [0, 7]))).to.deep.equal([-3, -2]);
    expect(endsOf({}, rangeOf("float64", null))).to.deep.equal([0, 1]);
    expect(endsOf({}, rangeOf("uint64", [-(2n ** 63n), 2n - 2n ** 63n]))).to.deep.equal([0, 2]);
    for (const [dtype, least, greatest] of [["int64", 2n ** 53n + 1n, 2n ** 53n + 3n], ["int64", -(2n ** 53n) - 3n, -(2n ** 53n) - 1n], ["int64", 2n ** 60n - 1n, 2n ** 60n + 1n], ["uint64", 2n ** 64n - 3n, 2n ** 64n - 1n]] as const) {
      const bias = dtype === "uint64" ? 2n ** 63n : 0n;
      const [from, to] = endsOf({}, rangeOf(dtype, [least - bias, greatest - bias])) as [number, number];
      expect(BigInt(from) <= least && BigInt(to) >= greatest && to - from <= 2 ** 13, `${least} to ${greatest}`).to.equal(true);
    }
    const [low, high] = endsOf({}, rangeOf("float64", [1e300, 1e300])) as [number, number];
    expect(low < 1e300 && 1e300 < high).to.equal(true);
  });

  it("of times end at times", () => {
    expect(endsOf({}, rangeOf("date", [0n, 9n]))).to.deep.equal(["1970-01-01", "1970-01-10"]);
    expect(endsOf({ bins: 4 }, rangeOf("date", [3n, 3n]))).to.deep.equal(["1970-01-04", "1970-01-08"]);
    expect(endsOf({ high: "1971-01-01" }, rangeOf("timestamp", [1n, 9n]))).to.deep.equal(["1970-01-01T00:00:00.000000001Z", "1971-01-01"]);
    expect(endsOf({ bins: 4 }, rangeOf("timestamp", [2n ** 63n - 1n, 2n ** 63n - 1n]))[1]).to.equal("2262-04-11T23:47:16.854775807Z");
  });

  it("of times go on from an end beyond all values, as those of numbers do", () => {
    const days = rangeOf("date", [9_999n, 10_999n]);
    expect(endsOf({ bins: 4, high: "1960-01-05" }, days)).to.deep.equal(["1960-01-01", "1960-01-05"]);
    expect(endsOf({ bins: 4, low: "2090-01-01" }, days)).to.deep.equal(["2090-01-01", "2090-01-05"]);
    expect(endsOf({ bins: 1, low: "2000-02-12" }, days)).to.deep.equal(["2000-02-12", "2000-02-13"]);
    expect(endsOf({ bins: 4, low: "2000-01-01" }, rangeOf("date", null))).to.deep.equal(["2000-01-01", "2000-01-05"]);
    const times = rangeOf("timestamp", [0n, 9n]);
    expect(endsOf({ bins: 2, high: "1970-01-01" }, times)).to.deep.equal(["1969-12-31T23:59:59.999999998Z", "1970-01-01"]);
    expect(endsOf({ bins: 2, low: "1970-01-01T00:00:00.000000009Z" }, times)).to.deep.equal(["1970-01-01T00:00:00.000000009Z", "1970-01-01T00:00:00.000000011Z"]);
    expect(() => endsOf({ low: "soon" }, times)).to.throw("cannot end at \"soon\"").with.property("code", "BAD_QUERY");
  });

  it("of the greatest numbers stay finite", () => {
    for (const sign of [1, -1]) {
      const [low, high] = endsOf({}, rangeOf("float64", [sign * Number.MAX_VALUE, sign * Number.MAX_VALUE])) as [number, number];
      expect([low < high, Number.isFinite(low), Number.isFinite(high), low * sign <= Number.MAX_VALUE]).to.deep.equal([true, true, true, true]);
    }
    expect(endsOf({ low: "2000-01-01" }, rangeOf("float64", [1, 7]))).to.deep.equal(["2000-01-01", 7]);
  });

  it("of infinite values have to be given", () => {
    expect(() => endsOf({}, rangeOf("float64", [0, Infinity]))).to.throw("the histogram 'h' has an open end").with.property("code", "BAD_QUERY");
  });
});

describe("a client with a histogram of open ends", () => {
  const accepted = { type: "accepted" as const, id: "", queryId: "", attempt: 1, shards: [] };
  const extreme = (kind: "min" | "max", value: number): StateColumn => ({ kind, seen: Uint8Array.of(1), values: { dtype: "float64", array: Float64Array.of(value) } });

  it("asks for the range and puts it in; one without asks nothing", async () => {
    const asked: Query[] = [];
    const ask = async (query: Query) => {
      asked.push(query);
      return { accepted, partial: { groups: 1, keys: [], rows: Float64Array.of(2), states: [extreme("min", -4), extreme("max", 6)] } };
    };
    const open = await askForRanges(queryOf(["v", "histogram", "h", { high: 5 }]), ask);
    expect(open.query.measures[0]!.params).to.deep.include({ low: [-4], high: [5] });
    expect([open.before.length, asked.map(({ measures }) => measures.map(({ op }) => op))]).to.deep.equal([1, [["min", "max"]]]);
    const closed = queryOf(["v", "histogram", "h", { low: 0, high: 5 }]);
    expect(await askForRanges(closed, ask)).to.deep.equal({ query: closed, before: [] });
    expect(asked).to.have.length(1);
  });

  it("asks both questions again when tables were replaced between them, and not for ever", async () => {
    const shards = (generation: number): Pick<Asked, "accepted"> => ({ accepted: { ...accepted, shards: [{ name: "t.bcolz", ordinal: 0, generation: String(generation) }] } });
    const asking = (changes: number): Promise<{ before: unknown[] }> => {
      let asks = 0;
      const answer = () => ({ ...shards(Math.min(asks++, changes)), partial: { groups: 1, keys: [], rows: Float64Array.of(2), states: [extreme("min", -4), extreme("max", 6)] } });
      return askWithRanges(queryOf(["v", "histogram", "h", { high: 5 }]), async () => ({ answer: answer(), before: [] }), async () => answer());
    };
    expect((await asking(0)).before).to.have.length(1);
    expect((await asking(1)).before).to.have.length(3);
    expect(await failureOf(() => asking(100))).to.have.property("code", "STALE");
  });
});
