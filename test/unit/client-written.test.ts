import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tableFromIPC, type Table as ArrowTable } from "apache-arrow";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import type { CsvOptions, Table } from "../../lib/client/table.js";
import { arrowOf, csvOf } from "../../lib/client/written.js";
import { dtypes, type Dtype } from "../../lib/columns/dtypes.js";
import { openTable } from "../../lib/columns/read/open.js";
import { exportTables } from "../../lib/formats/export/export.js";
import { importFiles } from "../../lib/formats/import/import.js";
import { failureOf } from "../support/failure.js";
import { queryDuckDb, readByDuckDb } from "../support/parquet.js";
import { oneOf, someOf } from "../support/random/draw.js";
import { readTable, type StoredValue } from "../support/read-table.js";
import { listColumn, resultColumn, tableOf } from "../support/result-columns.js";
import { valuesOf } from "../support/typed-values.js";
import { writeTable } from "../support/write-table.js";

const rows = 66_000;

/** Times and dates that DuckDB can hold, too. */
function storedValues(dtype: Dtype, count: number): StoredValue[] {
  const values = valuesOf(dtype, count);
  if (dtype === "timestamp") values.splice(0, 2, -1_234_567_890_123_456_789n, 4_102_444_799_999_999_999n);
  if (dtype === "date") values.splice(0, 2, -719_000n, 2_900_000n);
  return values.slice(0, count);
}

const everyDtype = dtypes.map((dtype) => ({ name: dtype === "bool" ? 'odd "name", y' : dtype, dtype, values: storedValues(dtype, rows) }));
const arrowTypes: Readonly<Record<Dtype, string>> = {
  bool: "Bool", int8: "Int8", int16: "Int16", int32: "Int32", int64: "Int64", uint8: "Uint8", uint16: "Uint16", uint32: "Uint32", uint64: "Uint64", float32: "Float32", float64: "Float64",
  string: "Utf8", bytes: "Binary", timestamp: "Timestamp<NANOSECOND, UTC>", date: "Date32<DAY>",
};
const duckDbTypes: Readonly<Record<Dtype, string>> = {
  bool: "BOOLEAN", int8: "TINYINT", int16: "SMALLINT", int32: "INTEGER", int64: "BIGINT", uint8: "UTINYINT", uint16: "USMALLINT", uint32: "UINTEGER", uint64: "UBIGINT", float32: "FLOAT", float64: "DOUBLE",
  string: "VARCHAR", timestamp: "TIMESTAMP_NS", date: "DATE", bytes: "VARCHAR",
};

const wholeTable = (): Table => tableOf(everyDtype.map(({ name, dtype, values }) => resultColumn(name, dtype, values)), rows);

const typesOf = (table: ArrowTable): string[] => table.schema.fields.map((field) => String(field.type as unknown as string));

/** A value as Apache's library gives it, in the form of our own. */
function plain(dtype: Dtype, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  return typeof value === "number" && !dtype.startsWith("float") ? BigInt(value) : value;
}

