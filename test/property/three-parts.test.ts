import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed, seededRandom, type Random } from "../../lib/base/clock.js";
import { createEngine } from "../../lib/engine/engine.js";
import { printCondition } from "../../lib/engine/expressions/print.js";
import { finishQuery } from "../../lib/engine/finish.js";
import { mergePartials } from "../../lib/engine/merge.js";
import type { Partial } from "../../lib/engine/partial.js";
import { parseQuery, type Query } from "../../lib/engine/query/query.js";
import { parseWhere } from "../../lib/engine/query/where.js";
import { findDifference } from "../support/random/compare.js";
import { drawCondition, type TermColumn } from "../support/random/conditions.js";
import { openCoverage } from "../support/random/coverage.js";
import { partialOf, rowsOf } from "../support/random/local.js";
import { openOracle } from "../support/random/oracle.js";
import { drawQuery } from "../support/random/queries.js";
import { storeTable } from "../support/random/store.js";
import { drawTable, type FilledTable } from "../support/random/tables.js";

/** Those that go by the order of rows, which parts do not keep. */
const ordered = ["first", "last", "sorted_count_distinct"];

/** Keys, measures and where of a random query; without histograms that ask for their ends, and what is made of the groups. */
function drawGroups(random: Random, table: FilledTable): Query {
  const { keys, measures, where } = drawQuery(random, table, openCoverage({}));
  const kept = measures.filter((measure) => Array.isArray(measure) && !ordered.includes(String(measure[1])) && !JSON.stringify(measure[3] ?? {}).includes("null"));
  return parseQuery({ keys, measures: [...kept, ["*", "count", "rows"]], where });
}

/** The query where a term is true, where it is false, and where it is unknown. */
function partsOf(random: Random, query: Query, columns: readonly TermColumn[]): Query[] {
  const term = drawCondition(random, columns, 2, () => undefined);
  const isUnknown = parseWhere([`(${printCondition(parseWhere([term])!)}) IS NULL`])!;
  return [parseWhere([term])!, parseWhere([{ not: term }])!, isUnknown].map((part) => ({ ...query, where: { kind: "and", parts: [...(query.where === null ? [] : [query.where]), part] } }));
}

describe("a query", function () {
  this.timeout(120_000);

  it("is the merge of itself where a term is true, where it is not, and where it is unknown", async () => {
    const seed = freshSeed();
    const random = seededRandom(seed);
    const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-parts-"));
    const engine = createEngine({ dataDir, cacheBytes: 32 * 2 ** 20, queryBytes: 128 * 2 ** 20 });
    const oracle = await openOracle();
    let [compared, groups] = [0, 0];
    try {
      for (let number = 0; number < 5; number++) {
        const table = drawTable(random, `t${number}`, 5);
        const columns = table.columns.map((column, place) => ({ ...column, values: table.values[place]! }));
        const shards = await storeTable(random, dataDir, table);
        await oracle.load(table);
        for (let turn = 0; turn < 12; turn++) {
          const query = drawGroups(random, table);
          const parts = partsOf(random, query, columns);
          if (await oracle.overflows(table, query)) continue;
          const merged = parts.map((part) => partialOf(random, engine, shards, part)).reduce<Partial | undefined>((left, right) => (left === undefined ? right : mergePartials(left, right)), undefined)!;
          const rows = rowsOf(finishQuery(query, merged));
          compared += 1;
          groups += rows.length;
          expect(findDifference(rows, await oracle.answer(table, query)), `seed ${seed}, table ${number}, turn ${turn}: ${show(parts[0]!)}`).to.equal(undefined);
        }
      }
    } finally {
      engine.close();
      oracle.close();
      await rm(dataDir, { recursive: true, force: true });
    }
    expect(compared).to.be.greaterThan(50);
    expect(groups).to.be.greaterThan(0);
  });
});

function show(query: Query): string {
  return JSON.stringify({ keys: query.keys, measures: query.measures, where: query.where }, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value)).slice(0, 3_000);
}
