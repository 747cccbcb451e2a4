import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed, seededRandom, type Random } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery, type Query } from "../../lib/engine/query/query.js";
import { chance, oneOf, someOf, whole } from "../support/random/draw.js";
import { storeTable, type StoredShard } from "../support/random/store.js";
import { drawTable, type FilledTable } from "../support/random/tables.js";
import { writeShards } from "../support/write-table.js";

const tables = 6;
const queriesEach = 6;
const seed = freshSeed();

/** The table with a column of many distinct numbers, so that shards have many slots, and one of sums beyond 2^53. */
function withWide(random: Random, table: FilledTable): FilledTable {
  const [spread, nullShare, isClustered] = [oneOf(random, [600, 5_000, 40_000]), oneOf(random, [0, 0.05]), chance(random, 0.3)];
  const valueOf = (row: number): bigint => BigInt(isClustered ? Math.floor((row / Math.max(1, table.rows)) * spread) : whole(random, 0, spread));
  const rows = Array.from({ length: table.rows }, (_, row) => row);
  return {
    ...table,
    columns: [...table.columns, { name: "wide", dtype: "int32", shape: "wide", nullShare }, { name: "large", dtype: "int64", shape: "large", nullShare: 0 }],
    values: [...table.values, rows.map((row) => (chance(random, nullShare) ? null : valueOf(row))), rows.map(() => BigInt(whole(random, -4, 4)) * 2n ** 52n)],
  };
}

function drawQuery(random: Random): Query {
  const keys = oneOf(random, [
    ["wide"], ["wide"], ["wide", "bool_a"], ["int8_a", "wide"], ["string_a", "wide"], ["string_a"], ["bytes_a", "int16_a"], ["float64_a"], ["timestamp_a"], ["uint64_a", "date_a"],
    [{ expr: "wide + 1", as: "k" }], [{ expr: "wide - int8_a", as: "k" }, "bool_a"], [{ expr: "date_trunc('day', timestamp_a, 'Europe/Berlin')", as: "k" }], [{ expr: "case when wide < 100 then 'few' else string_a end", as: "k" }],
  ]);
  const measures = someOf(random, [
    ["float64_a", "sum"], ["float64_a", "mean"], ["float32_a", "sum"], ["int32_a", "sum"], ["int64_a", "sum"], ["uint64_a", "mean"], ["large", "sum"], ["large", "mean"], ["int8_a", "mean"], ["bool_a", "sum"],
    ["int16_a", "min"], ["uint64_a", "max"], ["float64_a", "max"], ["string_a", "min"], ["bytes_a", "max"], ["timestamp_a", "max"], ["bool_a", "min"], ["string_a", "count"], ["int8_a", "count_na"],
    [{ expr: "float64_a * 3 + int8_a" }, "sum"], [{ expr: "coalesce(int16_a, 7)" }, "sum"],
    ["float64_a", "topk", { k: 2 }], ["int64_a", "topk", { k: 1 }], ["uint64_a", "topk", { k: 64 }], ["string_a", "topk", { k: 2 }], ["date_a", "topk", { k: 65 }],
    ["bool_a", "topk", { k: 3 }], ["timestamp_a", "topk", { k: 2 }], ["large", "topk", { k: 2 }], [{ expr: "0 - float64_a * 0" }, "topk", { k: 1 }],
  ], whole(random, 0, 5)).map(([column, op, ...params], place) => [column, op, `m${place}`, ...params]);
  const where = someOf(random, [["wide", ">", 300], ["int8_a", "is not null"], ["string_a", "!=", ""], ["bool_a", "==", true], [{ expr: "wide * 2" }, "<", 9_000], ["date_a", "is null"]], oneOf(random, [0, 0, 1, 2]));
  return parseQuery({ keys, measures: [...measures, ["*", "count", "rows"]], where, cache: oneOf(random, [true, "columns", false]), blocks: oneOf(random, ["any", "any", "aligned"]) });
}

/**
 * Eight shards of numbers below 1,000 and floats, each with enough rows below 500 for sums of few slots to be made in copies.
 * In each the first row of `large` is beyond what floats hold exactly, and all are not.
 */
