import { expect } from "chai";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { wallMs } from "../../lib/base/clock.js";
import { describeTable } from "../../lib/columns/read/describe.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { inspectTable, showExtreme } from "../../lib/columns/read/inspect.js";
import { openTable } from "../../lib/columns/read/open.js";
import { createTables } from "../../lib/columns/write/writer.js";
import { packBytes } from "../../lib/columns/texts.js";
import { appendRows } from "../support/append-rows.js";
import { failureOf } from "../support/failure.js";
import { until } from "../support/until.js";
import { readTable, type StoredValue } from "../support/read-table.js";
import { batchOf, unsyncedFiles, writeShards, writeTable, type PlainColumn } from "../support/write-table.js";

let folder = "";
/** Gives each test a folder; not a hook of the file, which would run around the tests of all files. */
function useFolder(): void {
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), "bqueryd-test-")); });
  afterEach(async () => { await rm(folder, { recursive: true }); });
}

function column(dtype: Dtype, values: readonly StoredValue[], name = "v"): PlainColumn {
  return { name, dtype, values };
}

function shardPaths(count: number): string[] {
  return Array.from({ length: count }, (_, shard) => join(folder, `taxi-${shard}.bcolzs`));
}

/** Makes every file in a directory as old as two hours. */
async function age(directory: string): Promise<void> {
  const seconds = wallMs() / 1000 - 7_200;
  for (const name of await readdir(directory)) await utimes(join(directory, name), seconds, seconds);
}

