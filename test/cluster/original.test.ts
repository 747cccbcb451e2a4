import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import type { Rpc } from "../../lib/index.js";
import { startCluster, type Cluster } from "../../misc/support/cluster.js";
import { appendRows } from "../support/append-rows.js";
import { failureOf } from "../support/failure.js";
import { until } from "../support/until.js";
import { writeShards, writeTable, type PlainColumn } from "../support/write-table.js";

/** A set of shards, rows cut as evenly as they go. */
async function writeSet(dataDir: string, name: string, columns: readonly PlainColumn[], shards: number): Promise<void> {
  await writeShards(Array.from({ length: shards }, (_, shard) => join(dataDir, `${name}-${shard}.bcolzs`)), columns);
}

function whole(name: string, values: readonly number[]): PlainColumn {
  return { name, dtype: "int64", values: values.map(BigInt) };
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, row) => row);
}

describe("what was wrong with the original", function () {
  this.timeout(180_000);
  let dataDir: string;
  let cluster: Cluster;
  let rpc: Rpc;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-original-"));
    await writeSet(dataDir, "fares", [whole("kind", upTo(900).map((row) => row % 3)), whole("fare", upTo(900).map((row) => row % 7)), { name: "share", dtype: "float64", values: upTo(900).map((row) => (row % 10) / 10) }], 4);
    await writeTable(join(dataDir, "one.bcolz"), [whole("kind", upTo(900).map((row) => row % 3)), whole("fare", upTo(900).map((row) => row % 7))]);
    cluster = await startCluster({ dataDir, workers: 2 });
    ({ rpc } = cluster);
    await knows("fares", "one");
  });
  after(async () => {
    await cluster.stop();
    await rm(dataDir, { recursive: true });
  });

  async function knows(...names: string[]): Promise<void> {
    await until(`${names.join()} are known`, async () => {
      const files = JSON.stringify(await rpc.files());
      return names.every((name) => files.includes(`"${name}`));
    });
  }

  /** By each worker. */
  async function shardsHeld(): Promise<number[]> {
    return (await rpc.info()).workers.map(({ shards }) => shards);
  }

  async function count(table: string, where: readonly unknown[]): Promise<unknown> {
    return (await rpc.groupby(table, [], [["*", "count", "n"]], where)).rows()[0]!.n;
  }

  it("1: means, deviations and distinct counts of shards are those of the rows, not sums over shards", async () => {
    const measures = ["mean", "std", "count_distinct", "sorted_count_distinct"].map((op) => ["fare", op, op]);
    const [sharded, whole] = [await rpc.groupby("fares", ["kind"], measures), await rpc.groupby("one", ["kind"], measures)];
    for (const [row, { mean, std, ...counts }] of whole.rows().entries()) {
      const found = sharded.rows()[row]!;
      expect(found).to.deep.include(counts);
      expect(found.mean).to.be.closeTo(Number(mean), 1e-12);
      expect(found.std).to.be.closeTo(Number(std), 1e-12);
    }
    expect(whole.rows()[0]).to.deep.include({ count_distinct: 7, sorted_count_distinct: 300 });
  });

  it("2: the question after one that ran out of time gets its own answer", async () => {
    const failure = await failureOf(() => rpc.groupby("fares", ["kind"], ["fare"], [], { timeout: 0.000_001 }));
    expect(failure).to.have.property("code", "DEADLINE");
    expect((await rpc.groupby("fares", ["share"], [])).numRows).to.equal(10);
  });

  it("4: a table that nobody holds fails its own query at once, and blocks no queue", async () => {
    const asked = [rpc.groupby("nowhere", ["kind"], ["fare"], [], { affinity: "same" }), rpc.groupby("fares", ["kind"], ["fare"], [], { affinity: "same" })] as const;
    expect(await failureOf(() => asked[0])).to.have.property("code", "UNKNOWN_TABLE");
    expect((await asked[1]).numRows).to.equal(3);
  });

  it("5: what went wrong is thrown with its code, and never a result", async () => {
    expect(await failureOf(() => rpc.groupby("fares", ["kinds"], ["fare"]))).to.have.property("code", "UNKNOWN_COLUMN");
    expect(await failureOf(() => rpc.groupby("fares", ["kind"], [["fare", "summ"]]))).to.have.property("code", "BAD_QUERY");
    expect(await failureOf(() => rpc.groupby("fares", ["kind"], ["fare"], [["fare", "==", "six"]]))).to.have.property("code", "DTYPE_MISMATCH");
  });

  it("6: filters compare floats and texts as they are: 0.7 > 0.5", async () => {
    expect(await count("fares", [["share", ">", 0.5]])).to.equal(360);
    expect(await count("fares", [["fare", ">", 0.5]])).to.equal(upTo(900).filter((row) => row % 7 > 0).length);
    await writeSet(dataDir, "names", [{ name: "name", dtype: "string", values: upTo(50).map((row) => (row % 2 === 0 ? "Amy" : "Bob")) }], 2);
    await knows("names");
    expect(await count("names", [["name", "==", "Bob"]])).to.equal(25);
  });

  it("7: no row vanishes when the last chunk is a row short of full, full, or a row over", async () => {
    for (const rows of [65_535, 65_536, 65_537, 131_071]) {
      await writeTable(join(dataDir, `rows${rows}.bcolz`), [whole("v", upTo(rows))]);
      await knows(`rows${rows}`);
      const table = await rpc.groupby(`rows${rows}`, [], [["v", "sum"], ["v", "max", "most"], ["v", "count", "n"]]);
      expect(table.rows()[0]).to.deep.include({ v: (rows * (rows - 1)) / 2, most: rows - 1, n: rows });
      expect(await count(`rows${rows}`, [["v", ">=", rows - 2]])).to.equal(2);
    }
  });

  it("8: 1,000,195 groups of two keys stay 1,000,195", async () => {
    const groups = 1_000_195;
    await writeSet(dataDir, "pairs", [{ name: "a", dtype: "int32", values: upTo(groups).map((row) => BigInt(row % 1_031) * 2_000_003n) }, whole("b", upTo(groups).map((row) => Math.floor(row / 1_031) * 4_294_967_311))], 2);
    await knows("pairs");
    const table = await rpc.groupby("pairs", ["a", "b"], [["*", "count", "n"]]);
    expect(table.numRows).to.equal(groups);
    expect((table.column("n").values as BigInt64Array).every((n) => n === 1n)).to.equal(true);
  });

  it("9: shards are ruled out by what they hold, 0 and both ends of ranges included", async () => {
    await writeSet(dataDir, "spans", [whole("v", upTo(40).map((row) => Math.floor(row / 10) - 1))], 4);
    await knows("spans");
    const counts = [["==", 0], ["!=", 0], ["<", 0], ["<=", 0], [">", 0], [">=", 0], ["<=", 1], [">=", 2], ["in", [0, 2]], ["not in", [0]]] as const;
    const found = await Promise.all(counts.map(([op, value]) => count("spans", [["v", op, value]])));
    expect(found).to.deep.equal([10, 30, 10, 20, 20, 30, 30, 10, 20, 30]);
    expect((await rpc.groupby("spans", [], [["*", "count", "n"]], [["v", "<=", -1]], { cache: false })).summary.shardsPruned).to.equal(3);
  });

  it("10: caches do not outlive an append, and keys ['a', 'b'] are not the column a_b", async () => {
    const path = join(dataDir, "grown.bcolz");
    const columns = (from: number): PlainColumn[] => [whole("a", [from, from]), whole("b", [from + 1, from + 2]), whole("a_b", [from, from])];
    await writeTable(path, columns(1));
    await knows("grown");
    const ask = async (keys: string[]): Promise<unknown[]> => (await rpc.groupby("grown", keys, [["*", "count", "n"]])).rows().map((row) => ({ ...row }));
    for (let round = 0; round < 2; round++) {
      expect(await ask(["a", "b"])).to.deep.equal([{ a: 1, b: 2, n: 1 }, { a: 1, b: 3, n: 1 }]);
      expect(await ask(["a_b"])).to.deep.equal([{ a_b: 1, n: 2 }]);
    }
    const generation = await appendRows(path, columns(5));
    await until("the append is known", async () => (await rpc.groupby("grown", [], [["*", "count", "n"]], [], { cache: false })).summary.generations.get("grown.bcolz") === generation);
    for (let round = 0; round < 2; round++) {
      expect(await ask(["a", "b"])).to.deep.equal([{ a: 1, b: 2, n: 1 }, { a: 1, b: 3, n: 1 }, { a: 5, b: 6, n: 1 }, { a: 5, b: 7, n: 1 }]);
      expect(await ask(["a_b"])).to.deep.equal([{ a_b: 1, n: 2 }, { a_b: 5, n: 2 }]);
    }
  });

  it("11: texts of later shards are not cut to the width of the first one's", async () => {
    const texts = upTo(30).map((row) => "x".repeat(1 + Math.floor(row / 10) * 400));
    await writeSet(dataDir, "widths", [{ name: "text", dtype: "string", values: texts }, whole("v", upTo(30))], 3);
    await knows("widths");
    const table = await rpc.groupby("widths", ["text"], [["v", "count", "n"], ["text", "last", "last"]]);
    expect(table.rows().map((row) => [String(row.text).length, row.n, row.last === row.text])).to.deep.equal([[1, 10, true], [401, 10, true], [801, 10, true]]);
  });

  it("3: a worker that dies over its work takes no answer with it", async () => {
    const rows = 400_000;
    await writeSet(dataDir, "long", [whole("a", upTo(rows).map((row) => row % 100_003)), whole("b", upTo(rows).map((row) => row % 7))], 8);
    // Not so many more than before: a table of an earlier test may have come to one of them only.
    const tables = (await readdir(dataDir)).filter((name) => !name.startsWith(".")).length;
    await until("both workers hold all there is", async () => (await shardsHeld()).every((held) => held === tables), 45_000);
    const asked = rpc.groupby("long", ["a", "b"], [["*", "count", "n"]], [], { cache: false });
    cluster.workers[0]!.signal("SIGKILL");
    await cluster.workers[0]!.ended;
    const table = await asked;
    expect([...(table.column("n").values as BigInt64Array)].reduce((sum, n) => sum + Number(n), 0)).to.equal(rows);
  });
});
