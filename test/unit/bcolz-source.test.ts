import { expect } from "chai";
import { readdirSync, utimesSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { openOwnTable, openTable } from "../../lib/columns/read/open.js";
import { unpackStrings } from "../../lib/columns/texts.js";
import { appendToTable } from "../../lib/columns/write/append.js";
import { compactTable } from "../../lib/columns/write/compact.js";
import { openTableSource } from "../../lib/formats/import/table-source.js";
import { importFiles } from "../../lib/formats/import/import.js";
import type { SourceBatch, SourceOptions } from "../../lib/formats/source.js";
import { writeRawBcolz } from "../support/bcolz-directory.js";
import { failureOf } from "../support/failure.js";
import { writeTable } from "../support/write-table.js";

let folder: string;
let path: string;

function options(types: Record<string, Dtype> = {}): SourceOptions {
  return { types: new Map(Object.entries(types)), columns: undefined, delimiter: undefined, nulls: [], signal: undefined };
}

async function readAll(types: Record<string, Dtype>, names: readonly string[], signal?: AbortSignal): Promise<SourceBatch[]> {
  const source = await openTableSource(path, options(types));
  const batches: SourceBatch[] = [];
  try {
    const wanted = source.columns.flatMap((column) => ("dtype" in column && names.includes(column.name) ? [{ ...column, fixed: column.name in types }] : []));
    for await (const batch of source.read(wanted, signal)) batches.push(batch);
  } finally {
    await source.close();
  }
  return batches;
}

describe("tables as a source", () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    path = join(folder, "t.bcolz");
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("tell rows, bytes, and columns with units; those of bcolz that nothing holds are refused", async () => {
    writeRawBcolz(path, [
      { name: "t", dtype: "timedelta64[s]", bytes: new Uint8Array(BigInt64Array.of(1n, 2n).buffer), itemBytes: 8 },
      { name: "o", dtype: "object", bytes: new Uint8Array(2), itemBytes: 1 },
    ]);
    const source = await openTableSource(path, options());
    expect(source).to.include({ path, rows: 2 });
    expect(source.bytes).to.be.above(0);
    expect(source.columns).to.deep.equal([{ name: "t", dtype: "int64", unit: "s" }, { name: "o", refused: "of Python objects" }]);
    await source.close();
  });

  it("give the rows of the columns wanted, chunk by chunk", async () => {
    const values = Array.from({ length: 70_000 }, (_, row) => BigInt(row));
    await writeTable(path, [{ name: "n", dtype: "int32", values }, { name: "s", dtype: "string", values: values.map((value) => `v${value % 10n}`) }, { name: "x", dtype: "bool", values: values.map(() => true) }]);
    const batches = await readAll({}, ["n", "s"]);
    expect(batches.map(({ rows }) => rows)).to.deep.equal([65_536, 4_464]);
    expect(batches.at(-1)!.bytesDone).to.be.above(batches[0]!.bytesDone);
    const read = batches.flatMap(({ batches: columns }) => Array.from((columns![0] as { values: Int32Array }).values));
    expect(read).to.deep.equal(values.map(Number));
    const last = batches[1]!.batches![1]!;
    expect(last.dtype === "string" ? unpackStrings(last.values, last.nulls)[0] : undefined).to.equal("v6");
  });

  it("convert a column to a dtype that was asked for, and reject the rows that do not fit", async () => {
    await writeTable(path, [{ name: "n", dtype: "int64", values: [1n, 300n, null, -5n] }]);
    const [batch] = await readAll({ n: "uint8" }, ["n"]);
    expect(batch!.rows).to.equal(2);
    expect(batch!.batches![0]).to.deep.include({ dtype: "uint8", values: Uint8Array.of(1, 0) });
    expect(batch!.rejects.map(({ line }) => line)).to.deep.equal([2, 4]);
    expect(batch!.rejects[0]!.reason).to.include("'n'").and.include("300");
  });

  it("are imported, whatever reading them leaves beside them", async () => {
    const rows = 70_000;
    writeRawBcolz(path, [{ name: "n", dtype: "int64", bytes: new Uint8Array(BigInt64Array.from({ length: rows }, (_, row) => BigInt(row)).buffer), itemBytes: 8, chunklen: 32_768 }]);
    const past = new Date("2020-01-01T00:00:00Z");
    for (const entry of readdirSync(path, { recursive: true, encoding: "utf8" })) utimesSync(join(path, entry), past, past);
    const summary = await importFiles({ inputs: [path], output: join(folder, "own.bcolz") });
    expect(summary).to.include({ rowsRead: rows, rowsStored: rows });
    expect(readdirSync(path)).to.include(".bqueryd");
    expect(openTable(join(folder, "own.bcolz")).column("n").statistics(1)).to.include({ minimum: 65_536n, maximum: 69_999n });
  });

  it("cannot grow or be compacted: each way says so with one code", async () => {
    writeRawBcolz(path, [{ name: "n", dtype: "int64", bytes: new Uint8Array(BigInt64Array.of(1n).buffer), itemBytes: 8 }]);
    const ways = [() => importFiles({ inputs: [path], output: path, append: true }), () => compactTable(path), () => appendToTable({ path, columns: [{ name: "n", dtype: "int64" }], sort: null }), () => openOwnTable(path)];
    for (const way of ways) expect((await failureOf(way)).code).to.equal("TABLE_NOT_MANAGED");
  });

  it("stop when asked to, and let the table go", async () => {
    await writeTable(path, [{ name: "n", dtype: "int64", values: [1n] }]);
    expect((await failureOf(() => readAll({}, ["n"], AbortSignal.abort()))).code).to.equal("CANCELLED");
    expect((await failureOf(() => openTableSource(join(folder, "none.bcolz"), options()))).code).to.equal("NOT_FOUND");
    expect(openTable(path).rows).to.equal(1);
  });
});
