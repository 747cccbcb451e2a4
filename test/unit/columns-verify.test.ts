import { expect } from "chai";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { compactTable } from "../../lib/columns/write/compact.js";
import { openTable } from "../../lib/columns/read/open.js";
import { verifyTable } from "../../lib/columns/verify/verify.js";
import { createTables } from "../../lib/columns/write/writer.js";
import { appendRows } from "../support/append-rows.js";
import { failureOf } from "../support/failure.js";
import { unsyncedFiles, writeTable, type PlainColumn } from "../support/write-table.js";

describe("verifying a table", () => {
  let folder = "";
  let path = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    path = join(folder, "taxi.bcolz");
  });
  afterEach(() => rm(folder, { recursive: true }));

  const columns = (rows: number): PlainColumn[] => [
    { name: "number", dtype: "int32", values: Array.from({ length: rows }, (_, row) => BigInt(row * row % 99_991)) },
    { name: "word", dtype: "string", values: Array.from({ length: rows }, (_, row) => `w${row % 300}`) },
  ];

  async function flip(name: string, at: number): Promise<void> {
    const bytes = await readFile(join(path, name));
    bytes[at]! ^= 0x10;
    await writeFile(join(path, name), bytes);
  }

  it("finds nothing in one that is whole, counts every file once, and leaves everything as it was", async () => {
    await writeTable(path, columns(70_000));
    await appendRows(path, columns(10));
    const before = (await readdir(path)).sort();
    const progress: number[] = [];
    const { findings, name, generations, files, bytes } = await verifyTable(path, { onProgress: (done, total) => progress.push(done / total) });
    expect({ findings, name, generations }).to.deep.equal({ findings: [], name: "taxi.bcolz", generations: 2 });
    const named = before.filter((each) => /\.(col|idx|dict)$/.test(each));
    const sizes = await Promise.all(named.map(async (each) => (await readFile(join(path, each))).length));
    expect([files, bytes]).to.deep.equal([named.length, sizes.reduce((sum, size) => sum + size)]);
    expect(progress.at(-1)).to.be.closeTo(1, 0.01);
    expect((await readdir(path)).sort()).to.deep.equal(before);
  });

  it("locates a flipped byte in its chunk, and goes on to the next", async () => {
    await writeTable(path, columns(200_000));
    const column = openTable(path).footer.columns[0]!;
    const { data } = column.segments[0]!;
    const bytes = (await readFile(join(path, data))).length;
    await flip(data, 5);
    await flip(data, bytes - 1);
    const { findings } = await verifyTable(path);
    expect(findings.map(({ file, column: name, chunk }) => ({ file, name, chunk }))).to.deep.equal([{ file: data, name: "number", chunk: 0 }, { file: data, name: "number", chunk: 3 }]);
    expect(findings[0]).to.include({ offset: 0, problem: "its checksum differs" });
    expect(findings[1]!.offset).to.be.within(1, bytes - 1);
  });

  it("names the file for every other damage", async () => {
    const first = await writeTable(path, columns(1_000));
    const second = await appendRows(path, columns(5));
    const [number, word] = openTable(path).footer.columns;
    const dictionary = openTable(path).footer.dictionaries[0]!.file;
    await flip(number!.segments[0]!.index, 20);
    await flip(dictionary, 30);
    await unlink(join(path, word!.segments[0]!.data));
    await flip(`${first}.json`, 100);
    const { findings } = await verifyTable(path);
    const problems = new Map(findings.map(({ file, problem }) => [file, problem]));
    expect([...problems.keys()].sort()).to.deep.equal([number!.segments[0]!.index, dictionary, word!.segments[0]!.data, `${first}.json`].sort());
    expect(problems.get(`${first}.json`)).to.equal("its SHA-256 differs");
    expect(problems.get(word!.segments[0]!.data)).to.equal("is missing");
    expect(findings.find(({ file }) => file === dictionary)!.column).to.equal("word");
    await unlink(join(path, `${second}.json`));
    expect((await verifyTable(path)).findings.map(({ file }) => file)).to.include(`${second}.json`);
    await writeFile(join(path, "CURRENT"), "nonsense\n");
    expect((await verifyTable(path)).findings).to.deep.equal([{ file: "CURRENT", column: null, chunk: null, offset: null, problem: "is not a list of generations" }]);
  });

  it("finds bytes after the last chunk, and a chunk that only an earlier generation uses", async () => {
    await writeTable(path, columns(100));
    const { data } = openTable(path).footer.columns[0]!.segments[0]!;
    await appendFile(join(path, data), "x");
    expect((await verifyTable(path)).findings).to.have.length(1);
    const shortened = (await readFile(join(path, data))).subarray(0, -1);
    await writeFile(join(path, data), shortened);
    await appendRows(path, columns(5));
    await flip(data, 0);
    expect((await verifyTable(path)).findings).to.deep.include({ file: data, column: "number", chunk: 0, offset: 0, problem: "its checksum differs" });
  });

  it("works in threads for a large table, and stops when told", async function () {
    this.timeout(60_000);
    const random = seededRandom(5);
    const noise = { dtype: "int64" as const, rows: 65_536, nulls: null, values: BigInt64Array.from({ length: 65_536 }, () => BigInt(Math.floor(random() * 2 ** 53)) * 1_023n) };
    const writer = await createTables({ paths: [path], columns: [{ name: "a", dtype: "int64" }, { name: "b", dtype: "int64" }], set: false, replace: false, sort: null, files: unsyncedFiles });
    for (let chunk = 0; chunk < 150; chunk++) {
      noise.values[0] = BigInt(chunk);
      await writer.append(0, [noise, { ...noise, values: noise.values.map((value) => value + 1n) }]);
    }
    await writer.commit();
    const { data } = openTable(path).footer.columns[1]!.segments[0]!;
    await flip(data, Math.floor((await readFile(join(path, data))).length * 0.9));
    const { findings } = await verifyTable(path);
    expect(findings).to.have.length(1);
    expect(findings[0]).to.include({ file: data, column: "b" });
    const stopped = new AbortController();
    const failure = await failureOf(() => verifyTable(path, { signal: stopped.signal, onProgress: () => { stopped.abort(); } }));
    expect(failure.code).to.equal("CANCELLED");
  });

  it("says where there is no table", async () => {
    await mkdir(join(folder, "empty.bcolz"));
    for (const name of ["none.bcolz", "empty.bcolz"]) expect((await failureOf(() => verifyTable(join(folder, name)))).code).to.equal("NOT_FOUND");
    await writeFile(join(folder, "empty.bcolz", "__rootdirs__"), "{}");
    for (const work of [verifyTable, compactTable]) {
      const failure = await failureOf(() => work(join(folder, "empty.bcolz")));
      expect(failure.code).to.equal("UNSUPPORTED_FORMAT");
      expect(failure.message).to.include("Python's bcolz");
    }
  });
});
