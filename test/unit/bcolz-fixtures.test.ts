import { expect } from "chai";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "mocha";
import { openTable } from "../../lib/columns/read/open.js";
import { readRawColumn } from "../support/bcolz-decoder.js";
import { bytesAsStored, readExpected, unpackBcolz, type Expected } from "../support/bcolz-fixtures.js";
import { failureOf } from "../support/failure.js";
import { createReadHeap, readTable } from "../support/read-table.js";

const dtypeOf: Readonly<Record<string, string>> = { "|": "string", "<": "string", "datetime64[ns]": "timestamp", "datetime64[D]": "date" };

describe("tables of the real bcolz", () => {
  const heap = createReadHeap();
  let temporary: string;
  let folder: string;
  let fixtures: Expected[];
  before(async () => {
    temporary = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    folder = unpackBcolz(temporary);
    fixtures = readExpected(folder);
  });
  after(() => rm(temporary, { recursive: true }));

  /** The bytes of columns by their SHA-256, from the codecs that Node and the LZ4 library know. */
  function decodeIndependently(): Map<string, Buffer> {
    const known = new Map<string, Buffer>();
    for (const { name: table, columns, kind } of fixtures) {
      for (const { name, itemsize, sha256, shape } of kind === "ctable" && !/blosclz|snappy|zstd/.test(table) ? columns : []) {
        if (sha256 === undefined || shape.length > 1) continue;
        const { bytes } = readRawColumn(join(folder, table), name, itemsize);
        expect(createHash("sha256").update(bytes).digest("hex"), `${table}/${name}`).to.equal(sha256);
        known.set(sha256, bytes);
      }
    }
    return known;
  }

  it("give every value of every dtype, codec, filter and chunk length", function () {
    this.timeout(60_000);
    const raw = decodeIndependently();
    let compared = 0;
    for (const { name: table, columns, kind, nrows } of fixtures) {
      if (kind !== "ctable") continue;
      const read = readTable(join(folder, table), heap);
      for (const column of columns) {
        const values = read.get(column.name);
        if (values === undefined) continue;
        expect(values, `${table}/${column.name}`).to.have.length(nrows);
        const bytes = bytesAsStored(values, column);
        const hash = createHash("sha256").update(bytes).digest("hex");
        // Of floats the bits may differ, where a -0.0 became 0.0.
        if (hash !== column.sha256) expectEqualFloats(bytes, raw.get(column.sha256!)!, `${table}/${column.name}`, column.itemsize);
        compared++;
      }
    }
    expect(fixtures.filter(({ kind }) => kind === "ctable").length).to.be.above(40);
    expect(compared).to.be.above(200);
  });

  it("have the dtypes that belong to those of NumPy", () => {
    for (const { name: table, columns, kind, nrows } of fixtures) {
      if (kind !== "ctable") continue;
      const open = openTable(join(folder, table));
      const read = new Map(open.columns.map(({ name, dtype }) => [name, dtype]));
      for (const { name, dtype } of columns) {
        if (read.has(name)) expect(read.get(name), `${table}/${name}`).to.equal(dtypeOf[dtype] ?? dtypeOf[dtype[0]!] ?? dtype);
      }
      expect(open.rows).to.equal(nrows);
      open.close();
    }
  });

  it("refuse object and multidimensional columns by name, and give the others", async () => {
    for (const [table, column, what] of [["object.bcolz", "o", "Python objects"], ["ndcols.bcolz", "m22", "multidimensional (2 x 2"]] as const) {
      const open = openTable(join(folder, table));
      const failure = await failureOf(() => open.column(column));
      expect(failure.code).to.equal("UNSUPPORTED_DTYPE");
      expect(failure.message).to.include(`'${column}'`).and.include(what);
      expect(open.columns.map(({ name }) => name)).to.deep.equal(["i64"]);
      expect(open.refused?.map(({ name }) => name)).to.include(column);
      open.close();
      expect(readTable(join(folder, table), heap).get("i64")!.slice(0, 3)).to.deep.equal([0n, 1n, 2n]);
    }
  });

  it("refuse a bare array", async () => {
    const failure = await failureOf(() => openTable(join(folder, "carray_f64.bcolz")));
    expect(failure.code).to.equal("UNSUPPORTED_FORMAT");
    expect(failure.message).to.include("single array");
  });

  it("have statistics that hold for every chunk", () => {
    const table = openTable(join(folder, "taxi.bcolz"));
    const values = readTable(join(folder, "taxi.bcolz"), heap);
    for (const column of table.columns) {
      for (let chunk = 0; chunk < column.chunkCount; chunk++) {
        const { minimum, maximum, nullCount, rows } = column.statistics(chunk);
        const own = values.get(column.name)!.slice(chunk * 65_536, chunk * 65_536 + rows);
        const present = own.filter((value) => value !== null).map((value) => (typeof value === "string" ? Buffer.from(value).toString("latin1") : value));
        const expected = [present.reduce((least, value) => (value < least ? value : least)), present.reduce((most, value) => (value > most ? value : most))];
        const found = [minimum, maximum].map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : column.dtype === "bool" ? value === 1n : value));
        expect(found, `${column.name} ${chunk}`).to.deep.equal(expected);
        expect(nullCount).to.equal(own.length - present.length);
      }
    }
    table.close();
  });
});

function expectEqualFloats(read: Buffer, stored: Buffer, what: string, itemBytes: number): void {
  const at = (bytes: Buffer, place: number): number => (itemBytes === 4 ? bytes.readFloatLE(place) : bytes.readDoubleLE(place));
  expect(read.length, what).to.equal(stored.length);
  for (let place = 0; place < stored.length; place += itemBytes) {
    const [found, wanted] = [at(read, place), at(stored, place)];
    if (!Object.is(found, wanted + 0)) throw new Error(`${what}: ${found} at byte ${place} instead of ${wanted}`);
  }
}
