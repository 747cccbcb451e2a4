import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import type { Rpc } from "../../lib/index.js";
import { startCluster, type Cluster } from "../../misc/support/cluster.js";
import { failureOf } from "../support/failure.js";
import { writeShards, writeTable, type PlainColumn } from "../support/write-table.js";

const rows = 300_000;
const megabyte = 2 ** 20;
/** Too little for all groups of the one table in a worker's kernels, and for its partial in a message. */
const flags = ["--cache-memory=8MB", "--query-memory=24MB", "--message-bytes-max=3MB", "--heartbeat=0.1", "--expiry=2"];

/** What a process holds of memory, as Linux counts it. */
function residentBytes(pid: number): number {
  return 1_024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

describe("the memory of queries in a cluster", function () {
  this.timeout(180_000);
  let dataDir = "";
  let cluster: Cluster;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-query-memory-"));
    const columns: PlainColumn[] = [
      { name: "own", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt((row * 7_919) % rows) * 10n ** 12n) },
      { name: "few", dtype: "string", values: Array.from({ length: rows }, (_, row) => `few ${row % 50}`) },
      { name: "v", dtype: "float64", values: Array.from({ length: rows }, (_, row) => row / 4) },
    ];
    await writeTable(join(dataDir, "whole.bcolz"), columns);
    await writeShards(Array.from({ length: 6 }, (_, shard) => join(dataDir, `cut-${shard}.bcolzs`)), columns);
    cluster = await startCluster({ dataDir, workers: 1, flags });
  });
  after(async () => {
    await cluster.stop();
    await rm(dataDir, { recursive: true });
  });

  async function expectAnswer(rpc: Rpc, table: string): Promise<void> {
    expect((await rpc.groupby(table, ["few"], [["*", "count", "n"]], [], { cache: false })).rows().map(({ n }) => n)).to.deep.equal(Array.from({ length: 50 }, () => rows / 50));
  }

  it("ends a query whose partial is too large with the names of its keys, keeps the worker, and comes back", async () => {
    const { rpc, workers: [worker] } = cluster;
    const ask = (): Promise<unknown> => failureOf(() => rpc.groupby("whole", ["own", "few"], [["v", "sum", "s"], ["v", "mean", "m"]], [], { cache: false }));
    // What stays for the next one is all there after a few; what is held goes up and down by more than is allowed here.
    let heldBytes = 0;
    for (let time = 0; time < 10; time++) {
      await ask();
      await expectAnswer(rpc, "whole");
      if (time >= 5) heldBytes = Math.max(heldBytes, residentBytes(worker!.pid));
    }
    for (let time = 0; time < 10; time++) {
      const failure = await ask();
      expect(failure).to.have.property("code", "MEMORY_LIMIT");
      expect(failure).to.have.property("message").that.matches(/'own', 'few'.*raise message_bytes_max/);
      await expectAnswer(rpc, "whole");
    }
    // What leaks would only be more after more of them.
    let [leftBytes, rounds] = [residentBytes(worker!.pid), 0];
    while (leftBytes > heldBytes + 16 * megabyte && rounds++ < 10) {
      await ask();
      await expectAnswer(rpc, "whole");
      leftBytes = Math.min(leftBytes, residentBytes(worker!.pid));
    }
    expect(leftBytes).to.be.at.most(heldBytes + 16 * megabyte);
    expect((await rpc.info()).workers.map(({ pid }) => pid)).to.deep.equal([worker!.pid]);
  });

  it("sends shards apart that are too large for a message together, and the answer comes", async () => {
    const { rpc } = cluster;
    const answer = await rpc.groupby("cut", ["own", "few"], [["v", "sum", "s"]], [], { cache: false, order: [["s", "desc"]] });
    expect(answer.numRows).to.equal(rows);
    expect(answer.column("s").get(0)).to.equal((rows - 1) / 4);
    await expectAnswer(rpc, "cut");
  });
});
