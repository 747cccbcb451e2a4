import { expect } from "chai";
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { realFiles, type Files } from "../../lib/base/files.js";
import { openTable } from "../../lib/columns/open.js";
import { createReadHeap, readTable, type StoredValue } from "../support/read-table.js";
import { unsyncedFiles, writeShards, type PlainColumn } from "../support/write-table.js";

/** A disk that fails from its n-th operation on, as it looks to a process that is killed then; a write then is half done. */
function createDyingFiles(operations: number): Files & { isDead(): boolean } {
  let left = operations;
  const step = async <T>(work: () => Promise<T>, half?: () => Promise<unknown>): Promise<T> => {
    if (left-- > 0) return work();
    if (left === -1) await half?.();
    throw Object.assign(new Error("killed"), { code: "EIO", syscall: "write" });
  };
  const halfOf = (bytes: Uint8Array) => bytes.subarray(0, bytes.length >> 1);
  return {
    isDead: () => left < 0,
    create: (path, bytes) => step(() => realFiles.create(path, bytes), () => realFiles.create(path, halfOf(bytes))),
    append: (path, bytes) => step(() => realFiles.append(path, bytes), () => realFiles.append(path, halfOf(bytes))),
    read: (path, range) => step(() => realFiles.read(path, range)),
    sync: (path) => step(() => unsyncedFiles.sync(path)),
    syncDirectory: (path) => step(() => unsyncedFiles.syncDirectory(path)),
    rename: (from, to) => step(() => realFiles.rename(from, to)),
    link: (from, to) => step(() => realFiles.link(from, to)),
    remove: (path) => step(() => realFiles.remove(path)),
    makeDirectory: (path) => step(() => realFiles.makeDirectory(path)),
    removeDirectory: (path) => step(() => realFiles.removeDirectory(path)),
    list: (path) => step(() => realFiles.list(path)),
    find: (path) => step(() => realFiles.find(path)),
    touch: (path, modifiedMs) => step(() => realFiles.touch(path, modifiedMs)),
  };
}

/** A disk that fails once, at its n-th operation, as when it is full for a moment. */
function createFullFiles(operation: number): Files & { failed(): string | undefined } {
  let left = operation;
  let failed: string | undefined;
  const files = Object.fromEntries(Object.entries(unsyncedFiles).map(([name, work]: [string, (...given: unknown[]) => unknown]) => [name, async (...given: unknown[]) => {
    if (left-- === 0) {
      failed = `${name} ${given.join(" ")}`;
      throw Object.assign(new Error("no space left"), { code: "ENOSPC", syscall: "write" });
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

describe("writing a set of tables", () => {
  let folder = "";
  let paths: string[] = [];
  const heap = createReadHeap();
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    paths = [0, 1].map((shard) => join(folder, "data", `taxi-${shard}.bcolzs`));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** The rows of both shards; undefined for a shard that is not there. */
  function readBoth(): (StoredValue[] | undefined)[] {
    return paths.map((path) => {
      try {
        return readTable(path, heap).get("s");
      } catch (cause) {
        if (cause instanceof BquerydError && cause.code === "NOT_FOUND") return undefined;
        throw cause;
      }
    });
  }

  function halves(mark: string): (StoredValue[] | undefined)[] {
    const { values } = columnsOf(mark)[0]!;
    return [values.slice(0, 3), values.slice(3)];
  }

  /** Locks whose writer is dead: this process stands for it, so they are made to name another. */
  async function disownLocks(): Promise<void> {
    for (const path of paths) {
      const names = await readdir(path).catch((): string[] => []);
      if (names.includes("LOCK")) await writeFile(join(path, "LOCK"), "4999999 1 dead\n");
    }
  }

  it("killed at any operation shows all of a shard or nothing, and the next writer succeeds", async function () {
    this.timeout(120_000);
    let kills = 0;
    for (let operations = 0; ; operations++, kills++) {
      const files = createDyingFiles(operations);
      const failure = await writeShards(paths, columnsOf("first"), { files }).then(() => undefined, (cause: unknown) => cause);
      if (!files.isDead()) break;
      expect(failure, `killed at ${operations}`).to.be.instanceOf(BquerydError);
      const seen = readBoth();
      seen.forEach((rows, shard) => { expect(rows, `killed at ${operations}`).to.be.deep.oneOf([undefined, halves("first")[shard]]); });
      await disownLocks();
      await writeShards(paths, columnsOf("second"), { replace: true });
      expect(readBoth()).to.deep.equal(halves("second"));
      await rm(join(folder, "data"), { recursive: true });
    }
    expect(kills).to.be.greaterThan(50);
  });

  it("killed at any operation of a replacement leaves each shard as it was or as it is to be", async function () {
    this.timeout(120_000);
    const data = join(folder, "data");
    const aside = join(folder, "aside");
    await writeShards(paths, columnsOf("first"));
    await cp(data, aside, { recursive: true });
    const first = paths.map((path) => openTable(path).generation);
    for (let operations = 0; ; operations++) {
      const files = createDyingFiles(operations);
      await writeShards(paths, columnsOf("second"), { files, replace: true }).catch(() => undefined);
      if (!files.isDead()) break;
      const seen = readBoth();
      seen.forEach((rows, shard) => { expect(rows, `killed at ${operations}`).to.be.deep.oneOf([halves("first")[shard], halves("second")[shard]]); });
      for (const [shard, path] of paths.entries()) expect(openTable(path, { generation: first[shard]! }).rows).to.equal(3);
      await rm(data, { recursive: true });
      await cp(aside, data, { recursive: true });
    }
    expect(readBoth()).to.deep.equal(halves("second"));
  });

  it("failing at any operation of preparing and writing cleans up after itself", async function () {
    this.timeout(120_000);
    for (let operation = 0; ; operation++) {
      const files = createFullFiles(operation);
      const failure = await writeShards(paths, columnsOf("first"), { files }).then(() => undefined, (cause: unknown) => cause as BquerydError);
      if (files.failed() === undefined) break;
      expect(failure?.code, `failed at ${operation}`).to.be.oneOf(["DISK_FULL"]);
      const visible = readBoth();
      // Once a CURRENT may have been replaced, nothing but the locks is cleared away.
      if (visible.every((rows) => rows === undefined) && !files.failed()!.endsWith("CURRENT")) {
        expect(await readdir(folder), files.failed()).to.deep.equal([]);
      } else {
        for (const path of paths) expect(await readdir(path), files.failed()).to.not.include("LOCK");
        await rm(join(folder, "data"), { recursive: true });
      }
    }
  });

  it("has everything durable before the first CURRENT, and the CURRENTs after the last", async () => {
    const { files, lost, commits } = createWatchedFiles();
    await writeShards(paths, columnsOf("first"), { files });
    await writeShards(paths, columnsOf("second"), { files, replace: true });
    expect(commits()).to.equal(4);
    expect(lost).to.deep.equal([]);
  });
});
