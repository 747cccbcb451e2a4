import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { askEngine } from "../support/ask-engine.js";
import { writeTable } from "../support/write-table.js";

const rows = 70_000;

describe("the column cache of an engine", () => {
  let dataDir = "";
  let generation = "";
  let engine: Engine | undefined;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-cache-"));
    generation = await writeTable(join(dataDir, "t.bcolz"), ["a", "b"].map((name, place) => ({ name, dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row * 7_919 * (place + 1)) % 1_000_003n) })));
  });

  afterEach(async () => {
    engine?.close();
    await rm(dataDir, { recursive: true });
  });

  async function sum(column: string, cache?: boolean): Promise<void> {
    await askEngine(engine!, [{ ordinal: 0, name: "t.bcolz", generation }], { measures: [[column, "sum", "s"]], ...(cache === undefined ? {} : { cache }) });
  }

  it("tells once which columns of a shard are wholly there", async () => {
    engine = createEngine({ dataDir, cacheBytes: 2 ** 24, queryBytes: 2 ** 24 });
    await sum("a", false);
    expect(engine.takeCacheChanges()).to.deep.equal([]);
    await sum("a");
    expect(engine.takeCacheChanges()).to.deep.equal([{ shard: "t.bcolz", columns: ["a"] }]);
    await sum("b");
    await sum("a");
    expect(engine.takeCacheChanges()).to.deep.equal([{ shard: "t.bcolz", columns: ["a", "b"] }]);
    expect(engine.takeCacheChanges()).to.deep.equal([]);
  });

  it("tells that a column is no longer there when another took its room", async () => {
    engine = createEngine({ dataDir, cacheBytes: 400_000, queryBytes: 2 ** 24 });
    for (const column of ["a", "b"]) {
      await sum(column);
      expect(engine.takeCacheChanges()).to.deep.equal([{ shard: "t.bcolz", columns: [column] }]);
    }
  });
});
