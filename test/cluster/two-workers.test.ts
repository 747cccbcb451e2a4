import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { connect, type PartialProgress, type Rpc, type Table } from "../../lib/index.js";
import { startCluster, type Cluster } from "../../misc/support/cluster.js";
import { until } from "../support/until.js";
import { writeShards, writeTable } from "../support/write-table.js";

const waveShards = 16;
const partialShards = 12;
const rowsPerShard = 1_000;

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, row) => row);
}

/** One cluster for all of them; the last one kills a worker of it. */
describe("two workers", function () {
  this.timeout(180_000);
  let dataDir = "";
  let cluster: Cluster;
  let rpc: Rpc;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-two-workers-"));
    cluster = await startCluster({ dataDir, workers: 2, flags: ["--cache-memory=16MB", "--query-memory=64MB", "--heartbeat=0.2", "--expiry=120"] });
    ({ rpc } = cluster);
  });

  after(async () => {
    await cluster.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  /** Writes shards and waits until workers hold all of them. */
  async function writeSet(name: string, shards: number, columns: Parameters<typeof writeShards>[1]): Promise<void> {
    await writeShards(upTo(shards).map((shard) => join(dataDir, `${name}-${shard}.bcolzs`)), columns);
    await until(`the set ${name} is whole`, async () => (await rpc.files()).find(({ table }) => table === name)?.shards === shards);
  }

  it("baskets go on over shards that different ones hold, and the same question again scans nothing", async () => {
    const rows = upTo(60);
    await writeSet("visits", 6, [
      { name: "visit", dtype: "string", values: rows.map((row) => (row < 25 ? `v${Math.floor(row / 4)}` : row < 50 ? null : "last")) },
      { name: "page", dtype: "int64", values: rows.map(BigInt) },
    ]);
    const ask = async (page: number) => rpc.groupby("visits", ["page"], [], [["page", "==", page]], { expand_filter_column: "visit" });
    const pages = async (page: number): Promise<unknown[]> => [...(await ask(page))].map((row) => row.page);
    expect(await pages(9)).to.deep.equal([8, 9, 10, 11]);
    expect(await pages(40)).to.deep.equal(rows.slice(25, 50));
    expect(await pages(59)).to.deep.equal(rows.slice(50));
    // Each worker keeps what it was asked itself.
    await until("every worker that is asked has been asked before", async () => (await ask(59)).summary.partialCacheHits === 12);
    expect((await ask(59)).summary.shards).to.equal(6);
  });

  it("a question that is asked again is answered by what was kept until a table is replaced, and never after that", async () => {
    const write = (value: number): Promise<string> => writeTable(join(dataDir, "kept.bcolz"), [{ name: "v", dtype: "float64", values: [value, value] }], { replace: true });
    const generations = [await write(1)];
    const keeping = await connect({ registry_dir: cluster.registryDir });
    try {
      const ask = (): Promise<Table> => keeping.groupby("kept", [], [["v", "sum", "s"]]);
      /** The sum is that of the generation that was read. */
      const check = (table: Table): Table => {
        const value = generations.indexOf(table.summary.generations.get("kept.bcolz")!) + 1;
        expect(table.rows()).to.deep.equal([{ s: 2 * value }]);
        return table;
      };
      await until("the table is there", async () => (await keeping.files()).some(({ table }) => table === "kept.bcolz"));
      check(await ask());
      await until("what was kept is the answer", async () => check(await ask()).summary.unchanged);
      expect(check(await ask()).summary).to.include({ unchanged: true, workers: 0, rowsScanned: 0 });
      for (const value of [2, 3]) {
        generations.push(await write(value));
        await until(`value ${value} is read`, async () => check(await ask()).summary.generations.get("kept.bcolz") === generations.at(-1));
        expect(check(await ask()).summary.unchanged).to.equal(true);
      }
      expect((await keeping.groupby("kept", [], [["v", "sum", "s"]], [], { generations: { "kept.bcolz": generations[1]! } })).rows()).to.deep.equal([{ s: 4 }]);
    } finally {
      await keeping.close();
    }
  });

  it("one that is stopped holds up a call for much less than it takes to be lost, and changes no byte of its answer", async () => {
    const values = upTo(400_000).map((row) => Math.sin(row) * 10 ** (row % 9));
    await writeSet("waves", waveShards, [{ name: "k", dtype: "int64", values: values.map((_, row) => BigInt(row % 1_000)) }, { name: "v", dtype: "float64", values }]);
    const ask = async (): Promise<{ csv: string; retries: number }> => {
      const table = await rpc.groupby("waves", ["k"], [["v", "sum"], ["v", "std", "sd"]], [], { cache: false });
      return { csv: table.toCSV(), retries: table.summary.retries };
    };
    const before = await ask();
    for (let again = 0; again < 3; again++) expect((await ask()).csv).to.equal(before.csv);
    const stopped = cluster.workers[0]!;
    stopped.signal("SIGSTOP");
    try {
      const during = await ask();
      expect(during.csv).to.equal(before.csv);
      expect(during.retries).to.be.at.least(1);
      // Before it would be doubted for its silence alone, after half of the 120 s.
      expect(rpc.last_call_duration).to.be.below(59);
    } finally {
      stopped.signal("SIGCONT");
    }
    expect((await ask()).csv).to.equal(before.csv);
  });

  it("onPartial gives what is done, while one holds up the rest, and in the end the answer, after it was killed too", async () => {
    await writeSet("t", partialShards, [{ name: "k", dtype: "int64", values: upTo(partialShards * rowsPerShard).map((row) => BigInt(row % 7)) }]);
    const held = cluster.workers[0]!;
    held.signal("SIGSTOP");
    const seen: { table: Table; progress: PartialProgress }[] = [];
    const asked = rpc.groupby("t", ["k"], [["*", "count", "n"]], [], { cache: false, order: [["n", "desc"], "k"], limit: 7, onPartial: (table, progress) => { seen.push({ table, progress }); } });
    await until("some is shown", () => seen.length > 0);
    held.signal("SIGKILL");
    const answer = await asked;
    expect(seen.length).to.be.above(1);
    expect(seen[0]!.progress.fraction).to.be.below(1);
    for (const { table, progress } of seen) {
      expect(progress).to.deep.equal({ fraction: progress.shards / partialShards, shards: progress.shards, of: partialShards });
      expect(table.rows().reduce((rows, { n }) => rows + Number(n), 0)).to.equal(progress.shards * rowsPerShard);
      expect(table.summary).to.include({ shards: partialShards, shardsAnswered: progress.shards });
    }
    expect(seen.at(-1)).to.deep.include({ table: answer, progress: { fraction: 1, shards: partialShards, of: partialShards } });
  });
});