async function storeFloats(random: Random, dataDir: string): Promise<StoredShard[]> {
  const [shards, rowsEach] = [8, 5_000];
  const rows = Array.from({ length: shards * rowsEach }, (_, row) => row);
  const columns = [
    { name: "wide", dtype: "int32" as const, values: rows.map((row) => BigInt(row % rowsEach === 0 ? 0 : whole(random, 0, 999))) },
    { name: "float", dtype: "float64" as const, values: rows.map(() => random() * 10 ** whole(random, 0, 9)) },
    { name: "large", dtype: "int64" as const, values: rows.map((row) => (row % rowsEach > 0 ? 1n : (-1n) ** BigInt(row / rowsEach) * 2n ** 53n)) },
  ];
  const names = Array.from({ length: shards }, (_, shard) => `floats-${shard}.bcolzs`);
  const generations = await writeShards(names.map((name) => join(dataDir, name)), columns);
  return names.map((name, ordinal) => ({ ordinal, name, generation: generations[ordinal]! }));
}

/** What an engine gives for all shards in one task, and whether several were scanned at once and none merged; the code of its failure. */
function ask(engine: Engine, query: Query, shards: readonly StoredShard[]): { readonly blocks: readonly string[]; readonly isAtOnce: boolean } | string {
  const blocks: string[] = [];
  try {
    const { mergeMs } = engine.run({ query: encodeQuery(query), shards, shouldStop: () => false, onBlock: ({ start, size }, bytes) => void blocks.push(`${start}+${size} ${Buffer.from(bytes).toString("latin1")}`) });
    return { blocks, isAtOnce: mergeMs === 0 && blocks.length < shards.length };
  } catch (cause) {
    if (cause instanceof BquerydError) return `${cause.code} ${String(cause.details.shard)}`;
    throw cause;
  }
}

describe("scanning several shards at once", function () {
  this.timeout(120_000);

  it("gives the bytes of the shards scanned apart and merged", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-blocks-"));
    const random = seededRandom(seed);
    const options = { dataDir, cacheBytes: 8 * 2 ** 20, queryBytes: 256 * 2 ** 20, partialCacheBytes: 2 ** 20 };
    const [atOnce, apart] = [createEngine({ ...options, blockGroupsMin: 0 }), createEngine({ ...options, blockGroupsMin: Infinity })];
    let [several, scannedAtOnce] = [0, 0];
    try {
      for (let number = 0; number < tables; number++) {
        const table = withWide(random, drawTable(random, `t${number}`, 9));
        const shards = await storeTable(random, dataDir, table);
        for (let asked = 0; asked < queriesEach; asked++) {
          const query = drawQuery(random);
          // Tasks are any stretch of the shards.
          const task = shards.slice(chance(random, 0.5) ? whole(random, 0, shards.length - 1) : 0);
          const [found, expected] = [ask(atOnce, query, task), ask(apart, query, task)];
          const what = `table ${number} of ${table.rows} rows in ${task.length} of ${shards.length} shards, ${JSON.stringify([query.keys, query.measures, query.where])}, seed ${seed}`;
          if (typeof found === "string" || typeof expected === "string") expect(found, what).to.equal(expected);
          else {
            found.blocks.forEach((block, place) => { expect(block === expected.blocks[place], `block ${place}, ${what}`).to.equal(true); });
            expect(found.blocks.length, what).to.equal(expected.blocks.length);
            several += task.length > 1 ? 1 : 0;
            scannedAtOnce += found.isAtOnce ? 1 : 0;
          }
        }
      }
      const floats = await storeFloats(random, dataDir);
      for (const where of [[], [["wide", "<", 500]], [["wide", ">", 600]]]) {
        const query = parseQuery({ keys: ["wide"], measures: [["float", "sum", "s"], ["float", "mean", "m"], ["large", "sum", "l"]], where, cache: "columns" });
        const [found, expected] = [ask(atOnce, query, floats), ask(apart, query, floats)];
        expect(found, "at once").to.have.property("isAtOnce", true);
        expect(found, `floats where ${JSON.stringify(where)}, seed ${seed}`).to.have.deep.property("blocks", typeof expected === "string" ? [] : expected.blocks);
      }
      expect(scannedAtOnce, `of ${several} that could be scanned at once, seed ${seed}`).to.be.greaterThan(0);
    } finally {
      for (const engine of [atOnce, apart]) engine.close();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
