import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { askEngine } from "../support/ask-engine.js";
import { failureOf } from "../support/failure.js";
import type { StoredShard } from "../support/random/store.js";
import { writeShards, writeTable, type PlainColumn } from "../support/write-table.js";

const rows = 200;
const columns: readonly PlainColumn[] = [
  { name: "n", dtype: "int64", values: Array.from({ length: rows }, (_, row) => (row % 10 === 9 ? null : BigInt(row))) },
  { name: "x", dtype: "float64", values: Array.from({ length: rows }, (_, row) => row / 2) },
  { name: "s", dtype: "string", values: Array.from({ length: rows }, (_, row) => (row % 7 === 6 ? null : `Text ${row}`)) },
  { name: "y", dtype: "bytes", values: Array.from({ length: rows }, (_, row) => Uint8Array.of(row)) },
  { name: "flag", dtype: "bool", values: Array.from({ length: rows }, (_, row) => row % 2 === 0) },
  { name: "at", dtype: "timestamp", values: Array.from({ length: rows }, (_, row) => BigInt(row) * 3_600_000_000_000n) },
  { name: "day", dtype: "date", values: Array.from({ length: rows }, (_, row) => BigInt(row % 9)) },
];

describe("filters", () => {
  let dataDir = "";
  let engine: Engine;
  const stored: StoredShard[][] = [];

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-filter-"));
    engine = createEngine({ dataDir, cacheBytes: 8 * 2 ** 20, queryBytes: 128 * 2 ** 20 });
    for (const [set, options] of [["dictionary", {}], ["plain", { dictionaryValuesMax: 1 }]] as const) {
      const names = [0, 1, 2].map((shard) => `${set}-${shard}.bcolzs`);
      const generations = await writeShards(names.map((name) => join(dataDir, name)), columns, options);
      stored.push(names.map((name, ordinal) => ({ ordinal, name, generation: generations[ordinal]! })));
    }
  });

  after(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  /** Rows selected, the same of texts in a dictionary and plain ones. */
  async function count(...where: unknown[]): Promise<number> {
    const counts: number[] = [];
    for (const shards of stored) counts.push((await askEngine(engine, shards, { measures: [["*", "count", "n"]], where })).partial.rows[0] ?? 0);
    expect(counts[1]).to.equal(counts[0]);
    return counts[0]!;
  }

  const nullable = (row: number): boolean => row % 10 === 9;
  const selections: readonly (readonly [unknown, (row: number) => boolean])[] = [
    [[{ expr: "n + 1" }, "==", 11], (row) => row === 10], [["n", ">", { expr: "x" }], (row) => row > 0 && !nullable(row)], ["n > x", (row) => row > 0 && !nullable(row)], [["x", "<", { expr: "n" }], (row) => row > 0 && !nullable(row)],
    [["s", ">=", { expr: "'Text 5'" }], (row) => row % 7 !== 6 && `Text ${row}` >= "Text 5"], [[{ expr: "n % 10" }, "in", [3, 4]], (row) => row % 10 === 3 || row % 10 === 4], [{ not: ["n", "<", 100] }, (row) => row >= 100 && !nullable(row)],
    [[{ expr: "n" }, "is null"], nullable], [[{ expr: "n + 1" }, "is null"], nullable], ["n is not null", (row) => !nullable(row)], ["n + 1 is not null", (row) => !nullable(row)],
    [["at", "<", { expr: "day" }], (row) => row / 24 < row % 9], [["at", "==", { expr: "day" }], (row) => row / 24 === row % 9], ["day <= at", (row) => row % 9 <= row / 24],
    ["s like 'Text 1_' and not flag", (row) => row >= 10 && row < 20 && row % 2 === 1 && row % 7 !== 6], ["s like '%9%' or n < 5", (row) => row < 5 || (row % 7 !== 6 && String(row).includes("9"))],
    ["n between 10 and 12 or x between 50 and 51", (row) => (row >= 10 && row <= 12) || (row >= 100 && row <= 102)],
    ["NULL == n", () => false], ["not (NULL == n)", () => false], [{ and: [] }, () => true], [{ or: [] }, () => false], ["flag", (row) => row % 2 === 0], ["not flag", (row) => row % 2 === 1],
    ["case when n > 100 then s else 'none' end == 'none'", (row) => row <= 100 || nullable(row)], ["lower(s) like 'text 1%'", (row) => row % 7 !== 6 && String(row).startsWith("1")],
  ];
  for (const [term, isSelected] of selections) {
    it(`${JSON.stringify(term)} selects the rows for which it is true`, async () => {
      expect(await count(term)).to.equal(Array.from({ length: rows }, (_, row) => row).filter(isSelected).length);
    });
  }

  const mismatches: readonly (readonly [unknown, string])[] = [
    [["n", "==", "5"], "column 'n' is int64 and cannot be compared with the text '5'; compare it with a number"],
    [["n", "like", "5%"], "column 'n' is int64 and cannot be matched by like, which takes strings"],
    [["y", "like", "5%"], "column 'y' is bytes and cannot be matched by like"],
    [["n", "between", [1, "5"]], "column 'n' is int64 and cannot be compared with the text '5'"],
    [[{ expr: "n + 1" }, "in", [1, true]], "the value of '\"n\" + 1' is int64 and cannot be compared with the boolean true"],
    [["n", "<", { expr: "s" }], "column 'n' is int64 and cannot be compared with column 's', which is string"],
    [["s", "<", { expr: "y" }], "column 's' is string and cannot be compared with column 'y', which is bytes"],
    [["flag", "==", { expr: "n" }], "column 'flag' is bool and cannot be compared with column 'n'"],
    [["at", "==", { expr: "n" }], "column 'at' is timestamp and cannot be compared with column 'n'"],
  ];
  for (const [term, words] of mismatches) {
    it(`${JSON.stringify(term)} is DTYPE_MISMATCH: ${words}`, async () => {
      const error = await failureOf(() => count(term));
      expect(error.code).to.equal("DTYPE_MISMATCH");
      expect(error.message).to.include(words);
    });
  }

  it("columns that are not there are UNKNOWN_COLUMN, wherever a term names them", async () => {
    for (const term of [["m", "==", 1], [{ expr: "m + 1" }, "==", 1], ["n", "<", { expr: "m" }], ["m", "is null"], ["m", "like", "x"], { or: [["n", "==", 1], ["m", "==", 1]] }]) {
      expect((await failureOf(() => count(term))).code, JSON.stringify(term)).to.equal("UNKNOWN_COLUMN");
    }
  });

  it("lists of a million values are found in, and long ones of floats and texts", async () => {
    const isListed = (row: number): boolean => row % 3 === 0;
    const numbers = Array.from({ length: 1_000_000 }, (_, k) => 3 * k);
    expect(await count(["n", "in", numbers])).to.equal(Array.from({ length: rows }, (_, row) => row).filter((row) => isListed(row) && !nullable(row)).length);
    const fewer = numbers.slice(0, 100_000);
    expect(await count(["n", "not in", fewer])).to.equal(Array.from({ length: rows }, (_, row) => row).filter((row) => !isListed(row) && !nullable(row)).length);
    expect(await count(["x", "in", fewer.map((value) => value / 2)])).to.equal(Array.from({ length: rows }, (_, row) => row).filter(isListed).length);
    expect(await count(["s", "in", fewer.map((value) => `Text ${value}`)])).to.equal(Array.from({ length: rows }, (_, row) => row).filter((row) => isListed(row) && row % 7 !== 6).length);
  }).timeout(30_000);

  it("ask while like goes through long texts whether the query is still wanted", async () => {
    const generation = await writeTable(join(dataDir, "long.bcolz"), [{ name: "s", dtype: "string", values: Array.from({ length: 24 }, (_, row) => `${"a".repeat(2 ** 20)}${row}`) }], { dictionaryValuesMax: 1 });
    const query = encodeQuery(parseQuery({ keys: [], measures: [["*", "count", "n"]], where: [["s", "like", "%b_b_b_b_b_b_b_b_b_%"]] }));
    let asked = 0;
    const run = (stopAt: number): void => void engine.run({ query, shards: [{ ordinal: 0, name: "long.bcolz", generation }], shouldStop: () => (asked += 1) >= stopAt, onBlock: () => undefined });
    run(Infinity);
    expect(asked).to.be.greaterThan(8);
    asked = 0;
    expect(await failureOf(() => { run(5); })).to.have.property("code", "CANCELLED");
    expect(asked).to.equal(5);
  });
});
