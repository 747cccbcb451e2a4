/** Writes that are cut off at any operation, and what has to hold afterwards. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect, isDeepStrictEqual } from "node:util";
import { seededRandom, wallMs } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import type { Files } from "../../lib/base/files.js";
import { compactTable } from "../../lib/columns/write/compact.js";
import { openTable } from "../../lib/columns/read/open.js";
import { verifyTable } from "../../lib/columns/verify/verify.js";
import type { Heap } from "../../lib/kernels/heap.js";
import { appendRows } from "./append-rows.js";
import { createPowerCut } from "./power-cut.js";
import { createReadHeap, readTable, type StoredValue } from "./read-table.js";
import { unsyncedFiles, writeShards, writeTable, type PlainColumn } from "./write-table.js";

/** A write to be cut off, in a folder of its own. */
export interface CrashScenario {
  /** The tables it writes. */
  readonly tables: readonly string[];
  /** Tables that it takes away, which one more run of it a while later has to have cleared away. */
  readonly surplus?: readonly string[];
  /** Makes what is there before; each call makes the same. */
  prepare(folder: string): Promise<void>;
  run(folder: string, files: Files): Promise<unknown>;
}

const shards = ["s-0.bcolzs", "s-1.bcolzs"];

function columnsOf(mark: string, rows = 6): PlainColumn[] {
  return [
    { name: "s", dtype: "string", values: Array.from({ length: rows }, (_, row) => (row === 2 ? null : row === 4 ? mark : `w${row % 3}`)) },
    { name: "i", dtype: "int32", values: Array.from({ length: rows }, (_, row) => (row === 3 ? null : BigInt(row * mark.length))) },
  ];
}

/** Makes every file in a directory as old as two hours. */
async function age(directory: string): Promise<void> {
  const seconds = wallMs() / 1000 - 7_200;
  for (const name of await readdir(directory)) await utimes(join(directory, name), seconds, seconds);
}

const one = (folder: string): string => join(folder, "t.bcolz");
const both = (folder: string): string[] => shards.map((name) => join(folder, name));
const three = (folder: string): string[] => [...both(folder), join(folder, "s-2.bcolzs")];

/** A table of two segments a column. */
async function writeScattered(folder: string): Promise<void> {
  await writeTable(one(folder), columnsOf("first", 65_540));
  await appendRows(one(folder), columnsOf("second", 3));
}

/** Generations that long ago fell off, and what dead processes left. */
async function writeLitter(folder: string): Promise<void> {
  for (const mark of ["a", "ab", "abc", "abcd"]) await writeTable(one(folder), columnsOf(mark), { replace: true });
  await writeFile(join(one(folder), `${"0".repeat(32)}.tmp`), "left");
  await writeFile(join(one(folder), `PIN.${"0".repeat(32)}`), "4999999 1 dead\n");
  await age(one(folder));
}

/** Every sort of write, by name. */
export const crashScenarios: ReadonlyMap<string, CrashScenario> = new Map<string, CrashScenario>([
  ["create", { tables: shards.map((name) => `new/${name}`), prepare: async () => undefined, run: (folder, files) => writeShards(both(join(folder, "new")), columnsOf("first"), { files }) }],
  ["replace", { tables: shards, prepare: async (folder) => { await writeShards(both(folder), columnsOf("first")); }, run: (folder, files) => writeShards(both(folder), columnsOf("second"), { files, replace: true }) }],
  ["replace by fewer shards", { tables: shards, surplus: ["s-2.bcolzs"], prepare: async (folder) => { await writeShards(three(folder), columnsOf("first")); }, run: (folder, files) => writeShards(both(folder), columnsOf("second"), { files, replace: true }) }],
  ["append", { tables: ["t.bcolz"], prepare: async (folder) => { await writeTable(one(folder), columnsOf("first")); }, run: (folder, files) => appendRows(one(folder), columnsOf("second"), { files }) }],
  ["append past the dictionary", { tables: ["t.bcolz"], prepare: async (folder) => { await writeTable(one(folder), columnsOf("first")); }, run: (folder, files) => appendRows(one(folder), columnsOf("second"), { files, dictionaryValuesMax: 4 }) }],
  ["create with rows that wait in files", { tables: ["new/t.bcolz"], prepare: async () => undefined, run: (folder, files) => writeTable(one(join(folder, "new")), columnsOf("first", 5_000), { files, waitingBytesMax: 0, dictionaryValuesMax: 1 }) }],
  ["compact", { tables: ["t.bcolz"], prepare: writeScattered, run: (folder, files) => compactTable(one(folder), { files }) }],
  ["collect", { tables: ["t.bcolz"], prepare: writeLitter, run: (folder, files) => writeTable(one(folder), columnsOf("abcde"), { files, replace: true }) }],
]);

/** What a scenario begins and ends with, made once for many runs. */
export interface CrashStage {
  readonly scenario: CrashScenario;
  /** Operations of a run that is not cut off. */
  readonly operations: number;
  /** The folder to begin with. */
  readonly before: string;
  readonly rowsBefore: readonly (StoredValue[] | undefined)[];
  readonly rowsAfter: readonly (StoredValue[] | undefined)[];
  readonly heap: Heap;
  close(): Promise<void>;
}

