import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { DuckDBTimestampValue } from "@duckdb/node-api";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { describeTable } from "../../lib/columns/read/describe.js";
import { openTable } from "../../lib/columns/read/open.js";
import { importFiles } from "../../lib/formats/import/import.js";
import type { ImportProgress } from "../../lib/formats/import/options.js";
import { failureOf } from "../support/failure.js";
import { queryDuckDb, writeParquet } from "../support/parquet.js";
import { readTable } from "../support/read-table.js";
import type { StoredValue } from "../support/read-table.js";

const everyDtype = `SELECT i - 100 AS n, CASE WHEN i % 7 = 0 THEN NULL ELSE i * 1000000007 END AS wide,
  CASE WHEN i % 5 = 0 THEN NULL WHEN i % 5 = 1 THEN 'nan'::DOUBLE ELSE i / 8 END AS x, nullif(i % 3, 2) = 0 AS flag,
  CASE WHEN i % 11 = 0 THEN NULL ELSE 'name ' || (i % 321) || ' ü' END AS label,
  TIMESTAMP '2001-01-01 00:01:00' + INTERVAL (i * 12345) MICROSECOND AS at, NULL::VARCHAR AS empty`;

/** What DuckDB reads of Parquet files, as tables hold it: NaN is null, timestamps are ns. */
async function expectedColumns(paths: readonly string[], names: readonly string[]): Promise<Map<string, StoredValue[]>> {
  const list = paths.map((path) => `'${path}'`).join(", ");
  const rows = await queryDuckDb(`SELECT ${names.map((name) => `"${name}"`).join(", ")} FROM read_parquet([${list}])`);
  return new Map(names.map((name, index) => [name, rows.map((row) => storedForm(row[index]))]));
}

function storedForm(value: unknown): StoredValue {
  if (value instanceof DuckDBTimestampValue) return value.micros * 1000n;
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (value === null || typeof value === "bigint" || typeof value === "string" || typeof value === "boolean") return value;
  throw new Error(`no table holds a ${typeof value}`);
}

