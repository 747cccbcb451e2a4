import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { openTable } from "../../lib/columns/read/open.js";
import { detectFormat } from "../../lib/formats/import/detect.js";
import { importFiles } from "../../lib/formats/import/import.js";
import type { ImportSummary } from "../../lib/formats/import/import.js";
import type { ImportOptions } from "../../lib/formats/import/options.js";
import { failureOf } from "../support/failure.js";
import { queryDuckDb, writeParquet } from "../support/parquet.js";
import { readTable } from "../support/read-table.js";
import { oneOf, someOf } from "../support/random/draw.js";
import type { StoredValue } from "../support/read-table.js";

/** Makes rows long: a few fill the bytes of which a sample is taken. */
const filler = "x".repeat(20);

describe("importing text", function () {
  this.timeout(120_000);
  let folder = "";
  const at = (name: string): string => join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-import-text-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** Writes files, given with their names, and imports them in their order. */
  async function importTexts(files: Readonly<Record<string, string | Uint8Array>>, options: Partial<ImportOptions> = {}): Promise<ImportSummary> {
    for (const [name, content] of Object.entries(files)) writeFileSync(at(name), content);
    const summary = await importFiles({ inputs: Object.keys(files).map(at), output: at("t.bcolz"), ...options });
    expect(summary.rowsRead).to.equal(summary.rowsStored + summary.rowsRejected);
    return summary;
  }

  const stored = (name = "t.bcolz"): Record<string, StoredValue[]> => Object.fromEntries(readTable(at(name)));

  function dtypesOf(name = "t.bcolz"): Record<string, string> {
    const table = openTable(at(name));
    try {
      return Object.fromEntries(table.columns.map((column) => [column.name, column.dtype]));
    } finally {
      table.close();
    }
  }

  function sortOf(name: string): string | null {
    const table = openTable(at(name));
    try {
      return table.footer.sort;
    } finally {
      table.close();
    }
  }

  /** What is in the folder besides the inputs. */
  const leftovers = (): string[] => readdirSync(folder).filter((name) => !/^in/.test(name)).sort();

  it("several files agree on the dtype that holds the values of all", async () => {
    await importTexts({ "in1.csv": "a,b\n1,2001-01-01\n", "in2.csv": "b,a\n2001-01-02T00:00:01,2.5\n" });
    expect(stored()).to.deep.equal({ a: [1, 2.5], b: [978_307_200_000_000_000n, 978_393_601_000_000_000n] });
  });

  describe("with columns that have no values at first", () => {
    // Neither at the start nor in the middle nor at the end, where a sample is taken.
    const bytesBefore = 2_300_000;
    const fill = (row: string, ends: readonly string[]): string => {
      const count = Math.ceil(bytesBefore / row.length);
      return row.repeat(count) + ends.join("") + row.repeat(count / 2);
    };
    /** A file of columns by their names, each of which has these values in the middle of many rows, and none elsewhere. */
    const csv = (columns: Readonly<Record<string, readonly string[]>>): string => {
      const values = Object.values(columns);
      const ends = values[0]!.map((_, row) => `${filler},${values.map((ofColumn) => ofColumn[row]!).join(",")}\n`);
      return `filler,${Object.keys(columns).join(",")}\n${fill(`${filler}${",".repeat(values.length)}\n`, ends)}`;
    };
    const ndjson = (columns: Readonly<Record<string, readonly string[]>>): string => {
      const object = (valueOf: (ofColumn: readonly string[]) => string): string => `{${Object.entries(columns).map(([name, ofColumn]) => `"${name}":${valueOf(ofColumn)}`).join(",")}${" ".repeat(20)}}\n`;
      return fill(object(() => "null"), Object.values(columns)[0]!.map((_, row) => object((ofColumn) => ofColumn[row]!)));
    };
    const formats: Readonly<Record<string, (columns: Readonly<Record<string, readonly string[]>>) => string | Uint8Array>> = {
      csv, ndjson, "csv.gz": (columns) => gzipSync(csv(columns), { level: 1 }), "ndjson.gz": (columns) => gzipSync(ndjson(columns), { level: 1 }),
    };
    const lastOf = (values: readonly StoredValue[]): StoredValue[] => values.filter((value) => value !== null);

    const cases: Readonly<Record<string, readonly [ends: readonly string[], dtype: string, values: readonly StoredValue[]]>> = {
      "whole numbers": [["7", "8"], "int64", [7n, 8n]],
      "floats": [["7", "8.5"], "float64", [7, 8.5]],
      "words and a float": [["NaN", "8.5"], "float64", [8.5]],
      "bools": [["true", "false"], "bool", [true, false]],
      "numbers too large among floats": [["18446744073709551616", "0.5"], "float64", [2 ** 64, 0.5]],
      "numbers too large, as floats are written": [["150000000000000000000", "1"], "float64", [1.5e20, 1]],
      "numbers too large": [["18446744073709551616", "1"], "string", ["18446744073709551616", "1"]],
      "what has nothing in common": [["true", "1"], "string", ["true", "1"]],
    };
    const namesOf = (what: string): string => what.replaceAll(",", "");
    async function checkCases(format: string, whats: readonly string[]): Promise<void> {
      await importTexts({ [`in.${format}`]: formats[format]!(Object.fromEntries(whats.map((what) => [namesOf(what), cases[what]![0]]))) });
      const [dtypes, values] = [dtypesOf(), stored()];
      for (const what of whats) expect([dtypes[namesOf(what)], lastOf(values[namesOf(what)]!)], `${what} (${format})`).to.deep.equal(cases[what]!.slice(1));
    }
    for (const format of someOf(seededRandom(freshSeed()), Object.keys(formats), 2)) {
      it(`those of each are what holds its values, side by side (${format})`, async () => { await checkCases(format, Object.keys(cases)); });
    }

    it("those of one are what holds its values where no other is read anew", async () => {
      const random = seededRandom(freshSeed());
      await checkCases(oneOf(random, Object.keys(formats)), [oneOf(random, Object.keys(cases))]);
    });

    it("those of texts are strings, read in one pass", async () => {
      let passes = 1;
      let before = 0;
      const onProgress = ({ rows }: { rows: number }): void => {
        if (rows < before) passes++;
        before = rows;
      };
      await importTexts({ "in.csv": csv({ c: ["x", "1", "2"] }), "in2.csv": "filler,c\nx,\n" }, { onProgress });
      expect([dtypesOf()["c"], lastOf(stored()["c"]!), passes]).to.deep.equal(["string", ["x", "1", "2"], 1]);
    });

    it("those without any value are strings", async () => {
      await importTexts({ "in.csv": "a\n\n\n", "in.ndjson": '{"a":null}\n' });
      expect([dtypesOf(), stored()]).to.deep.equal([{ a: "string" }, { a: [null, null, null] }]);
    });

    it("another input decides, whatever its format and place", async () => {
      await writeParquet(at("in.parquet"), "SELECT 2::SMALLINT AS a, true AS b");
      const inputs = { "in.csv": "a,b\n,\n", "in.ndjson": '{"b":null}\n' };
      await importTexts(inputs, { inputs: [at("in.csv"), at("in.ndjson"), at("in.parquet")] });
      expect([dtypesOf(), stored()]).to.deep.equal([{ a: "int16", b: "bool" }, { a: [null, null, 2n], b: [null, null, true] }]);
      await importTexts({ "in3.csv": "a,b\n1,2.5\n" }, { inputs: [at("in.csv"), at("in3.csv"), at("in.ndjson")], replace: true });
      expect([dtypesOf(), stored()]).to.deep.equal([{ a: "int64", b: "float64" }, { a: [null, 1n, null], b: [null, 2.5, null] }]);
    });

    it("the table that they are appended to decides, and what it does not hold is rejected", async () => {
      await importTexts({ "in.csv": "a,b,c\n1,2.5,2001-01-01\n" });
      await importTexts({ "in2.csv": "a,b,c\n,,\n", "in2.ndjson": '{"a":null}\n' }, { append: true });
      expect(dtypesOf()).to.deep.equal({ a: "int64", b: "float64", c: "date" });
      expect(stored()).to.deep.equal({ a: [1n, null, null], b: [2.5, null, null], c: [11_323n, null, null] });
      const late = `a,b,c\n${",,\n".repeat(70_000)}`;
      await importTexts({ "in2.csv": `${late},3.5,\n` }, { append: true });
      expect(lastOf(stored()["b"]!)).to.deep.equal([2.5, 3.5]);
      expect((await importTexts({ "in2.csv": `${late}1.5,,\n` }, { append: true })).rowsRejected).to.equal(1);
    });

    it("the user decides, and what does not fit is rejected", async () => {
      const types = new Map<string, Dtype>([["c", "uint8"]]);
      for (const [name, content] of [["in.csv", csv({ c: ["7", "300"] })], ["in.ndjson", ndjson({ c: ["7", "300"] })]] as const) {
        const { rowsRejected } = await importTexts({ [name]: content }, { types, replace: true });
        expect([dtypesOf()["c"], lastOf(stored()["c"]!), rowsRejected]).to.deep.equal(["uint8", [7n], 1]);
      }
    });

    it("those to sort by are sorted as what they turn out to be", async () => {
      await importTexts({ "in.csv": csv({ c: ["10", "9"] }) }, { sort: "c" });
      expect(stored()["c"]!.slice(0, 3)).to.deep.equal([9n, 10n, null]);
    });
  });

  it("whole numbers that are exactly floats are floats among floats, and others keep their digits", async () => {
    for (const [name, write] of someOf(seededRandom(freshSeed()), [["in.csv", (values: readonly string[]) => `n\n${values.join("\n")}\n`], ["in.ndjson", (values: readonly string[]) => values.map((value) => `{"n":${value.padStart(20)}}\n`).join("")], ["in.json", (values: readonly string[]) => `[${values.map((value) => `{"n":${value.padStart(20)}}`).join(",")}]`]] as const, 1)) {
      const many = Array.from({ length: 90_000 }, () => "0.25");
      const exact = ["9007199254740994", "150000000000000000000", "-9223372036854777856", "1.5"];
      await importTexts({ [name]: write([...many, ...exact]) }, { replace: true });
      expect([dtypesOf()["n"], stored()["n"]!.slice(-4)], name).to.deep.equal(["float64", [2 ** 53 + 2, 1.5e20, -(2 ** 63) - 2048, 1.5]]);
      for (const other of ["9007199254740993", "150000000000000000001"]) {
        await importTexts({ [name]: write([...many, other, ...exact]) }, { replace: true });
        expect([dtypesOf()["n"], stored()["n"]!.slice(-5)], name).to.deep.equal(["string", [other, ...exact]]);
      }
    }
  });

  it("files of every format go into one table", async () => {
    await writeParquet(at("in.parquet"), "SELECT 2::BIGINT AS a, 'y' AS b");
    await importTexts({ "in.csv": "a,b\n1,x\n" });
    writeFileSync(at("in.ndjson"), '{"b":"z","a":3}\n');
    await importFiles({ inputs: [at("in.parquet"), at("t.bcolz"), at("in.ndjson"), at("in.csv")], output: at("all.bcolz") });
    expect(stored("all.bcolz")).to.deep.equal({ a: [2n, 1n, 3n, 1n], b: ["y", "x", "z", "x"] });
  });

  it("NDJSON that DuckDB writes holds what DuckDB has", async () => {
    const select = `SELECT i * 1234567890123 AS big, i / 7 AS float, i % 3 = 0 AS flag, nullif('text "' || i || '" \n ü', 'text "3" \n ü') AS label, DATE '2000-01-01' + i::INTEGER AS day,
      TIMESTAMP '2000-01-01' + INTERVAL (i * 1001) MILLISECOND AS moment, CASE WHEN i % 5 = 0 THEN NULL ELSE i END AS gaps FROM range(5000) r(i)`;
    await queryDuckDb(`COPY (${select}) TO '${at("in.json")}' (FORMAT json)`);
    await importFiles({ inputs: [at("in.json")], output: at("t.bcolz") });
    expect(dtypesOf()).to.deep.equal({ big: "int64", float: "float64", flag: "bool", label: "string", day: "date", moment: "timestamp", gaps: "int64" });
    const rows = await queryDuckDb(`SELECT big, float, flag, label, (day - DATE '1970-01-01')::BIGINT, epoch_ns(moment), gaps FROM (${select})`);
    const found = Object.values(stored());
    expect(rows.length).to.equal(5000);
    found.forEach((values, column) => { expect(values).to.deep.equal(rows.map((row) => row[column])); });
  });

  it("a value far behind the sample widens its column, and every value is as it is spelled", async () => {
    const rows = Array.from({ length: 200_000 }, (_, row) => `${row},${row},${row === 130_000 ? "0.5" : row},${row === 130_001 ? "0071" : row}`);
    await importTexts({ "in.csv": `plain,same,float,text\n${rows.join("\n")}\n` });
    expect(dtypesOf()).to.deep.equal({ plain: "int64", same: "int64", float: "float64", text: "string" });
    const { float, text } = stored();
    expect([float![129_999], float![130_000], text![0], text![130_001]]).to.deep.equal([129_999, 0.5, "0", "0071"]);
  });

  it("a number that a wider dtype would round keeps its digits as text", async () => {
    const rows = Array.from({ length: 120_000 }, (_, row) => `${filler},${row === 85_000 ? "9007199254740993" : row === 95_000 ? "0.5" : row}`);
    await importTexts({ "in.csv": `filler,n\n${rows.join("\n")}\n` });
    expect(dtypesOf()).to.deep.equal({ filler: "string", n: "string" });
    expect(stored()["n"]![85_000]).to.equal("9007199254740993");
  });

  it("a key that comes late is a column of all rows", async () => {
    const early = `{"a":1${" ".repeat(20)}}\n`.repeat(90_000);
    await importTexts({ "in.ndjson": `${early}{"a":2,"late":true}\n{"late":false}\n` });
    const { a, late } = stored();
    expect([a!.length, a!.slice(-2), late!.slice(-3)]).to.deep.equal([90_002, [2n, null], [null, true, false]]);
  });

  it("shards of text are contiguous and equal within one row, rejected rows left out", async () => {
    const rows = Array.from({ length: 10_001 }, (_, row) => (row % 100 === 7 ? "nonsense" : `${row},x`));
    const { tables, rowsRejected } = await importTexts({ "in1.csv": `a,b\n${rows.slice(0, 4_000).join("\n")}`, "in2.csv": `a,b\n${rows.slice(4_000).join("\n")}` }, { output: at("s"), shards: 3 });
    expect([tables.map((table) => table.rows), rowsRejected]).to.deep.equal([[3_301, 3_300, 3_300], 100]);
    expect(tables.flatMap(({ name }) => stored(name)["a"]!)).to.deep.equal(rows.flatMap((row, index) => (row === "nonsense" ? [] : [BigInt(index)])));
  });

  it("shards of files that claim their rows are equal as well when some are rejected", async () => {
    await writeParquet(at("in.parquet"), "SELECT i AS a FROM range(1000) r(i)");
    const { tables, rowsRejected } = await importFiles({ inputs: [at("in.parquet")], output: at("s"), shardRows: 100, types: new Map<string, Dtype>([["a", "uint8"]]) });
    expect([tables.map(({ rows }) => rows), rowsRejected]).to.deep.equal([[86, 85, 85], 744]);
  });

  describe("sorted", () => {
    const text = "k,v\n3,c\n,n1\n1,a\n2,b1\n2,b2\n,n2\n1,a2\n";
    const sorted = { k: [1n, 1n, 2n, 2n, 3n, null, null], v: ["a", "a2", "b1", "b2", "c", "n1", "n2"] };

    it("is ascending and stable with nulls last, over all inputs and shards", async () => {
      const { tables } = await importTexts({ "in1.csv": "k,v\n3,c\n,n1\n1,a\n2,b1\n", "in2.csv": "k,v\n2,b2\n,n2\n1,a2\n" }, { output: at("s"), shards: 2, sort: "k" });
      const shards = tables.map(({ name }) => stored(name));
      expect({ k: shards.flatMap(({ k }) => k!), v: shards.flatMap(({ v }) => v!) }).to.deep.equal(sorted);
      expect([tables.map(({ rows }) => rows), sortOf("s-0.bcolzs"), sortOf("s-1.bcolzs")]).to.deep.equal([[4, 3], "k", "k"]);
    });

    it("needs no other pass where the rows are in order already", async () => {
      const phases = new Set<string>();
      const onProgress = ({ phase }: { phase: string }): void => { phases.add(phase); };
      await importTexts({ "in.csv": text }, { sort: "k", onProgress });
      expect([stored(), [...phases]]).to.deep.equal([sorted, ["reading", "sorting", "writing"]]);
      phases.clear();
      await importFiles({ inputs: [at("t.bcolz")], output: at("again.bcolz"), sort: "k", onProgress });
      expect([stored("again.bcolz"), [...phases], sortOf("again.bcolz")]).to.deep.equal([sorted, ["reading"], "k"]);
    });

    it("sorts by the values of the dtype that a late value makes", async () => {
      const rows = Array.from({ length: 120_000 }, (_, row) => (row === 90_000 ? "x" : `${(row * 7919) % 120_000}`));
      await importTexts({ "in.csv": `filler,k\n${rows.map((row) => `${filler},${row}\n`).join("")}` }, { sort: "k" });
      expect(dtypesOf()).to.deep.equal({ filler: "string", k: "string" });
      expect(stored()["k"]).to.deep.equal([...rows].sort());
    });

    it("refuses a column that is not there, with the nearest", async () => {
      const error = await failureOf(() => importTexts({ "in.csv": "amount\n1\n" }, { sort: "amuont" }));
      expect([error.code, error.message]).to.deep.equal(["UNKNOWN_COLUMN", "there is no column 'amuont' to sort by; did you mean 'amount'?"]);
    });
  });

  describe("with rows that cannot be stored", () => {
    const text = 'a,b\n1,x\n2\n3,"y"z,\n4,z\n300,"q\nr"\n';

    it("tells the first ten with line and reason, and writes all of them to a file", async () => {
      const many = `${text}${"bad\n".repeat(20)}`;
      const { rowsRead, rowsStored, rejects, mostlyRejected } = await importTexts({ "in.csv": many }, { types: new Map<string, Dtype>([["a", "uint8"]]), rejects: at("rejects.csv") });
      expect([rowsRead, rowsStored, rejects.length]).to.deep.equal([25, 2, 10]);
      expect(rejects[0]).to.deep.include({ input: at("in.csv"), line: 3, text: "2" });
      expect(rejects[2]).to.deep.include({ line: 6, text: '300,"q\nr"' });
      expect(mostlyRejected).to.deep.equal([at("in.csv")]);
      const lines = readFileSync(at("rejects.csv"), "utf8").split("\n");
      expect(lines[0]).to.equal("input,line,reason,text");
      expect(lines[1]).to.match(/in\.csv,3,.*,2$/);
      expect(lines.filter((line) => line.endsWith(",bad"))).to.have.length(20);
      expect(leftovers()).to.deep.equal(["rejects.csv", "t.bcolz"]);
    });

    it("counts rows where there are no lines", async () => {
      await writeParquet(at("in.parquet"), "SELECT i * 100 AS a FROM range(5) r(i)");
      const types = new Map<string, Dtype>([["a", "uint8"]]);
      const { rejects } = await importFiles({ inputs: [at("in.parquet")], output: at("t.bcolz"), types });
      expect(rejects.map(({ place, line }) => `${place} ${line}`)).to.deep.equal(["row 4", "row 5"]);
      const error = await failureOf(() => importFiles({ inputs: [at("in.parquet")], output: at("u.bcolz"), types, strict: true }));
      expect(error.message).to.match(/in\.parquet, row 4: /);
    });

    it("does not replace a file of rejects unless told to, and stores nothing then", async () => {
      const earlier = "input,line,reason,text\nin.csv,1,mine,\n";
      writeFileSync(at("rejects.csv"), earlier);
      expect((await failureOf(() => importTexts({ "in.csv": text }, { rejects: at("rejects.csv") }))).code).to.equal("EXISTS");
      expect([readFileSync(at("rejects.csv"), "utf8"), leftovers()]).to.deep.equal([earlier, ["rejects.csv"]]);
      await importTexts({ "in.csv": "a,b\n1,2\n" }, { rejects: at("rejects.csv"), replace: true });
      expect(readFileSync(at("rejects.csv"), "utf8")).to.equal("input,line,reason,text\n");
    });

    it("never replaces a file that holds something else, an input by another name for one", async () => {
      writeFileSync(at("in2.csv"), "a,b\n1,2\n");
      symlinkSync(at("in2.csv"), at("link.csv"));
      const error = await failureOf(() => importFiles({ inputs: [at("link.csv")], output: at("t.bcolz"), rejects: at("in2.csv"), replace: true }));
      expect(error).to.include({ code: "EXISTS" });
      expect(readFileSync(at("in2.csv"), "utf8")).to.equal("a,b\n1,2\n");
    });

    it("writes no file of rejects when the import fails", async () => {
      writeFileSync(at("in2.parquet"), "PAR1 nonsense PAR1");
      await failureOf(() => importTexts({ "in.csv": text }, { inputs: [at("in.csv"), at("in2.parquet")], rejects: at("rejects.csv") }));
      expect(leftovers()).to.deep.equal([]);
    });

    it("stores nothing with --strict, and says which row it was", async () => {
      const error = await failureOf(() => importTexts({ "in.csv": text }, { strict: true }));
      expect([error.code, leftovers()]).to.deep.equal(["BAD_INPUT", []]);
      expect(error.message).to.match(/in\.csv, line 3: .*; correct it, or leave out --strict/);
    });

    it("counts each of them once, however often the rows are read", async () => {
      const rows = Array.from({ length: 120_000 }, (_, row) => (row % 1_000 === 5 ? "bad" : `${row === 90_000 ? 0.5 : row},${filler}`));
      const summary = await importTexts({ "in.csv": `a,b\n${rows.join("\n")}\n` }, { output: at("s"), shards: 2, rejects: at("rejects.csv") });
      expect([summary.rowsRejected, readFileSync(at("rejects.csv"), "utf8").split("\n").length]).to.deep.equal([120, 122]);
    });
  });

  describe("from where it can be read once", () => {
    it("takes standard input, also where it is read again, and leaves no copy", async () => {
      const rows = Array.from({ length: 120_000 }, (_, row) => `${filler},${row === 90_000 ? 0.5 : row}\n`);
      const pieces = Array.from({ length: 1_200 }, (_, piece) => rows.slice(piece * 100, (piece + 1) * 100).join(""));
      const standardInput = Readable.from(["filler,n\n", ...pieces].map((text) => Buffer.from(text)));
      const { tables } = await importFiles({ inputs: ["-"], standardInput, output: at("new/s"), shards: 2 });
      expect(tables.map((table) => table.rows)).to.deep.equal([60_000, 60_000]);
      expect([readdirSync(at("new")).sort(), leftovers()]).to.deep.equal([["s-0.bcolzs", "s-1.bcolzs"], ["new"]]);
    });

    it("finds out the format of standard input, and names it in errors", async () => {
      await importFiles({ inputs: ["-"], standardInput: Readable.from([gzipSync('{"a":1}\n')]), output: at("t.bcolz") });
      expect(stored()).to.deep.equal({ a: [1n] });
      const error = await failureOf(() => importFiles({ inputs: ["-"], standardInput: Readable.from([gzipSync("a\n1\n".repeat(1000)).subarray(0, 30)]), output: at("u.bcolz") }));
      expect([error.code, error.message.includes("standard input")], error.message).to.deep.equal(["BAD_INPUT", true]);
    });

    it("takes a named pipe as it takes standard input", async () => {
      const pipe = spawn("sh", ["-c", `mkfifo ${at("in.pipe")} && printf 'a,b\\n1,2\\n' > ${at("in.pipe")}`], { stdio: "ignore" });
      const exited = new Promise((resolve) => pipe.once("exit", resolve));
      while (!existsSync(at("in.pipe"))) await new Promise((resolve) => setImmediate(resolve));
      await importFiles({ inputs: [at("in.pipe")], output: at("t.bcolz") });
      await exited;
      expect(stored()).to.deep.equal({ a: [1n], b: [2n] });
    });

    it("ends when it is interrupted, though nobody writes or closes the input", async () => {
      const standardInput = new Readable({ read() { /* Never anything. */ } });
      const interruption = new AbortController();
      const failure = failureOf(() => importFiles({ inputs: ["-"], standardInput, output: at("t.bcolz"), signal: interruption.signal }));
      setImmediate(() => { interruption.abort(); });
      expect([(await failure).code, leftovers()]).to.deep.equal(["CANCELLED", []]);
    });

    it("does not read it at all when the output exists", async () => {
      await importTexts({ "in.csv": "a\n1\n" });
      const standardInput = new Readable({ read() { throw new Error("read"); } });
      expect((await failureOf(() => importFiles({ inputs: ["-"], standardInput, output: at("t.bcolz") }))).code).to.equal("EXISTS");
    });
  });

  describe("appended", () => {
    it("creates the table, then adds to it by the names of the columns", async () => {
      await importTexts({ "in.csv": "a,b\n1,x\n" }, { append: true });
      const { tables } = await importTexts({ "in.csv": "b,a\ny,2\n,\n" }, { append: true });
      expect([stored(), tables[0]!.rows]).to.deep.equal([{ a: [1n, 2n, null], b: ["x", "y", null] }, 3]);
    });

    it("has the dtypes of the table, whatever it looks like", async () => {
      await importTexts({ "in.csv": "a,b,c\n1.5,x,200\n" }, { append: true, types: new Map<string, Dtype>([["c", "uint8"]]) });
      await importTexts({ "in.csv": "a,b,c\n2,3,4\n" }, { append: true });
      expect(stored()).to.deep.equal({ a: [1.5, 2], b: ["x", "3"], c: [200n, 4n] });
    });

    for (const [what, text, words] of [
      ["a column that the table has not", "a,b,c\n1,x,2\n", "'c'"], ["a column less", "a\n1\n", "'b'"],
    ] as const) {
      it(`refuses ${what}, and leaves the table as it was`, async () => {
        await importTexts({ "in.csv": "a,b\n1,x\n" });
        const error = await failureOf(() => importTexts({ "in.csv": text }, { append: true }));
        expect([error.code, error.message.includes(words), stored()], error.message).to.deep.equal(["SCHEMA_MISMATCH", true, { a: [1n], b: ["x"] }]);
      });
    }

    it("rejects a value far behind the sample that the table's dtype does not hold, and stores the others", async () => {
      await importTexts({ "in.csv": "filler,a\n,1\n" });
      const rows = Array.from({ length: 120_000 }, (_, row) => `${filler},${row === 90_000 ? 0.5 : row}`);
      const { rowsStored, rejects } = await importTexts({ "in2.csv": `filler,a\n${rows.join("\n")}\n` }, { append: true });
      expect([rowsStored, rejects.map(({ line, reason }) => `${line}: ${reason}`)]).to.deep.equal([119_999, ["90002: '0.5' in column 'a' is no int64"]]);
    });

    it("keeps what the table is sorted by while it holds, nulls last, and no longer", async () => {
      await importTexts({ "in.csv": "k\n1\n3\n2\n" }, { sort: "k" });
      await importTexts({ "in.csv": "k\n3\n5\n" }, { append: true });
      expect(sortOf("t.bcolz")).to.equal("k");
      await importTexts({ "in.csv": "k\n4\n" }, { append: true });
      expect([sortOf("t.bcolz"), stored()]).to.deep.equal([null, { k: [1n, 2n, 3n, 3n, 5n, 4n] }]);
    });
  });

  it("an input that changes between two passes is refused, and nothing is stored", async () => {
    const rows = "1\n".repeat(1_000_000);
    let passes = 0;
    const onProgress = ({ phase }: { phase: string }): void => {
      if (phase === "counting" && passes++ === 0) utimesSync(at("in.csv"), 1, 1);
    };
    const error = await failureOf(() => importTexts({ "in.csv": `n\n${rows}` }, { output: at("s"), shards: 2, onProgress }));
    expect([error.code, leftovers()]).to.deep.equal(["BAD_INPUT", []]);
    expect(error.message).to.include("in.csv changed during the import");
  });

  it("an import without columns is refused", async () => {
    expect((await failureOf(() => importTexts({ "in.ndjson": "\n" }))).code).to.equal("BAD_INPUT");
  });

  const conflicts: readonly (readonly [string, Partial<ImportOptions>, string])[] = [
    ["appending and replacing", { append: true, replace: true }, "--replace"],
    ["appending to shards", { append: true, shards: 2, output: "t" }, "cannot grow"],
    ["appending to a shard", { append: true, output: "t-0.bcolzs" }, "cannot grow"],
    ["appending sorted rows", { append: true, sort: "a" }, "--sort"],
    ["two kinds of shards", { shards: 2, shardRows: 2, output: "t" }, "--shard-rows"],
    ["a sort column that is not stored", { sort: "a", columns: ["b"] }, "--columns"],
    ["a dtype for a column that is not stored", { types: new Map([["a", "int8"]]), columns: ["b"] }, "'a'"],
    ["rejects that are never written", { strict: true, rejects: "r.csv" }, "--strict"],
    ["a delimiter of two characters", { delimiter: "||" }, "one character"],
    ["a delimiter for Parquet", { delimiter: ";", format: "parquet" }, "parquet"],
    ["null texts for Arrow", { nulls: ["NA"], format: "arrow" }, "arrow"],
    ["standard input twice", { inputs: ["-", "-"] }, "once"],
    ["rejects in place of an input", { rejects: "in.csv" }, "already"],
    ["no inputs", { inputs: [] }, "at least one"],
  ];
  for (const [what, options, words] of conflicts) {
    it(`refuses ${what}, saying why`, async () => {
      const error = await failureOf(() => importFiles({ inputs: ["in.csv"], output: "t.bcolz", ...options }));
      expect([error.code, error.message.includes(words)], error.message).to.deep.equal(["USAGE", true]);
    });
  }
});

