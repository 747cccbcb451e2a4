import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, createReadStream, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { after, afterEach, before, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { describeTable } from "../../lib/columns/read/describe.js";
import { writeParquet } from "../support/parquet.js";

const program = fileURLToPath(new URL("../support/measured-cli.js", import.meta.url));
const bytesMax = 1e9;
const megabyte = 1024 * 1024;
const writtenAtOnce = 4 * megabyte;

/** Writes texts one after another. */
function writeTexts(path: string, texts: Iterable<string>): void {
  const file = openSync(path, "w");
  let held: string[] = [];
  let length = 0;
  for (const text of texts) {
    held.push(text);
    length += text.length;
    if (length < writtenAtOnce) continue;
    writeSync(file, held.join(""));
    [held, length] = [[], 0];
  }
  writeSync(file, held.join(""));
  closeSync(file);
}

const longRows = 65_500;

/** 250 MB in one chunk, of which a codec makes three quarters. */
function* longTexts(): Generator<string> {
  yield "id,text\n";
  const random = seededRandom(3);
  const words = Array.from({ length: 4_096 }, () => Buffer.from(Array.from({ length: 96 }, () => Math.floor(random() * 256))).toString("base64"));
  for (let row = 0; row < longRows; row++) yield `${(row * 7919) % longRows},${Array.from({ length: 30 }, () => words[Math.floor(random() * words.length)]).join("")}\n`;
}

const wideRows = 600;

function* wideTexts(): Generator<string> {
  yield "id,text\n";
  for (let row = 0; row < wideRows; row++) yield `${(row * 7919) % wideRows},${`row ${row} `.repeat(280_000 / `row ${row} `.length)}\n`;
}

/** Rows of nearly as many bytes as a row may have, between others. */
const hugeRows = 4;
const shortRows = 20_000;

function* hugeTexts(): Generator<string> {
  yield "id,a,b,c,d,e\n";
  for (let row = 0; row < hugeRows; row++) {
    yield `${row}${`,row ${row} `.padEnd(12 * megabyte, "x").repeat(5)}\n`;
    yield "1,a,b,c,d,e\n".repeat(shortRows);
  }
}

const columnCount = 2_000;
/** 40,000 take no more memory, but a minute. */
const columnRows = 8_000;

function cellOf(row: number, column: number): string | number {
  if (column % 3 === 0) return `t${(row + column) % 500}`;
  return column % 3 === 1 ? (row * 7919 + column) % 100_003 : (row * column) % 10_007 / 100;
}

function* manyColumns(): Generator<string> {
  yield `${Array.from({ length: columnCount }, (_, column) => `c${column}`).join(",")}\n`;
  for (let row = 0; row < columnRows; row++) yield `${Array.from({ length: columnCount }, (_, column) => cellOf(row, column)).join(",")}\n`;
}

function* manyKeys(): Generator<string> {
  for (let row = 0; row < columnRows / 2; row++) yield `{${Array.from({ length: columnCount }, (_, column) => `"c${column}":${JSON.stringify(cellOf(row, column))}`).join(",")}}\n`;
}

const sortedRows = 3_000_000;

/** More than is sorted in memory. */
function* shuffledRows(): Generator<string> {
  yield "k,n,t\n";
  for (let row = 0; row < sortedRows; row++) yield `${Math.imul(row, 0x9e3779b1) >>> 0},${row},some text ${row % 5_000}\n`;
}

const distinctRows = 70_000;

/** Dictionaries that take all the memory there is for them. */
function* distinctTexts(): Generator<string> {
  yield `${Array.from({ length: 60 }, (_, column) => `c${column}`).join(",")}\n`;
  for (let row = 0; row < distinctRows; row++) yield `${Array.from({ length: 60 }, (_, column) => `value ${column} of ${row}`).join(",")}\n`;
}

describe("the memory of an import", function () {
  this.timeout(240_000);
  let folder = "";
  const at = (name: string): string => join(folder, name);
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-import-memory-"));
    writeTexts(at("long.csv"), longTexts());
    await writeParquet(at("long.parquet"), `SELECT * FROM read_csv('${at("long.csv")}')`, "COMPRESSION zstd");
    writeTexts(at("wide.csv"), wideTexts());
    writeFileSync(at("wide.csv.gz"), gzipSync(readFileSync(at("wide.csv")), { level: 1 }));
    writeTexts(at("huge.csv"), hugeTexts());
    writeTexts(at("columns.csv"), manyColumns());
    await writeParquet(at("columns.parquet"), `SELECT * FROM read_csv('${at("columns.csv")}')`, "COMPRESSION snappy");
    writeTexts(at("columns.ndjson"), manyKeys());
    writeTexts(at("shuffled.csv"), shuffledRows());
    writeTexts(at("distinct.csv"), distinctTexts());
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });
  afterEach(() => {
    rmSync(at("t.bcolz"), { recursive: true, force: true });
  });

  const cases: readonly (readonly [string, string, number, ...string[]])[] = [
    ["250 MB of text in a chunk", "long.csv", longRows],
    ["250 MB of text in a chunk, compressed with zstd", "long.csv", longRows, "--codec", "zstd"],
    ["250 MB of text in a chunk, sorted", "long.csv", longRows, "--sort", "id"],
    ["250 MB of text in a chunk of Parquet", "long.parquet", longRows],
    ["rows of hundreds of kilobytes, compressed with gzip", "wide.csv.gz", wideRows],
    ["rows of hundreds of kilobytes, sorted", "wide.csv", wideRows, "--sort", "id"],
    ["rows of 60 MB", "huge.csv", hugeRows * (1 + shortRows)],
    ["two thousand columns of CSV", "columns.csv", columnRows],
    ["two thousand columns of NDJSON", "columns.ndjson", columnRows / 2],
    ["two thousand columns of Parquet, sorted", "columns.parquet", columnRows, "--sort", "c1"],
    ["three million rows, sorted on disk", "shuffled.csv", sortedRows, "--sort", "k"],
    ["sixty columns of which no value comes twice", "distinct.csv", distinctRows],
    ["what comes through standard input", "-", longRows],
  ];
  for (const [what, input, rows, ...flags] of cases) {
    it(`stays below 1 GB: ${what}`, async () => {
      const child = spawn(process.execPath, [program, "import", input === "-" ? input : at(input), at("t.bcolz"), ...flags], { stdio: ["pipe", "ignore", "pipe"] });
      let told = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => { told += text; });
      if (input === "-") createReadStream(at("long.csv")).pipe(child.stdin);
      else child.stdin.end();
      const [code] = await once(child, "close") as [number | null];
      expect(code, told).to.equal(0);
      expect(describeTable(at("t.bcolz")).rows).to.equal(rows);
      const peakBytes = Number(/^peak (\d+) kB$/m.exec(told)?.[1]) * 1024;
      expect(peakBytes).to.be.greaterThan(50 * megabyte).and.below(bytesMax);
    });
  }
});
