import { expect } from "chai";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { appendToTable, type AppendSpec } from "../../lib/columns/write/append.js";
import { compactTable } from "../../lib/columns/write/compact.js";
import { dtypes } from "../../lib/columns/dtypes.js";
import { openTable } from "../../lib/columns/read/open.js";
import { failureOf } from "../support/failure.js";
import { readTable, type StoredValue } from "../support/read-table.js";
import { appendRows } from "../support/append-rows.js";
import { batchOf, unsyncedFiles, writeShards, writeTable, type PlainColumn } from "../support/write-table.js";
import { valuesOf } from "../support/typed-values.js";

let folder = "";
let path = "";
/** Gives each test a folder; not a hook of the file, which would run around the tests of all files. */
function useFolder(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    path = join(folder, "taxi.bcolz");
  });
  afterEach(async () => { await rm(folder, { recursive: true }); });
}

function slice(columns: readonly PlainColumn[], start: number, end: number): PlainColumn[] {
  return columns.map((column) => ({ ...column, values: column.values.slice(start, end) }));
}

function rowsOf(count: number): PlainColumn[] {
  return [
    { name: "number", dtype: "int64", values: Array.from({ length: count }, (_, row) => (row % 7 === 0 ? null : BigInt(row))) },
    { name: "word", dtype: "string", values: Array.from({ length: count }, (_, row) => (row % 5 === 0 ? null : `w${row % 400}`)) },
  ];
}

function expectRows(columns: readonly PlainColumn[]): void {
  const read = readTable(path);
  for (const { name, values } of columns) expect(isEqual(read.get(name)!, values), name).to.equal(true);
}

function isEqual(a: readonly StoredValue[], b: readonly StoredValue[]): boolean {
  return a.length === b.length && a.every((value, row) => {
    const other = b[row]!;
    return value instanceof Uint8Array && other instanceof Uint8Array ? Buffer.compare(value, other) === 0 : Object.is(value, other);
  });
}