describe("writing a table", () => {
  useFolder();

  it("shows nothing before the commit, and the directory then holds what the footer names alone", async () => {
    const path = join(folder, "new", "taxi.bcolz");
    const writer = await createTables({ paths: [path], columns: [{ name: "v", dtype: "int64" }], set: false, replace: false, sort: "v", files: unsyncedFiles });
    await writer.append(0, [batchOf("int64", [1n, 2n])]);
    expect((await failureOf(() => openTable(path))).code).to.equal("NOT_FOUND");
    const [committed] = await writer.commit();
    expect(committed).to.include({ name: "taxi.bcolz", rows: 2 });
    const { generation, footer } = openTable(path);
    expect(committed!.generation).to.equal(generation);
    expect(footer.sort).to.equal("v");
    expect((await readdir(path)).sort()).to.deep.equal(["CURRENT", `${generation}.json`, ...footer.files.map((file) => file.name)].sort());
  });

  it("gives equal content equal generations, however the rows arrive", async () => {
    const values = Array.from({ length: 70_000 }, (_, row) => (row % 11 === 0 ? null : `v${row % 300}`));
    const whole = await writeTable(join(folder, "a.bcolz"), [column("string", values)]);
    const writer = await createTables({ paths: [join(folder, "b.bcolz")], columns: [{ name: "v", dtype: "string" }], set: false, replace: false, sort: null, files: unsyncedFiles });
    for (let from = 0; from < values.length; from += 9_999) await writer.append(0, [batchOf("string", values.slice(from, from + 9_999))]);
    const [pieces] = await writer.commit();
    expect(pieces!.generation).to.equal(whole);
    expect(readTable(join(folder, "b.bcolz")).get("v")).to.deep.equal(values);
  });

  it("lets equal columns share their files", async () => {
    await writeTable(join(folder, "a.bcolz"), [column("int64", [1n, 5n], "a"), column("int64", [1n, 5n], "b")]);
    const { columns, files } = openTable(join(folder, "a.bcolz")).footer;
    expect(columns[0]!.segments).to.deep.equal(columns[1]!.segments);
    expect(files).to.have.length(2);
  });

  it("writes tables without rows and columns of nulls alone", async () => {
    const path = join(folder, "empty.bcolz");
    await writeTable(path, [column("int64", []), column("string", [], "s")]);
    expect(describeTable(path)).to.include({ rows: 0, bytes: 0 });
    await writeTable(path, [column("string", [null, null])], { replace: true });
    expect(readTable(path).get("v")).to.deep.equal([null, null]);
    expect(openTable(path).footer.columns[0]!.dictionary).to.equal(null);
  });

  it("leaves nothing behind when aborted, not even the folders it made", async () => {
    const path = join(folder, "new", "deep", "taxi.bcolz");
    const writer = await createTables({ paths: [path], columns: [{ name: "v", dtype: "int64" }], set: false, replace: false, sort: null, files: unsyncedFiles });
    await writer.append(0, [batchOf("int64", Array.from({ length: 70_000 }, () => 1n))]);
    await writer.abort();
    await writer.abort();
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("refuses what cannot be a table", async () => {
    const columns = [{ name: "v", dtype: "int64" as const }];
    const spec = { paths: [join(folder, "a.bcolz")], columns, set: false, replace: false, sort: null, files: unsyncedFiles };
    const refused = [
      { ...spec, paths: [join(folder, "a b.bcolz")] }, { ...spec, paths: [] }, { ...spec, paths: [...spec.paths, ...spec.paths] },
      { ...spec, columns: [...columns, ...columns] }, { ...spec, columns: [{ name: "x".repeat(1_025), dtype: "int64" as const }] },
      { ...spec, sort: "w" }, { ...spec, set: true },
    ];
    for (const bad of refused) expect((await failureOf(() => createTables(bad))).code).to.equal("BAD_INPUT");
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("takes any column name up to its limit, and gives it back as it was", async () => {
    const names = ["", "__proto__", "constructor", "../x", "/etc/passwd", "a,b", 'a"b', "a\nb", "\u0000", "🚕", "🚕".repeat(63), "é".repeat(127), "x".repeat(1_024), "\ud800", "e\u0301", "\u00e9"];
    const path = join(folder, "a.bcolz");
    await writeTable(path, names.map((name, at) => column("int64", [BigInt(at)], name)));
    await appendRows(path, names.map((name, at) => column("int64", [BigInt(-at)], name)));
    expect(openTable(path).columns.map(({ name }) => name)).to.deep.equal(names);
    const read = readTable(path);
    names.forEach((name, at) => { expect(read.get(name), JSON.stringify(name)).to.deep.equal([BigInt(at), BigInt(-at)]); });
    expect(await readdir(folder)).to.deep.equal(["a.bcolz"]);
  });

  it("makes folders on the way, and fails where the system refuses them", async function () {
    this.timeout(60_000);
    for (const impossible of ["/proc/none/a.bcolz", "/dev/null/a.bcolz"]) {
      expect((await failureOf(() => writeTable(impossible, [column("int64", [1n])]))).code, impossible).to.be.oneOf(["NOT_FOUND", "IO"]);
    }
    await writeTable(join(folder, "x", "y", "a.bcolz"), [column("int64", [1n])]);
    expect(await readdir(join(folder, "x"))).to.deep.equal(["y"]);
  });

  it("compresses with the codec that is asked for", async () => {
    const values = Array.from({ length: 20_000 }, (_, row) => BigInt(Math.floor(row / 7)));
    for (const codec of ["lz4", "zstd"] as const) {
      const path = join(folder, `${codec}.bcolz`);
      await writeTable(path, [column("int64", values)], { codec });
      expect(inspectTable(path).columns[0]!.codecs).to.deep.equal({ [codec]: 1 });
      expect(readTable(path).get("v")).to.deep.equal(values);
    }
  });

  it("refuses a string that is not UTF-8, coded or plain, and leaves nothing", async () => {
    const wrong = packBytes([Buffer.from("fine"), Uint8Array.of(0x61, 0xff)]);
    const halves = packBytes([Uint8Array.of(0xc3), Uint8Array.of(0xa9)]);
    for (const values of [wrong, halves]) {
      for (const dictionaryValuesMax of [0, 100]) {
        const writer = await createTables({ paths: [join(folder, "a.bcolz")], columns: [{ name: "v", dtype: "string" }], set: false, replace: false, sort: null, files: unsyncedFiles, dictionaryValuesMax });
        expect((await failureOf(() => writer.append(0, [{ dtype: "string", rows: 2, nulls: null, values }]))).code).to.equal("BAD_INPUT");
        await writer.abort();
      }
    }
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("refuses batches of another dtype by the name of the column", async () => {
    const writer = await createTables({ paths: [join(folder, "a.bcolz")], columns: [{ name: "v", dtype: "int64" }], set: false, replace: false, sort: null, files: unsyncedFiles });
    const failure = await failureOf(() => writer.append(0, [batchOf("float64", [1])]));
    expect(failure.code).to.equal("SCHEMA_MISMATCH");
    expect(failure.message).to.include("'v'");
    await writer.abort();
  });
});

describe("replacing a table", () => {
  useFolder();

  it("needs to be asked for", async () => {
    const path = join(folder, "taxi.bcolz");
    const before = await writeTable(path, [column("int64", [1n])]);
    const failure = await failureOf(() => writeTable(path, [column("int64", [2n])]));
    expect(failure.code).to.equal("EXISTS");
    expect(failure.message).to.include("taxi.bcolz").and.to.include("--replace");
    expect(openTable(path).generation).to.equal(before);
    expect(await readdir(path)).to.not.include("LOCK");
  });

  it("never touches a file or folder that is not a table", async () => {
    await writeFile(join(folder, "file.bcolz"), "mine");
    await mkdir(join(folder, "folder.bcolz"));
    await writeFile(join(folder, "folder.bcolz", "__rootdirs__"), "of Python's bcolz");
    await symlink(folder, join(folder, "link.bcolz"));
    for (const name of ["file.bcolz", "folder.bcolz", "link.bcolz"]) {
      expect((await failureOf(() => writeTable(join(folder, name), [column("int64", [1n])], { replace: true }))).code, name).to.equal("EXISTS");
    }
    expect(await readdir(join(folder, "folder.bcolz"))).to.deep.equal(["__rootdirs__"]);
  });

  it("keeps the generation before, and lets go of the one before that", async () => {
    const path = join(folder, "taxi.bcolz");
    const generations: string[] = [];
    for (const value of [1n, 2n, 3n]) generations.push(await writeTable(path, [column("int64", [value, 9n])], { replace: true }));
    expect(openTable(path).generation).to.equal(generations[2]);
    expect(openTable(path, { generation: generations[1]! }).generation).to.equal(generations[1]);
    expect((await failureOf(() => openTable(path, { generation: generations[0]! }))).code).to.equal("GENERATION_GONE");
  });

  it("lists a generation once when the content is as before", async () => {
    const path = join(folder, "taxi.bcolz");
    const [first, second] = [await writeTable(path, [column("int64", [1n])]), await writeTable(path, [column("int64", [1n])], { replace: true })];
    expect(second).to.equal(first);
    expect(await readFile(join(path, "CURRENT"), "utf8")).to.equal(`${first}\n`);
  });

  it("leaves a table that was open as it was", async () => {
    const path = join(folder, "taxi.bcolz");
    await writeTable(path, [column("int64", [1n, 5n])]);
    const table = openTable(path);
    expect(table.column("v").statistics(0).maximum).to.equal(5n);
    await writeTable(path, [column("int64", [1n, 6n])], { replace: true });
    expect(table.column("v").statistics(0).maximum).to.equal(5n);
    table.close();
  });

  it("clears away at once what a dead writer left, but not what may be half written by one that waits", async () => {
    const path = join(folder, "taxi.bcolz");
    await writeTable(path, [column("int64", [1n])]);
    const left = [`${"0".repeat(32)}.tmp`, ...["col", "idx", "dict"].map((extension) => `${"0".repeat(64)}.${extension}`)];
    const young = [`LOCK.${"0".repeat(32)}`, `PIN.${"0".repeat(32)}`];
    for (const name of [...left, ...young]) await writeFile(join(path, name), "");
    await writeTable(path, [column("int64", [2n])], { replace: true });
    expect(await readdir(path)).to.include.members(young);
    expect((await readdir(path)).filter((name) => left.includes(name))).to.deep.equal([]);
  });

  it("has the place of half written files again before it writes", async () => {
    const path = join(folder, "taxi.bcolz");
    await writeTable(path, [column("int64", [1n])]);
    await writeFile(join(path, `${"0".repeat(32)}.tmp`), "left");
    const writer = await createTables({ paths: [path], columns: [{ name: "v", dtype: "int64" }], set: false, replace: true, sort: null, files: unsyncedFiles });
    expect(await readdir(path)).to.not.include(`${"0".repeat(32)}.tmp`);
    await writer.abort();
  });

  it("fails when a file that it writes is taken away, and nothing becomes visible", async () => {
    const path = join(folder, "taxi.bcolz");
    const writer = await createTables({ paths: [path], columns: [{ name: "v", dtype: "int64" }], set: false, replace: false, sort: null, files: unsyncedFiles });
    const rows = batchOf("int64", Array.from({ length: 65_536 }, (_, row) => BigInt(row)));
    await writer.append(0, [rows]);
    for (const name of await readdir(path)) if (name.endsWith(".tmp")) await unlink(join(path, name));
    await writer.append(0, [rows]);
    expect((await failureOf(() => writer.commit())).code).to.equal("IO");
    expect((await failureOf(() => openTable(path))).code).to.equal("NOT_FOUND");
  });

  it("collects what fell off CURRENT two minutes ago", async () => {
    const path = join(folder, "taxi.bcolz");
    const write = (value: bigint) => writeTable(path, [column("int64", [value, 100n])], { replace: true });
    const first = await write(1n);
    await write(2n);
    await age(path);
    await write(3n);
    expect(await readdir(path), "off CURRENT only now").to.include(`${first}.json`);
    await age(path);
    const last = await write(4n);
    const names = await readdir(path);
    expect(names).to.not.include(`${first}.json`);
    const kept = [openTable(path), openTable(path, { generation: (await readFile(join(path, "CURRENT"), "utf8")).split("\n")[1]! })];
    for (const file of kept.flatMap(({ footer }) => footer.files)) expect(names).to.include(file.name);
    expect(kept[0]!.generation).to.equal(last);
  });

  it("mends a table whose metadata is damaged", async () => {
    const path = join(folder, "taxi.bcolz");
    const first = await writeTable(path, [column("int64", [1n])]);
    await writeFile(join(path, `${first}.json`), "damaged");
    await writeTable(path, [column("int64", [2n])], { replace: true });
    await writeFile(join(path, "CURRENT"), "damaged");
    await writeTable(path, [column("int64", [3n])], { replace: true });
    expect(readTable(path).get("v")).to.deep.equal([3n]);
  });
});

describe("a writer's lock", () => {
  useFolder();

  it("keeps a second writer out and says who is in", async () => {
    const spec = { paths: [join(folder, "taxi.bcolz")], columns: [{ name: "v", dtype: "int64" as const }], set: false, replace: true, sort: null, files: unsyncedFiles };
    const writer = await createTables(spec);
    const failure = await failureOf(() => createTables(spec));
    expect(failure.code).to.equal("BUSY");
    expect(failure.message).to.include(`process ${process.pid}`);
    await writer.append(0, [batchOf("int64", [1n])]);
    await writer.commit();
    expect(readTable(spec.paths[0]!).get("v")).to.deep.equal([1n]);
  });

  it("of a process that is gone, or whose id another process has, is taken over", async () => {
    const path = join(folder, "taxi.bcolz");
    for (const content of ["4999999 1 x\n", `${process.pid} 1 x\n`, "", "rubbish\n"]) {
      await mkdir(path, { recursive: true });
      await writeFile(join(path, "LOCK"), content);
      await writeTable(path, [column("int64", [1n])], { replace: true });
      expect(await readdir(path)).to.not.include("LOCK");
    }
  });

  it("of a process that has ended and was not yet waited for is taken over", async function () {
    this.timeout(60_000);
    const path = join(folder, "taxi.bcolz");
    await mkdir(path);
    // The shell becomes a program that waits for no child, so that the first one, which ends after that, stays a zombie.
    const parent = spawn("/bin/sh", ["-c", 'while [ "$(cat /proc/$$/comm)" != sleep ]; do :; done & echo $!; exec sleep 60']);
    try {
      const [line] = await once(parent.stdout, "data") as [Buffer];
      const pid = line.toString().trim();
      const fieldsOf = (): string[] => readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ");
      await until("the child has ended", () => fieldsOf()[0] === "Z");
      await writeFile(join(path, "LOCK"), `${pid} ${fieldsOf()[19]!} x\n`);
      await writeTable(path, [column("int64", [1n])], { replace: true });
      expect(readTable(path).get("v")).to.deep.equal([1n]);
    } finally {
      parent.kill("SIGKILL");
      await once(parent, "exit");
    }
  });

  it("of another PID namespace is not taken over, and how to remove it is said", async () => {
    const path = join(folder, "taxi.bcolz");
    await mkdir(path);
    await writeFile(join(path, "LOCK"), "4999999 1 x pid:[1]\n");
    const failure = await failureOf(() => writeTable(path, [column("int64", [1n])], { replace: true }));
    expect(failure.code).to.equal("BUSY");
    expect(failure.message).to.include("another container").and.to.include(`remove ${join(path, "LOCK")}`);
    await writeFile(join(path, "LOCK"), `4999999 1 x ${readlinkSync("/proc/self/ns/pid")}\n`);
    await writeTable(path, [column("int64", [1n])], { replace: true });
    expect(readTable(path).get("v")).to.deep.equal([1n]);
  });

  it("names the PID namespace of its process", async () => {
    const path = join(folder, "taxi.bcolz");
    const writer = await createTables({ paths: [path], columns: [{ name: "v", dtype: "int64" }], set: false, replace: true, sort: null, files: unsyncedFiles });
    expect(await readFile(join(path, "LOCK"), "latin1")).to.match(/^\d+ \d+ [0-9a-f]{32} pid:\[\d+\]\n$/);
    await writer.abort();
  });

  it("lost to another writer ends the writing before anything is visible", async () => {
    const path = join(folder, "taxi.bcolz");
    const writer = await createTables({ paths: [path], columns: [{ name: "v", dtype: "int64" }], set: false, replace: true, sort: null, files: unsyncedFiles });
    await writer.append(0, [batchOf("int64", [1n])]);
    await writeFile(join(path, "LOCK"), "1 1 another\n");
    expect((await failureOf(() => writer.commit())).code).to.equal("BUSY");
    expect(await readdir(path)).to.not.include("CURRENT");
    expect(await readFile(join(path, "LOCK"), "utf8")).to.equal("1 1 another\n");
  });
});

describe("writing a set", () => {
  useFolder();

  const values = Array.from({ length: 100 }, (_, row) => `v${row % 7}`);

  it("names it by its content and every shard's place in it", async () => {
    await writeShards(shardPaths(3), [column("string", values)]);
    const footers = shardPaths(3).map((path) => openTable(path).footer);
    expect(footers.map((footer) => footer.set!.index)).to.deep.equal([0, 1, 2]);
    expect(new Set(footers.map((footer) => footer.set!.id)).size).to.equal(1);
    expect(footers[0]!.set!.id).to.match(/^[0-9a-f]{32}$/);
    expect(footers.every((footer) => footer.set!.count === 3)).to.equal(true);
  });

  it("shares one dictionary among the shards, on disk and in memory", async () => {
    await writeShards(shardPaths(3), [column("string", values)]);
    const dictionaries = shardPaths(3).map((path) => openTable(path).column("v").dictionary()!);
    expect(dictionaries[1]).to.equal(dictionaries[0]);
    expect(dictionaries[0]!.count).to.equal(7);
    const ranked = [...dictionaries[0]!.ranks].map((rank, code) => [rank, `v${code}`]);
    expect(ranked.sort(([a], [b]) => Number(a) - Number(b)).map(([, text]) => text)).to.deep.equal([...new Set(values)].sort());
  });

  it("takes rows in any order of shards, and no more for a finished one", async () => {
    const writer = await createTables({ paths: shardPaths(2), columns: [{ name: "v", dtype: "int64" }], set: true, replace: false, sort: null, files: unsyncedFiles });
    await writer.append(1, [batchOf("int64", [10n])]);
    await writer.append(0, [batchOf("int64", [1n])]);
    await writer.append(1, [batchOf("int64", [11n])]);
    await writer.finishShard(1);
    await writer.append(0, [batchOf("int64", [2n])]);
    await writer.commit();
    expect(shardPaths(2).map((path) => readTable(path).get("v"))).to.deep.equal([[1n, 2n], [10n, 11n]]);
  });

  it("replaces the set of that name as a whole, shards left over included", async () => {
    await writeShards(shardPaths(5), [column("string", values)]);
    expect((await failureOf(() => writeShards(shardPaths(2), [column("string", values)]))).code).to.equal("EXISTS");
    expect((await failureOf(() => writeShards([join(folder, "taxi-7.bcolzs")], [column("string", values)]))).message).to.include("taxi-0.bcolzs");
    await writeShards(shardPaths(2), [column("string", values)], { replace: true });
    const tables = shardPaths(5).filter((path) => existsSync(join(path, "CURRENT"))).map((path) => basename(path));
    expect(tables).to.deep.equal(["taxi-0.bcolzs", "taxi-1.bcolzs"]);
  });

  it("turns a column plain in all shards when its dictionary grows too large", async () => {
    const many = Array.from({ length: 210_000 }, (_, row) => (row % 13 === 0 ? null : row < 150_000 ? `w${row % 50}` : `\ud800 ${row}`));
    await writeShards(shardPaths(3), [column("string", many), column("string", many.map((_, row) => `k${row % 3}`), "kept")], { dictionaryValuesMax: 60 });
    const expected = many.map((value) => value?.replace("\ud800", "\ufffd") ?? null);
    expect(shardPaths(3).flatMap((path) => readTable(path).get("v")!)).to.deep.equal(expected);
    for (const path of shardPaths(3)) {
      const [plain, kept] = openTable(path).footer.columns;
      expect([plain!.dictionary, kept!.dictionary]).to.deep.equal([null, 0]);
      expect((await readdir(path)).some((name) => name.endsWith(".tmp"))).to.equal(false);
    }
  });

  it("turns finished shards plain too", async () => {
    const writer = await createTables({ paths: shardPaths(2), columns: [{ name: "v", dtype: "string" }], set: true, replace: false, sort: null, files: unsyncedFiles, dictionaryValuesMax: 2 });
    await writer.append(0, [batchOf("string", ["a", null, "b"])]);
    await writer.finishShard(0);
    await writer.append(1, [batchOf("string", ["c", "d"])]);
    await writer.commit();
    expect(shardPaths(2).map((path) => readTable(path).get("v"))).to.deep.equal([["a", null, "b"], ["c", "d"]]);
  });
});

describe("opening a table", () => {
  useFolder();

  it("says what is wrong with a path", async () => {
    await writeFile(join(folder, "file.bcolz"), "");
    await mkdir(join(folder, "empty.bcolz"));
    for (const name of ["none.bcolz", "file.bcolz", "empty.bcolz"]) {
      const failure = await failureOf(() => openTable(join(folder, name)));
      expect(failure.code).to.equal("NOT_FOUND");
      expect(failure.message).to.include(name);
    }
  });

  it("names the nearest column for one it has not", async () => {
    await writeTable(join(folder, "a.bcolz"), [column("int64", [1n], "distance"), column("int64", [1n], "__proto__")]);
    const table = openTable(join(folder, "a.bcolz"));
    expect(table.column("__proto__").name).to.equal("__proto__");
    const failure = await failureOf(() => table.column("distanze"));
    expect(failure.code).to.equal("UNKNOWN_COLUMN");
    expect(failure.message).to.equal("a.bcolz has no column 'distanze'; did you mean 'distance'?");
    expect((await failureOf(() => table.column("constructor"))).code).to.equal("UNKNOWN_COLUMN");
  });

  it("works from a copy of the directory", async () => {
    await writeTable(join(folder, "a.bcolz"), [column("string", ["x", "y"])]);
    await cp(join(folder, "a.bcolz"), join(folder, "b.bcolz"), { recursive: true });
    expect(readTable(join(folder, "b.bcolz"))).to.deep.equal(readTable(join(folder, "a.bcolz")));
    expect(openTable(join(folder, "b.bcolz")).name).to.equal("b.bcolz");
  });

  it("tells a generation that was cleared away from one of which a file was lost", async () => {
    const path = join(folder, "a.bcolz");
    await writeTable(path, [column("int64", [1n, 2n])]);
    const table = openTable(path);
    const { index } = table.footer.columns[0]!.segments[0]!;
    await unlink(join(path, index));
    const lost = await failureOf(() => table.column("v").statistics(0));
    expect([lost.code, lost.message]).to.deep.equal(["CORRUPT_FOOTER", `the footer of a.bcolz names file ${index}, which is not there; restore the file, copy the table again from a good holder, or import it again`]);
    await writeTable(path, [column("int64", [3n])], { replace: true, keepGenerations: 1 });
    expect((await failureOf(() => table.column("v").statistics(0))).code).to.equal("GENERATION_GONE");
    await rm(path, { recursive: true });
    expect((await failureOf(() => table.column("v").statistics(0))).code).to.equal("GENERATION_GONE");
  });

  it("gives chunks of different content different keys, whatever their files share", async () => {
    await writeTable(join(folder, "a.bcolz"), [column("int64", [0n, 0n], "int"), column("float64", [0, 0], "float"), column("bool", [false, false], "bool")]);
    await writeTable(join(folder, "b.bcolz"), [column("int64", [0n, 0n, 0n], "int")]);
    const keys = ["a.bcolz", "b.bcolz"].flatMap((name) => openTable(join(folder, name)).columns.map((each) => each.chunkKey(0)));
    expect(new Set(keys).size).to.equal(4);
  });
});

describe("inspecting a table", () => {
  useFolder();

  it("tells how each column is stored and what it spans", async () => {
    const rows = Array.from({ length: 70_000 }, (_, row) => row);
    await writeTable(join(folder, "a.bcolz"), [
      column("int64", rows.map((row) => (row === 5 ? null : BigInt(row))), "int"),
      column("float64", rows.map((row) => (row === 7 ? -Infinity : row / 10)), "float"),
      column("string", rows.map((row) => "é".repeat(40 + row % 2)), "string"),
      column("timestamp", rows.map((row) => BigInt(row) * 500_000_000n - 1n), "timestamp"),
      column("bool", rows.map((row) => row > 3), "bool"),
      column("int64", rows.map(() => 2n ** 60n), "constant"),
    ]);
    const inspection = inspectTable(join(folder, "a.bcolz"));
    const [int, float, string, , bool, constant] = inspection.columns;
    const spans = inspection.columns.map(({ minimum, isMinimumCut, maximum, isMaximumCut, dtype }) => [showExtreme(minimum, dtype, isMinimumCut), showExtreme(maximum, dtype, isMaximumCut)]);
    expect(spans).to.deep.equal([
      [0, 69_999], ["-Infinity", 6_999.9], [`${"é".repeat(31)}…`, `${"é".repeat(31)}…`],
      ["1969-12-31T23:59:59.999999999Z", "1970-01-01T09:43:19.499999999Z"], [false, true], [String(2n ** 60n), String(2n ** 60n)],
    ]);
    expect(int).to.deep.include({ dtype: "int64", nulls: 1, nullable: true, chunks: 2, encodings: { narrowed: 2 }, distinct: null });
    expect(float).to.deep.include({ encodings: { plain: 1, decimal: 1 } });
    expect(string).to.deep.include({ distinct: 2, encodings: { dictionary: 2 } });
    expect(bool).to.deep.include({ encodings: { plain: 1, constant: 1 } });
    expect(constant).to.deep.include({ encodings: { constant: 2 } });
    expect(inspection.bytes).to.equal(inspection.columns.reduce((sum, { storedBytes }) => sum + storedBytes, 0));
  });
});
