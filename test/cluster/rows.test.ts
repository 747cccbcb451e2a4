import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { appendToTable } from "../../lib/columns/write/append.js";
import { BquerydError, connect, type Rpc, type Table } from "../../lib/index.js";
import { startCluster, type Cluster } from "../../misc/support/cluster.js";
import { until } from "../support/until.js";
import { batchOf, writeShards, writeTable } from "../support/write-table.js";

const shards = 4;
const count = 400_000;
const all = Array.from({ length: count }, (_, row) => row);

/** Rows with 40 bytes of text each, so that a shard comes in several slices. */
async function writeRows(dataDir: string): Promise<void> {
  await writeShards(Array.from({ length: shards }, (_, shard) => join(dataDir, `rows-${shard}.bcolzs`)), [
    { name: "id", dtype: "int64", values: all.map(BigInt) },
    { name: "n", dtype: "int32", values: all.map((row) => BigInt((row * 7_919) % 1_000)) },
    { name: "s", dtype: "string", values: all.map((row) => `a text of some length, that of row ${row}`) },
  ], { dictionaryValuesMax: 1 });
}

/** A table, and a set that lacks its second shard; gives the generations of all three. */
async function writeLacking(dataDir: string): Promise<string[]> {
  const hidden = join(dataDir, "hidden");
  await mkdir(hidden);
  const generations = await writeShards([0, 1, 2].map((shard) => join(dataDir, `set-${shard}.bcolzs`)), [{ name: "v", dtype: "int64", values: [1n, 2n, 3n, 4n, 5n, 6n] }]);
  await rename(join(dataDir, "set-1.bcolzs"), join(hidden, "set-1.bcolzs"));
  await writeTable(join(dataDir, "other.bcolz"), [{ name: "v", dtype: "int64", values: [7n] }, { name: "w", dtype: "string", values: ["x"] }]);
  return generations;
}

async function collect(stream: AsyncIterable<Table>): Promise<number[]> {
  const ids: number[] = [];
  for await (const table of stream) for (const id of table.column("id").values as BigInt64Array) ids.push(Number(id));
  return ids;
}

async function codeOf(asking: Promise<unknown>): Promise<string> {
  return asking.then(() => "none", (error: unknown) => (error instanceof BquerydError ? error.code : String(error)));
}

function isInOrder(ids: readonly number[], length: number): boolean {
  return ids.length === length && ids.every((id, row) => id === row);
}

