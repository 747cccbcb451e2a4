import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { findSetTables } from "../../lib/columns/find-tables.js";
import { takeOneSet, type FoundTable } from "../../lib/columns/read/one-set.js";
import { openTable } from "../../lib/columns/read/open.js";
import { exportTables } from "../../lib/formats/export/export.js";
import { failureOf } from "../support/failure.js";
import { writeShards, writeTable } from "../support/write-table.js";

describe("shards that are read together", () => {
  let folder = "";
  const at = (...names: string[]): string => join(folder, ...names);
  const shards = (count: number): string[] => Array.from({ length: count }, (_, shard) => at(`s-${shard}.bcolzs`));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-one-set-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** A set of so many shards whose rows are all the one value. */
  async function replaceSet(count: number, value: bigint): Promise<void> {
    await writeShards(shards(count), [{ name: "n", dtype: "int64", values: new Array<bigint>(6).fill(value) }], { replace: true });
  }

  /** Finds the set, and has it replaced once before the first shard is opened. */
  function finderDuring(replace: () => Promise<void>): () => Promise<FoundTable[]> {
    let isReplaced = false;
    return async () => {
      const found = await findSetTables(at("s"));
      if (!isReplaced) await replace();
      isReplaced = true;
      return found;
    };
  }

  for (const [what, count] of [["as many", 3], ["more", 4], ["fewer", 2]] as const) {
    it(`are found again when a set of ${what} shards replaced theirs in between`, async () => {
      await replaceSet(3, 1n);
      const tables = finderDuring(() => replaceSet(count, 2n));
      await exportTables({ tables, output: at("out.csv") });
      expect(readFileSync(at("out.csv"), "utf8")).to.equal(`n\n${"2\n".repeat(6)}`);
      expect(shards(count).flatMap((path) => readdirSync(path).filter((name) => name.startsWith("PIN")))).to.deep.equal([]);
    });
  }

  it("of two imports are unavailable when that does not end, and none stays open", async () => {
    await replaceSet(2, 1n);
    await writeShards([at("s-1.bcolzs")], [{ name: "n", dtype: "int64", values: [2n] }], { replace: true, set: false });
    const failure = await failureOf(() => exportTables({ tables: shards(2), output: at("out.csv") }));
    expect([failure.code, failure.message]).to.deep.equal(["SHARD_UNAVAILABLE", "the shards of s are of different imports; try again when the import that replaces them has ended, or import s again"]);
    expect(readdirSync(folder).sort()).to.deep.equal(["s-0.bcolzs", "s-1.bcolzs"]);
    expect(shards(2).flatMap((path) => readdirSync(path).filter((name) => name.startsWith("PIN")))).to.deep.equal([]);
  }).timeout(10_000);

  it("that are no set, or of sets with other names, are taken as they are", async () => {
    await replaceSet(2, 1n);
    await writeTable(at("t-0.bcolzs"), [{ name: "n", dtype: "int64", values: [3n] }]);
    await writeTable(at("t-1.bcolzs"), [{ name: "n", dtype: "int64", values: [4n] }]);
    const paths = [...shards(2), at("t-0.bcolzs"), at("t-1.bcolzs")];
    const tables = await takeOneSet(async () => paths.map((path) => ({ path })), { take: (path) => openTable(path), setOf: ({ footer }) => footer.set, drop: (table) => { table.close(); } });
    expect(tables.map(({ rows }) => rows)).to.deep.equal([3, 3, 1, 1]);
    for (const table of tables) table.close();
  });

  it("a failure to open one is told at once where no other set may come", async () => {
    let asked = 0;
    const find = async (): Promise<FoundTable[]> => [{ path: at(`none-${asked++}.bcolz`) }];
    expect((await failureOf(() => takeOneSet(find, { take: (path) => openTable(path), setOf: () => null, drop: () => undefined }))).code).to.equal("NOT_FOUND");
    expect(asked).to.equal(1);
  });
});
