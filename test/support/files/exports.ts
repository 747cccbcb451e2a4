/** Exports of large tables to each format: the memory of their processes, and what they leave when they are told to end. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { Batch } from "../../../lib/columns/dtypes.js";
import { packStrings } from "../../../lib/columns/texts.js";
import { createTables } from "../../../lib/columns/write/writer.js";
import { queryDuckDb } from "../parquet.js";
import { unsyncedFiles, writeTable } from "../write-table.js";
import type { FileCase } from "./cases.js";

const executable = fileURLToPath(new URL("../../../bin/bqueryd.js", import.meta.url));
const megabyte = 1024 * 1024;
/** Of the table whose export is measured, and of the one whose export is ended before it is done. */
const [rows, longRows] = [3_000_000, 1_000_000];
const batchRows = 100_000;
const wideRows = 600;
const wideBytes = 267_000;
const formats = ["csv", "ndjson", "parquet", "arrow"];

/** A running export with what it has written on stderr. */
export interface Export {
  readonly child: ChildProcess;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  hasEnded(): boolean;
  errors(): string;
}

/** Starts `bqueryd export`. */
export function startExport(...args: readonly string[]): Export {
  const child = spawn(process.execPath, [executable, "export", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => { errors += text; });
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("close", (code, signal) => { resolve(signal ?? code ?? 0); });
  });
  return { child, ended, hasEnded: () => child.exitCode !== null || child.signalCode !== null, errors: () => errors };
}

/** The path of a table in the folder whose export takes a while, made first where it is missing. */
export function requireLongTable(folder: string): Promise<string> {
  return requireTable(folder, longRows);
}

async function requireTable(folder: string, rows: number): Promise<string> {
  const path = join(folder, `of-${rows}-rows.bcolz`);
  if (existsSync(path)) return path;
  const columns = [{ name: "n", dtype: "int64" }, { name: "x y $", dtype: "float64" }, { name: "few", dtype: "string" }, { name: "many", dtype: "string" }, { name: "t", dtype: "timestamp" }] as const;
  const writer = await createTables({ paths: [path], columns, set: false, replace: false, sort: null, files: unsyncedFiles });
  for (let start = 0; start < rows; start += batchRows) await writer.append(0, batchFrom(start));
  await writer.commit();
  return path;
}

function batchFrom(start: number): Batch[] {
  const facts = { rows: batchRows, nulls: null };
  const each = <T>(valueAt: (row: number) => T): T[] => Array.from({ length: batchRows }, (_, row) => valueAt(start + row));
  return [
    { dtype: "int64", ...facts, values: BigInt64Array.from(each(BigInt)) }, { dtype: "float64", ...facts, values: Float64Array.from(each((row) => row / 7)) },
    { dtype: "string", ...facts, values: packStrings(each((row) => `category ${row % 500}`)) }, { dtype: "string", ...facts, values: packStrings(each((row) => `text of row ${row}`)) },
    { dtype: "timestamp", ...facts, values: BigInt64Array.from(each((row) => BigInt(row) * 1_000_000_007n)) },
  ];
}

async function requireWideTable(folder: string): Promise<string> {
  const path = join(folder, "wide.bcolz");
  const texts = (): string[] => Array.from({ length: wideRows }, (_, row) => `${row} `.repeat(wideBytes).slice(0, wideBytes));
  if (!existsSync(path)) await writeTable(path, [{ name: "text", dtype: "string", values: texts() }]);
  return path;
}

/** Many rows to each format. */
export const exportManyRowsCases: readonly FileCase[] = formats.map((format) => ({
  name: `an export of three million rows to ${format} stays below 400 MB of memory`,
  run: async (folder) => {
    const output = join(folder, `large.${format}`);
    await measureExport(await requireTable(folder, rows), output, 400 * megabyte);
    if (format !== "arrow") {
      const [sums] = await queryDuckDb(`SELECT count(*), sum(n)::DOUBLE, count(DISTINCT few), count(DISTINCT many), sum("x y $") FROM '${output}'`);
      expect(sums!.slice(0, 4).map(Number)).to.deep.equal([rows, rows * (rows - 1) / 2, 500, rows]);
      expect(Number(sums![4])).to.be.closeTo(rows * (rows - 1) / 14, 1);
    }
    rmSync(output);
  },
}));

/** Long texts to each format. */
export const exportLongTextsCases: readonly FileCase[] = formats.map((format) => ({
  name: `an export of texts of hundreds of kilobytes to ${format} stays below 750 MB of memory`,
  run: async (folder) => {
    const output = join(folder, `wide.${format}`);
    await measureExport(await requireWideTable(folder), output, 750 * megabyte);
    expect(statSync(output).size).to.be.greaterThan(format === "parquet" ? 1_000 : wideRows * wideBytes);
    rmSync(output);
  },
}));

/** Ctrl-C while each format is being written. */
export const exportEndedCases: readonly FileCase[] = formats.map((format) => ({
  name: `an export told to end while it writes ${format} leaves nothing`,
  run: async (folder) => {
    const table = await requireLongTable(folder);
    const before = readdirSync(folder);
    const running = startExport(table, join(folder, `cut.${format}`));
    while (!running.hasEnded() && !readdirSync(folder).some((name) => name.endsWith(".tmp") && statSync(join(folder, name)).size > 0)) await delay(1);
    running.child.kill("SIGINT");
    expect(await running.ended, running.errors()).to.equal(130);
    expect(running.errors()).to.match(/bqueryd: CANCELLED: the export was interrupted; no file was written\n$/);
    expect(readdirSync(folder)).to.have.members(before);
  },
}));

async function measureExport(table: string, output: string, bytesMax: number): Promise<void> {
  const running = startExport(table, output);
  const peak = await peakBytes(running);
  expect(await running.ended, running.errors()).to.equal(0);
  expect(peak).to.be.greaterThan(30 * megabyte).and.below(bytesMax);
}

/** The most memory that a process had resident. */
async function peakBytes(running: Export): Promise<number> {
  let peak = 0;
  while (!running.hasEnded()) {
    const found = /^VmHWM:\s+(\d+) kB/m.exec(statusOf(running.child.pid!));
    peak = Math.max(peak, Number(found?.[1] ?? 0) * 1024);
    await delay(20);
  }
  return peak;
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}
