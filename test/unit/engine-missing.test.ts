import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { finishQuery } from "../../lib/engine/finish.js";
import { partialOfNothing } from "../../lib/engine/nothing.js";
import type { Partial } from "../../lib/engine/partial.js";
import { decodePartial } from "../../lib/engine/partial-bytes.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { tableOf, valueRows } from "../support/random/local.js";
import { writeTable } from "../support/write-table.js";

describe("a column that no table has, where that is empty", () => {
  let dataDir = "";
  let generation = "";
  let engine: Engine;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-missing-"));
    engine = createEngine({ dataDir, cacheBytes: 2 ** 20, queryBytes: 64 * 2 ** 20 });
    generation = await writeTable(join(dataDir, "t.bcolz"), [{ name: "v", dtype: "int64", values: [1n, 2n, null] }]);
  });

  after(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  /** Over the table, and over no table at all. */
  function ask(keys: readonly unknown[], measures: readonly unknown[], where: unknown): unknown[][][] {
    const query = parseQuery({ keys, measures, where, missing: "empty" });
    let partial: Partial | undefined;
    engine.run({
      query: encodeQuery(query), shards: [{ ordinal: 0, name: "t.bcolz", generation }], shouldStop: () => false, absent: [{ name: "v", dtype: "int64" }],
      onBlock: (_, bytes) => { partial = decodePartial(bytes); },
    });
    return [partial!, partialOfNothing(query)].map((each) => valueRows(tableOf(finishQuery(query, each))));
  }

  it("compares with whatever it is compared with, and is never more or less", () => {
    const terms = [["q", "==", "a"], ["q", "like", "a%"], ["q", ">", "2016-01-01"], ["q", "==", true], ["q", "not in", ["x"]], ["q", "!=", 5], "q = v", "upper(q) = 'A'", "year(q) = 2016", "q || 'a' like 'a%'", "not (q < 'b')"];
    for (const where of terms) expect(ask([], [["*", "count", "n"]], typeof where === "string" ? where : [where]), JSON.stringify(where)).to.deep.equal([[[0n]], [[0n]]]);
  });

  it("is null, and computes to null", () => {
    expect(ask([], [["*", "count", "n"]], [["q", "is null"]])[0]).to.deep.equal([[3n]]);
    expect(ask([], [["*", "count", "n"]], "coalesce(q, 'none') = 'none' or v = 1")[0]).to.deep.equal([[3n]]);
    expect(ask([], [["q", "count", "n"], [{ expr: "v + length(q)" }, "sum", "s"]], [])[0]).to.deep.equal([[0n, null]]);
    expect(ask(["q"], [["*", "count", "n"]], [])[0]).to.deep.equal([[null, 3n]]);
    expect(ask([{ expr: "coalesce(q, 'none')", as: "k" }], [["v", "sum", "s"]], [])[0]).to.deep.equal([["none", 3n]]);
  });
});
