import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { finishQuery } from "../../lib/engine/finish.js";
import { mergePartials } from "../../lib/engine/merge.js";
import type { Partial } from "../../lib/engine/partial.js";
import { decodePartial } from "../../lib/engine/partial-bytes.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { createMergeTree } from "../../lib/engine/tree.js";
import { widestDtype } from "../../lib/engine/widening.js";
import { failureOf } from "../support/failure.js";
import { tableOf, valueRows } from "../support/random/local.js";
import type { StoredShard } from "../support/random/store.js";
import type { StoredValue } from "../support/read-table.js";
import { writeTable } from "../support/write-table.js";

const dayNs = 86_400_000_000_000n;

describe("expressions over shards that have a column in other dtypes", () => {
  let dataDir = "";
  let engine: Engine;
  let written = 0;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-widened-"));
    engine = createEngine({ dataDir, cacheBytes: 2 ** 22, queryBytes: 2 ** 26, partialCacheBytes: 2 ** 20 });
  });

  after(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  /** Tables with a column v each, and one w that is alike in all. */
  async function store(parts: readonly { readonly dtype: Dtype; readonly values: readonly StoredValue[] }[]): Promise<StoredShard[]> {
    const shards: StoredShard[] = [];
    for (const [ordinal, { dtype, values }] of parts.entries()) {
      const name = `t${written++}.bcolz`;
      const columns = [{ name: "v", dtype, values }, { name: "w", dtype: "int64" as const, values: values.map(() => 3n) }, { name: "t", dtype: "timestamp" as const, values: values.map(() => dayNs) }];
      shards.push({ ordinal, name, generation: await writeTable(join(dataDir, name), columns) });
    }
    return shards;
  }

  /** Rows of a query, all shards in one task or each in its own. */
  function ask(shards: readonly StoredShard[], widened: readonly { name: string; dtype: string | null }[], query: object): unknown[][] {
    const parsed = parseQuery({ keys: [], measures: [], ...query });
    const tree = createMergeTree<Partial>(shards.length, mergePartials);
    engine.run({ query: encodeQuery(parsed), shards, shouldStop: () => false, onBlock: (block, bytes) => { tree.add(block, decodePartial(bytes)); }, ...(widened.length === 0 ? {} : { widened }) });
    return valueRows(tableOf(finishQuery(parsed, tree.root()!)));
  }

  const pairs: readonly { readonly dtypes: readonly [Dtype, Dtype]; readonly values: readonly [readonly StoredValue[], readonly StoredValue[]]; readonly whole: (value: StoredValue) => StoredValue; readonly expressions: readonly string[] }[] = [
    { dtypes: ["date", "timestamp"], values: [[16_801n, null, 20n], [16_801n * dayNs, 5n]], whole: (value) => (typeof value === "bigint" && value >= 20n && value < 10n ** 9n ? value * dayNs : value), expressions: ["v + 1", "v - w", "epoch(v)", "date_trunc('hour', v)", "coalesce(v, timestamp('2020-01-01'))", "case when v + 1 > '2016-01-01' then v end"] },
    { dtypes: ["int32", "float64"], values: [[7n, null, -2n], [7.5, 0]], whole: (value) => (typeof value === "bigint" ? Number(value) : value), expressions: ["v * w", "v + 9223372036854775807", "v % 4", "-v", "bin(v, 5)", "case when v * 4611686018427387904 > 0 then 1 else 0 end", "greatest(v, w)"] },
    { dtypes: ["uint64", "int64"], values: [[7n, null, 2n ** 52n], [-7n, 0n]], whole: (value) => (typeof value === "bigint" ? Number(value) : value), expressions: ["v * v", "v - 10", "abs(v)", "coalesce(v, 1)"] },
    { dtypes: ["int8", "int64"], values: [[7n, null, -128n], [2n ** 40n, 0n]], whole: (value) => value, expressions: ["v * 2", "v - 100", "coalesce(v, 1)", "bin(v, 7)"] },
    { dtypes: ["float32", "float64"], values: [[7.5, null, -0.25], [0.1, 3]], whole: (value) => value, expressions: ["v * 3", "coalesce(v, 1)", "round(v, 1)"] },
  ];

  it("take it for the dtype that holds all, and so give what one table gives", async () => {
    for (const { dtypes, values, whole, expressions } of pairs) {
      const shards = await store(dtypes.map((dtype, place) => ({ dtype, values: values[place]! })));
      const dtype = widestDtype(dtypes)!;
      const one = await store([{ dtype, values: values.flat().map(whole) }]);
      for (const expr of expressions) {
        for (const query of [{ keys: [{ expr, as: "k" }], measures: [["*", "count", "n"]] }, { measures: [[{ expr }, "min", "a"], [{ expr }, "max", "b"], [{ expr }, "count_distinct", "c"]] }, { measures: [["*", "count", "n"]], where: `${expr} is not null and (${expr}) = (${expr})` }]) {
          expect(ask(shards, [{ name: "v", dtype }], query), `${dtypes.join()}: ${JSON.stringify(query)}`).to.deep.equal(ask(one, [], query));
        }
      }
    }
  });

  it("are SCHEMA_MISMATCH where nothing holds both, and only expressions are", async () => {
    const shards = await store([{ dtype: "string", values: ["a", null] }, { dtype: "bytes", values: [Uint8Array.of(0xc3, 0xa9)] }]);
    const widened = [{ name: "v", dtype: widestDtype(["string", "bytes"]) }];
    expect(await failureOf(() => ask(shards, widened, { measures: [[{ expr: "length(v)" }, "sum", "s"]] }))).to.include({ code: "SCHEMA_MISMATCH" });
    expect(ask(shards, widened, { measures: [["v", "count", "n"], ["w", "sum", "s"]], where: [["v", "is not null"]] })).to.deep.equal([[2n, 6n]]);
  });

  it("are what histograms of days and instants are made of", async () => {
    const shards = await store([{ dtype: "date", values: [1n, 3n, null] }, { dtype: "timestamp", values: [dayNs + 5n, 2n * dayNs] }]);
    const measures = [["v", "histogram", "h", { bins: 2, low: "1970-01-02T00:00:00Z", high: "1970-01-04T00:00:00Z" }], ["v", "max", "m"]];
    expect(ask(shards, [{ name: "v", dtype: "timestamp" }], { measures })).to.deep.equal([[[2n, 2n], 3n * dayNs]]);
  });

  it("are not asked for by histograms of two, of which one is alike and the other of numbers", async () => {
    const shards = await store([{ dtype: "int8", values: [1n, 3n, null] }, { dtype: "uint32", values: [70_000n] }]);
    const measures = [[["t", "v"], "histogram2d", "h", { bins: [1, 2], low: ["1970-01-01T00:00:00Z", 0], high: ["1970-01-04T00:00:00Z", 70_000] }]];
    expect(ask(shards, [{ name: "v", dtype: "int64" }], { measures })).to.deep.equal([[[2n, 1n]]]);
  });

  it("are not taken from what the same shard gave beside others", async () => {
    const shards = await store([{ dtype: "int32", values: [7n] }, { dtype: "float64", values: [0.5] }]);
    const query = { measures: [[{ expr: "coalesce(v, 1)" }, "max", "m"]] };
    expect(ask(shards, [{ name: "v", dtype: "float64" }], query)).to.deep.equal([[7]]);
    expect(ask(shards.slice(0, 1), [], query)).to.deep.equal([[7n]]);
    expect(ask(shards, [{ name: "v", dtype: "float64" }], query)).to.deep.equal([[7]]);
  });
});
