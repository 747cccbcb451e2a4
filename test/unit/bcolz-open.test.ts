import { expect } from "chai";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { describeTable, stampTable } from "../../lib/columns/read/describe.js";
import { openTable } from "../../lib/columns/read/open.js";
import { createReadHeap, readTable, type StoredValue } from "../support/read-table.js";
import { storedChunk, writeRawBcolz, writeRawColumn, type RawColumnSpec } from "../support/bcolz-directory.js";
import { failureOf } from "../support/failure.js";

const heap = createReadHeap();
let folder: string;
let path: string;

/** A folder for each test of a group. */
function useFolder(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    path = join(folder, "t.bcolz");
  });
  afterEach(() => rm(folder, { recursive: true }));
}

const whole = (...values: bigint[]): Uint8Array => new Uint8Array(BigInt64Array.from(values).buffer);
const notATime = -(2n ** 63n);

/** What a column of raw bytes is read as. */
function readOne(column: Omit<RawColumnSpec, "name">): StoredValue[] {
  rmSync(path, { recursive: true, force: true });
  writeRawBcolz(path, [{ name: "v", ...column }]);
  return readTable(path, heap).get("v")!;
}

describe("dtypes of bcolz", () => {
  useFolder();

  it("are read in big-endian order as well", () => {
    const bytes = Buffer.alloc(8);
    bytes.writeInt16BE(-2, 0);
    expect(readOne({ dtype: ">i2", bytes: bytes.subarray(0, 2), itemBytes: 2 })).to.deep.equal([-2n]);
    bytes.writeUInt32BE(4_000_000_000, 0);
    expect(readOne({ dtype: ">u4", bytes: bytes.subarray(0, 4), itemBytes: 4 })).to.deep.equal([4_000_000_000n]);
    bytes.writeDoubleBE(0.1, 0);
    expect(readOne({ dtype: ">f8", bytes, itemBytes: 8 })).to.deep.equal([0.1]);
    bytes.writeBigInt64BE(5n, 0);
    expect(readOne({ dtype: ">M8[s]", bytes, itemBytes: 8 })).to.deep.equal([5_000_000_000n]);
    const text = Buffer.alloc(12);
    text.writeUInt32BE(0x1f695, 0);
    text.writeUInt32BE(0x61, 4);
    expect(readOne({ dtype: ">U3", bytes: text, itemBytes: 12 })).to.deep.equal(["\u{1f695}a"]);
  });

  it("may be of half precision, which becomes float32", () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x0001, 0x7c00, 0xfc00, 0x7e00, 0x8000, 0x7bff);
    const read = readOne({ dtype: "float16", bytes: new Uint8Array(halves.buffer), itemBytes: 2 });
    expect(read).to.deep.equal([1, -2, 0.333251953125, 2 ** -24, Infinity, -Infinity, null, 0, 65_504]);
    expect(openTable(path).column("v").dtype).to.equal("float32");
  });

  it("are bools for any byte that is not zero", () => {
    expect(readOne({ dtype: "bool", bytes: Uint8Array.of(0, 1, 255), itemBytes: 1 })).to.deep.equal([false, true, true]);
  });

  it("are timestamps in nanoseconds for datetimes of any unit", () => {
    for (const [unit, factor] of [["h", 3_600_000_000_000n], ["m", 60_000_000_000n], ["s", 1_000_000_000n], ["ms", 1_000_000n], ["us", 1_000n], ["ns", 1n], ["25s", 25_000_000_000n]] as const) {
      expect(readOne({ dtype: `datetime64[${unit}]`, bytes: whole(-3n, notATime, 0n, 7n), itemBytes: 8 }), unit).to.deep.equal([-3n * factor, null, 0n, 7n * factor]);
      expect(openTable(path).column("v").dtype).to.equal("timestamp");
    }
    expect(readOne({ dtype: "<M8[ps]", bytes: whole(-5_000n, 7_000n), itemBytes: 8 })).to.deep.equal([-5n, 7n]);
  });

  it("are dates for datetimes of whole days, weeks, months and years", () => {
    const read = (unit: string, ...values: bigint[]) => readOne({ dtype: `datetime64[${unit}]`, bytes: whole(...values), itemBytes: 8 });
    expect(read("D", -1n, notATime, 19_000n)).to.deep.equal([-1n, null, 19_000n]);
    expect(read("W", -1n, 2n)).to.deep.equal([-7n, 14n]);
    const days = (text: string) => BigInt(Date.parse(text) / 86_400_000);
    expect(read("M", -1n, 0n, 1n, 361n, -23_640n)).to.deep.equal([days("1969-12-01"), 0n, 31n, days("2000-02-01"), days("0000-01-01")]);
    expect(read("Y", -1n, 30n, 54n)).to.deep.equal([-365n, days("2000-01-01"), days("2024-01-01")]);
    expect(openTable(path).column("v").dtype).to.equal("date");
  });

  it("are whole numbers with their unit for timedeltas", () => {
    expect(readOne({ dtype: "timedelta64[ms]", bytes: whole(-3n, notATime, 2n ** 62n), itemBytes: 8 })).to.deep.equal([-3n, null, 2n ** 62n]);
    expect(openTable(path).footer.columns[0]).to.include({ dtype: "int64", unit: "ms", nullable: true });
  });

  it("overflow by name where a time does not fit", async () => {
    for (const [unit, value, code] of [["s", 10_000_000_000n, "OVERFLOW"], ["D", 2n ** 40n, "OVERFLOW"], ["ps", 1_001n, "OVERFLOW"], ["Y", 2n ** 62n, "OVERFLOW"]] as const) {
      const failure = await failureOf(() => readOne({ dtype: `datetime64[${unit}]`, bytes: whole(0n, value), itemBytes: 8 }));
      expect(failure.code, unit).to.equal(code);
      expect(failure.message).to.include("'v'");
    }
  });

  it("are text for S: UTF-8 where a value is valid, else latin-1, without the NULs at the end", () => {
    const rows = [Buffer.from("café\0"), Buffer.from("caf\u00e9", "latin1"), Buffer.from("a\0b"), Buffer.from(""), Buffer.from([0xff, 0xfe]), Buffer.from("é\u20ac")];
    const bytes = Buffer.alloc(rows.length * 6);
    rows.forEach((row, at) => row.copy(bytes, at * 6));
    expect(readOne({ dtype: "|S6", bytes, itemBytes: 6 })).to.deep.equal(["café", "café", "a\0b", "", "ÿþ", "é€"]);
  });

  it("are text for U, lone surrogates as U+FFFD; what is no character at all is damage", async () => {
    const points = Uint32Array.of(0x61, 0xd800, 0, 0x10ffff, 0x7ff, 0x800);
    expect(readOne({ dtype: "<U3", bytes: new Uint8Array(points.buffer), itemBytes: 12 })).to.deep.equal(["a\ufffd", "\u{10ffff}\u07ff\u0800"]);
    const failure = await failureOf(() => readOne({ dtype: "<U1", bytes: new Uint8Array(Uint32Array.of(0x110000).buffer), itemBytes: 4 }));
    expect(failure.code).to.equal("CORRUPT_CHUNK");
  });

  it("that nothing holds are refused by name, and leave the others", async () => {
    const strange = ["object", "complex128", "|V8", "float128", "[('a', '<i4')]", "datetime64", "datetime64[q]", "S0", "i3", "", "M8[ns]x"];
    writeRawBcolz(path, [...strange.map((dtype, at) => ({ name: `c${at}`, dtype, bytes: whole(1n), itemBytes: 8 })), { name: "n", dtype: "int64", bytes: whole(5n), itemBytes: 8 }]);
    const table = openTable(path);
    expect(table.columns.map(({ name }) => name)).to.deep.equal(["n"]);
    expect(table.refused).to.have.length(strange.length);
    for (const { name } of table.refused!) expect((await failureOf(() => table.column(name))).code, name).to.equal("UNSUPPORTED_DTYPE");
    expect((await failureOf(() => table.column("m"))).message).to.include("did you mean 'n'");
  });

  it("with many distinct values are plain text", function () {
    this.timeout(60_000);
    const rows = (1 << 20) + 10;
    const bytes = Buffer.alloc(rows * 8, " ");
    for (let row = 0; row < rows; row++) bytes.write(String(row), row * 8);
    expect(readOne({ dtype: "|S8", bytes, itemBytes: 8, chunklen: 100_000 }).map((text) => Number(text))).to.deep.equal(Array.from({ length: rows }, (_, row) => row));
    const table = openTable(path);
    expect(table.column("v").dictionary()).to.equal(null);
    expect(Buffer.from(table.column("v").statistics(1).minimum as Uint8Array).toString().trim()).to.equal("100000");
    table.close();
  });
});