describe("rows from a cluster", function () {
  this.timeout(120_000);
  let dataDir = "";
  let generations: readonly string[] = [];
  // Of all tests; the last one kills workers of it.
  let cluster: Cluster;
  let rpc: Rpc;
  let expected = "";
  const askForHalf = async (): Promise<string> => bytesOf(await rpc.groupby({ tables: "rows", keys: ["id", "s"], where: [["n", "<", 500]], aggregate: false }));

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-rows-"));
    await writeRows(dataDir);
    generations = await writeLacking(dataDir);
    cluster = await startCluster({ dataDir, workers: 1, flags: ["--heartbeat=0.1", "--expiry=3"] });
    ({ rpc } = cluster);
    await until("the tables are listed", async () => ((await rpc.files()) as unknown[]).length === 3);
  });

  after(async () => {
    await cluster.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it("that nobody takes hold up nobody and wait in bounded memory, until their time is over", async () => {
    const slow = await connect({ registry_dir: cluster.registryDir });
    try {
      const before = await rssBytes(cluster.controllers[0]!.pid);
      // More than is let on its way at a time.
      const measures = ["a", "b", "c", "d", "e", "f"].map((name) => ({ expr: "s", as: name }));
      const streams = Array.from({ length: 4 }, () => slow.rows({ tables: "rows", keys: ["id", "s"], measures, timeout: 15 })[Symbol.asyncIterator]());
      for (const stream of streams) expect((await stream.next()).done).to.equal(false);
      for (let round = 0; round < 5; round++) expect((await rpc.groupby("rows", [], [["*", "count", "rows"]])).column("rows").get(0)).to.equal(count);
      expect(((await rpc.info()) as { calls: number }).calls).to.equal(streams.length);
      expect(await rssBytes(cluster.controllers[0]!.pid) - before).to.be.at.most(300 * 2 ** 20);
      await until("their time is over", async () => ((await rpc.info()) as { calls: number }).calls === 0, 60_000);
      for (const stream of streams) expect(await codeOf((async () => { while ((await stream.next()).done !== true); })())).to.equal("DEADLINE");
    } finally {
      await slow.close();
    }
  });

  it("that cannot be had are left out where that is allowed, and named, and empty where that is asked for", async () => {
    expect(await codeOf(rpc.groupby("set", [], ["v"]))).to.equal("SHARD_UNAVAILABLE");
    const answer = await rpc.groupby("set", [], ["v"], [], { partial: "allow" });
    expect(answer.column("v").get(0)).to.equal(1 + 2 + 5 + 6);
    expect(answer.summary).to.include({ shards: 2, shardsAnswered: 2 });
    expect(answer.summary.coverage.shardsMissing).to.have.length(1);
    expect(answer.summary.coverage.shardsMissing[0]).to.include({ name: "set-1.bcolzs", code: "SHARD_UNAVAILABLE" });
    const rows = await rpc.groupby("set", ["v"], [], [], { partial: "allow", aggregate: false });
    expect([...rows].map(({ v }) => v)).to.deep.equal([1, 2, 5, 6]);
    const baskets = rpc.rows("set", ["v"], [], [], { partial: "allow", expand_filter_column: "v" });
    const taken: unknown[] = [];
    for await (const table of baskets) taken.push(...table.column("v").values as BigInt64Array);
    expect(taken).to.deep.equal([1n, 2n, 5n, 6n]);
    expect(baskets.summary!.coverage.shardsMissing.map(({ name }) => name)).to.deep.equal(["set-1.bcolzs"]);

    expect(await codeOf(rpc.groupby(["other", "nowhere"], [], ["v"]))).to.equal("UNKNOWN_TABLE");
    expect((await rpc.groupby(["other", "nowhere"], [], ["v"], [], { missing: "empty" })).column("v").get(0)).to.equal(7);
    const nothing = await rpc.groupby("nowhere", ["k"], ["v"], [], { missing: "empty" });
    expect([nothing.numRows, nothing.columns.map(({ name, dtype }) => `${name} ${dtype}`)]).to.deep.equal([0, ["k int64", "v int64"]]);
    expect((await rpc.groupby("nowhere", ["k"], [], [], { missing: "empty", aggregate: false })).numRows).to.equal(0);
    expect(await collect(rpc.rows("nowhere", ["id"], [], [], { missing: "empty" }))).to.deep.equal([]);
    const widened = await rpc.groupby(["set-0.bcolzs", "other"], ["w"], ["v"], [], { missing: "empty" });
    expect([...widened].map(({ w, v }) => [w, v])).to.deep.equal([["x", 7], [null, 3]]);

    const earlier = await rpc.groupby("other", ["v"], []);
    await appendToTable({ path: join(dataDir, "other.bcolz"), columns: [{ name: "v", dtype: "int64" }, { name: "w", dtype: "string" }], sort: null })
      .then(async (writer) => { await writer.append(0, [batchOf("int64", [8n]), batchOf("string", ["y"])]); await writer.commit(); });
    await until("the rows are there", async () => (await rpc.groupby("other", ["v"], [])).numRows === 2);
    const again = await rpc.groupby("other", ["v"], [], [], { generations: earlier.summary.generations });
    expect([...again].map(({ v }) => v)).to.deep.equal([7]);
    expect(again.summary.generations).to.deep.equal(earlier.summary.generations);

    const pinned = { "set-0.bcolzs": generations[0]! };
    expect((await rpc.groupby("set", [], ["v"], [], { generations: pinned })).column("v").get(0)).to.equal(3);
    expect(await codeOf(rpc.groupby("set", [], ["v"], [], { generations: { "set-0.bcolzs": "0".repeat(64) } }))).to.equal("GENERATION_GONE");
    expect(await codeOf(rpc.groupby("set", [], ["v"], [], { generations: { ...pinned, "set-1.bcolzs": generations[1]! } }))).to.equal("GENERATION_GONE");
    expect(await codeOf(rpc.groupby("set", [], ["v"], [], { generations: { "set-0.bcolzs": "latest" } }))).to.equal("USAGE");
  });

  it("are the same whoever reads them", async () => {
    expected = await askForHalf();
    await cluster.startWorker();
    expect(await askForHalf() === expected).to.equal(true);
  });

  it("with a limit stop the work early, with an order are the first of it, and broken off are not asked for any more", async () => {
    const some = await rpc.groupby("rows", ["id"], [], [], { aggregate: false, limit: 5, offset: 70_000 });
    expect([...some].map(({ id }) => id)).to.deep.equal([70_000, 70_001, 70_002, 70_003, 70_004]);
    expect(some.summary.rowsScanned).to.be.at.most(count / 2);
    expect((await rpc.groupby("rows", ["id"], [], [], { aggregate: false, limit: 5 })).summary.rowsScanned).to.be.at.most(2 * 65_536);
    expect(await collect(rpc.rows("rows", ["id"], [], [["n", "==", 7]], { limit: 3, offset: 2 }))).to.deep.equal(all.filter((row) => (row * 7_919) % 1_000 === 7).slice(2, 5));
    const first = await rpc.groupby("rows", ["n"], ["id"], [], { aggregate: false, order: [["n", "desc"]], limit: 4 });
    expect([...first].map(({ n, id }) => [n, id])).to.deep.equal(all.filter((row) => (row * 7_919) % 1_000 === 999).slice(0, 4).map((row) => [999, row]));
    expect((await rpc.groupby("rows", ["id"], [], [["id", "<", 0]], { aggregate: false })).numRows).to.equal(0);
    for await (const table of rpc.rows("rows", ["id", "s"])) {
      expect(table.numRows).to.be.above(0);
      break;
    }
    await until("the call is gone", async () => ((await rpc.info()) as { calls: number }).calls === 0);
  });

  it("come once and in order, also when two of three workers are killed under way", async () => {
    const { workers } = cluster;
    await cluster.startWorker();
    expect(await askForHalf() === expected, "with 3 workers").to.equal(true);
    const stream = rpc.rows({ tables: "rows", keys: ["id", "s"] });
    const ids: number[] = [];
    for await (const table of stream) {
      if (ids.length === 0) workers[0]!.signal("SIGKILL");
      if (ids.length > 0 && !workers[1]!.hasEnded) workers[1]!.signal("SIGKILL");
      for (const id of table.column("id").values as BigInt64Array) ids.push(Number(id));
    }
    expect(isInOrder(ids, count)).to.equal(true);
    expect(stream.summary).to.include({ rows: count, shards, shardsAnswered: shards });
    expect(stream.summary!.slices).to.be.at.least(2 * shards);
  });
});

async function rssBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1_024;
}

/** The bits of every column. */
function bytesOf(table: Table): string {
  return JSON.stringify(table.columns.map(({ name }) => {
    const { values } = table.column(name);
    return [name, ArrayBuffer.isView(values) ? Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64") : values];
  }));
}
