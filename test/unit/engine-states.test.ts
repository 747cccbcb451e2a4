import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { seededRandom } from "../../lib/base/clock.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { finishQuery } from "../../lib/engine/finish.js";
import { mergePartials } from "../../lib/engine/merge.js";
import type { Partial } from "../../lib/engine/partial.js";
import { decodePartial, encodePartial } from "../../lib/engine/partial-bytes.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery, type Query } from "../../lib/engine/query/query.js";
import { valueRows, tableOf } from "../support/random/local.js";
import { writeShards, type PlainColumn } from "../support/write-table.js";

/** Every op over a column that it takes; whole numbers, of which sums of floats are exact in any order. */
const measures = [
  ["*", "count", "rows"], ["v", "count", "n"], ["v", "count_na", "nulls"], ["v", "sum", "sum"], ["i", "sum", "whole"], ["v", "mean", "mean"],
  ["t", "min", "least"], ["i", "max", "most"], ["t", "first", "first"], ["v", "last", "last"], ["v", "std", "std"], [["i", "v"], "covar", "covar"],
  ["v", "histogram", "h", { bins: 4, low: 0, high: 8 }], [["v", "i"], "histogram2d", "hh", { bins: 2, low: 0, high: 8 }],
  ["t", "count_distinct", "distinct"], ["i", "sorted_count_distinct", "runs"], ["t", "mode", "mode"], ["v", "topk", "top", { k: 2 }],
  ["v", "median", "median"], ["t", "approx_count_distinct", "about"], ["v", "approx_quantile", "near", { p: 0.5 }],
];

describe("states of partials", function () {
  this.timeout(60_000);
  let dataDir = "";
  let engine: Engine;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-states-"));
    engine = createEngine({ dataDir, cacheBytes: 2 ** 20, queryBytes: 64 * 2 ** 20 });
  });

  afterEach(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  /** The partial of every shard; values are whole numbers from -2 to 9. */
  async function partialsOf(query: Query, rows: number, shards: number): Promise<Partial[]> {
    const random = seededRandom(rows);
    const some = <T>(make: () => T): (T | null)[] => Array.from({ length: rows }, () => (random() < 0.2 ? null : make()));
    const columns: PlainColumn[] = [
      { name: "k", dtype: "string", values: some(() => `k${Math.floor(random() * 4)}`) },
      { name: "v", dtype: "float64", values: some(() => Math.floor(random() * 12) - 2) },
      { name: "i", dtype: "int16", values: some(() => BigInt(Math.floor(random() * 12))) },
      { name: "t", dtype: "string", values: some(() => "xyz".slice(Math.floor(random() * 3))) },
    ];
    const names = Array.from({ length: shards }, (_, shard) => `p-${shard}.bcolzs`);
    const generations = await writeShards(names.map((name) => join(dataDir, name)), columns, { replace: true });
    return names.map((name, at) => {
      let bytes: Uint8Array | undefined;
      engine.run({ query: encodeQuery(query), shards: [{ ordinal: 0, name, generation: generations[at]! }], shouldStop: () => false, onBlock: (_, partial) => void (bytes = partial) });
      return decodePartial(bytes!);
    });
  }

  function answer(query: Query, partial: Partial): unknown[][] {
    return valueRows(tableOf(finishQuery(query, partial)));
  }

  it("give the same answer however rows are cut and neighbours merged, with keys and without", async () => {
    for (const keys of [["k"], []]) {
      const query = parseQuery({ keys, measures });
      const partials = await partialsOf(query, 300, 7);
      const [whole] = await partialsOf(query, 300, 1);
      const random = seededRandom(5);
      const wanted = answer(query, partials.reduce((a, b) => mergePartials(a, b)));
      for (let round = 0; round < 20; round++) {
        const left = [...partials];
        while (left.length > 1) {
          const at = Math.floor(random() * (left.length - 1));
          left.splice(at, 2, mergePartials(left[at]!, left[at + 1]!));
        }
        expectSame(answer(query, left[0]!), wanted);
      }
      expect(wanted).to.have.length(keys.length === 0 ? 1 : 5);
      expectSame(answer(query, whole!), wanted);
    }
  });

  it("of no rows are absent with keys, and one row of nothing without", async () => {
    const none = parseQuery({ keys: ["k"], measures, where: [["v", ">", 1_000]] });
    expect(answer(none, (await partialsOf(none, 50, 3)).reduce((a, b) => mergePartials(a, b)))).to.deep.equal([]);
    const one = parseQuery({ keys: [], measures, where: [["v", ">", 1_000]] });
    expect(answer(one, (await partialsOf(one, 50, 3)).reduce((a, b) => mergePartials(a, b)))).to.deep.equal([[
      0n, 0n, 0n, null, null, null, null, null, null, null, null, null, [0n, 0n, 0n, 0n], [0n, 0n, 0n, 0n], 0n, 0n, null, null, null, 0n, null,
    ]]);
  });

  it("are the same from their own bytes", async () => {
    const query = parseQuery({ keys: ["k"], measures });
    const [partial] = await partialsOf(query, 200, 2);
    const bytes = encodePartial(partial!);
    expect(encodePartial(decodePartial(bytes))).to.deep.equal(bytes);
  });

  it("from bytes with anything changed are refused, or merge and finish to something, and never crash", async () => {
    const random = seededRandom(17);
    for (const measure of measures) {
      const query = parseQuery({ keys: ["k"], measures: [measure] });
      const [partial, other] = await partialsOf(query, 40, 2);
      const bytes = encodePartial(partial!);
      for (let round = 0; round < 400; round++) {
        const changed = bytes.slice();
        for (let change = 0; change <= round % 3; change++) changed[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8);
        try {
          answer(query, mergePartials(decodePartial(changed), other!));
        } catch (error) {
          if (!(error instanceof BquerydError)) throw new Error(`${JSON.stringify(measure)}, round ${round}: ${String(error)}`, { cause: error });
        }
      }
    }
  });
});

/** Equal but for the last bits of floats. */
function expectSame(found: readonly (readonly unknown[])[], wanted: readonly (readonly unknown[])[]): void {
  expect(found).to.have.length(wanted.length);
  found.forEach((row, at) => {
    row.forEach((value, place) => {
      const other = wanted[at]![place];
      if (typeof value === "number" && typeof other === "number") expect(value).to.be.closeTo(other, 1e-9 * Math.abs(other));
      else expect(value, `column ${place}`).to.deep.equal(other);
    });
  });
}
