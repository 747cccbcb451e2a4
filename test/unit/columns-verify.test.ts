import { expect } from "chai";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { compactTable } from "../../lib/columns/write/compact.js";
import { openTable } from "../../lib/columns/read/open.js";
import { sha256Hex } from "../../lib/columns/files/footer.js";
import type { VerifyJob } from "../../lib/columns/verify/jobs.js";
import { runJobs } from "../../lib/columns/verify/pool.js";
import { verifyTable } from "../../lib/columns/verify/verify.js";
import { createTables } from "../../lib/columns/write/writer.js";
import { appendRows } from "../support/append-rows.js";
import { failureOf } from "../support/failure.js";
import { writeRawBcolz } from "../support/bcolz-directory.js";
import { unsyncedFiles, writeTable, type PlainColumn } from "../support/write-table.js";

let folder = "";
let path = "";
/** Gives each test of a group a folder, and the path of a table in it. */
function useFolder(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    path = join(folder, "taxi.bcolz");
  });
  afterEach(() => rm(folder, { recursive: true }));
}

describe("verifying a table", () => {
  useFolder();

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

  it("stops reading when the thread beside it has failed", async function () {
    this.timeout(60_000);
    await writeTable(path, columns(1));
    const blob = Buffer.alloc(4 * 1024 * 1024, 7);
    await writeFile(join(path, "blob"), blob);
    const jobs: VerifyJob[] = Array.from({ length: 40 }, () => ({ kind: "hash", file: "blob", bytes: blob.length, sha256: sha256Hex(blob), column: null }));
    jobs.push({ kind: "decode", generation: "0".repeat(64), column: 0, from: 0, to: 1, bytes: 1 << 29 });
    let bytes = 0;
    const failure = await failureOf(() => runJobs(jobs, { directory: path, onBytes: (more) => { bytes += more; }, signal: undefined }));
    expect(failure.code).to.equal("GENERATION_GONE");
    const atEnd = bytes;
    for (let turn = 0; turn < 100; turn++) await setImmediate();
    expect(bytes).to.equal(atEnd).and.to.be.below(40 * blob.length);
  });

  it("reads no more of a file than it may hold", async function () {
    this.timeout(60_000);
    await writeTable(path, columns(1));
    const { generation } = openTable(path);
    for (const [name, found] of [[`${generation}.json`, "its SHA-256 differs"], ["CURRENT", "is not a list of generations"]] as const) {
      // A hole, which takes no room on the disk.
      await truncate(join(path, name), 3 * 1024 ** 3);
      expect((await failureOf(() => openTable(path))).code, name).to.equal("CORRUPT_FOOTER");
      expect((await verifyTable(path)).findings).to.deep.equal([{ file: name, column: null, chunk: null, offset: null, problem: found }]);
    }
    await writeFile(join(path, "LOCK"), "");
    await truncate(join(path, "LOCK"), 3 * 1024 ** 3);
    await writeTable(path, columns(2), { replace: true });
    expect(openTable(path).rows).to.equal(2);
  });

  it("says where there is no table", async () => {
    await mkdir(join(folder, "empty.bcolz"));
    for (const name of ["none.bcolz", "empty.bcolz"]) expect((await failureOf(() => verifyTable(join(folder, name)))).code).to.equal("NOT_FOUND");
    await writeFile(join(folder, "empty.bcolz", "__rootdirs__"), "{}");
    const failure = await failureOf(() => compactTable(join(folder, "empty.bcolz")));
    expect(failure.code).to.equal("TABLE_NOT_MANAGED");
  });
});

describe("verifying a table of bcolz", () => {
  useFolder();

  const int64s = (rows: number): Buffer => Buffer.from(BigInt64Array.from({ length: rows }, (_, row) => BigInt(row * row)).buffer);
  const writeTaxi = (): void => writeRawBcolz(path, [
    { name: "a", dtype: "int64", bytes: int64s(250), itemBytes: 8 }, { name: "s", dtype: "|S2", bytes: Buffer.from("ab".repeat(250)), itemBytes: 2 },
    { name: "u", dtype: "<U1", bytes: Buffer.from(Uint32Array.from({ length: 250 }, () => 0x61).buffer), itemBytes: 4 }, { name: "t", dtype: "datetime64[D]", bytes: int64s(250), itemBytes: 8 },
  ]);

  it("decodes every chunk, says that there are no checksums, and writes nothing", async () => {
    writeTaxi();
    const before = await readdir(path, { recursive: true });
    const seen: [number, number][] = [];
    const verification = await verifyTable(path, { onProgress: (done, total) => seen.push([done, total]) });
    expect(verification).to.deep.include({ name: "taxi.bcolz", hasChecksums: false, refused: [], findings: [], files: 12, bytes: seen[0]![1] });
    expect(seen.at(-1)).to.deep.equal([verification.bytes, verification.bytes]);
    expect(await readdir(path, { recursive: true })).to.deep.equal(before);
  });

  it("locates every chunk that cannot be decoded, or holds what is no value, and goes on", async () => {
    writeTaxi();
    const chunk = (column: string, number: number): string => join(path, column, "data", `__${number}.blp`);
    await writeFile(chunk("a", 0), (await readFile(chunk("a", 0))).subarray(0, 400));
    await writeFile(chunk("a", 2), "");
    await appendFile(chunk("s", 1), "more");
    const strange = await readFile(chunk("u", 1));
    strange.writeUInt32LE(0x110000, 32 + 4 * 17);
    await writeFile(chunk("u", 1), strange);
    const far = await readFile(chunk("t", 2));
    far.writeBigInt64LE(2n ** 40n, 32);
    await writeFile(chunk("t", 2), far);
    const { findings, name } = await verifyTable(path);
    expect(name).to.equal("taxi.bcolz");
    expect(findings.map(({ file, column, chunk: number }) => [file, column, number])).to.deep.equal([["a/data/__0.blp", "a", 0], ["a/data/__2.blp", "a", 2], ["u/data/__1.blp", "u", 1], ["t/data/__2.blp", "t", 2]]);
    expect(findings.map(({ problem }) => problem)).to.satisfy((problems: string[]) => problems.every((problem) => problem !== "" && !problem.includes(";")));
  });

  it("goes on with the other columns when one has lost a chunk or its metadata, and names columns that it cannot look at", async () => {
    writeTaxi();
    await unlink(join(path, "a", "data", "__1.blp"));
    await writeFile(join(path, "s", "meta", "sizes"), "{");
    await writeFile(join(path, "u", "meta", "storage"), '{"dtype": "object", "chunklen": 100}');
    const { findings, refused, files } = await verifyTable(path);
    expect(findings.map(({ file, column, problem }) => [file, column, problem])).to.deep.equal([["a", "a", "column 'a' lacks chunk __1.blp of 3"], ["s", "s", "meta/sizes of column 's' is not JSON"]]);
    expect([refused.map((column) => column.name), files]).to.deep.equal([["u"], 3]);
    await writeFile(join(path, "__rootdirs__"), "{}");
    expect((await verifyTable(path)).findings.map(({ file }) => file)).to.deep.equal(["__rootdirs__"]);
  });

  it("ends between two chunks when it is interrupted", async () => {
    writeTaxi();
    const stopped = new AbortController();
    const failure = await failureOf(() => verifyTable(path, { signal: stopped.signal, onProgress: () => { stopped.abort(); } }));
    expect(failure.code).to.equal("CANCELLED");
  });
});
