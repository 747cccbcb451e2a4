import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { dtypes } from "../../lib/columns/dtypes.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { parseWhere } from "../../lib/engine/query/where.js";
import { createSelector } from "../../lib/engine/where/select.js";
import { exportTables } from "../../lib/formats/export/export.js";
import type { ExportOptions, ExportSummary } from "../../lib/formats/export/export.js";
import { openTable } from "../../lib/columns/read/open.js";
import { importFiles } from "../../lib/formats/import/import.js";
import { requireExportFormat } from "../../lib/formats/export/formats.js";
import { failureOf } from "../support/failure.js";
import { queryDuckDb, readByDuckDb } from "../support/parquet.js";
import { oneOf } from "../support/random/draw.js";
import { readTable } from "../support/read-table.js";
import type { StoredValue } from "../support/read-table.js";
import { valuesOf } from "../support/typed-values.js";
import { writeShards, writeTable } from "../support/write-table.js";
import type { PlainColumn } from "../support/write-table.js";

const rows = 70_000;

/** Values that DuckDB can hold too: its times and dates end earlier. */
function duckDbValuesOf(dtype: Dtype): StoredValue[] {
  const values = valuesOf(dtype, rows);
  if (dtype === "timestamp") values.splice(0, 2, -1_234_567_890_123_456_789n, 4_102_444_799_999_999_999n);
  if (dtype === "date") values.splice(0, 2, -719_000n, 2_900_000n);
  return values;
}

const everyDtype: readonly PlainColumn[] = dtypes.map((dtype) => ({ name: `${dtype} "x", y`, dtype, values: duckDbValuesOf(dtype) }));

const duckDbTypes: Readonly<Record<Dtype, string>> = {
  bool: "BOOLEAN", int8: "TINYINT", int16: "SMALLINT", int32: "INTEGER", int64: "BIGINT", uint8: "UTINYINT", uint16: "USMALLINT", uint32: "UINTEGER", uint64: "UBIGINT", float32: "FLOAT", float64: "DOUBLE",
  string: "VARCHAR", timestamp: "TIMESTAMP_NS", date: "DATE", bytes: "VARCHAR",
};

