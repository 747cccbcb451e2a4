import { expect } from "chai";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import type { Files } from "../../lib/base/files.js";
import { createArena } from "../../lib/columns/encode/arena.js";
import { appendToTable } from "../../lib/columns/write/append.js";
import { chunkRows, dtypes } from "../../lib/columns/dtypes.js";
import { encodeLongTexts } from "../../lib/columns/encode/long-texts.js";
import { packBytes } from "../../lib/columns/texts.js";
import { createTables } from "../../lib/columns/write/writer.js";
import { createHeap } from "../../lib/kernels/heap.js";
import { loadKernels } from "../../lib/kernels/kernels.js";
import { appendRows } from "../support/append-rows.js";
import { encodeValues } from "../support/chunks.js";
import { failureOf } from "../support/failure.js";
import { readTable, type StoredValue } from "../support/read-table.js";
import { batchOf, unsyncedFiles, writeTable, type PlainColumn } from "../support/write-table.js";

const random = seededRandom(11);
const randomBytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256));

/** Rows of every dtype, some null, a column whose texts become too many for its dictionary, and one without a value. */
function everyDtype(rows: number): PlainColumn[] {
  const values = (make: (row: number) => StoredValue): StoredValue[] => Array.from({ length: rows }, (_, row) => (row % 13 === 5 ? null : make(row)));
  const columns = dtypes.map((dtype): PlainColumn => {
    switch (dtype) {
      case "bool": return { name: dtype, dtype, values: values((row) => row % 3 === 0) };
      case "float32": case "float64": return { name: dtype, dtype, values: values((row) => row / 4) };
      case "string": return { name: dtype, dtype, values: values((row) => `é${row % 50}`) };
      case "bytes": return { name: dtype, dtype, values: values((row) => Uint8Array.of(row % 50, 255)) };
      case "int8": case "uint8": return { name: dtype, dtype, values: values((row) => BigInt(row % 100)) };
      default: return { name: dtype, dtype, values: values((row) => BigInt(row * 7 % 30_000)) };
    }
  });
  return [...columns, { name: "many", dtype: "string", values: values((row) => `text ${row}`) }, { name: "none", dtype: "string", values: Array.from({ length: rows }, () => null) }, { name: "empty at last", dtype: "string", values: values((row) => (row < chunkRows ? `${row}` : "")) }];
}

