import { expect } from "chai";
import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { realFiles, type Files } from "../../lib/base/files.js";
import { openTable } from "../../lib/columns/read/open.js";
import type { Heap } from "../../lib/kernels/heap.js";
import { crashScenarios } from "../support/crash-runs.js";
import { createReadHeap, readTable } from "../support/read-table.js";
import { unsyncedFiles, writeShards, type PlainColumn } from "../support/write-table.js";

/** The disk fails at one operation in so many, from one on that is drawn: each is in one run or another. */
const every = 3;

/** A disk that fails once, at its n-th operation, as when it is full for a moment. */
function createFailingFiles(operation: number, code: string): Files & { failed(): string | undefined } {
  let left = operation;
  let failed: string | undefined;
  const files = Object.fromEntries(Object.entries(unsyncedFiles).map(([name, work]: [string, (...given: unknown[]) => unknown]) => [name, async (...given: unknown[]) => {
    if (left-- === 0) {
      failed = `${name} ${given.join(" ")}`;
      throw Object.assign(new Error("the disk fails"), { code, syscall: "write" });
    }
    return work(...given);
  }]));
  return { ...(files as unknown as Files), failed: () => failed };
}

/** A disk that forgets, at a commit, what was not made durable: gives what would be lost with each CURRENT. */
function createWatchedFiles(): { files: Files; lost: string[]; commits: () => number } {
  const unsynced = new Set<string>();
  const unsyncedEntries = new Set<string>();
  const lost: string[] = [];
  let commits = 0;
  const files: Files = {
    ...unsyncedFiles,
    async create(path, bytes) { unsynced.add(path); unsyncedEntries.add(path); await realFiles.create(path, bytes); },
    async createSynced(path, bytes) { unsyncedEntries.add(path); await realFiles.create(path, bytes); },
    async append(path, bytes) { unsynced.add(path); unsyncedEntries.add(path); await realFiles.append(path, bytes); },
    async sync(path) { unsynced.delete(path); },
    async syncDirectory(path) {
      for (const entry of unsyncedEntries) if (dirname(entry) === path) unsyncedEntries.delete(entry);
    },
    async makeDirectory(path) {
      const created = await realFiles.makeDirectory(path);
      if (created !== undefined) for (let made = path; made.length >= created.length; made = dirname(made)) unsyncedEntries.add(made);
      return created;
    },
    async rename(from, to) {
      if (basename(to) === "CURRENT") {
        commits++;
        const needed = (path: string) => basename(path) !== "LOCK" && !basename(path).startsWith("LOCK.");
        lost.push(...[...unsynced].filter(needed), ...[...unsyncedEntries].filter((path) => needed(path) && basename(path) !== "CURRENT"));
      }
      await realFiles.rename(from, to);
      unsyncedEntries.delete(from);
      unsyncedEntries.add(to);
      if (unsynced.delete(from)) unsynced.add(to);
    },
    async remove(path) { await realFiles.remove(path); unsynced.delete(path); unsyncedEntries.delete(path); },
  };
  return { files, lost, commits: () => commits };
}

function columnsOf(mark: string): PlainColumn[] {
  return [
    { name: "s", dtype: "string", values: ["a", "b", null, "a", mark, "c"] },
    { name: "i", dtype: "int64", values: [1n, 2n, 3n, null, BigInt(mark.length), 6n] },
  ];
}

/** Names of what is in a folder and in those below it. */
async function listAll(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}

/** What a table holds and where; undefined where there is none. */
function stateOf(path: string, heap: Heap): unknown {
  try {
    return [openTable(path).generation, readTable(path, heap)];
  } catch (cause) {
    if (cause instanceof BquerydError && cause.code === "NOT_FOUND") return undefined;
    throw cause;
  }
}

describe("a disk that fails for a moment", () => {
  let folder = "";
  const heap = createReadHeap();
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), "bqueryd-test-")); });
  afterEach(() => rm(folder, { recursive: true }));

  for (const [name, scenario] of crashScenarios) {
    for (const [code, expected] of [["ENOSPC", "DISK_FULL"], ["EIO", "IO"]] as const) {
      it(`(${code}) at any operation of ${name} leaves the table as it was and nothing beside it, or the work is done`, async function () {
        this.timeout(120_000);
        const before = join(folder, "before");
        await mkdir(before);
        await scenario.prepare(before);
        const names = await listAll(before);
        const states = scenario.tables.map((table) => stateOf(join(before, table), heap));
        const seed = freshSeed();
        for (let operation = seed % every; ; operation += every) {
          const work = join(folder, `${operation}`);
          await cp(before, work, { recursive: true, preserveTimestamps: true });
          const files = createFailingFiles(operation, code);
          const failure = await scenario.run(work, files).then(() => undefined, (cause: unknown) => cause as BquerydError);
          const failed = files.failed();
          if (failed === undefined) break;
          const after = scenario.tables.map((table) => stateOf(join(work, table), heap));
          expect((await listAll(work)).filter((entry) => basename(entry).startsWith("LOCK")), failed).to.deep.equal([]);
          // Once a CURRENT may have been replaced, nothing but the locks is cleared away.
          const isUnsure = failed.startsWith("rename ") && failed.endsWith("CURRENT");
          if (failure === undefined) expect(after, `no failure at ${failed}`).to.not.deep.equal(states);
          else expect(failure.code, failed).to.equal(expected);
          // What a dead writer left half written goes first of all.
          const isLeft = (entry: string) => entry.endsWith(".tmp") && names.includes(entry);
          if (failure !== undefined && isDeepStrictEqual(after, states) && !isUnsure) expect((await listAll(work)).filter((entry) => !isLeft(entry)), failed).to.deep.equal(names.filter((entry) => !isLeft(entry)));
          await rm(work, { recursive: true });
        }
      });
    }
  }
});

describe("writing a set of tables", () => {
  let folder = "";
  let paths: string[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    paths = [0, 1].map((shard) => join(folder, "data", `taxi-${shard}.bcolzs`));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("has everything durable before the first CURRENT, and the CURRENTs after the last", async () => {
    const { files, lost, commits } = createWatchedFiles();
    await writeShards(paths, columnsOf("first"), { files });
    await writeShards(paths, columnsOf("second"), { files, replace: true });
    expect(commits()).to.equal(4);
    expect(lost).to.deep.equal([]);
  });
});