describe("exporting", () => {
  let folder = "";
  const at = (...names: string[]): string => join(folder, ...names);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-export-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const exportTo = (name: string, options: Partial<ExportOptions> = {}): Promise<ExportSummary> => exportTables({ tables: [at("t.bcolz")], output: at(name), ...options });

  /** What DuckDB reads of a text file whose types it is told; bytes are text there, decoded by an expression. */
  async function readTextFile(reader: string, bytesOf: (column: string) => string): Promise<Map<string, StoredValue[]>> {
    const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
    const bytes = everyDtype.filter(({ dtype }) => dtype === "bytes").map(({ name }) => `${bytesOf(identifier(name))} AS ${identifier(name)}`);
    const types = everyDtype.map(({ name, dtype }) => `'${name}': '${duckDbTypes[dtype]}'`).join(", ");
    return readByDuckDb(`(SELECT * REPLACE (${bytes.join(", ")}) FROM ${reader}, columns = {${types}}))`, everyDtype);
  }

  const readers: readonly (readonly [string, (path: string) => Promise<Map<string, StoredValue[]>>])[] = [
    ["parquet", (path) => readByDuckDb(`'${path}'`, everyDtype)],
    ["csv", (path) => readTextFile(`read_csv('${path}', header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', allow_quoted_nulls = false`, (name) => `unhex(substr(${name}, 3))`)],
    ["tsv", (path) => readTextFile(`read_csv('${path}', header = true, auto_detect = false, delim = '\t', quote = '"', escape = '"', allow_quoted_nulls = false`, (name) => `unhex(substr(${name}, 3))`)],
    ["ndjson", (path) => readTextFile(`read_json('${path}', format = 'newline_delimited'`, (name) => `from_base64(${name})`)],
  ];
  // Each run of the tests has more rows than a chunk for one of them.
  const [long] = oneOf(seededRandom(freshSeed()), readers);
  for (const [format, read] of readers) {
    it(`to ${format} gives DuckDB every dtype, nulls and odd names as they are`, async () => {
      const columns = everyDtype.map(({ values, ...column }) => ({ ...column, values: values.slice(0, format === long ? rows : 3_000) }));
      await writeTable(at("t.bcolz"), columns);
      const summary = await exportTo(`t.${format}`);
      expect(summary).to.include({ rows: columns[0]!.values.length, bytes: readFileSync(at(`t.${format}`)).length });
      const found = await read(at(`t.${format}`));
      for (const { name, values } of columns) expect(found.get(name), name).to.deep.equal(values);
    }).timeout(60_000);

    it(`to ${format} of no rows is a file that DuckDB reads`, async () => {
      await writeTable(at("t.bcolz"), everyDtype.map((column) => ({ ...column, values: [] })));
      await exportTo(`t.${format}`);
      // JSON lines without a line have no columns.
      if (format !== "ndjson") expect([...(await read(at(`t.${format}`))).values()].flat()).to.deep.equal([]);
    });
  }

  it("Parquet has statistics that let a reader leave out row groups, and says nothing wrong", async () => {
    await writeTable(at("t.bcolz"), everyDtype);
    await exportTo("t.parquet");
    for (const { name, dtype, values } of everyDtype) {
      if (dtype === "string" || dtype === "bytes") continue;
      const column = `"${name.replaceAll('"', '""')}"`;
      const [counts] = await queryDuckDb(`SELECT count(*) FILTER (${column} IS NULL), (SELECT count(*) FROM '${at("t.parquet")}' WHERE ${column} >= (SELECT max(${column}) FROM '${at("t.parquet")}')), (SELECT count(*) FROM '${at("t.parquet")}' WHERE ${column} <= (SELECT min(${column}) FROM '${at("t.parquet")}')) FROM '${at("t.parquet")}'`);
      const held = values.filter((value) => value !== null);
      const most = held.reduce((best, value) => (value > best ? value : best));
      const least = held.reduce((best, value) => (value < best ? value : best));
      expect(counts!.map(Number), name).to.deep.equal([values.length - held.length, held.filter((value) => value === most).length, held.filter((value) => value === least).length]);
    }
  }).timeout(30_000);

  it("CSV is exactly this", async () => {
    await writeTable(at("t.bcolz"), [
      { name: "s", dtype: "string", values: ["", null, "a,b", 'say "x"', "two\nlines", "semi;colon", "plain", "\ufeffmark"] },
      { name: "x", dtype: "float64", values: [1, null, 0.1, -Infinity, 1e300, 5e-324, -0, 1e21] }, { name: "f", dtype: "float32", values: [Math.fround(0.1), null, 1, 2, 3, 4, 5, 16_777_216] },
      { name: "t", dtype: "timestamp", values: [0n, null, 1n, -1n, 1_000_000n, 86_400_000_000_000n, 7n, 7n] }, { name: "b", dtype: "bytes", values: [Uint8Array.of(), null, Uint8Array.of(0, 255), ...Array.from({ length: 5 }, () => Uint8Array.of(1))] },
    ]);
    await exportTo("t.csv");
    expect(readFileSync(at("t.csv"), "utf8")).to.equal([
      "s,x,f,t,b", '"",1.0,0.1,1970-01-01T00:00:00Z,\\x', ",,,,", '"a,b",0.1,1.0,1970-01-01T00:00:00.000000001Z,\\x00ff', '"say ""x""",-inf,2.0,1969-12-31T23:59:59.999999999Z,\\x01',
      '"two\nlines",1e+300,3.0,1970-01-01T00:00:00.001Z,\\x01', '"semi;colon",5e-324,4.0,1970-01-02T00:00:00Z,\\x01', "plain,0.0,5.0,1970-01-01T00:00:00.000000007Z,\\x01", '"\ufeffmark",1e+21,16777216.0,1970-01-01T00:00:00.000000007Z,\\x01', "",
    ].join("\n"));
  });

  it("NDJSON is exactly this", async () => {
    await writeTable(at("t.bcolz"), [{ name: 'a "', dtype: "uint64", values: [2n ** 64n - 1n, null] }, { name: "x", dtype: "float64", values: [Infinity, 0.5] }, { name: "b", dtype: "bytes", values: [Uint8Array.of(255), null] }, { name: "s", dtype: "string", values: ["é\n", ""] }]);
    await exportTo("t.jsonl");
    expect(readFileSync(at("t.jsonl"), "utf8")).to.equal('{"a \\"":18446744073709551615,"x":"Infinity","b":"/w==","s":"é\\n"}\n{"a \\"":null,"x":0.5,"b":null,"s":""}\n');
  });

  for (const [values, dtype] of [
    [[Infinity, 0.5, null], "float64"], [[1, -Infinity, 2], "float64"], [["Infinity", "x", null], "string"], [["NaN", "-Infinity", "Infinity"], "string"], [["1", "NaN"], "string"],
  ] as const) {
    it(`NDJSON of ${JSON.stringify(values.map(String))} is imported as ${dtype} again`, async () => {
      await writeTable(at("t.bcolz"), [{ name: "v", dtype, values }]);
      await exportTo("t.ndjson");
      await importFiles({ inputs: [at("t.ndjson")], output: at("u.bcolz") });
      expect([openTable(at("u.bcolz")).columns[0]!.dtype, readTable(at("u.bcolz")).get("v")]).to.deep.equal([dtype, values]);
    });
  }

  const numbers: readonly PlainColumn[] = [{ name: "n", dtype: "int64", values: Array.from({ length: 200_000 }, (_, row) => BigInt(row)) }, { name: "s", dtype: "string", values: Array.from({ length: 200_000 }, (_, row) => (row % 3 === 0 ? null : `t${row % 10}`)) }];

  for (const format of ["csv", "parquet", "ndjson"] as const) {
    it(`a set to ${format} is its shards one after another, with the columns and rows that are asked for`, async () => {
      const paths = [0, 1, 2].map((shard) => at(`t-${shard}.bcolzs`));
      await writeShards(paths, numbers);
      const select = createSelector(parseWhere([["n", ">=", 66_000], ["s", "==", "t7"]])!);
      const { rows: written } = await exportTo(`t.${format}`, { tables: paths, columns: ["s", "n"], select });
      const expected = numbers[0]!.values.filter((value, row) => Number(value) >= 66_000 && numbers[1]!.values[row] === "t7");
      expect(written).to.equal(expected.length);
      expect((await queryDuckDb(`SELECT * FROM '${at(`t.${format}`)}'`)).map(([s, n]) => [s, BigInt(n as bigint)])).to.deep.equal(expected.map((n) => ["t7", n]));
    });
  }

  it("what cannot be done is said before anything is written", async () => {
    await writeTable(at("t.bcolz"), numbers.map((column) => ({ ...column, values: column.values.slice(0, 3) })));
    await writeTable(at("o.bcolz"), [{ name: "n", dtype: "string", values: ["x"] }]);
    writeFileSync(at("there.csv"), "old");
    mkdirSync(at("folder.csv"));
    const cases: readonly (readonly [string, string, Partial<ExportOptions>])[] = [
      ["EXISTS", "use --replace", { output: at("there.csv") }], ["EXISTS", "is a directory", { output: at("folder.csv"), replace: true }], ["NOT_FOUND", "create it first", { output: at("none/x.csv") }],
      ["USAGE", "--format", { output: at("x.unknown") }], ["USAGE", "--format", { output: "-" }], ["USAGE", "standard output", { output: "-", format: "bcolz" }], ["USAGE", "nothing to export", { tables: [] }],
      ["UNKNOWN_COLUMN", "'m'", { columns: ["m"] }], ["USAGE", "named twice", { columns: ["n", "n"] }], ["USAGE", "at least one", { columns: [] }], ["SCHEMA_MISMATCH", "'n'", { tables: [at("t.bcolz"), at("o.bcolz")] }],
      ["CANCELLED", "", { signal: AbortSignal.abort() }],
    ];
    for (const [code, words, options] of cases) {
      const error = await failureOf(() => exportTo("x.csv", options));
      expect([error.code, code], error.message).to.deep.equal([code, code]);
      expect(error.message).to.include(words);
    }
    expect(readdirSync(folder).sort()).to.deep.equal(["folder.csv", "o.bcolz", "t.bcolz", "there.csv"]);
    expect(readFileSync(at("there.csv"), "utf8")).to.equal("old");
    await exportTo("there.csv", { replace: true });
    expect(readFileSync(at("there.csv"), "utf8")).to.equal("n,s\n0,\n1,t1\n2,t2\n");
  });

  it("ended in the middle, or failing there, leaves what there was", async () => {
    await writeTable(at("t.bcolz"), numbers);
    for (const format of ["csv", "ndjson", "parquet", "arrow"]) {
      writeFileSync(at(`t.${format}`), "old");
      const interruption = new AbortController();
      const ended = await failureOf(() => exportTo(`t.${format}`, { replace: true, signal: interruption.signal, onProgress: () => interruption.abort() }));
      expect(ended.code).to.equal("CANCELLED");
      const failed = await failureOf(() => exportTo(`t.${format}`, { replace: true, select: (_, chunk) => requireFirst(chunk) }));
      expect(failed.message).to.equal("no such luck");
      expect(readFileSync(at(`t.${format}`), "utf8")).to.equal("old");
    }
    expect(readdirSync(folder).sort()).to.deep.equal(["t.arrow", "t.bcolz", "t.csv", "t.ndjson", "t.parquet"]);
  });

  it("a device that takes no more is an error", async () => {
    await writeTable(at("t.bcolz"), numbers);
    const error = await failureOf(() => exportTo("x", { output: "/dev/full", format: "csv" }));
    expect(error.code).to.equal("DISK_FULL");
  });

  it("a stream gets all bytes at its own pace, and one that breaks ends the export", async () => {
    await writeTable(at("t.bcolz"), numbers);
    const stream = new PassThrough({ highWaterMark: 1_000 });
    const parts: Buffer[] = [];
    stream.on("data", (part: Buffer) => { parts.push(part); });
    const { bytes } = await exportTo("x", { output: "-", format: "csv", standardOutput: stream });
    await exportTo("x.csv");
    const streamed = Buffer.concat(parts);
    expect(bytes).to.equal(streamed.length);
    expect(streamed.equals(readFileSync(at("x.csv")))).to.equal(true);
    const breaking = new PassThrough({ highWaterMark: 1_000 });
    breaking.once("data", () => { breaking.destroy(Object.assign(new Error("broken"), { code: "EPIPE", syscall: "write" })); });
    const error = await failureOf(() => exportTo("x", { output: "-", format: "csv", standardOutput: breaking }));
    expect(error.code).to.equal("IO");
  });

  it("progress ends at all rows", async () => {
    await writeTable(at("t.bcolz"), numbers);
    const seen: (readonly [number, number])[] = [];
    await exportTo("t.csv", { columns: ["n"], onProgress: (done, total) => seen.push([done, total]) });
    expect(seen).to.deep.equal([[65_536, 200_000], [131_072, 200_000], [196_608, 200_000], [200_000, 200_000]]);
  });

  it("the extension tells the format, whatever its case", () => {
    const found = ["a.csv", "a.TSV", "a.tab", "a.jsonl", "a.ndjson", "a.PARQUET", "a.pq", "a.arrow", "a.feather", "a.ipc", "a.bcolz"].map((output) => requireExportFormat({ output }));
    expect(found).to.deep.equal(["csv", "tsv", "tsv", "ndjson", "ndjson", "parquet", "parquet", "arrow", "arrow", "arrow", "bcolz"]);
    expect(requireExportFormat({ output: "a.csv", format: "arrow" })).to.equal("arrow");
    expect(() => requireExportFormat({ output: "a.csv.gz" })).to.throw(/give - and --format csv and pipe what it prints into gzip$/);
  });
});

function requireFirst(chunk: number): null {
  if (chunk > 0) throw new BquerydError("IO", "no such luck");
  return null;
}