describe("the format of an input", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-detect-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  const detect = (name: string, content: string | Uint8Array): Promise<string> => {
    writeFileSync(join(folder, name), content);
    return detectFormat(join(folder, name));
  };

  const cases: readonly (readonly [string, string | Uint8Array, string])[] = [
    ["a.csv", "", "csv"], ["a.CSV.GZ", "", "csv"], ["a.txt", "{}", "csv"], ["a.tsv", "", "tsv"], ["a.parquet", "", "parquet"], ["a.jsonl", "", "ndjson"], ["a.json.gz", "", "ndjson"],
    ["a.feather", "", "arrow"], ["a.ipc", "", "arrow"], ["data", "PAR1....", "parquet"], ["data.bin", "ARROW1\0\0", "arrow"], ["stream", Buffer.from([255, 255, 255, 255, 16, 0]), "arrow"],
    ["data", '\n {"a":1}', "ndjson"], ["data", "[{}]", "ndjson"], ["data", "[\n", "ndjson"], ["data", "a,b\n1,2", "csv"], ["data", "{a},b\n", "csv"], ["data", "[a],b\n", "csv"], ["data", "", "csv"],
    ["data", gzipSync('{"a":1}'), "ndjson"], ["data.gz", gzipSync("a;b"), "csv"],
  ];
  for (const [name, content, format] of cases) {
    it(`of ${name} with ${JSON.stringify(Buffer.from(content).toString("latin1").slice(0, 10))} is ${format}`, async () => {
      expect(await detect(name, content)).to.equal(format);
    });
  }

  it("is refused where nobody knows it, saying what to do", async () => {
    expect((await failureOf(() => detect("data", "a\0b"))).message).to.include("--format");
    expect((await failureOf(() => detect("data", "PK\x03\x04"))).message).to.include("zip");
    expect((await failureOf(() => detect("a.parquet.gz", ""))).message).to.include("decompress it first");
    expect((await failureOf(() => detectFormat(folder))).message).to.include("not a table");
    expect((await failureOf(() => detectFormat(join(folder, "nix")))).code).to.equal("NOT_FOUND");
  });
});
