import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { wallMs } from "../../lib/base/clock.js";
import { findTables } from "../../lib/columns/find-tables.js";
import { readChunk } from "../../lib/columns/read/batches.js";
import { createDecoder } from "../../lib/columns/read/decoder.js";
import { openTable } from "../../lib/columns/read/open.js";
import { createTables } from "../../lib/columns/write/writer.js";
import { failureOf } from "../support/failure.js";
import { readTable } from "../support/read-table.js";
import { unsyncedFiles, writeShards, type PlainColumn } from "../support/write-table.js";

describe("a set that is replaced by a smaller one", () => {
  let folder = "";
  let heldBefore = "";
  const columns = (first: bigint): PlainColumn[] => [{ name: "v", dtype: "int64", values: [first, first + 1n, first + 5n] }];
  const paths = (count: number): string[] => Array.from({ length: count }, (_, shard) => join(folder, `s-${shard}.bcolzs`));
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    heldBefore = join(folder, "s-2.bcolzs");
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Makes every file of a table as old as this. */
  async function age(path: string, ms = 7_200_000): Promise<void> {
    const seconds = (wallMs() - ms) / 1000;
    for (const name of await readdir(path)) await utimes(join(path, name), seconds, seconds);
  }

  const replace = (first: bigint, options = {}): Promise<string[]> => writeShards(paths(2), columns(first), { replace: true, ...options });

  it("keeps what a reader has pinned of a shard that is gone, and has it no longer than that", async () => {
    await writeShards(paths(3), columns(1n));
    const table = openTable(heldBefore, { pin: true });
    await replace(2n);
    await age(heldBefore);
    await replace(3n);
    expect((await failureOf(() => openTable(heldBefore))).code).to.equal("NOT_FOUND");
    expect(readChunk(table.column("v"), 0, createDecoder()).values).to.deep.equal(BigInt64Array.of(6n));
    table.close();
    await age(heldBefore);
    await replace(4n);
    expect(existsSync(heldBefore)).to.equal(false);
  });

  it("keeps a shard that is gone for two minutes for readers without a pin, or as long as a query may take", async () => {
    await writeShards(paths(3), columns(1n));
    const table = openTable(heldBefore);
    await replace(2n);
    expect(readChunk(table.column("v"), 0, createDecoder()).values).to.deep.equal(BigInt64Array.of(6n));
    table.close();
    await age(heldBefore, 300_000);
    await replace(3n, { timeoutMs: 600_000 });
    expect((await readdir(heldBefore)).filter((name) => name.endsWith(".col"))).to.have.length(1);
    await replace(4n);
    expect(existsSync(heldBefore)).to.equal(false);
  });

  it("is there when it is there, whatever happens to the shards that go", async () => {
    await writeShards(paths(3), columns(1n));
    const table = openTable(heldBefore, { pin: true });
    await age(heldBefore);
    await replace(2n);
    await age(heldBefore);
    // The reader is done between the look at its pin and the removal.
    const files = { ...unsyncedFiles, list: async (path: string) => {
      const names = await unsyncedFiles.list(path);
      if (path === heldBefore) table.close();
      return names;
    } };
    await replace(3n, { files });
    const stubborn = { ...unsyncedFiles, remove: async (path: string) => {
      if (path.startsWith(heldBefore) && !path.includes("LOCK")) throw Object.assign(new Error("EIO"), { code: "EIO", syscall: "unlink" });
      await unsyncedFiles.remove(path);
    } };
    await writeShards(paths(3), columns(4n), { replace: true });
    await replace(5n, { files: stubborn });
    expect(paths(2).flatMap((path) => readTable(path).get("v")!)).to.deep.equal([5n, 6n, 10n]);
    expect((await Promise.all(paths(3).map((path) => readdir(path)))).flat().filter((name) => name.startsWith("LOCK"))).to.deep.equal([]);
    await replace(6n);
    await age(heldBefore);
    await replace(7n);
    expect(existsSync(heldBefore)).to.equal(false);
  });

  it("takes away what a killed writer of more shards left, which is no table until then", async () => {
    await replace(1n);
    await mkdir(heldBefore);
    await writeFile(join(heldBefore, `${"0".repeat(32)}.tmp`), "left");
    await writeFile(join(heldBefore, "LOCK"), "4999999 1 dead\n");
    await mkdir(join(folder, "s-3.bcolzs"));
    expect(await findTables(join(folder, "s"))).to.deep.equal(paths(2));
    await replace(2n);
    expect((await readdir(folder)).sort()).to.deep.equal(["s-0.bcolzs", "s-1.bcolzs"]);
  });

  it("can be made where only leftovers are, without being asked to replace", async () => {
    await mkdir(heldBefore);
    await writeFile(join(heldBefore, `${"0".repeat(32)}.tmp`), "left");
    await writeShards(paths(2), columns(1n));
    expect((await readdir(folder)).sort()).to.deep.equal(["s-0.bcolzs", "s-1.bcolzs"]);
  });

  it("leaves alone a directory of a shard's name with other files in it", async () => {
    await mkdir(heldBefore);
    await writeFile(join(heldBefore, "notes.txt"), "mine");
    await replace(1n);
    expect(await readdir(heldBefore)).to.deep.equal(["notes.txt"]);
  });

  it("is found by name while another process writes it with more shards", async () => {
    await replace(1n);
    const writer = await createTables({ paths: paths(3), columns: [{ name: "v", dtype: "int64" }], set: true, replace: true, sort: null, files: unsyncedFiles });
    expect(await findTables(join(folder, "s"))).to.deep.equal(paths(2));
    await writer.abort();
    expect(existsSync(heldBefore)).to.equal(false);
  });
});