describe("directories of bcolz", () => {
  useFolder();

  const ints = (name: string, ...values: bigint[]): RawColumnSpec => ({ name, dtype: "int64", bytes: whole(...values), itemBytes: 8, chunklen: 2 });

  it("may hold what bcolz and bquery leave behind", () => {
    writeRawBcolz(path, [ints("a", 1n, 2n, 3n)]);
    writeFileSync(join(path, "__rootdirs__"), JSON.stringify({ names: ["a"], dirs: { a: "/somewhere/else" } }));
    writeFileSync(join(path, "a", "data", "__2.blp"), "stale");
    writeFileSync(join(path, "a", "data", "__1.blp"), Buffer.concat([storedChunk(whole(3n, 4n)), Buffer.from("more")]));
    mkdirSync(join(path, "a.factor"));
    writeFileSync(join(path, "a.lock"), "");
    expect(readTable(path, heap).get("a")).to.deep.equal([1n, 2n, 3n]);
  });

  it("may say NaN in their JSON, as Python does", () => {
    writeRawBcolz(path, [{ ...ints("a", 1n), more: ', "dflt": NaN, "x": "NaN \\" Infinity", "y": [-Infinity]' }]);
    expect(readTable(path, heap).get("a")).to.deep.equal([1n]);
  });

  it("may have no rows and no data", () => {
    writeRawBcolz(path, [ints("a")]);
    rmSync(join(path, "a", "data"), { recursive: true });
    expect(readTable(path, heap).get("a")).to.deep.equal([]);
    writeRawBcolz(join(folder, "none.bcolz"), []);
    expect(openTable(join(folder, "none.bcolz")).rows).to.equal(0);
  });

  it("with columns of different lengths are corrupt, and say which", async () => {
    writeRawBcolz(path, [ints("a", 1n, 2n), ints("b", 1n)]);
    const failure = await failureOf(() => openTable(path));
    expect(failure.code).to.equal("CORRUPT_FOOTER");
    expect(failure.message).to.include("'a' 2 rows").and.include("'b' 1");
  });

  it("are corrupt when metadata is not what it should be", async () => {
    const damage: [string, string | undefined, string][] = [
      ["__rootdirs__", "{", "not JSON"], ["__rootdirs__", "[]", "malformed"], ["__rootdirs__", '{"names": ["a", "a"]}', "twice"],
      ["__rootdirs__", '{"names": ["../a"]}', "no name of a directory"], ["__rootdirs__", '{"names": [".."]}', "no name"], ["__rootdirs__", '{"names": ["a\\u0000"]}', "no name"],
      ["__rootdirs__", '{"names": [""]}', "malformed"], ["__rootdirs__", '{"names": ["a", "missing"]}', "'missing'"], ["__rootdirs__", `{"names": ${"[".repeat(200_000)}`, "not JSON"],
      ["a/meta/sizes", '{"shape": []}', "malformed"], ["a/meta/sizes", '{"shape": [-1]}', "malformed"], ["a/meta/sizes", '{"shape": [1e300]}', "malformed"], ["a/meta/sizes", '{"shape": [9007199254740991]}', "rows"],
      ["a/meta/sizes", '{"shape": [1000000000000]}', "lacks chunk"], ["a/meta/sizes", undefined, "missing"], ["a/meta/storage", undefined, "missing"],
      ["a/meta/storage", '{"dtype": "int64", "chunklen": 0}', "no rows"], ["a/meta/storage", '{"dtype": 5, "chunklen": 2}', "malformed"], ["a/data/__0.blp", undefined, "lacks chunk __0.blp"],
    ];
    for (const [file, text, words] of damage) {
      rmSync(path, { recursive: true, force: true });
      writeRawBcolz(path, [ints("a", 1n, 2n, 3n)]);
      if (text === undefined) rmSync(join(path, file));
      else writeFileSync(join(path, file), text);
      const failure = await failureOf(() => openTable(path));
      expect(failure.code, `${file} ${text}`).to.equal("CORRUPT_FOOTER");
      expect(failure.message, `${file} ${text}`).to.include(words).and.include("t.bcolz");
    }
  });

  it("are corrupt where a chunk is not what it should be, and name it", async () => {
    const damage: [string, (file: string) => void][] = [
      ["shorter than", (file) => { truncateSync(file, 20); }],
      ["cut", (file) => { truncateSync(file, 40); }],
      ["holds 8 bytes", (file) => { writeFileSync(file, storedChunk(whole(1n))); }],
      ["holds 24 bytes", (file) => { writeFileSync(file, storedChunk(whole(1n, 2n, 3n))); }],
      ["no chunk of Blosc 1", (file) => { writeFileSync(file, readFileSync(file).fill(9, 16, 17)); }],
    ];
    for (const [words, harm] of damage) {
      rmSync(path, { recursive: true, force: true });
      writeRawBcolz(path, [ints("a", 1n, 2n, 3n)]);
      harm(join(path, "a", "data", "__0.blp"));
      const failure = await failureOf(() => readTable(path, heap));
      expect(failure.code).to.equal("CORRUPT_CHUNK");
      expect(failure.message).to.include(words).and.include("chunk 0 of column 'a' in t.bcolz");
    }
  });

  it("cannot make a reader allocate what their files do not hold", async () => {
    writeRawBcolz(path, [{ ...ints("a", 1n), chunklen: 2 ** 40, shape: [2 ** 39] }]);
    expect((await failureOf(() => readTable(path, heap))).code).to.equal("MEMORY_LIMIT");
    writeRawBcolz(path, [{ name: "a", dtype: "|S2000000000", bytes: Buffer.alloc(8), itemBytes: 8, shape: [1] }]);
    expect((await failureOf(() => readTable(path, heap))).code).to.equal("MEMORY_LIMIT");
  });

  it("cannot lead out of themselves", async () => {
    const outside = join(folder, "outside");
    writeRawColumn(outside, ints("x", 7n));
    writeRawBcolz(path, [ints("a", 7n)]);
    for (const place of ["a", "a/meta", "a/data", "a/meta/sizes", "a/data/__0.blp"]) {
      const inside = join(path, place);
      const kept = join(folder, "kept");
      cpSync(inside, kept, { recursive: true });
      rmSync(inside, { recursive: true });
      symlinkSync(join(outside, place === "a" ? "." : place.slice(2)), inside);
      const failure = await failureOf(() => openTable(path));
      expect(failure.code, place).to.equal("CORRUPT_FOOTER");
      expect(failure.message, place).to.include("symbolic link");
      rmSync(inside);
      cpSync(kept, inside, { recursive: true });
      rmSync(kept, { recursive: true });
    }
    symlinkSync(join("a"), join(path, "b"));
    writeFileSync(join(path, "__rootdirs__"), '{"names": ["a", "b"]}');
    expect(readTable(path, heap).get("b")).to.deep.equal([7n]);
  });

  it("are found, described, and stamped anew when they change", () => {
    writeRawBcolz(path, [ints("a", 1n, 2n, 3n)]);
    const [before, stamp] = [describeTable(path), stampTable(path)];
    expect(before).to.include({ name: "t.bcolz", rows: 3, set: null }).and.to.deep.include({ columns: [{ name: "a", dtype: "int64" }] });
    expect(openTable(path).generation).to.equal(before.generation);
    writeRawBcolz(path, [ints("a", 1n, 2n, 4n)]);
    expect(describeTable(path).generation).to.not.equal(before.generation);
    expect(stampTable(path)).to.not.equal(stamp);
    expect(stampTable(folder)).to.equal(undefined);
  });

  it("are other generations when they have other names", () => {
    writeRawBcolz(path, [ints("a", 1n)]);
    cpSync(path, join(folder, "u.bcolz"), { recursive: true, preserveTimestamps: true });
    expect(describeTable(join(folder, "u.bcolz")).generation).to.not.equal(describeTable(path).generation);
  });

  it("are gone for who opened them when a chunk changes, and for who asks for what they were", async () => {
    writeRawBcolz(path, [ints("a", 1n, 2n, 3n)]);
    const table = openTable(path);
    expect(table.column("a").statistics(0)).to.include({ minimum: 1n, maximum: 3n, nullCount: 0, rows: 3 });
    writeFileSync(join(path, "a", "data", "__1.blp"), storedChunk(whole(9n)));
    const other = openTable(path);
    writeFileSync(join(path, "a", "data", "__0.blp"), storedChunk(whole(5n, 6n)));
    // The clock of the file system may stand still for some milliseconds.
    utimesSync(join(path, "a", "data", "__0.blp"), new Date(), new Date("2020-01-01T00:00:00Z"));
    expect((await failureOf(() => other.column("a").statistics(0))).code).to.equal("GENERATION_GONE");
    expect((await failureOf(() => openTable(path, { generation: table.generation }))).code).to.equal("GENERATION_GONE");
  });
});