describe("importing", () => {
  let folder = "";
  const at = (name: string): string => join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-import-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("one table holds every value of the file, nulls included", async () => {
    await writeParquet(at("in.parquet"), `${everyDtype} FROM range(150000) r(i)`);
    const summary = await importFiles({ inputs: [at("in.parquet")], output: at("all.bcolz") });
    expect([summary.rowsRead, summary.rowsStored, summary.tables.map(({ name }) => name)]).to.deep.equal([150_000, 150_000, ["all.bcolz"]]);
    const found = readTable(at("all.bcolz"));
    const expected = await expectedColumns([at("in.parquet")], [...found.keys()]);
    for (const [name, values] of expected) expect(found.get(name), name).to.deep.equal(values);
  });

  it("an append says that it ends the order of a table, also where another append came first", async () => {
    writeFileSync(at("in.csv"), "v\n1\n2\n");
    writeFileSync(at("later.csv"), "v\n3\n");
    await importFiles({ inputs: [at("in.csv")], output: at("t.bcolz"), sort: "v" });
    const append = (input: string, options = {}) => importFiles({ inputs: [input], output: at("t.bcolz"), append: true, ...options });
    expect((await append(at("later.csv"))).endedOrder).to.equal(null);
    // The other append commits while this one is still copying its input.
    async function* slow(): AsyncGenerator<Buffer> {
      await append(at("later.csv"));
      writeFileSync(at("last.csv"), "v\n9\n");
      await append(at("last.csv"));
      yield Buffer.from("v\n4\n");
    }
    const { endedOrder } = await append("-", { standardInput: Readable.from(slow()), format: "csv" });
    expect(endedOrder).to.equal("v");
    expect(readTable(at("t.bcolz")).get("v")).to.deep.equal([1n, 2n, 3n, 3n, 9n, 4n]);
    expect(openTable(at("t.bcolz")).footer.sort).to.equal(null);
    expect((await append(at("later.csv"))).endedOrder, "it has none to lose").to.equal(null);
  });

  it("appends to a sorted table without rows, which stays sorted", async () => {
    writeFileSync(at("none.csv"), "v\n");
    writeFileSync(at("in.csv"), "v\n1\n2\n");
    await importFiles({ inputs: [at("none.csv")], output: at("t.bcolz"), sort: "v", types: new Map([["v", "int64"]]) });
    const { endedOrder } = await importFiles({ inputs: [at("in.csv")], output: at("t.bcolz"), append: true });
    expect([endedOrder, openTable(at("t.bcolz")).footer.sort, readTable(at("t.bcolz")).get("v")]).to.deep.equal([null, "v", [1n, 2n]]);
  });

  it("a link to a table stands for that table: it is appended to and replaced where it is", async () => {
    writeFileSync(at("in.csv"), "v\n1\n");
    await importFiles({ inputs: [at("in.csv")], output: at("real.bcolz") });
    symlinkSync("real.bcolz", at("t.bcolz"));
    const appended = await importFiles({ inputs: [at("in.csv")], output: at("t.bcolz"), append: true });
    expect([appended.tables[0]!.name, readTable(at("real.bcolz")).get("v")]).to.deep.equal(["t.bcolz", [1n, 1n]]);
    writeFileSync(at("in.csv"), "v\n7\n");
    expect((await failureOf(() => importFiles({ inputs: [at("in.csv")], output: at("t.bcolz") }))).code).to.equal("EXISTS");
    const replaced = await importFiles({ inputs: [at("in.csv")], output: at("t.bcolz"), replace: true });
    expect([replaced.tables[0]!.name, readTable(at("real.bcolz")).get("v"), lstatSync(at("t.bcolz")).isSymbolicLink()]).to.deep.equal(["t.bcolz", [7n], true]);
    expect(readdirSync(at("real.bcolz"))).not.to.include("LOCK");
    rmSync(at("real.bcolz"), { recursive: true });
    const dangling = await failureOf(() => importFiles({ inputs: [at("in.csv")], output: at("t.bcolz"), replace: true }));
    expect([dangling.code, dangling.message]).to.deep.equal(["EXISTS", `${at("t.bcolz")} is a link that leads to nothing; remove it, or use another name`]);
  });

  it("a set in the place of one with more shards takes away those that are links as well", async () => {
    writeFileSync(at("in.csv"), "v\n1\n2\n3\n");
    await importFiles({ inputs: [at("in.csv")], output: at("t"), shards: 3 });
    renameSync(at("t-2.bcolzs"), at("elsewhere"));
    symlinkSync("elsewhere", at("t-2.bcolzs"));
    await importFiles({ inputs: [at("in.csv")], output: at("t"), shards: 2, replace: true });
    expect([existsSync(at("t-1.bcolzs/CURRENT")), existsSync(at("t-2.bcolzs/CURRENT"))]).to.deep.equal([true, false]);
  });

  it("shards are contiguous, equal within one row, and hold the rows in order", async () => {
    await writeParquet(at("in.parquet"), `${everyDtype} FROM range(10001) r(i)`, "ROW_GROUP_SIZE 2048");
    const summary = await importFiles({ inputs: [at("in.parquet")], output: at("data/flights"), shards: 7 });
    expect(summary.tables.map(({ rows }) => rows)).to.deep.equal([1429, 1429, 1429, 1429, 1429, 1428, 1428]);
    const shards = summary.tables.map(({ name }) => readTable(join(at("data"), name)));
    const expected = await expectedColumns([at("in.parquet")], [...shards[0]!.keys()]);
    for (const [name, values] of expected) expect(shards.flatMap((shard) => shard.get(name)!), name).to.deep.equal(values);
  });

  it("the shards of one import are one set, and what it tells is what the tables say", async () => {
    await writeParquet(at("in.parquet"), "SELECT i FROM range(100) r(i)");
    const { tables } = await importFiles({ inputs: [at("in.parquet")], output: at("s"), shardRows: 30 });
    const described = tables.map(({ name }) => describeTable(at(name)));
    expect(described.map(({ set }) => set?.index)).to.deep.equal([0, 1, 2, 3]);
    expect(new Set(described.map(({ set }) => `${set?.id} ${set?.count}`)).size).to.equal(1);
    expect(tables).to.deep.equal(described.map(({ name, generation, rows, bytes }) => ({ name, generation, rows, bytes, sort: null })));
  });

  it("several files follow one another, whatever the order of their columns", async () => {
    await writeParquet(at("1.parquet"), "SELECT i AS a, 'x' || i AS b FROM range(10) r(i)");
    await writeParquet(at("2.parquet"), "SELECT 'y' || i AS b, i::INTEGER AS a FROM range(5) r(i)");
    expect((await failureOf(() => importFiles({ inputs: [at("1.parquet"), at("2.parquet")], output: at("t.bcolz") }))).code).to.equal("SCHEMA_MISMATCH");
    await importFiles({ inputs: [at("1.parquet"), at("2.parquet")], output: at("t.bcolz"), types: new Map([["a", "int64"]]) });
    const expected = await expectedColumns([at("1.parquet"), at("2.parquet")], ["a", "b"]);
    expect(readTable(at("t.bcolz"))).to.deep.equal(expected);
  });

  it("only the columns named are stored, in that order", async () => {
    await writeParquet(at("in.parquet"), "SELECT 1 AS a, DATE '2001-01-01' AS day, 'x' AS b");
    await importFiles({ inputs: [at("in.parquet")], output: at("t.bcolz"), columns: ["b", "a"] });
    expect([...readTable(at("t.bcolz"))]).to.deep.equal([["b", ["x"]], ["a", [1n]]]);
  });

  it("no rows make an empty table, and fewer rows than shards make empty shards", async () => {
    await writeParquet(at("none.parquet"), "SELECT 1 AS a WHERE false");
    await writeParquet(at("two.parquet"), "SELECT i AS a FROM range(2) r(i)");
    await importFiles({ inputs: [at("none.parquet")], output: at("none.bcolz") });
    expect(describeTable(at("none.bcolz")).rows).to.equal(0);
    const { tables } = await importFiles({ inputs: [at("two.parquet")], output: at("two"), shards: 4 });
    expect(tables.map(({ rows }) => rows)).to.deep.equal([1, 1, 0, 0]);
  });

  it("progress rises to the rows of all files", async () => {
    await writeParquet(at("in.parquet"), "SELECT i FROM range(5000) r(i)", "ROW_GROUP_SIZE 2048");
    const seen: ImportProgress[] = [];
    await importFiles({ inputs: [at("in.parquet")], output: at("t"), shards: 2, onProgress: (progress) => seen.push(progress) });
    expect(seen.map(({ rows }) => rows)).to.deep.equal(seen.map(({ rows }) => rows).sort((a, b) => a - b));
    expect(seen.at(-1)).to.include({ phase: "reading", rows: 5000, totalRows: 5000 });
  });

  it("the same file gives the same generation", async () => {
    await writeParquet(at("in.parquet"), `${everyDtype} FROM range(3000) r(i)`);
    const [first, second] = [await importFiles({ inputs: [at("in.parquet")], output: at("a/t"), shards: 2 }), await importFiles({ inputs: [at("in.parquet")], output: at("b/t"), shards: 2 })];
    expect(second.tables).to.deep.equal(first.tables);
  });

  it("an existing table stays as it is without --replace, and is replaced with it", async () => {
    await writeParquet(at("1.parquet"), "SELECT 1 AS a");
    await writeParquet(at("2.parquet"), "SELECT 2 AS a");
    await importFiles({ inputs: [at("1.parquet")], output: at("t.bcolz") });
    expect((await failureOf(() => importFiles({ inputs: [at("2.parquet")], output: at("t.bcolz") }))).code).to.equal("EXISTS");
    expect(readTable(at("t.bcolz")).get("a")).to.deep.equal([1n]);
    await importFiles({ inputs: [at("2.parquet")], output: at("t.bcolz"), replace: true });
    expect(readTable(at("t.bcolz")).get("a")).to.deep.equal([2n]);
  });

  it("a set replaced by one of fewer shards is of these alone, and the old ones are tables no longer", async () => {
    await writeParquet(at("in.parquet"), "SELECT i AS a FROM range(10) r(i)");
    await importFiles({ inputs: [at("in.parquet")], output: at("t"), shards: 5 });
    expect((await failureOf(() => importFiles({ inputs: [at("in.parquet")], output: at("t"), shards: 2 }))).code).to.equal("EXISTS");
    await importFiles({ inputs: [at("in.parquet")], output: at("t"), shards: 2, replace: true });
    expect(readdirSync(folder).filter((name) => existsSync(at(`${name}/CURRENT`))).sort()).to.deep.equal(["t-0.bcolzs", "t-1.bcolzs"]);
  });

  it("interrupted anywhere, it ends with CANCELLED and leaves nothing", async () => {
    await writeParquet(at("in.parquet"), `${everyDtype} FROM range(20000) r(i)`, "ROW_GROUP_SIZE 2048");
    let calls = 0;
    await importFiles({ inputs: [at("in.parquet")], output: at("whole/t"), shards: 3, onProgress: () => calls++ });
    for (let stopAt = 1; stopAt <= calls; stopAt++) {
      const interruption = new AbortController();
      let call = 0;
      const onProgress = (): void => {
        if (++call === stopAt) interruption.abort();
      };
      const error = await failureOf(() => importFiles({ inputs: [at("in.parquet")], output: at("data/t"), shards: 3, onProgress, signal: interruption.signal }));
      expect([error.code, existsSync(at("data"))], `stopped at ${stopAt} of ${calls}`).to.deep.equal(["CANCELLED", false]);
    }
  });

  it("an interrupted replacement leaves the table that was", async () => {
    await writeParquet(at("in.parquet"), "SELECT i AS a FROM range(5000) r(i)", "ROW_GROUP_SIZE 2048");
    await importFiles({ inputs: [at("in.parquet")], output: at("t.bcolz") });
    const before = readdirSync(at("t.bcolz")).sort();
    const interruption = new AbortController();
    const options = { inputs: [at("in.parquet")], output: at("t.bcolz"), columns: ["a"], replace: true, signal: interruption.signal };
    expect((await failureOf(() => importFiles({ ...options, onProgress: () => interruption.abort() }))).code).to.equal("CANCELLED");
    expect(readdirSync(at("t.bcolz")).sort()).to.deep.equal(before);
  });

  it("a damaged page found half way leaves nothing", async () => {
    await writeParquet(at("in.parquet"), "SELECT i AS a, md5(i::VARCHAR) AS b FROM range(40000) r(i)", "ROW_GROUP_SIZE 2048, COMPRESSION zstd");
    const bytes = readFileSync(at("in.parquet"));
    const middle = bytes.length >> 1;
    bytes.fill(0xff, middle, middle + 2000);
    writeFileSync(at("damaged.parquet"), bytes);
    const error = await failureOf(() => importFiles({ inputs: [at("damaged.parquet")], output: at("data/t"), shards: 2 }));
    expect([error.code, existsSync(at("data"))]).to.deep.equal(["BAD_INPUT", false]);
    expect(error.message).to.include("damaged.parquet");
  });

  it("an input that changes between the look and the reading is refused", async () => {
    await writeParquet(at("1.parquet"), "SELECT i AS a FROM range(10) r(i)");
    await writeParquet(at("2.parquet"), "SELECT i AS a FROM range(10) r(i)");
    await writeParquet(at("other.parquet"), "SELECT i AS a FROM range(11) r(i)");
    const swap = (): void => writeFileSync(at("2.parquet"), readFileSync(at("other.parquet")));
    const error = await failureOf(() => importFiles({ inputs: [at("1.parquet"), at("2.parquet")], output: at("t.bcolz"), onProgress: swap }));
    expect([error.code, existsSync(at("t.bcolz"))]).to.deep.equal(["BAD_INPUT", false]);
    expect(error.message).to.include("2.parquet changed");
  });

  it("an input that is also the place to write is not touched", async () => {
    await writeParquet(at("t.bcolz"), "SELECT 1 AS a");
    const before = readFileSync(at("t.bcolz"));
    expect((await failureOf(() => importFiles({ inputs: [at("t.bcolz")], output: at("t.bcolz"), replace: true }))).code).to.equal("EXISTS");
    expect(readFileSync(at("t.bcolz")).equals(before)).to.equal(true);
  });
});
