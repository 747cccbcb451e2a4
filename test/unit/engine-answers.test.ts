import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { dtypes } from "../../lib/columns/dtypes.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { finishQuery } from "../../lib/engine/finish.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { askEngine, type LocalAnswer } from "../support/ask-engine.js";
import { rowsOf } from "../support/random/local.js";
import { chance } from "../support/random/draw.js";
import { shapes } from "../support/random/shapes.js";
import type { StoredShard } from "../support/random/store.js";
import { writeTable, type PlainColumn } from "../support/write-table.js";

describe("answers without scanning", () => {
  let dataDir = "";
  let engine: Engine;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-answers-"));
    engine = createEngine({ dataDir, cacheBytes: 16 * 2 ** 20, queryBytes: 32 * 2 ** 20, partialCacheBytes: 2 ** 20 });
  });

  afterEach(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  async function store(columns: readonly PlainColumn[], name = "t.bcolz"): Promise<StoredShard> {
    return { ordinal: 0, name, generation: await writeTable(join(dataDir, name), columns, { replace: true }) };
  }

  function ask(shard: StoredShard, query: object): Promise<LocalAnswer> {
    return askEngine(engine, [shard], { cache: "columns", ...query });
  }

  function valuesOf({ partial }: LocalAnswer, query: object): unknown[][] {
    return rowsOf(finishQuery(parseQuery({ keys: [], measures: [], ...query }), partial));
  }

  it("counts, nulls and extremes of whole chunks come from statistics and equal scanned ones, for every dtype", async () => {
    const random = seededRandom(3);
    for (const dtype of dtypes) {
      for (const shape of Object.keys(shapes[dtype])) {
        for (const nullShare of [0, 0.3, 1]) {
          const draw = shapes[dtype][shape]!(random);
          const values = Array.from({ length: 200 }, (_, row) => (chance(random, nullShare) ? null : draw(random, row)));
          const shard = await store([{ name: "v", dtype, values }, { name: "row", dtype: "int64", values: values.map((_, row) => BigInt(row)) }]);
          const measures = [["v", "min", "least"], ["v", "max", "most"], ["v", "count", "n"], ["v", "count_na", "na"], ["*", "count", "rows"]];
          const answered = await ask(shard, { measures });
          // Half of the rows is not known from statistics; the other half is asked for too, and both are all.
          const scanned = await ask(shard, { measures, where: [{ or: [["row", "<", 100], ["row", "!=", 50]] }] });
          expect(valuesOf(answered, { measures }), `${dtype} ${shape} ${nullShare}`).to.deep.equal(valuesOf(scanned, { measures }));
          expect(scanned.cost.rowsScanned).to.equal(200);
          const texts = values.filter((value) => value instanceof Uint8Array || typeof value === "string").map((value) => Buffer.from(value as string)).sort(Buffer.compare);
          const isCut = [texts[0], texts.at(-1)].some((text) => text !== undefined && text.length > 64);
          expect(answered.cost, `${dtype} ${shape}`).to.include(isCut ? { chunksFromStatistics: 0, rowsScanned: 200 } : { chunksFromStatistics: 1, chunksDecoded: 0, rowsScanned: 0 });
        }
      }
    }
  }).timeout(30_000);

  it("a filter on a sorted column reads only the chunks at its ends", async () => {
    const rows = 5 * 65_536;
    const shard = await store([{ name: "v", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row)) }]);
    const measures = [["v", "max", "most"], ["*", "count", "n"]];
    const answer = await ask(shard, { measures, where: [["v", "between", [70_000, 200_000]]] });
    expect(valuesOf(answer, { measures })).to.deep.equal([[200_000n, 130_001n]]);
    expect(answer.cost).to.include({ chunksPruned: 2, chunksFromStatistics: 1, chunksDecoded: 2, rowsScanned: 2 * 65_536 });
  });

  it("a value that a dictionary does not hold rules a shard out unread", async () => {
    const shard = await store([{ name: "s", dtype: "string", values: ["a", "c", "e"] }]);
    for (const where of [[["s", "==", "b"]], [["s", "in", ["b", "d"]]], [["s", "like", "%x%"]], [["s", "not like", "_"]], [["s", "is null"]], [{ and: [["s", ">", "a"], ["s", "<", "c"]] }]]) {
      const { cost } = await ask(shard, { measures: [["*", "count", "n"]], where });
      if (!("and" in where[0]!)) expect(cost, JSON.stringify(where)).to.include({ chunksPruned: 1, shardsPruned: 1, chunksDecoded: 0 });
    }
  });

  it("the same question again gives the same bytes and scans nothing, whatever its names, order and limit", async () => {
    const values = Array.from({ length: 1_000 }, (_, row) => BigInt(row % 7));
    const shard = await store([{ name: "k", dtype: "int64", values }, { name: "v", dtype: "float64", values: values.map(Number) }]);
    const query = { keys: ["k"], measures: [["v", "mean", "m"], ["v", "std", "s"]], where: [["k", "<", 5]] };
    const first = await askEngine(engine, [shard], query);
    expect(first.cost).to.include({ rowsScanned: 1_000, partialCacheHits: 0 });
    for (const again of [query, { ...query, measures: [["v", "mean", "x"], ["v", "std", "y"]] }, { ...query, order: [["m", "desc"]], limit: 2, having: [["m", ">", 1]] }]) {
      const second = await askEngine(engine, [shard], again);
      expect(second.cost).to.include({ rowsScanned: 0, chunksDecoded: 0, cacheHits: 0, partialCacheHits: 1 });
      expect(second.bytes).to.deep.equal(first.bytes);
    }
    for (const other of [{ ...query, keys: [] }, { ...query, where: [["k", "<", 6]] }, { ...query, measures: [["v", "mean", "m"]] }]) {
      expect((await askEngine(engine, [shard], other)).cost).to.include({ partialCacheHits: 0 });
    }
  });

  it("cache 'columns' and false bypass kept partials, and answer with the same bytes", async () => {
    const shard = await store([{ name: "v", dtype: "int64", values: [1n, 2n, null] }]);
    const query = { keys: ["v"], measures: [["*", "count", "n"]] };
    const first = await askEngine(engine, [shard], query);
    for (const cache of ["columns", false]) {
      const again = await askEngine(engine, [shard], { ...query, cache });
      expect(again.cost).to.include({ rowsScanned: 3, partialCacheHits: 0 });
      expect(again.bytes).to.deep.equal(first.bytes);
    }
  });

  it("a new generation is never answered from an old one", async () => {
    const query = { measures: [["v", "sum", "s"]] };
    const [one, other] = [[{ name: "v", dtype: "int64", values: [1n] }], [{ name: "v", dtype: "int64", values: [2n] }]] as const;
    await askEngine(engine, [await store(one)], query);
    const answer = await askEngine(engine, [await store(other)], query);
    expect(valuesOf(answer, query)).to.deep.equal([[2n]]);
    expect(answer.cost).to.include({ partialCacheHits: 0 });
  });

  it("partials are kept within their memory, the latest ones, and none that is large", async () => {
    const values = Array.from({ length: 60_000 }, (_, row) => BigInt(row));
    const shard = await store([{ name: "v", dtype: "int64", values }]);
    const hitsOf = async (query: object): Promise<number> => (await askEngine(engine, [shard], { measures: [["*", "count", "n"]], ...query })).cost.partialCacheHits;
    await hitsOf({ keys: ["v"] });
    expect(await hitsOf({ keys: ["v"] })).to.equal(0);
    for (let k = 0; k < 2_000; k++) await hitsOf({ where: [["v", "<", -k]] });
    expect(await hitsOf({ where: [["v", "<", -1_999]] })).to.equal(1);
    expect(await hitsOf({ where: [["v", "<", -1]] })).to.equal(0);
  }).timeout(10_000);
});
