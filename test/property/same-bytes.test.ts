import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed, seededRandom, type Random } from "../../lib/base/clock.js";
import { isAskApart } from "../../lib/client/aligned.js";
import { createMerger } from "../../lib/client/merger.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { encodePartial } from "../../lib/engine/partial-bytes.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery, type Query } from "../../lib/engine/query/query.js";
import type { Block } from "../../lib/engine/tree.js";
import { everyMeasure } from "../support/every-measure.js";
import { chance, oneOf, someOf } from "../support/random/draw.js";
import { storeTable, type StoredShard } from "../support/random/store.js";
import { drawTable } from "../support/random/tables.js";

const engineCounts = [1, 2, 3, 8];
const seed = freshSeed();

/** Ends of histograms, which else would be asked for first. */
const ends = new Map([["histogram", { bins: 7, low: -50, high: 5_000 }], ["histogram2d", { bins: [3, 4], low: [-50, 0], high: [5_000, 100] }]]);

function queryOf(keys: readonly string[], x: string, y: string, cache: Query["cache"]): Query {
  const measures = (everyMeasure(x, y) as unknown[][]).map((measure) => (ends.has(String(measure[1])) ? [...measure.slice(0, 3), ends.get(String(measure[1]))] : measure));
  return parseQuery({ keys, measures: [...measures, ["string_a", "mode", "text"], ["bytes_a", "topk", "largest", { k: 3 }], ["timestamp_a", "median", "middle"]], where: [["bool_a", "is not null"]], cache });
}

/** Tasks of shards for the engines: dealt one by one, or in stretches as large tasks are. */
function dealShards(random: Random, engines: readonly Engine[], shards: readonly StoredShard[]): Map<Engine, StoredShard[]> {
  const dealt = new Map<Engine, StoredShard[]>();
  const isStretched = chance(random, 0.5);
  let engine = oneOf(random, engines);
  for (const shard of shards) {
    if (!isStretched || chance(random, 0.3)) engine = oneOf(random, engines);
    dealt.set(engine, [...(dealt.get(engine) ?? []), shard]);
  }
  return dealt;
}

/** The partial of a query whose shards are dealt to the engines in random tasks, some of them twice, arriving in any order. */
function askEngines(random: Random, engines: readonly Engine[], shards: readonly StoredShard[], query: Query): Buffer {
  try {
    return askOnce(random, engines, shards, query);
  } catch (cause) {
    if (!isAskApart(cause)) throw cause;
    return askOnce(random, engines, shards, { ...query, blocks: "aligned" });
  }
}

function askOnce(random: Random, engines: readonly Engine[], shards: readonly StoredShard[], query: Query): Buffer {
  const arrived: { block: Block; bytes: Uint8Array }[] = [];
  for (const [engine, task] of dealShards(random, engines, shards)) {
    // A task whose worker was lost is done again by another one.
    for (const runner of chance(random, 0.3) ? [engine, oneOf(random, engines)] : [engine]) {
      runner.run({ query: encodeQuery(query), shards: task, shouldStop: () => false, onBlock: (block, bytes) => void arrived.push({ block, bytes }) });
    }
  }
  const merger = createMerger(query, shards.length, { bytesMax: Infinity });
  const taken = new Map<number, Buffer>();
  for (const { block, bytes } of someOf(random, arrived, arrived.length)) {
    const before = taken.get(block.start);
    if (before === undefined) merger.add(block, bytes);
    else expect(before.equals(bytes), `a block done twice, seed ${seed}`).to.equal(true);
    taken.set(block.start, Buffer.from(bytes));
  }
  return Buffer.from(encodePartial(merger.partial()));
}

/** Measures of which partials add up in any way, as far as the columns are whole numbers. */
function addingQuery(keys: readonly string[], x: string, cache: Query["cache"]): Query {
  return parseQuery({
    keys, measures: [[x, "sum", "s"], [x, "mean", "m"], [x, "min", "low"], ["float64_a", "max", "high"], ["timestamp_a", "min", "early"], ["*", "count", "rows"], [x, "count", "n"]],
    where: [["bool_a", "is not null"]], cache,
  });
}

describe("the partial of every measure", function () {
  this.timeout(120_000);

  it("is the same bytes whoever computed which shards, in any order, twice or once, caches cold, warm and bypassed", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-bytes-"));
    const random = seededRandom(seed);
    const engines: Engine[] = [];
    try {
      for (let k = 0; k < Math.max(...engineCounts); k++) engines.push(createEngine({ dataDir, cacheBytes: 8 * 2 ** 20, queryBytes: 256 * 2 ** 20, partialCacheBytes: 4 * 2 ** 20 }));
      for (let number = 0; number < 2; number++) {
        const table = drawTable(random, `t${number}`, 9);
        const shards = await storeTable(random, dataDir, table);
        const [keys, x, y] = [oneOf(random, [[], ["int8_a"], ["string_a", "bool_a"], ["date_a"]]), oneOf(random, ["float64_a", "float32_a", "int32_a"]), oneOf(random, ["float64_a", "uint16_a"])];
        for (const ask of [(cache: Query["cache"]) => queryOf(keys, x, y, cache), (cache: Query["cache"]) => addingQuery(keys, x, cache)]) {
          let expected: Buffer | undefined;
          for (const count of engineCounts) {
            for (const cache of [false, true, true, "columns"] as const) {
              const bytes = askEngines(random, engines.slice(0, count), shards, ask(cache));
              expected ??= bytes;
              expect(bytes.equals(expected), `${count} engines, cache ${cache}, table ${number} of ${table.rows} rows, seed ${seed}`).to.equal(true);
            }
          }
        }
      }
    } finally {
      for (const engine of engines) engine.close();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