describe("what is derived from a table of bcolz", () => {
  useFolder();

  const rows = 70_000;
  const folders = (): string[] => (existsSync(join(path, ".bqueryd")) ? readdirSync(join(path, ".bqueryd")) : []);
  const kept = (): string[] => folders().flatMap((generation) => readdirSync(join(path, ".bqueryd", generation))).sort();
  const settle = (past: Date): void => {
    for (const entry of readdirSync(path, { recursive: true, encoding: "utf8" })) utimesSync(join(path, entry), past, past);
  };
  function writeLarge(first = 0, past = new Date("2020-01-01T00:00:00Z")): { words: string[]; numbers: number[] } {
    const words = Array.from({ length: rows }, (_, row) => `w${(row * 7 + first) % 300}`);
    const numbers = Array.from({ length: rows }, (_, row) => (row % 1_000) / 8 + first);
    const text = Buffer.alloc(rows * 5);
    words.forEach((word, row) => text.write(word, row * 5));
    writeRawBcolz(path, [
      { name: "s", dtype: "|S5", bytes: text, itemBytes: 5, chunklen: 9_000 },
      { name: "f", dtype: "float64", bytes: new Uint8Array(Float64Array.from(numbers).buffer), itemBytes: 8, chunklen: 65_536 },
    ]);
    settle(past);
    return { words, numbers };
  }
  function expectEqual({ words, numbers }: { words: string[]; numbers: number[] }): void {
    const read = readTable(path, heap);
    expect(read.get("s")).to.deep.equal(words);
    expect(read.get("f")).to.deep.equal(numbers);
  }

  it("is kept beside the data, used again, and worth nothing", () => {
    const expected = writeLarge();
    expectEqual(expected);
    expect(kept()).to.deep.equal(["0.codes", "0.dict", "0.json", "1.json"]);
    const { generation } = describeTable(path);
    expect(folders()).to.deep.equal([generation]);
    // Without the data, what is kept still answers.
    const table = openTable(path);
    for (const name of readdirSync(join(path, "s", "data"))) writeFileSync(join(path, "s", "data", name), "gone");
    expect(table.column("s").dictionary()!.count).to.equal(300);
    expect(Buffer.from(table.column("s").statistics(1).maximum as Uint8Array).toString()).to.equal("w99");
    table.close();
    rmSync(path, { recursive: true });
    expectEqual(writeLarge());
    rmSync(join(path, ".bqueryd"), { recursive: true });
    expectEqual(expected);
  });

  it("may be deleted while it is in use", () => {
    const { words } = writeLarge();
    readTable(path, heap);
    const table = openTable(path);
    const column = table.column("s");
    column.dictionary();
    rmSync(join(path, ".bqueryd"), { recursive: true });
    const vector = column.decode(1, heap, (bytes) => heap.find(bytes)!);
    expect(vector.kind).to.equal("code");
    const { offsets, bytes } = column.dictionary()!;
    const code = new DataView(heap.kernels.bytes.buffer).getUint16(vector.values, true);
    expect(Buffer.from(bytes.subarray(offsets[code], offsets[code + 1])).toString()).to.equal(words[65_536]);
    for (const pointer of vector.owned) heap.release(pointer);
    table.close();
  });

  it("is taken for absent when any of its bytes is another, or cut", () => {
    const expected = writeLarge();
    readTable(path, heap);
    for (const name of kept()) {
      const file = join(path, ".bqueryd", folders()[0]!, name);
      const good = readFileSync(file);
      for (const at of [0, 10, 70, good.length >> 1, good.length - 1]) {
        const bad = Buffer.from(good);
        bad[at]! ^= 1;
        writeFileSync(file, bad);
        expectEqual(expected);
        writeFileSync(file, good.subarray(0, at));
        expectEqual(expected);
      }
      writeFileSync(file, good);
    }
  });

  it("goes with the generation it is of", () => {
    expectEqual(writeLarge());
    const [before] = folders();
    rmSync(join(path, "s"), { recursive: true });
    expectEqual(writeLarge(3, new Date("2020-01-02T00:00:00Z")));
    expect(folders()).to.have.length(1).and.not.include(before);
  });

  it("is not taken for that of other files of the same sizes and times", () => {
    expectEqual(writeLarge());
    const { generation } = describeTable(path);
    const other = writeLarge(4);
    expect(describeTable(path).generation).to.equal(generation);
    expectEqual(other);
  });

  it("is not kept of files so young that they may change unseen", () => {
    const expected = writeLarge();
    utimesSync(join(path, "s", "data", "__0.blp"), new Date(), new Date());
    expectEqual(expected);
    expect(folders()).to.deep.equal([]);
  });

  it("is had without keeping where there is something in the way", () => {
    const expected = writeLarge();
    writeFileSync(join(path, ".bqueryd"), "");
    expectEqual(expected);
    rmSync(join(path, ".bqueryd"));
    symlinkSync(folder, join(path, ".bqueryd"));
    expectEqual(expected);
    expect(readdirSync(folder)).to.deep.equal(["t.bcolz"]);
    rmSync(join(path, ".bqueryd"));
    mkdirSync(join(path, ".bqueryd"));
    chmodSync(join(path, ".bqueryd"), 0o500);
    expectEqual(expected);
  });
});
