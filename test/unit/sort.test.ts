import { readdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import { isBitSet } from "../../lib/columns/bits.js";
import { dtypes, isTextDtype, wholeRange } from "../../lib/columns/dtypes.js";
import type { Batch, Dtype } from "../../lib/columns/dtypes.js";
import { bytesAt, packBytes, packStrings, unpackStrings } from "../../lib/columns/texts.js";
import { sliceBatch } from "../../lib/columns/slice-batch.js";
import { widthOf } from "../../lib/columns/files/encodings.js";
import { batchBytes, fixedBatch } from "../../lib/formats/values/batches.js";
import { findDisorder, keysOf } from "../../lib/formats/sort/keys.js";
import { createSorter } from "../../lib/formats/sort/sorter.js";
import type { SortSpec } from "../../lib/formats/sort/sorter.js";
import { failureOf } from "../support/failure.js";

type Cell = bigint | number | Uint8Array | null;

/** A batch of cells; texts are coded where asked, each distinct one an entry. */
function batchOf(dtype: Dtype, cells: readonly Cell[], isCoded = false): Batch {
  const nulls = cells.includes(null) ? new Uint8Array((cells.length + 7) >> 3) : null;
  cells.forEach((cell, row) => { if (cell === null) nulls![row >> 3]! |= 1 << (row & 7); });
  if (isTextDtype(dtype)) {
    const texts = cells.map((cell) => (cell instanceof Uint8Array ? cell : null));
    if (!isCoded) return { dtype, rows: cells.length, nulls, values: packBytes(texts) };
    const distinct = [...new Map(texts.map((text) => [Buffer.from(text ?? []).toString("hex"), text])).keys()];
    const codes = Uint32Array.from(texts, (text) => distinct.indexOf(Buffer.from(text ?? []).toString("hex")));
    return { dtype, rows: cells.length, nulls, values: { ...packBytes(distinct.map((hex) => Buffer.from(hex, "hex"))), codes } };
  }
  const batch = fixedBatch(dtype, { rows: cells.length, nulls }, new ArrayBuffer(cells.length * widthOf(dtype)));
  cells.forEach((cell, row) => {
    if (batch.values instanceof BigInt64Array || batch.values instanceof BigUint64Array) batch.values[row] = typeof cell === "bigint" ? cell : 0n;
    else batch.values[row] = Number(cell ?? 0);
  });
  return batch;
}

function cellsOf(batch: Batch): Cell[] {
  return Array.from({ length: batch.rows }, (_, row) => {
    if (isBitSet(batch.nulls, row)) return null;
    if (batch.dtype === "string" || batch.dtype === "bytes") return Buffer.from(bytesAt(batch.values, row));
    const value = batch.values[row]!;
    return typeof value === "bigint" ? value : value;
  });
}

/** The plain order: nulls and NaN last, bytes unsigned, 0.0 and -0.0 alike. */
function compareCells(a: Cell, b: Cell): number {
  const [noA, noB] = [a === null || Number.isNaN(a), b === null || Number.isNaN(b)];
  if (noA || noB) return Number(noA) - Number(noB);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return a! < b! ? -1 : a! > b! ? 1 : 0;
}

async function sortCells(dtype: Dtype, runs: readonly Batch[], spec: Partial<SortSpec>): Promise<{ cells: Cell[]; places: number[] }> {
  const sorter = createSorter({ dtypes: [dtype, "uint32"], by: 0, near: join(tmpdir(), "x"), ...spec });
  try {
    let row = 0;
    for (const batch of runs) {
      await sorter.push([batch, fixedBatch("uint32", { rows: batch.rows, nulls: null }, Uint32Array.from({ length: batch.rows }, () => row++).buffer)]);
    }
    expect(sorter.rows).to.equal(row);
    const found: { cells: Cell[]; places: number[] } = { cells: [], places: [] };
    for await (const [cells, places] of sorter.sorted()) {
      found.cells.push(...cellsOf(cells!));
      found.places.push(...cellsOf(places!).map(Number));
    }
    return found;
  } finally {
    await sorter.close();
  }
}

function arbitraryCell(dtype: Dtype): fc.Arbitrary<Cell> {
  if (isTextDtype(dtype)) {
    const long = fc.tuple(fc.constantFrom("", "common prefix, quite long ", "\0\0\0\0\0\0\0\0\0"), fc.constantFrom("", "a", "a\0", "ab", "abcdefgh", "abcdefgh\0", "abcdefghi", "ü", "\u{1f600}", "\uffff"));
    return fc.option(fc.oneof(long.map(([a, b]) => Buffer.from(a + b)), fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes))));
  }
  if (dtype === "float32") return fc.option(fc.oneof(fc.float(), fc.constantFrom(0, -0, NaN, Infinity, -Infinity)).map(Math.fround));
  if (dtype === "float64") return fc.option(fc.oneof(fc.double(), fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 5e-324)));
  const { least, greatest } = wholeRange(dtype);
  const whole = fc.oneof(fc.bigInt({ min: least, max: greatest }), fc.constantFrom(least, greatest), fc.bigInt({ min: least < -3n ? -3n : least, max: greatest < 3n ? greatest : 3n }));
  return fc.option(whole.map((value) => (widthOf(dtype) === 8 ? value : Number(value))));
}