describe("appending to a table", () => {
  useFolder();

  it("adds rows of every dtype behind those that are there", async () => {
    const all = dtypes.map((dtype): PlainColumn => ({ name: dtype, dtype, values: valuesOf(dtype, 300) }));
    await writeTable(path, slice(all, 0, 120));
    await appendRows(path, slice(all, 120, 121));
    await appendRows(path, slice(all, 121, 300), { codec: "zstd" });
    expectRows(all);
  });

  for (const [before, added] of [[0, 5], [65_535, 1], [65_536, 1], [65_537, 65_535], [131_072, 70_000], [10, 140_000]] as const) {
    it(`gives the same chunks for ${before} rows and ${added} more as for all at once, once compacted`, async () => {
      const all = rowsOf(before + added);
      const whole = await writeTable(join(folder, "whole.bcolz"), all);
      await writeTable(path, slice(all, 0, before));
      await appendRows(path, slice(all, before, before + added));
      expectRows(all);
      expect((await compactTable(path, { files: unsyncedFiles })).generation).to.equal(whole);
    });
  }

  it("leaves the files that are there untouched and shares them", async () => {
    const all = rowsOf(140_000);
    const first = await writeTable(path, slice(all, 0, 139_000));
    const { footer } = openTable(path);
    await appendRows(path, slice(all, 139_000, 140_000));
    const after = openTable(path).footer;
    for (const [at, column] of after.columns.entries()) {
      expect(column.segments).to.have.length(2);
      expect(column.segments[0]).to.deep.equal({ ...footer.columns[at]!.segments[0], rows: 131_072 });
      expect(column.segments[1]!.rows).to.equal(140_000 - 131_072);
    }
    expect(after.dictionaries, "no new word").to.deep.equal(footer.dictionaries);
    expect(openTable(path, { generation: first }).rows).to.equal(139_000);
  });

  it("makes a new dictionary for new texts, in which the old ones keep their codes", async () => {
    const column = (values: readonly string[]): PlainColumn[] => [{ name: "v", dtype: "string", values }];
    await writeTable(path, column(["b", "a"]));
    const before = openTable(path).column("v").dictionary()!;
    await appendRows(path, column(["c", "a", ""]));
    const after = openTable(path).column("v").dictionary()!;
    expect(Buffer.from(after.bytes).toString()).to.equal("bac");
    expect([...after.ranks]).to.deep.equal([2, 1, 3, 0]);
    expect(after.id).to.not.equal(before.id);
    expectRows(column(["b", "a", "c", "a", ""]));
  });

  it("turns a column plain, old rows too, when its dictionary outgrows its limit", async () => {
    const all: PlainColumn[] = [
      { name: "v", dtype: "string", values: Array.from({ length: 70_000 }, (_, row) => (row % 9 === 0 ? null : row < 69_000 ? `w${row % 50}` : `new ${row}`)) },
      { name: "raw", dtype: "bytes", values: Array.from({ length: 70_000 }, (_, row) => Uint8Array.of(row % 3, 0xff)) },
    ];
    await writeTable(path, slice(all, 0, 68_999), { dictionaryValuesMax: 60 });
    await appendRows(path, slice(all, 68_999, 70_000), { dictionaryValuesMax: 60 });
    const [plain, kept] = openTable(path).footer.columns;
    expect([plain!.dictionary, plain!.segments.length]).to.deep.equal([null, 1]);
    expect([kept!.dictionary, kept!.segments.length]).to.deep.equal([0, 2]);
    expectRows(all);
    const more: PlainColumn[] = [{ ...all[0]!, values: ["more", null] }, { ...all[1]!, values: [Uint8Array.of(), null] }];
    await appendRows(path, more);
    expect(openTable(path).footer.columns[0]!.dictionary, "plain stays plain").to.equal(null);
    expectRows(all.map((column, at) => ({ ...column, values: [...column.values, ...more[at]!.values] })));
  });

  it("gives a column of nulls alone a dictionary with its first text", async () => {
    await writeTable(path, [{ name: "v", dtype: "string", values: [null, null] }]);
    await appendRows(path, [{ name: "v", dtype: "string", values: [null, "x"] }]);
    expect(openTable(path).footer.columns[0]!.dictionary).to.equal(0);
    expect(readTable(path).get("v")).to.deep.equal([null, null, null, "x"]);
  });

  it("keeps one segment for the last rows, however often some are added", async () => {
    await writeTable(path, rowsOf(3));
    for (let row = 3; row < 20; row++) await appendRows(path, slice(rowsOf(20), row, row + 1));
    expect(openTable(path).footer.columns[0]!.segments).to.have.length(1);
    expectRows(rowsOf(20));
  });

  it("takes the columns in any order and gives them to the table in its own", async () => {
    await writeTable(path, rowsOf(3));
    await appendRows(path, slice(rowsOf(6), 3, 6).toReversed());
    expect(openTable(path).columns.map(({ name }) => name)).to.deep.equal(["number", "word"]);
    expectRows(rowsOf(6));
  });

  it("keeps the sort column only when the caller says that the order holds", async () => {
    const sorted: PlainColumn[] = [{ name: "v", dtype: "int64", values: [1n, 2n] }];
    await writeTable(path, sorted, { sort: "v" });
    await appendRows(path, sorted, { sort: "v" });
    expect(openTable(path).footer.sort).to.equal("v");
    await appendRows(path, sorted);
    expect(openTable(path).footer.sort).to.equal(null);
    await appendRows(path, sorted, { sort: "v" });
    expect(openTable(path).footer.sort, "the rows before are in no order").to.equal(null);
  });

  it("ends the order where the table is of another generation than the caller compared with", async () => {
    const sorted: PlainColumn[] = [{ name: "v", dtype: "int64", values: [1n, 2n] }];
    const seen = await writeTable(path, sorted, { sort: "v" });
    await appendRows(path, sorted, { sort: "v", generation: seen });
    expect(openTable(path).footer.sort).to.equal("v");
    await appendRows(path, sorted, { sort: "v", generation: seen });
    expect(openTable(path).footer.sort).to.equal(null);
  });

  it("changes nothing when no row was given, and nothing when aborted", async () => {
    const before = await writeTable(path, rowsOf(70_000));
    const names = await readdir(path);
    expect(await appendRows(path, slice(rowsOf(1), 0, 0))).to.equal(before);
    const writer = await appendToTable(specOf(rowsOf(0)));
    await writer.append(0, rowsOf(66_000).map(({ dtype, values }) => batchOf(dtype, values)));
    await writer.abort();
    expect((await readdir(path)).sort()).to.deep.equal(names.sort());
    expect(openTable(path).generation).to.equal(before);
  });

  it("keeps as many generations as it is told", async () => {
    const generations = [await writeTable(path, rowsOf(1))];
    for (let row = 1; row < 4; row++) generations.unshift(await appendRows(path, slice(rowsOf(4), row, row + 1), { keepGenerations: 3 }));
    expect((await readFile(join(path, "CURRENT"), "latin1")).trim().split("\n")).to.deep.equal(generations.slice(0, 3));
    expect(openTable(path, { generation: generations[2]! }).rows).to.equal(2);
    for (const keepGenerations of [0, 1.5, 1_001]) expect((await failureOf(() => appendRows(path, rowsOf(1), { keepGenerations }))).code).to.equal("BAD_INPUT");
  });

  function specOf(columns: readonly PlainColumn[]): AppendSpec {
    return { path, columns: columns.map(({ name, dtype }) => ({ name, dtype })), sort: null, files: unsyncedFiles };
  }

  it("refuses rows of another schema by the name of the column, and lets the lock go", async () => {
    await writeTable(path, rowsOf(1));
    const [number, word] = specOf(rowsOf(0)).columns;
    const refused = [
      { columns: [number!], named: "word" },
      { columns: [number!, { ...word!, dtype: "bytes" as const }], named: "word" },
      { columns: [number!, word!, { name: "more", dtype: "bool" as const }], named: "more" },
      { columns: [{ ...number!, unit: "s" }, word!], named: "number" },
    ];
    for (const { columns, named } of refused) {
      const failure = await failureOf(() => appendToTable({ ...specOf([]), columns }));
      expect(failure.code, named).to.equal("SCHEMA_MISMATCH");
      expect(failure.details["column"]).to.equal(named);
    }
    expect(await readdir(path)).to.not.include("LOCK");
    expect((await failureOf(() => appendToTable({ ...specOf(rowsOf(0)), sort: "other" }))).code).to.equal("BAD_INPUT");
  });

  it("refuses the shard of a set, and a path without a table, and makes no folder there", async () => {
    await writeShards([0, 1].map((shard) => join(folder, `s-${shard}.bcolzs`)), rowsOf(4));
    expect((await failureOf(() => appendToTable({ ...specOf(rowsOf(0)), path: join(folder, "s-0.bcolzs") }))).code).to.equal("USAGE");
    await writeFile(join(folder, "file.bcolz"), "");
    for (const name of ["none.bcolz", "file.bcolz"]) expect((await failureOf(() => appendToTable({ ...specOf(rowsOf(0)), path: join(folder, name) }))).code).to.equal("NOT_FOUND");
    expect((await readdir(folder)).sort()).to.deep.equal(["file.bcolz", "s-0.bcolzs", "s-1.bcolzs"]);
  });

  it("does not carry a damaged last chunk on", async () => {
    await writeTable(path, rowsOf(100));
    await cp(path, join(folder, "good.bcolz"), { recursive: true });
    const { data } = openTable(path).footer.columns[0]!.segments[0]!;
    const bytes = await readFile(join(path, data));
    bytes[3]! ^= 1;
    await writeFile(join(path, data), bytes);
    expect((await failureOf(() => appendToTable(specOf(rowsOf(0))))).code).to.equal("CORRUPT_CHUNK");
    expect(await readdir(path)).to.not.include("LOCK");
  });

  it("passes on the units of columns", async () => {
    const columns = [{ name: "span", dtype: "int64" as const, unit: "ns" }];
    await writeTable(path, [{ name: "span", dtype: "int64", values: [1n] }], { columns });
    expect(openTable(path).footer.columns[0]!.unit).to.equal("ns");
    const writer = await appendToTable({ ...specOf([]), columns });
    await writer.append(0, [batchOf("int64", [2n])]);
    await writer.commit();
    expect(openTable(path).footer.columns[0]!.unit).to.equal("ns");
  });
});
