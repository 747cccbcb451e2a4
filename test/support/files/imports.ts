/** Imports that are ended at one moment or another: a table is whole or not there, and nothing stays. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { describeTable } from "../../../lib/columns/read/describe.js";
import { openTable } from "../../../lib/columns/read/open.js";
import type { FileCase } from "./cases.js";

/** The program that users run. */
export const executable = fileURLToPath(new URL("../../../bin/bqueryd.js", import.meta.url));

/** A running import with what it has written. */
export interface Import {
  readonly child: ChildProcess;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  output(): string;
  hasEnded(): boolean;
}

/** Starts a command, with its standard input from a stream if one is given. */
export function start(command: string, args: readonly string[], input?: NodeJS.ReadableStream): Import {
  const child = spawn(command, args, { stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"] });
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => { output += text; });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => { output += text; });
  // The child may well end before it has read all of its input.
  child.stdin?.on("error", () => undefined);
  if (input !== undefined && child.stdin !== null) input.pipe(child.stdin);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("close", (code, signal) => { resolve(signal ?? code ?? 0); });
  });
  return { child, ended, output: () => output, hasEnded: () => child.exitCode !== null || child.signalCode !== null };
}

/** Starts `bqueryd import`. */
export function startImport(...args: readonly string[]): Import {
  return start(process.execPath, [executable, "import", ...args]);
}

/** Rows of the input: more than three chunks. */
export const rows = 200_000;
/** With their texts, more than is sorted in memory. */
const largeRows = 250_000;

/** The path of an input of so many rows in the folder, made first where it is missing. */
export function requireInput(folder: string): string {
  return requireGzip(join(folder, "in.csv.gz"), rows);
}

function requireLargeInput(folder: string): string {
  return requireGzip(join(folder, "large.csv.gz"), largeRows, "x".repeat(600));
}

function requireGzip(path: string, count: number, padding = ""): string {
  if (!existsSync(path)) writeFileSync(path, gzipSync([...numberedRows(count, padding)].join(""), { level: 1 }));
  return path;
}

function* numberedRows(count: number, padding: string): Generator<string> {
  yield "k,n,t\n";
  for (let row = 0; row < count; row++) yield `${Math.imul(row, 0x9e3779b1) >>> 12},${row},some text ${row % 5000}${padding === "" ? "" : `${padding}${row}`}\n`;
}

/** The names in a folder, none where there is no such folder. */
export function listed(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Whether a table has a file of such a name. */
export function hasFile(table: string, ending: string): boolean {
  return listed(table).some((name) => name.endsWith(ending));
}

/** Whether an import holds rows in a file without a name. */
export function hasSpool({ child }: Import): boolean {
  return listed(`/proc/${child.pid}/fd`).some((descriptor) => {
    try {
      return readlinkSync(`/proc/${child.pid}/fd/${descriptor}`).endsWith(".tmp (deleted)");
    } catch {
      return false;
    }
  });
}

/** Waits until something is seen; false when the process ended before. */
export async function sees(running: Import, condition: () => boolean): Promise<boolean> {
  while (!condition()) {
    if (running.hasEnded()) return false;
    await delay(1);
  }
  return true;
}

interface Moment {
  readonly when: string;
  readonly flags: readonly string[];
  isNow(running: Import, table: string): boolean;
}

const writing: readonly Moment[] = [
  { when: "before it writes", flags: [], isNow: (_, table) => listed(table).length > 0 },
  { when: "when the first chunks are written", flags: [], isNow: (_, table) => hasFile(table, ".tmp") },
  { when: "when it names its files", flags: [], isNow: (_, table) => hasFile(table, ".col") },
  { when: "when its footer is written", flags: [], isNow: (_, table) => hasFile(table, ".json") },
];
const sorting: readonly Moment[] = [
  { when: "while it sorts on disk", flags: ["--sort", "k"], isNow: hasSpool },
  { when: "while it writes what is sorted", flags: ["--sort", "k"], isNow: (running, table) => hasSpool(running) && hasFile(table, ".tmp") },
];

/** SIGKILL while rows are written. */
export const importKilledCases: readonly FileCase[] = writing.map(killedCase);
/** SIGKILL while rows are sorted. */
export const sortKilledCases: readonly FileCase[] = sorting.map(killedCase);
/** SIGTERM at each moment. */
export const importEndedCases: readonly FileCase[] = [...writing, ...sorting].map(endedCase);

function killedCase(moment: Moment): FileCase {
  return {
    name: `an import killed ${moment.when} leaves no table or the whole one, and nothing that the next import does not take away`,
    run: (inputs) => inPlaceOfItsOwn(inputs, (folder) => killImport(moment, inputs, folder)),
  };
}

async function killImport({ flags, isNow }: Moment, inputs: string, folder: string): Promise<void> {
  const isLarge = flags.length > 0;
  const [path, expectedRows] = isLarge ? [requireLargeInput(inputs), largeRows] : [requireInput(inputs), rows];
  const table = join(folder, "t.bcolz");
  const running = startImport(path, table, ...flags);
  const isSeen = await sees(running, () => isNow(running, table));
  if (isLarge) expect(isSeen, running.output()).to.equal(true);
  running.child.kill("SIGKILL");
  await running.ended;
  if (listed(table).includes("CURRENT")) expect(describeTable(table).rows).to.equal(expectedRows);
  expect(listed(folder).filter((name) => name !== "t.bcolz")).to.deep.equal([]);
  expect(await startImport(path, table, "--replace", ...flags).ended).to.equal(0);
  expect(describeTable(table).rows).to.equal(expectedRows);
  expect(straysOf(table)).to.deep.equal([]);
}

/** Files that are none of the table's. */
function straysOf(path: string): string[] {
  const table = openTable(path);
  const names = table.footer.files.map(({ name }) => name);
  table.close();
  const strays = listed(path).filter((name) => !names.includes(name) && name !== "CURRENT" && !name.endsWith(".json"));
  // A lock that was killed half written has no owner to be looked for: it goes with its age.
  return strays.filter((name) => !(name.startsWith("LOCK.") && !readFileSync(join(path, name), "latin1").endsWith("\n")));
}

function endedCase({ when, flags, isNow }: Moment): FileCase {
  return {
    name: `an import told to end ${when} leaves nothing`,
    run: (inputs) => inPlaceOfItsOwn(inputs, async (folder) => {
      const isLarge = flags.length > 0;
      const table = join(folder, "new/t.bcolz");
      const running = startImport(isLarge ? requireLargeInput(inputs) : requireInput(inputs), table, ...flags);
      await sees(running, () => isNow(running, table));
      running.child.kill("SIGTERM");
      const outcome = await running.ended;
      if (outcome !== 0) expect([outcome, listed(folder)], running.output()).to.deep.equal([130, []]);
      else expect(describeTable(table).rows).to.equal(isLarge ? largeRows : rows);
    }),
  };
}

async function inPlaceOfItsOwn(inputs: string, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(inputs, "case-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
