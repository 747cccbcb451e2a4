/** Imports of what takes memory if anything does: none may take more than a gigabyte. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, createReadStream, existsSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { seededRandom } from "../../../lib/base/clock.js";
import { describeTable } from "../../../lib/columns/read/describe.js";
import { writeParquet } from "../parquet.js";
import type { FileCase } from "./cases.js";

const program = fileURLToPath(new URL("../measured-cli.js", import.meta.url));
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

/** A file to be imported: of texts, or of another one. */
interface Input {
  readonly from?: string;
  make(path: string, source: string): void | Promise<void>;
}

const inputs: ReadonlyMap<string, Input> = new Map<string, Input>([
  ["long.csv", { make: (path) => { writeTexts(path, longTexts()); } }],
  ["long.parquet", { from: "long.csv", make: (path, source) => writeParquet(path, `SELECT * FROM read_csv('${source}')`, "COMPRESSION zstd") }],
  ["wide.csv", { make: (path) => { writeTexts(path, wideTexts()); } }],
  ["wide.csv.gz", { from: "wide.csv", make: (path, source) => { writeFileSync(path, gzipSync(readFileSync(source), { level: 1 })); } }],
  ["huge.csv", { make: (path) => { writeTexts(path, hugeTexts()); } }],
  ["columns.csv", { make: (path) => { writeTexts(path, manyColumns()); } }],
  ["columns.parquet", { from: "columns.csv", make: (path, source) => writeParquet(path, `SELECT * FROM read_csv('${source}')`, "COMPRESSION snappy") }],
  ["columns.ndjson", { make: (path) => { writeTexts(path, manyKeys()); } }],
  ["shuffled.csv", { make: (path) => { writeTexts(path, shuffledRows()); } }],
  ["distinct.csv", { make: (path) => { writeTexts(path, distinctTexts()); } }],
]);

/** The path of an input, made first where it is missing. */
async function requireInput(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  if (existsSync(path)) return path;
  const { from, make } = inputs.get(name)!;
  await make(path, from === undefined ? "" : await requireInput(folder, from));
  return path;
}

interface MemoryCase {
  readonly what: string;
  readonly input: string;
  readonly rows: number;
  readonly flags?: readonly string[];
  /** Read by the import from its standard input. */
  readonly isPiped?: boolean;
}

const cases: readonly MemoryCase[] = [
  { what: "250 MB of text in a chunk", input: "long.csv", rows: longRows },
  { what: "250 MB of text in a chunk, compressed with zstd", input: "long.csv", rows: longRows, flags: ["--codec", "zstd"] },
  { what: "250 MB of text in a chunk, sorted", input: "long.csv", rows: longRows, flags: ["--sort", "id"] },
  { what: "250 MB of text in a chunk of Parquet", input: "long.parquet", rows: longRows },
  { what: "rows of hundreds of kilobytes, compressed with gzip", input: "wide.csv.gz", rows: wideRows },
  { what: "rows of hundreds of kilobytes, sorted", input: "wide.csv", rows: wideRows, flags: ["--sort", "id"] },
  { what: "rows of 60 MB", input: "huge.csv", rows: hugeRows * (1 + shortRows) },
  { what: "two thousand columns of CSV", input: "columns.csv", rows: columnRows },
  { what: "two thousand columns of NDJSON", input: "columns.ndjson", rows: columnRows / 2 },
  { what: "two thousand columns of Parquet, sorted", input: "columns.parquet", rows: columnRows, flags: ["--sort", "c1"] },
  { what: "three million rows, sorted on disk", input: "shuffled.csv", rows: sortedRows, flags: ["--sort", "k"] },
  { what: "sixty columns of which no value comes twice", input: "distinct.csv", rows: distinctRows },
  { what: "what comes through standard input", input: "long.csv", rows: longRows, isPiped: true },
];

/** An import of each: all of its rows arrive, and its process stays below the limit. */
export const importMemoryCases: readonly FileCase[] = cases.map((memoryCase) => ({
  name: `an import of ${memoryCase.what} stays below 1 GB`, run: (folder) => measureImport(folder, memoryCase),
}));

async function measureImport(folder: string, { input, rows, flags = [], isPiped = false }: MemoryCase): Promise<void> {
  const table = join(folder, "measured.bcolz");
  const path = await requireInput(folder, input);
  try {
    const child = spawn(process.execPath, [program, "import", isPiped ? "-" : path, table, ...flags], { stdio: ["pipe", "ignore", "pipe"] });
    let told = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => { told += text; });
    if (isPiped) createReadStream(path).pipe(child.stdin);
    else child.stdin.end();
    const [code] = await once(child, "close") as [number | null];
    expect(code, told).to.equal(0);
    expect(describeTable(table).rows).to.equal(rows);
    const peakBytes = Number(/^peak (\d+) kB$/m.exec(told)?.[1]) * 1024;
    expect(peakBytes).to.be.greaterThan(50 * megabyte).and.below(bytesMax);
  } finally {
    rmSync(table, { recursive: true, force: true });
  }
}
