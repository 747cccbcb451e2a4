import { expect } from "chai";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { openTable } from "../../lib/columns/read/open.js";
import { chunkLengthFor } from "../../lib/formats/bcolz/plan.js";
import { writeBcolz, type BcolzOutput } from "../../lib/formats/bcolz/write.js";
import { hasAttributes, readRawColumn, readRawNames } from "../support/bcolz-decoder.js";
import { readExpected, unpackBcolz } from "../support/bcolz-fixtures.js";
import { failureOf } from "../support/failure.js";
import { createReadHeap, readTable } from "../support/read-table.js";
import { unsyncedFiles, writeShards, writeTable, type PlainColumn } from "../support/write-table.js";

const heap = createReadHeap();
let folder: string;
let output: string;

/** Writes columns as a table of ours, and that as one of bcolz. */
async function exportColumns(columns: readonly PlainColumn[], options: Partial<BcolzOutput> = {}): Promise<{ rows: number; bytes: number }> {
  const path = join(folder, "own.bcolz");
  await rm(path, { recursive: true, force: true });
  await writeTable(path, columns);
  return exportTables([path], options);
}

async function exportTables(paths: readonly string[], options: Partial<BcolzOutput> = {}): Promise<{ rows: number; bytes: number }> {
  const tables = paths.map((path) => openTable(path));
  try {
    return await writeBcolz({ tables, output, files: unsyncedFiles, ...options });
  } finally {
    for (const table of tables) table.close();
  }
}

const notATime = -(2n ** 63n);

