import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import type { ResultColumn } from "../../lib/engine/finish.js";
import { parseQuery, type QueryInput } from "../../lib/engine/query/query.js";
import { finishResult } from "../../lib/engine/result/finish-result.js";
import { orderRows } from "../../lib/engine/result/order.js";
import { upTo } from "../../lib/engine/values.js";
import { failureOf } from "../support/failure.js";
import { openMeasuring, type Answer, type Measuring } from "../support/measuring.js";
import { chance, whole } from "../support/random/draw.js";

const rows = 60;
const table = [
  { name: "g", dtype: "string" as const, values: Array.from({ length: rows }, (_, row) => (row % 7 === 6 ? null : `g${row % 7}`)) },
  { name: "v", dtype: "int32" as const, values: Array.from({ length: rows }, (_, row) => (row % 7 === 5 ? null : BigInt(row))) },
  { name: "f", dtype: "float64" as const, values: Array.from({ length: rows }, (_, row) => row / 4) },
];

describe("what is asked of groups", () => {
  let measuring: Measuring;

  before(async () => { measuring = await openMeasuring(); });
  after(() => measuring.close());

  /** Groups of the table cut into two shards. */
  function ask(query: Omit<QueryInput, "keys" | "measures"> & { keys?: unknown[]; measures?: unknown[] }): Promise<Answer[][]> {
    const halves = [[0, 25], [25, rows]].map(([start, end]) => table.map((column) => ({ ...column, values: column.values.slice(start, end) })));
    return measuring.ask(halves, { keys: ["g"], measures: [["v", "max", "most"], ["*", "count", "n"]], ...query } as Parameters<Measuring["ask"]>[1]);
  }

  it("arithmetic over measures stands in its place, and nulls go through it", async () => {
    const answer = await ask({ measures: [["v", "max", "most"], { expr: "most - least", as: "range" }, ["v", "min", "least"], { expr: "round(most / 3, 2)", as: "third" }] });
    expect(answer[0]).to.deep.equal(["g0", 56n, 56n, 0n, 18.67]);
    expect(answer[5]).to.deep.equal(["g5", null, null, null, null]);
    expect(answer[6]).to.deep.equal([null, 55n, 49n, 6n, 18.33]);
  });

  it("arithmetic over measures takes texts, and overflows by name", async () => {
    expect((await ask({ measures: [["*", "count", "n"], { expr: "coalesce(g, 'none') || '!'", as: "label" }] })).map((row) => row[2])).to.include.members(["g0!", "none!"]);
    const failure = await failureOf(() => ask({ measures: [["v", "max", "most"], { expr: "most * 9000000000000000000", as: "huge" }] }));
    expect(failure).to.have.property("code", "OVERFLOW");
    expect(failure).to.have.property("message").that.includes("most");
  });

  it("having leaves the groups for which it is true, unknown being not true", async () => {
    expect((await ask({ having: "most > 55" })).map((row) => row[0])).to.deep.equal(["g0", "g1", "g2", "g3"]);
    expect((await ask({ having: [["g", "is null"], ["n", ">", 1]] })).map((row) => row[0])).to.deep.equal([null]);
    expect((await ask({ having: "NOT most > 55" })).map((row) => row[0])).to.deep.equal(["g4", null]);
    expect(await ask({ keys: [], having: "n < 1" })).to.deep.equal([]);
  });

  it("order, limit and offset take rows by any column, nulls last either way, ties by key", async () => {
    expect((await ask({ order: [["most", "desc"]] })).map((row) => row[0])).to.deep.equal(["g3", "g2", "g1", "g0", null, "g4", "g5"]);
    expect((await ask({ order: ["most"] })).map((row) => row[0])).to.deep.equal(["g4", null, "g0", "g1", "g2", "g3", "g5"]);
    expect((await ask({ order: ["n", ["g", "desc"]], limit: 3, offset: 1 })).map((row) => row[0])).to.deep.equal(["g4", null, "g3"]);
    expect((await ask({ limit: 2, offset: 6 })).map((row) => row[0])).to.deep.equal([null]);
    expect(await ask({ offset: 100 })).to.deep.equal([]);
    expect(await ask({ limit: 0 })).to.deep.equal([]);
  });

  it("keys are expressions too", async () => {
    expect(await ask({ keys: [{ expr: "bin(v, 20)", as: "bin" }], measures: [[{ expr: "f * 4" }, "sum", "s"]] })).to.deep.equal([
      [0n, 154], [20n, 531], [40n, 849], [null, 236],
    ]);
  });

  it("a column of lists can neither be computed with nor ordered by", () => {
    const lists: ResultColumn = { name: "top", values: { dtype: "list", item: { dtype: "int64", array: BigInt64Array.of(1n, 2n, 3n) }, offsets: Uint32Array.of(0, 2, 3) }, isNull: null };
    const key: ResultColumn = { name: "k", values: { dtype: "int64", array: BigInt64Array.of(5n, 4n) }, isNull: null };
    const query = (options: Partial<QueryInput>) => parseQuery({ keys: ["k"], measures: [["v", "topk", "top", { k: 2 }]], ...options });
    expect(() => finishResult(query({ having: "top > 1" }), [key, lists], 2)).to.throw(/lists/).with.property("code", "DTYPE_MISMATCH");
    expect(() => finishResult(query({ order: ["top"] }), [key, lists], 2)).to.throw(/lists/).with.property("code", "BAD_QUERY");
    const turned = finishResult(query({ order: ["k"] }), [key, lists], 2).columns[1]!.values;
    expect(turned).to.deep.equal({ dtype: "list", item: { dtype: "int64", array: BigInt64Array.of(3n, 1n, 2n) }, offsets: Uint32Array.of(0, 1, 3) });
  });

  it("the first rows of many are those of the whole order, however many are asked", () => {
    const random = seededRandom(11);
    const count = 5_000;
    const column = (name: string, most: number): ResultColumn => ({ name, values: { dtype: "float64", array: Float64Array.from({ length: count }, () => whole(random, 0, most)) }, isNull: Uint8Array.from({ length: count }, () => (chance(random, 0.1) ? 1 : 0)) });
    const columns = [column("a", 20), column("b", 400)];
    const order = [{ name: "a", descending: true }, { name: "b", descending: false }];
    const all = orderRows(upTo(count), order, columns, { offset: 0, limit: null });
    expect(new Set(all)).to.have.property("size", count);
    for (const [offset, limit] of [[0, 1], [0, 10], [7, 100], [1_000, 249], [4_999, 10], [0, 5_000]] as const) {
      expect(orderRows(upTo(count), order, columns, { offset, limit }), `${offset} ${limit}`).to.deep.equal(all.subarray(offset, offset + limit));
    }
    const keysOf = (row: number): number[] => columns.map(({ values, isNull }, place) => (isNull![row] === 1 ? Infinity : (place === 0 ? -1 : 1) * Number((values as { array: Float64Array }).array[row])));
    for (let k = 1; k < count; k++) {
      const [before, next] = [[...keysOf(all[k - 1]!), all[k - 1]!], [...keysOf(all[k]!), all[k]!]];
      const differing = before.findIndex((value, place) => value !== next[place]);
      expect(before[differing]! < next[differing]!, `row ${k}`).to.equal(true);
    }
  });
});
