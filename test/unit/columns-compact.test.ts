import { expect } from "chai";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { compactTable } from "../../lib/columns/write/compact.js";
import { openTable } from "../../lib/columns/read/open.js";
import { appendRows } from "../support/append-rows.js";
import { failureOf } from "../support/failure.js";
import { readTable } from "../support/read-table.js";
import { unsyncedFiles, writeShards, writeTable, type PlainColumn } from "../support/write-table.js";

describe("compacting a table", () => {
  let folder = "";
  let path = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    path = join(folder, "taxi.bcolz");
  });
  afterEach(() => rm(folder, { recursive: true }));

  const files = unsyncedFiles;
  const columns = (rows: number): PlainColumn[] => [
    { name: "number", dtype: "uint16", values: Array.from({ length: rows }, (_, row) => (row % 9 === 0 ? null : BigInt(row % 60_000))) },
    { name: "word", dtype: "string", values: Array.from({ length: rows }, (_, row) => `w${row % 300}`) },
    { name: "same", dtype: "string", values: Array.from({ length: rows }, (_, row) => `w${row % 300}`) },
  ];

  /** A table of three segments a column. */
  async function writeScattered(): Promise<string> {
    await writeTable(path, columns(70_000));
    await appendRows(path, columns(66_000));
    return appendRows(path, columns(40_000));
  }

  it("gives each column one segment with the same rows, and keeps the generation before", async () => {
    const before = await writeScattered();
    const rows = readTable(path);
    const compaction = await compactTable(path, { files });
    const { footer, generation } = openTable(path);
    expect(compaction).to.include({ name: "taxi.bcolz", generation, isNew: true, rows: 176_000, filesBefore: 13, files: 5 });
    expect(footer.columns.every(({ segments }) => segments.length === 1)).to.equal(true);
    expect(readTable(path)).to.deep.equal(rows);
    expect(openTable(path, { generation: before }).rows).to.equal(176_000);
    expect(await readdir(path)).to.not.include("LOCK");
  });

  it("leaves a table alone that has nothing to join", async () => {
    const before = await writeTable(path, columns(10));
    const names = await readdir(path);
    expect(await compactTable(path, { files })).to.include({ generation: before, isNew: false });
    expect(await readdir(path)).to.have.members(names);
    await writeShards([join(folder, "s-0.bcolzs"), join(folder, "s-1.bcolzs")], columns(10));
    expect(await compactTable(join(folder, "s-0.bcolzs"), { files })).to.include({ isNew: false });
  });

  it("does not copy a damaged chunk, and leaves the table as it was", async () => {
    const before = await writeScattered();
    const { data } = openTable(path).footer.columns[0]!.segments[1]!;
    const bytes = await readFile(join(path, data));
    bytes[1]! ^= 1;
    await writeFile(join(path, data), bytes);
    const names = await readdir(path);
    const failure = await failureOf(() => compactTable(path, { files }));
    expect(failure.code).to.equal("CORRUPT_CHUNK");
    expect(failure.details).to.include({ column: "number", chunk: 1 });
    expect(await readdir(path)).to.have.members(names);
    expect(openTable(path).generation).to.equal(before);
  });

  it("stops when told and tells how far it is", async () => {
    const before = await writeScattered();
    const names = await readdir(path);
    const stopped = new AbortController();
    let last = [0, 0];
    const failure = await failureOf(() => compactTable(path, {
      files, signal: stopped.signal,
      onProgress(done, total) {
        last = [done, total];
        stopped.abort();
      },
    }));
    expect(failure.code).to.equal("CANCELLED");
    expect(last[0]).to.be.within(1, last[1]!);
    expect(await readdir(path)).to.have.members(names);
    expect(openTable(path).generation).to.equal(before);
  });

  it("says where there is no table", async () => {
    expect((await failureOf(() => compactTable(join(folder, "none.bcolz")))).code).to.equal("NOT_FOUND");
  });
});