describe("a result in other formats", function () {
  this.timeout(60_000);
  // What is alike is drawn: each run of the tests takes some of it.
  const random = seededRandom(freshSeed());
  let folder = "";
  const at = (name: string): string => join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-written-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("is read back from CSV with every dtype by DuckDB and by our own import", async () => {
    writeFileSync(at("t.csv"), wholeTable().toCSV());
    const types = everyDtype.map(({ name, dtype }) => `'${name}': '${duckDbTypes[dtype]}'`).join(", ");
    const found = await readByDuckDb(`(SELECT * REPLACE (unhex(substr(bytes, 3)) AS bytes) FROM read_csv('${at("t.csv")}', header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', allow_quoted_nulls = false, columns = {${types}}))`, everyDtype);
    await importFiles({ inputs: [at("t.csv")], output: at("t.bcolz"), types: new Map(everyDtype.map(({ name, dtype }) => [name, dtype])) });
    const imported = readTable(at("t.bcolz"));
    for (const { name, values } of everyDtype) {
      expect(found.get(name), `${name} by DuckDB`).to.deep.equal(values);
      expect(imported.get(name), `${name} imported`).to.deep.equal(values);
    }
  });

  it("is the CSV that export writes of the same rows", async () => {
    const few = everyDtype.map(({ name, dtype }) => ({ name, dtype, values: storedValues(dtype, 300) }));
    await writeTable(at("t.bcolz"), few);
    await exportTables({ tables: [at("t.bcolz")], output: at("t.csv") });
    expect(tableOf(few.map(({ name, dtype, values }) => resultColumn(name, dtype, values)), 300).toCSV()).to.equal(readFileSync(at("t.csv"), "utf8"));
  });

  it("is read back from Arrow with every dtype by Apache's library and by our own import", async () => {
    const bytes = wholeTable().toArrow();
    const table = tableFromIPC(bytes);
    expect(table.schema.names).to.deep.equal(everyDtype.map(({ name }) => name));
    expect(typesOf(table)).to.deep.equal(dtypes.map((dtype) => arrowTypes[dtype]));
    expect(table.batches.map(({ numRows }) => numRows)).to.deep.equal([65_536, rows - 65_536]);
    writeFileSync(at("t.arrow"), bytes);
    await importFiles({ inputs: [at("t.arrow")], output: at("t.bcolz") });
    expect(openTable(at("t.bcolz")).columns.map(({ dtype }) => dtype)).to.deep.equal(dtypes);
    const imported = readTable(at("t.bcolz"));
    for (const { name, dtype, values } of everyDtype) {
      expect(imported.get(name), `${name} imported`).to.deep.equal(values);
      // The library gives times as milliseconds, which cannot hold them.
      if (dtype !== "timestamp" && dtype !== "date") expect(Array.from(table.getChild(name)! as Iterable<unknown>, (value) => plain(dtype, value)), name).to.deep.equal(values);
    }
  });

  it("has lists of every dtype as Arrow lists, in each record batch from its own first item", () => {
    for (const dtype of someOf(random, dtypes.filter((each) => each !== "timestamp" && each !== "date"), 4)) {
      const items = storedValues(dtype, 200).filter((value) => value !== null);
      const lists = Array.from({ length: rows }, (_, row) => (row % 7 === 6 ? null : items.slice(row % 50, row % 50 + row % 4)));
      const table = tableFromIPC(tableOf([listColumn("v", dtype, lists)], rows).toArrow());
      expect(typesOf(table)).to.deep.equal([`List<${arrowTypes[dtype]}>`]);
      const vector = table.getChild("v")!;
      for (const row of [0, 1, 2, 3, 6, 49, 65_535, 65_536, 65_541, 65_999]) {
        const list: Iterable<unknown> | null = vector.get(row);
        expect(list === null ? null : Array.from(list, (value) => plain(dtype, value)), `${dtype}, row ${row}`).to.deep.equal(lists[row]);
      }
    }
  });

  it("has lists in Arrow that our own import refuses by name, and reads around", async () => {
    const [before, behind] = [[1n, null, 3n], ["x", "y", null]];
    const columns = [resultColumn("before", "int64", before), listColumn("lists", "string", [["a"], null, ["b", "c"]]), resultColumn("behind", "string", behind)];
    writeFileSync(at("t.arrow"), tableOf(columns, 3).toArrow());
    expect((await failureOf(() => importFiles({ inputs: [at("t.arrow")], output: at("t.bcolz") }))).message).to.contain("lists");
    await importFiles({ inputs: [at("t.arrow")], output: at("t.bcolz"), columns: ["before", "behind"] });
    expect([...readTable(at("t.bcolz"))]).to.deep.equal([["before", before], ["behind", behind]]);
  });

  it("has times in Arrow lists to the nanosecond", () => {
    const table = tableFromIPC(tableOf([listColumn("v", "timestamp", [[1n, -1n], [], [2n ** 63n - 1n]]), listColumn("d", "date", [null, [-1n], [2n]])], 3).toArrow());
    expect(typesOf(table)).to.deep.equal(["List<Timestamp<NANOSECOND, UTC>>", "List<Date32<DAY>>"]);
    expect(table.getChild("v")!.data[0]!.children[0]!.values).to.deep.equal(BigInt64Array.of(1n, -1n, 2n ** 63n - 1n));
    expect(table.getChild("d")!.data[0]!.children[0]!.values).to.deep.equal(Int32Array.of(-1, 2));
  });

  it("has lists in CSV as JSON, quoted where they need it", async () => {
    const columns = [
      listColumn("n", "uint64", [[2n ** 64n - 1n, 0n], [], [5n], null]), listColumn("s", "string", [['say "x"', "a,b"], ["é\n"], [""], null]),
      listColumn("f", "float64", [[0.1, Infinity], [1], [-Infinity], null]), listColumn("t", "timestamp", [[0n], [1n], [], null]), listColumn("b", "bytes", [[Uint8Array.of(255)], [], [], null]),
    ];
    const text = tableOf(columns, 4).toCSV();
    expect(text).to.equal([
      "n,s,f,t,b", '"[18446744073709551615,0]","[""say \\""x\\"""",""a,b""]","[0.1,""Infinity""]","[""1970-01-01T00:00:00Z""]","[""/w==""]"',
      '[],"[""é\\n""]",[1.0],"[""1970-01-01T00:00:00.000000001Z""]",[]', '[5],"[""""]","[""-Infinity""]",[],[]', ",,,,", "",
    ].join("\n"));
    writeFileSync(at("t.csv"), text);
    const found = await queryDuckDb(`SELECT s FROM read_csv('${at("t.csv")}', header = true, delim = ',', quote = '"', escape = '"', all_varchar = true)`);
    expect(found.map(([list]) => (typeof list === "string" ? JSON.parse(list) as unknown : list))).to.deep.equal([['say "x"', "a,b"], ["é\n"], [""], null]);
  });

  it("quotes in CSV what could be taken for something else, names too", () => {
    const column = resultColumn('a,"b"\n', "string", ["", null, "a,b", 'say "x"', "two\r\nlines", " plain ", "\ufeffmark"]);
    expect(tableOf([column, resultColumn("", "bool", [true, false, null, true, true, true, true])], 7).toCSV()).to.equal([
      '"a,""b""\n",""', '"",true', ",false", '"a,b",', '"say ""x""",true', '"two\r\nlines",true', " plain ,true", '"\ufeffmark",true', "",
    ].join("\n"));
  });

  it("keeps a null in the only column, which CSV has as an empty line", async () => {
    writeFileSync(at("t.csv"), tableOf([resultColumn("n", "int64", [1n, null, 3n, null])], 4).toCSV());
    expect(readFileSync(at("t.csv"), "utf8")).to.equal("n\n1\n\n3\n\n");
    await importFiles({ inputs: [at("t.csv")], output: at("t.bcolz") });
    expect(readTable(at("t.bcolz")).get("n")).to.deep.equal([1n, null, 3n, null]);
  });

  it("without rows has names and, in Arrow, types", async () => {
    const table = tableOf([...dtypes.map((dtype) => resultColumn(dtype, dtype, [])), listColumn("list", "string", [])], 0);
    expect(table.toCSV()).to.equal(`${dtypes.join(",")},list\n`);
    const read = tableFromIPC(table.toArrow());
    expect([read.numRows, typesOf(read)]).to.deep.equal([0, [...dtypes.map((dtype) => arrowTypes[dtype]), "List<Utf8>"]]);
    const plainColumns = tableOf(dtypes.map((dtype) => resultColumn(dtype, dtype, [])), 0);
    writeFileSync(at("t.arrow"), plainColumns.toArrow());
    await importFiles({ inputs: [at("t.arrow")], output: at("t.bcolz") });
    expect(openTable(at("t.bcolz")).columns.map(({ dtype }) => dtype)).to.deep.equal(dtypes);
  });

  it("has the same bytes whatever stands where there is null, and whether rows or the whole are null", () => {
    const filled = (filler: number): Table => tableOf(dtypes.map((dtype) => resultColumn(dtype, dtype, storedValues(dtype, 100), filler)), 100);
    expect(filled(7).toCSV()).to.equal(filled(8).toCSV());
    expect(Buffer.from(filled(7).toArrow()).equals(filled(8).toArrow())).to.equal(true);
    const without = resultColumn("n", "int64", [1n, 2n]);
    expect(tableOf([{ ...without, isNull: new Uint8Array(2) }], 2).toArrow()).to.deep.equal(tableOf([without], 2).toArrow());
  });

  it("leaves the columns of the table as they were", () => {
    const columns = dtypes.map((dtype) => resultColumn(dtype, dtype, storedValues(dtype, 100)));
    const table = tableOf(columns, 100);
    const before = structuredClone(columns);
    table.toCSV();
    table.toArrow().fill(0);
    expect(columns).to.deep.equal(before);
  });

  it("as CSV without a header continues other lines", () => {
    const [first, second] = [tableOf([resultColumn("n", "int64", [1n, 2n])], 2), tableOf([resultColumn("n", "int64", [3n])], 1)];
    expect(first.toCSV() + second.toCSV({ header: false })).to.equal(tableOf([resultColumn("n", "int64", [1n, 2n, 3n])], 3).toCSV({ header: true }));
  });

  it("refuses options of CSV that there are not", async () => {
    const table = tableOf([resultColumn("n", "int64", [1n])], 1);
    for (const [options, message] of [
      [{ headers: false }, "toCSV has no option 'headers'; did you mean 'header'?"], [";", "toCSV takes an object of options"], [null, "toCSV takes an object of options"],
      [{ header: 0 }, "header 0 is neither true nor false"],
    ] as const) {
      const failure = await failureOf(() => table.toCSV(options as unknown as CsvOptions));
      expect(failure.code).to.equal("USAGE");
      expect(failure.message).to.contain(message);
    }
  });

  it("is MEMORY_LIMIT where one string or array would not hold it, and whole where it just does", async () => {
    const written = { columns: everyDtype.slice(0, 5).map(({ name, dtype, values }) => resultColumn(name, dtype, values)), rows };
    const text = csvOf(written, { header: true });
    expect(csvOf(written, { header: true, charactersMax: text.length })).to.equal(text);
    const bytes = arrowOf(written);
    expect(arrowOf(written, { bytesMax: bytes.length })).to.deep.equal(bytes);
    for (const [ask, limit] of [[() => csvOf(written, { header: true, charactersMax: text.length - 1 }), `${text.length - 1} characters`], [() => arrowOf(written, { bytesMax: bytes.length - 1 }), `${bytes.length - 1} bytes`]] as const) {
      const failure = await failureOf(ask);
      expect(failure.code).to.equal("MEMORY_LIMIT");
      expect(failure.message).to.contain(limit);
    }
  });

  it("of a million rows takes a few times the memory of what it becomes", () => {
    const program = fileURLToPath(new URL("../support/written-memory.js", import.meta.url));
    const format = oneOf(random, ["csv", "arrow"]);
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, format], { encoding: "utf8", timeout: 50_000 });
    expect(status, stderr).to.equal(0);
    const { bytes, grownBytes }: { bytes: number; grownBytes: number } = JSON.parse(stdout);
    expect(bytes, format).to.be.above(20e6);
    expect(grownBytes, format).to.be.below(4 * bytes + 96 * 1024 * 1024);
  });
});
