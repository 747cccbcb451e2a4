import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { failureOf } from "../support/failure.js";
import { openMeasuring, type Measuring } from "../support/measuring.js";
import { writeTable, type PlainColumn } from "../support/write-table.js";

describe("texts that expressions join", () => {
  let measuring: Measuring;

  before(async () => {
    measuring = await openMeasuring();
  });

  after(() => measuring.close());

  const rowCount = 3_000;
  const textOf = (column: number, row: number): string | null => ((row + column) % 17 === 0 ? null : `${"é".repeat(row % 3)}${(row * (column + 7)) % (column < 2 ? 5 : 900)}`);
  const columns: PlainColumn[] = Array.from({ length: 5 }, (_, column) => ({ name: `c${column}`, dtype: "string", values: Array.from({ length: rowCount }, (_, row) => textOf(column, row)) }));

  it("are those of a plain reference, of any number of columns and constants, however the joins are written", async () => {
    for (const [expr, parts] of [
      ["concat(c0, c3)", [0, 3]], ["concat('<', c2, '>')", ["<", 2, ">"]], ["concat(c4, c4, c4)", [4, 4, 4]],
      ["concat(c0, '-', c1, '-', c2, '-', c3, '-', c4)", [0, "-", 1, "-", 2, "-", 3, "-", 4]],
      ["c0 || (c1 || c2) || concat(c3, c0)", [0, 1, 2, 3, 0]], ["concat(c1)", [1]], ["concat('a', 'b')", ["a", "b"]],
      ["concat(c0, null)", [0, null]], ["concat(null, c2, 'x')", [null, 2, "x"]],
    ] as [string, (number | string | null)[]][]) {
      const wanted = new Map<string | null, bigint>();
      for (let row = 0; row < rowCount; row++) {
        const texts = parts.map((part) => (typeof part === "number" ? textOf(part, row) : part));
        const text = texts.includes(null) ? null : texts.join("");
        wanted.set(text, (wanted.get(text) ?? 0n) + 1n);
      }
      const halves = [0, 1].map((half) => columns.map((column) => ({ ...column, values: column.values.slice(half * 1_300, half === 0 ? 1_300 : rowCount) })));
      const answer = await measuring.ask(halves, { keys: [{ expr, as: "k" }], measures: [["*", "count", "n"]] });
      expect(new Map(answer.map(([text, count]) => [text, count])), expr).to.deep.equal(wanted);
    }
  });

  it("are OVERFLOW where one is longer than a text may be made, unless the row is null or not selected", async () => {
    const values = ["x".repeat(60_000), "short", "x".repeat(60_001)];
    const shard = [{ name: "s", dtype: "string" as const, values }, { name: "n", dtype: "string" as const, values: [null, "", ""] }, { name: "i", dtype: "int64" as const, values: [0n, 1n, 2n] }];
    const hundred = `concat(${Array.from({ length: 100 }, () => "s").join()})`;
    const expr = `length(concat(n, ${hundred}, ${hundred}, ${hundred}))`;
    const asking = (where: readonly unknown[]) => measuring.ask([shard], { measures: [[{ expr }, "sum", "m"]], where });
    const failure = await failureOf(() => asking([]));
    expect(failure.code).to.equal("OVERFLOW");
    expect(failure.message).to.include("'concat(").and.include("18000300 bytes");
    expect(await asking([["i", "<", 2]])).to.deep.equal([[1_500n]]);
    expect(await asking([["i", "==", 1]])).to.deep.equal([[1_500n]]);
  });
});

describe("work on texts within a chunk", () => {
  let dataDir = "";
  let engine: Engine;
  const generations = new Map<string, string>();

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-texts-"));
    engine = createEngine({ dataDir, cacheBytes: 2 ** 24, queryBytes: 2 ** 27 });
    const wide = Array.from({ length: 10 }, (_, column): PlainColumn => ({ name: `c${column}`, dtype: "string", values: Array.from({ length: 40_000 }, (_, row) => `${column}-${String(row).padStart(15, "0")}`) }));
    generations.set("wide.bcolz", await writeTable(join(dataDir, "wide.bcolz"), wide));
    generations.set("long.bcolz", await writeTable(join(dataDir, "long.bcolz"), [{ name: "s", dtype: "string", values: Array.from({ length: 100 }, (_, row) => `${row}${"aB".repeat(30_000)}`) }]));
  });

  after(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  /** Runs a query over one table; `goesOn` says how often it may ask whether to stop. */
  function run(name: string, expr: string, goesOn = Infinity): number {
    let asked = 0;
    engine.run({
      query: encodeQuery(parseQuery({ keys: [], measures: [[{ expr }, "count_distinct", "n"]] })), shards: [{ ordinal: 0, name, generation: generations.get(name)! }],
      shouldStop: () => ++asked > goesOn, onBlock: () => undefined,
    });
    return asked;
  }

  it("joins many columns of distinct texts in little more memory than these and the result", () => {
    expect(run("wide.bcolz", `concat(${Array.from({ length: 10 }, (_, column) => `c${column}`).join()})`)).to.be.above(0);
  });

  it("asks whether it is still wanted every so often, and ends when it is not", async () => {
    for (const expr of ["lower(s)", "length(s)", "concat(s, 'x')", "case when s like '1%' then upper(s) end", "substring(s, 2)"]) {
      const asked = run("long.bcolz", expr);
      expect(asked, expr).to.be.above(20);
      expect(await failureOf(() => run("long.bcolz", expr, 15)), expr).to.include({ code: "CANCELLED" });
    }
  });
});