describe("sorting", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-sort-"));
  });
  afterEach(() => {
    expect(readdirSync(folder)).to.deep.equal([]);
    rmSync(folder, { recursive: true });
  });

  for (const dtype of dtypes) {
    it(`orders ${dtype} stably with nulls last, in memory or in as many runs as it takes`, async () => {
      const runs = fc.array(fc.tuple(fc.array(arbitraryCell(dtype), { maxLength: 300 }), fc.boolean()), { maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(runs, fc.constantFrom(1, 5_000, 1e9), async (given, budgetBytes) => {
          const batches = given.map(([cells, isCoded]) => batchOf(dtype, cells, isCoded));
          const all = batches.flatMap(cellsOf);
          const expected = all.map((cell, place) => ({ cell, place })).sort((a, b) => compareCells(a.cell, b.cell) || a.place - b.place);
          const found = await sortCells(dtype, batches, { near: join(folder, "t"), budgetBytes, runsAtOnce: 2 });
          expect(found.places).to.deep.equal(expected.map(({ place }) => place));
          expect(found.cells).to.deep.equal(expected.map(({ cell }) => cell));
        }),
        { numRuns: 60 },
      );
    });
  }

  it("finds the first row out of order, and none in sorted rows", () => {
    for (const dtype of dtypes) {
      fc.assert(fc.property(fc.array(arbitraryCell(dtype), { maxLength: 20 }), (cells) => {
        const expected = cells.findIndex((cell, row) => row > 0 && compareCells(cells[row - 1]!, cell) > 0);
        expect(findDisorder(keysOf(batchOf(dtype, cells)))).to.equal(expected);
      }));
    }
  });

  it("takes many rows in many runs, several merges deep", async () => {
    const rows = 300_000;
    const values = Int32Array.from({ length: rows }, (_, row) => Math.imul(row, 0x9e3779b1) >> 8);
    const whole = fixedBatch("int32", { rows, nulls: null }, values.buffer);
    const runs = Array.from({ length: 30 }, (_, run) => sliceBatch(whole, run * 10_000, (run + 1) * 10_000));
    const { cells, places } = await sortCells("int32", runs, { near: join(folder, "t"), budgetBytes: 300_000, runsAtOnce: 3 });
    expect(cells).to.deep.equal([...values].sort((a, b) => a - b));
    expect(new Set(places).size).to.equal(rows);
  });

  it("keeps batches of very wide rows apart", async () => {
    const wide = (letter: string): Uint8Array => Buffer.alloc(3_000_000, letter);
    const found = await sortCells("bytes", [batchOf("bytes", [wide("b"), wide("a")]), batchOf("bytes", [wide("c"), wide("a")])], { near: join(folder, "t"), budgetBytes: 1 });
    expect(found.places).to.deep.equal([1, 3, 0, 2]);
  });

  it("ends with CANCELLED when it is aborted in a merge", async () => {
    const interruption = new AbortController();
    const sorter = createSorter({ dtypes: ["int32"], by: 0, near: join(folder, "t"), budgetBytes: 1, signal: interruption.signal });
    for (let i = 0; i < 5; i++) await sorter.push([batchOf("int32", [i])]);
    interruption.abort();
    expect((await failureOf(async () => { for await (const batches of sorter.sorted()) expect(batches).to.equal(undefined); })).code).to.equal("CANCELLED");
    await sorter.close();
  });

  it("counts no bytes for texts whose entries are elsewhere", () => {
    const values = { offsets: new Uint32Array(0), bytes: new Uint8Array(0), codes: Uint32Array.of(0, 1) };
    expect(batchBytes({ dtype: "string", rows: 2, nulls: null, values })).to.equal(8);
  });

  it("counts a dictionary that batches share once, and compares its entries once", async () => {
    const entries = Array.from({ length: 100_000 }, (_, entry) => `entry ${(entry * 7_919) % 100_000} of many`);
    const dictionary = packStrings(entries);
    const sorter = createSorter({ dtypes: ["string"], by: 0, near: tmpdir(), budgetBytes: 8 * 1024 * 1024 });
    const codes = Array.from({ length: 40 }, (_, batch) => Uint32Array.from({ length: 1_000 }, (_value, row) => (row * 100 + batch * 37) % 100_000));
    for (const of of codes) await sorter.push([{ dtype: "string", rows: 1_000, nulls: null, values: { ...dictionary, codes: of } }]);
    const pieces: (string | null)[][] = [];
    for await (const [batch] of sorter.sorted()) if (batch?.dtype === "string") pieces.push(unpackStrings(batch.values, batch.nulls));
    await sorter.close();
    expect(pieces.length).to.equal(1);
    expect(pieces[0]).to.deep.equal(codes.flatMap((of) => [...of].map((code) => entries[code]!)).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  });

  it("of nothing gives nothing", async () => {
    expect(await sortCells("string", [], {})).to.deep.equal({ cells: [], places: [] });
  });
});