describe("rows that wait for their chunk to be full", function () {
  this.timeout(60_000);
  let folder = "";
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), "bqueryd-test-")); });
  afterEach(async () => { await rm(folder, { recursive: true }); });

  /** Tells the names of files that were written, and not only made whole at once. */
  function watch(): { files: Files; appended: Set<string> } {
    const appended = new Set<string>();
    return { appended, files: { ...unsyncedFiles, append: async (path, bytes) => { appended.add(path); await unsyncedFiles.append(path, bytes); } } };
  }

  async function write(path: string, columns: readonly PlainColumn[], options: { waitingBytesMax: number; codec?: "lz4" | "zstd"; files?: Files }): Promise<string> {
    const rows = columns[0]!.values.length;
    const writer = await createTables({ paths: [path], columns, set: false, replace: false, sort: null, files: unsyncedFiles, dictionaryValuesMax: 1_000, ...options });
    for (let from = 0; from < rows; from += 4_000) await writer.append(0, columns.map(({ dtype, values }) => batchOf(dtype, values.slice(from, from + 4_000))));
    return (await writer.commit())[0]!.generation;
  }

  for (const codec of ["lz4", "zstd"] as const) {
    it(`come out of files as they come out of memory (${codec}), and the files go`, async () => {
      const columns = everyDtype(chunkRows + 9_000);
      const { files, appended } = watch();
      const inMemory = await write(join(folder, "a.bcolz"), columns, { waitingBytesMax: Infinity, codec, files });
      const usual = appended.size;
      const inFiles = await write(join(folder, "b.bcolz"), columns, { waitingBytesMax: 0, codec, files });
      expect(appended.size - 2 * usual, "files besides those of the columns").to.be.at.least(dtypes.length);
      expect(inFiles).to.equal(inMemory);
      expect((await readdir(join(folder, "b.bcolz"))).sort()).to.deep.equal((await readdir(join(folder, "a.bcolz"))).sort());
    });
  }

  it("go when the writing is given up", async () => {
    const columns = everyDtype(9_000);
    const writer = await createTables({ paths: [join(folder, "a.bcolz")], columns, set: false, replace: false, sort: null, files: unsyncedFiles, waitingBytesMax: 0 });
    await writer.append(0, columns.map(({ dtype, values }) => batchOf(dtype, values)));
    expect((await readdir(join(folder, "a.bcolz"))).filter((name) => name.endsWith(".tmp"))).to.not.deep.equal([]);
    await writer.abort();
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("may be those of the table that is appended to", async () => {
    const columns = everyDtype(12_000);
    const first = columns.map((column) => ({ ...column, values: column.values.slice(0, 9_000) }));
    const rest = columns.map((column) => ({ ...column, values: column.values.slice(9_000) }));
    for (const name of ["a.bcolz", "b.bcolz"]) await writeTable(join(folder, name), first, { dictionaryValuesMax: 10_000 });
    const inMemory = await appendRows(join(folder, "a.bcolz"), rest, { dictionaryValuesMax: 10_000 });
    const inFiles = await appendRows(join(folder, "b.bcolz"), rest, { dictionaryValuesMax: 10_000, waitingBytesMax: 0 });
    expect(inFiles).to.equal(inMemory);
    expect(readTable(join(folder, "b.bcolz")).get("many")).to.deep.equal(columns.find(({ name }) => name === "many")!.values);
    await (await appendToTable({ path: join(folder, "b.bcolz"), columns, sort: null, files: unsyncedFiles, waitingBytesMax: 0 })).abort();
    expect(await readdir(join(folder, "b.bcolz"))).to.satisfy((names: string[]) => names.every((name) => !name.endsWith(".tmp")));
  });

  for (const codec of ["lz4", "zstd"] as const) {
    it(`may be tens of megabytes of text, some of it in files (${codec})`, async () => {
      const values = Array.from({ length: 300 }, (_, row) => (row % 50 === 7 ? null : `é${row} `.repeat(row % 3 === 0 ? 0 : 30_000)));
      const { files, appended } = watch();
      const path = join(folder, "a.bcolz");
      const writer = await createTables({ paths: [path], columns: [{ name: "v", dtype: "string" }], set: false, replace: false, sort: null, files, codec, dictionaryValuesMax: 0 });
      for (let from = 0; from < values.length; from += 60) await writer.append(0, [batchOf("string", values.slice(from, from + 60))]);
      await writer.commit();
      expect(appended.size).to.equal(2);
      const heapBytes = 256 * 1024 * 1024;
      expect(readTable(path, createHeap(loadKernels(heapBytes), heapBytes)).get("v")).to.deep.equal(values);
    });
  }

  it("are refused by the name of their column when their texts are too long for a chunk", async () => {
    const values = { ...packBytes([new Uint8Array(30 * 1024 * 1024)]), codes: new Uint32Array(9) };
    const writer = await createTables({ paths: [join(folder, "a.bcolz")], columns: [{ name: "essay", dtype: "bytes" }], set: false, replace: false, sort: null, files: unsyncedFiles, dictionaryValuesMax: 0 });
    const failure = await failureOf(() => writer.append(0, [{ dtype: "bytes", rows: 9, nulls: null, values }]));
    expect([failure.code, failure.details["column"]]).to.deep.equal(["MEMORY_LIMIT", "essay"]);
    expect(failure.message).to.include("'essay'");
    await writer.abort();
    expect(await readdir(folder)).to.deep.equal([]);
  });
});

describe("a chunk of long texts", () => {
  const kinds: readonly (readonly [string, (row: number) => Uint8Array | null])[] = [
    ["texts that shrink", (row) => Buffer.from(`row ${row % 7} `.repeat(row % 30))],
    ["texts that do not", (row) => randomBytes(row % 40 + 90)],
    ["texts and nulls", (row) => (row % 3 === 1 ? null : Buffer.from(`row ${row * row} `))],
    ["one text among empty ones", (row) => Buffer.from(row === 0 ? "one" : "")],
  ];
  for (const codec of ["lz4", "zstd"] as const) {
    for (const [what, make] of kinds) {
      it(`of ${what} is encoded as it is from memory (${codec})`, async () => {
        for (const rows of [1, 3, 1_000, 20_000]) {
          const values = Array.from({ length: rows }, (_, row) => make(row));
          const expected = await encodeValues("bytes", values, { codec });
          const { offsets, bytes } = packBytes(values);
          const nulls = new Uint8Array(Math.ceil(rows / 8));
          values.forEach((value, row) => { if (value === null) nulls[row >> 3]! |= 1 << (row & 7); });
          const nullCount = values.filter((value) => value === null).length;
          const arena = createArena();
          arena.start(1_000_000 + 2 * bytes.length);
          const { stored, record } = await encodeLongTexts(arena, { rows, nulls, nullCount, offsets, load: async (target) => { target.set(bytes); } }, codec);
          expect(record).to.deep.equal(expected.record);
          expect(Buffer.compare(stored, expected.stored)).to.equal(0);
        }
      });
    }
  }
});