/** Prepares a scenario. The stage has a folder until it is closed. */
export async function openCrashStage(scenario: CrashScenario): Promise<CrashStage> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-crash-"));
  const before = join(folder, "before");
  const after = join(folder, "after");
  const heap = createReadHeap();
  await mkdir(before);
  await scenario.prepare(before);
  await cp(before, after, { recursive: true, preserveTimestamps: true });
  const uncut = await createPowerCut(after, Infinity);
  await scenario.run(after, uncut.files);
  return { scenario, operations: uncut.done(), before, heap, rowsBefore: readAll(scenario, before, heap), rowsAfter: readAll(scenario, after, heap), close: () => rm(folder, { recursive: true }) };
}

/**
 * Cuts the power after so many operations, and looks at what may be on the disk then; the seed decides what was lost.
 * Gives what does not hold; undefined when all does.
 */
export async function runCrash(stage: CrashStage, operations: number, seed: number): Promise<string | undefined> {
  const { scenario, before } = stage;
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-crash-"));
  try {
    const work = join(folder, "work");
    await cp(before, work, { recursive: true, preserveTimestamps: true });
    const cut = await createPowerCut(work, operations);
    const failure = await scenario.run(work, cut.files).then(() => undefined, (cause: unknown) => cause);
    if (!cut.isDead() && failure !== undefined) return `it fails without a cut: ${inspect(failure)}`;
    const recovered = join(folder, "recovered");
    await cut.recover(recovered, seededRandom(seed));
    // Once the call has come back with success, nothing may be lost any more.
    const isDone = failure === undefined;
    return findWrongRows(stage, recovered, isDone) ?? await findSurplus(stage, recovered) ?? await findLitter(stage, recovered);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function readAll(scenario: CrashScenario, folder: string, heap: Heap): (StoredValue[] | undefined)[] {
  return scenario.tables.map((name) => {
    try {
      return readTable(join(folder, name), heap).get("s");
    } catch (cause) {
      if (cause instanceof BquerydError && cause.code === "NOT_FOUND") return undefined;
      throw cause;
    }
  });
}

/** Each table has to be as it was, or as it is to be; and as it is to be when the write has succeeded. */
function findWrongRows({ scenario, rowsBefore, rowsAfter, heap }: CrashStage, folder: string, isDone: boolean): string | undefined {
  try {
    const rows = readAll(scenario, folder, heap);
    const at = rows.findIndex((each, table) => !isDeepStrictEqual(each, rowsAfter[table]) && (isDone || !isDeepStrictEqual(each, rowsBefore[table])));
    return at < 0 ? undefined : `${scenario.tables[at]!} holds ${JSON.stringify(rows[at]?.slice(0, 10))}`;
  } catch (cause) {
    return `reading fails: ${String(cause)}`;
  }
}

/** What is taken away has to go in the end, and to be a table or none until then. */
async function findSurplus({ scenario, heap }: CrashStage, folder: string): Promise<string | undefined> {
  const { surplus = [], run } = scenario;
  if (surplus.length === 0) return undefined;
  try {
    readAll({ ...scenario, tables: surplus }, folder, heap);
    await run(folder, unsyncedFiles);
    for (const name of (await readdir(folder)).filter((entry) => surplus.includes(entry))) await age(join(folder, name));
    await run(folder, unsyncedFiles);
  } catch (cause) {
    return `the next writer of the set fails: ${String(cause)}`;
  }
  const left = (await readdir(folder)).find((entry) => surplus.includes(entry));
  return left === undefined ? undefined : `${left} is still there`;
}

/** The next writers have to succeed, and to clear away what was left. */
async function findLitter({ scenario, heap }: CrashStage, folder: string): Promise<string | undefined> {
  for (const name of scenario.tables) {
    const path = join(folder, name);
    try {
      await writeTable(path, columnsOf("next"), { replace: true });
      await age(path);
      await writeTable(path, columnsOf("last of all"), { replace: true });
      if (readTable(path, heap).get("s")![4] !== "last of all") return `${name} is not what was written last`;
      const { findings } = await verifyTable(path);
      if (findings.length > 0) return `${name}: ${JSON.stringify(findings[0])}`;
    } catch (cause) {
      return `the next writer of ${name} fails: ${String(cause)}`;
    }
    const litter = await findUnnamed(path);
    if (litter !== undefined) return `${name} still holds ${litter}`;
  }
  return undefined;
}

/** A file that nothing needs. Footers may be young enough to be spared. */
async function findUnnamed(path: string): Promise<string | undefined> {
  const names = await readdir(path);
  const current = (await readFile(join(path, "CURRENT"), "latin1")).trim().split("\n");
  const footers = names.filter((name) => name.endsWith(".json"));
  const named = new Set(["CURRENT", ...footers]);
  for (const name of footers) {
    const { files } = JSON.parse(await readFile(join(path, name), "utf8")) as { files: { name: string }[] };
    for (const file of files) named.add(file.name);
  }
  if (current[0] !== openTable(path).generation || footers.length > current.length + 1) return `${footers.length} footers`;
  return names.find((name) => !named.has(name));
}