describe("writing bcolz", () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    output = join(folder, "out.bcolz");
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("gives the chunk lengths that bcolz itself gives", async () => {
    const unpacked = unpackBcolz(folder);
    for (const { name, columns } of readExpected(unpacked)) {
      if (!/^(taxi|dtypes_short|empty|one_row)/.test(name)) continue;
      for (const { name: column, itemsize } of columns) {
        const storage = JSON.parse(readFileSync(join(unpacked, name, column, "meta", "storage"), "utf8")) as { chunklen: number; expectedlen: number };
        expect(chunkLengthFor(storage.expectedlen, itemsize), `${name}/${column}`).to.equal(storage.chunklen);
      }
    }
    await rm(unpacked, { recursive: true });
  });

  it("gives every dtype the bytes that NumPy has for it", async () => {
    const columns: PlainColumn[] = [
      { name: "b", dtype: "bool", values: [true, false] }, { name: "i1", dtype: "int8", values: [-128n, 127n] }, { name: "i2", dtype: "int16", values: [-32_768n, 1n] },
      { name: "i4", dtype: "int32", values: [-2n, 2_147_483_647n] }, { name: "i8", dtype: "int64", values: [notATime, 1n] }, { name: "u1", dtype: "uint8", values: [255n, 0n] },
      { name: "u2", dtype: "uint16", values: [65_535n, 0n] }, { name: "u4", dtype: "uint32", values: [4_294_967_295n, 0n] }, { name: "u8", dtype: "uint64", values: [2n ** 64n - 1n, 0n] },
      { name: "f4", dtype: "float32", values: [0.5, null] }, { name: "f8", dtype: "float64", values: [null, -Infinity] },
      { name: "t", dtype: "timestamp", values: [null, -5n] }, { name: "d", dtype: "date", values: [-1n, null] },
      { name: "s", dtype: "string", values: ["", "é\u{1f695}"] }, { name: "z", dtype: "bytes", values: [Uint8Array.of(0, 255), Uint8Array.of()] },
    ];
    expect(await exportColumns(columns)).to.include({ rows: 2 });
    const storedAs: [string, string, number, Uint8Array][] = [
      ["b", "bool", 1, Uint8Array.of(1, 0)], ["i1", "int8", 1, bytesOf(Int8Array.of(-128, 127))], ["i2", "int16", 2, bytesOf(Int16Array.of(-32_768, 1))],
      ["i4", "int32", 4, bytesOf(Int32Array.of(-2, 2_147_483_647))], ["i8", "int64", 8, bytesOf(BigInt64Array.of(notATime, 1n))], ["u1", "uint8", 1, Uint8Array.of(255, 0)],
      ["u2", "uint16", 2, bytesOf(Uint16Array.of(65_535, 0))], ["u4", "uint32", 4, bytesOf(Uint32Array.of(4_294_967_295, 0))], ["u8", "uint64", 8, bytesOf(BigUint64Array.of(2n ** 64n - 1n, 0n))],
      ["f4", "float32", 4, bytesOf(Float32Array.of(0.5, NaN))], ["f8", "float64", 8, bytesOf(Float64Array.of(NaN, -Infinity))],
      ["t", "datetime64[ns]", 8, bytesOf(BigInt64Array.of(notATime, -5n))], ["d", "datetime64[D]", 8, bytesOf(BigInt64Array.of(-1n, notATime))],
      ["s", "<U2", 8, bytesOf(Uint32Array.of(0, 0, 0xe9, 0x1f695))], ["z", "|S2", 2, Uint8Array.of(0, 255, 0, 0)],
    ];
    expect(readRawNames(output)).to.deep.equal(storedAs.map(([name]) => name));
    expect(hasAttributes(output)).to.equal(true);
    for (const [name, dtype, itemBytes, bytes] of storedAs) {
      const raw = readRawColumn(output, name, itemBytes);
      expect(raw, name).to.include({ dtype });
      expect(raw.shape).to.deep.equal([2]);
      expect(Buffer.compare(raw.bytes, bytes), name).to.equal(0);
    }
  });

  it("gives back through our own reader what went in, over many chunks", async () => {
    const rows = 140_001;
    const columns: PlainColumn[] = [
      { name: "f", dtype: "float64", values: Array.from({ length: rows }, (_, row) => (row % 10 === 3 ? null : row / 7)) },
      { name: "i", dtype: "int16", values: Array.from({ length: rows }, (_, row) => BigInt((row * 31) % 60_000) - 30_000n) },
      { name: "s", dtype: "string", values: Array.from({ length: rows }, (_, row) => `é${row % 1_000}`) },
      { name: "c", dtype: "date", values: Array.from({ length: rows }, () => 5n) },
    ];
    const { bytes } = await exportColumns(columns);
    const read = readTable(output, heap);
    for (const { name, values } of columns) expect(read.get(name), name).to.deep.equal(values);
    expect(bytes).to.be.below(2_000_000);
    expect(readdirSync(join(output, "f", "data")).sort()).to.deep.equal(["__0.blp", "__1.blp", "__2.blp", "__3.blp", "__4.blp"]);
    for (const { name, itemBytes } of [{ name: "f", itemBytes: 8 }, { name: "s", itemBytes: 16 }, { name: "i", itemBytes: 2 }]) {
      expect(readRawColumn(output, name, itemBytes).bytes.length, name).to.equal(rows * itemBytes);
    }
  });

  it("writes the shards of a set one after another, the columns and rows asked for", async () => {
    const values = Array.from({ length: 70_000 }, (_, row) => BigInt(row));
    const paths = [0, 1].map((shard) => join(folder, `s-${shard}.bcolzs`));
    await writeShards(paths, [{ name: "a", dtype: "int32", values }, { name: "b", dtype: "string", values: values.map(String) }, { name: "c", dtype: "bool", values: values.map(() => true) }]);
    const select = (table: { name: string; rows: number }, chunk: number) => (table.name === "s-1.bcolzs" ? Uint8Array.from({ length: Math.min(65_536, table.rows - chunk * 65_536) }, (_, row) => (row % 5_000 === 0 ? 1 : 0)) : null);
    expect(await exportTables(paths, { columns: ["b", "a"], select })).to.include({ rows: 35_007 });
    const expected = values.filter((value) => value < 35_000n || value % 5_000n === 0n);
    expect(readRawNames(output)).to.deep.equal(["b", "a"]);
    expect(readTable(output, heap).get("a")).to.deep.equal(expected);
    expect(readTable(output, heap).get("b")).to.deep.equal(expected.map(String));
  });

  it("writes a table of bcolz again, timedeltas with their unit", async () => {
    const unpacked = unpackBcolz(folder);
    await exportTables([join(unpacked, "dtypes_chunks.bcolz")]);
    const [before, after] = [readTable(join(unpacked, "dtypes_chunks.bcolz"), heap), readTable(output, heap)];
    expect([...after]).to.deep.equal([...before]);
    await rm(unpacked, { recursive: true });
  });

  it("writes tables without rows, and texts that are all empty", async () => {
    await exportColumns([{ name: "a", dtype: "float64", values: [] }, { name: "s", dtype: "string", values: [] }]);
    expect([...readTable(output, heap)]).to.deep.equal([["a", []], ["s", []]]);
    await exportColumns([{ name: "s", dtype: "string", values: ["", ""] }], { replace: true });
    expect(readRawColumn(output, "s", 4)).to.include({ dtype: "<U1" });
  });

  it("escapes names, which Python reads as ASCII, and refuses those that bcolz refuses", async () => {
    await exportColumns([{ name: "größe", dtype: "bool", values: [true] }, { name: "_1", dtype: "bool", values: [true] }]);
    expect(/^[\x20-\x7e\n]*$/.test(readFileSync(join(output, "__rootdirs__"), "latin1"))).to.equal(true);
    expect(readRawNames(output)).to.deep.equal(["größe", "_1"]);
    for (const name of ["a b", "1a", "class", "", "../x", "🚕", "a-b", "__attrs__", "__rootdirs__"]) {
      const failure = await failureOf(() => exportColumns([{ name, dtype: "bool", values: [true] }], { replace: true }));
      expect(failure.code, name).to.equal("UNSUPPORTED_FORMAT");
      expect(failure.message).to.include(JSON.stringify(name));
    }
    expect(readRawNames(output)).to.deep.equal(["größe", "_1"]);
  });

  it("refuses by name what bcolz would give back as something else", async () => {
    const refused: [PlainColumn, string][] = [
      [{ name: "v", dtype: "int64", values: [1n, null] }, "nulls"], [{ name: "v", dtype: "bool", values: [null] }, "nulls"], [{ name: "v", dtype: "string", values: ["a", null] }, "nulls"],
      [{ name: "v", dtype: "string", values: ["a\0"] }, "ends in NUL"], [{ name: "v", dtype: "bytes", values: [Uint8Array.of(1, 0)] }, "ends in NUL"],
      [{ name: "v", dtype: "string", values: ["x".repeat(10_000)] }, "10000 characters"], [{ name: "v", dtype: "timestamp", values: [notATime] }, "missing time"],
    ];
    for (const [column, words] of refused) {
      const failure = await failureOf(() => exportColumns([{ name: "w", dtype: "bool", values: column.values.map(() => true) }, column]));
      expect(failure.code, words).to.equal("UNSUPPORTED_DTYPE");
      expect(failure.message).to.include("'v'").and.include(words).and.include("--columns");
    }
    expect(readdirSync(folder)).to.deep.equal(["own.bcolz"]);
  });

  it("appears whole, or leaves everything as it was", async () => {
    const columns: PlainColumn[] = [{ name: "a", dtype: "float64", values: Array.from({ length: 200_000 }, (_, row) => row) }];
    await exportColumns([{ name: "old", dtype: "bool", values: [true] }]);
    expect((await failureOf(() => exportColumns(columns))).code).to.equal("EXISTS");
    let left = 6;
    const failing = { ...unsyncedFiles, create: (path: string, bytes: Uint8Array) => (left-- > 0 ? unsyncedFiles.create(path, bytes) : Promise.reject(new BquerydError("DISK_FULL", "no room"))) };
    expect((await failureOf(() => exportColumns(columns, { replace: true, files: failing }))).code).to.equal("DISK_FULL");
    expect((await failureOf(() => exportColumns(columns, { replace: true, signal: AbortSignal.abort() }))).code).to.equal("CANCELLED");
    expect(readdirSync(folder).sort()).to.deep.equal(["out.bcolz", "own.bcolz"]);
    expect(readRawNames(output)).to.deep.equal(["old"]);
    await exportColumns(columns, { replace: true });
    expect(readRawNames(output)).to.deep.equal(["a"]);
    expect(readdirSync(folder).sort()).to.deep.equal(["out.bcolz", "own.bcolz"]);
  });

  it("puts a directory back that it could not replace, and else says where it is", async () => {
    await exportColumns([{ name: "old", dtype: "bool", values: [true] }]);
    const renamesThatFail = (...numbers: readonly number[]): BcolzOutput["files"] => {
      let count = 0;
      return { ...unsyncedFiles, rename: (from, to) => (numbers.includes(++count) ? Promise.reject(new BquerydError("IO", "no more")) : unsyncedFiles.rename(from, to)) };
    };
    const columns: PlainColumn[] = [{ name: "a", dtype: "bool", values: [true] }];
    const kept = await failureOf(() => exportColumns(columns, { replace: true, files: renamesThatFail(2) }));
    expect([kept.message, readRawNames(output), readdirSync(folder).sort()]).to.deep.equal(["no more", ["old"], ["out.bcolz", "own.bcolz"]]);
    const lost = await failureOf(() => exportColumns(columns, { replace: true, files: renamesThatFail(2, 3) }));
    const [before] = readdirSync(folder).filter((name) => name.endsWith(".old"));
    expect(lost.message).to.equal(`${output} could neither be replaced nor put back; what it was is whole in ${join(folder, before!)}: rename that`);
    expect(readRawNames(join(folder, before!))).to.deep.equal(["old"]);
  });

  it("never replaces what is no directory of bcolz", async () => {
    mkdirSync(output);
    writeFileSync(join(output, "mine"), "");
    expect((await failureOf(() => exportColumns([{ name: "a", dtype: "bool", values: [true] }], { replace: true }))).code).to.equal("EXISTS");
    expect(existsSync(join(output, "mine"))).to.equal(true);
    await rm(output, { recursive: true });
    await writeTable(output, [{ name: "a", dtype: "bool", values: [true] }]);
    expect((await failureOf(() => exportColumns([{ name: "a", dtype: "bool", values: [true] }], { replace: true }))).code).to.equal("EXISTS");
    expect(statSync(join(output, "CURRENT")).isFile()).to.equal(true);
  });

  it("tells how far it is", async () => {
    const told: [number, number][] = [];
    await exportColumns([{ name: "a", dtype: "bool", values: [true, false] }, { name: "b", dtype: "bool", values: [true, false] }], { onProgress: (values, total) => told.push([values, total]) });
    expect(told).to.deep.equal([[2, 4], [4, 4]]);
  });
});

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
