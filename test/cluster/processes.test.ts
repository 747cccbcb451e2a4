import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Rpc } from "../../lib/index.js";
import { startCluster } from "../../misc/support/cluster.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";

const flags = ["--cache-memory=16MB", "--query-memory=16MB", "--heartbeat=0.1", "--expiry=1"];

describe("a cluster of processes", function () {
  this.timeout(180_000);
  let dataDir = "";
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-data-"));
    const paths = [0, 1, 2].map((shard) => join(dataDir, `taxi-${shard}.bcolzs`));
    await writeShards(paths, [{ name: "v", dtype: "int64", values: Array.from({ length: 300 }, (_, row) => BigInt(row)) }]);
  });
  afterEach(async () => { await rm(dataDir, { recursive: true }); });

  async function sum(rpc: Rpc): Promise<unknown> {
    return (await rpc.groupby("taxi", [], ["v"])).rows()[0]?.["v"];
  }

  async function workerPids(rpc: Rpc): Promise<number[]> {
    const { workers } = await rpc.info();
    return workers.map(({ pid }) => pid).sort((a, b) => a - b);
  }

  it("answers when it is up, goes on without a worker that was killed, takes in another, and leaves no process and no registry when it is stopped", async () => {
    const { rpc, controllers, workers, registryDir, startWorker, stop } = await startCluster({ dataDir, workers: 2, flags });
    try {
      const [killed, other] = workers;
      expect(await workerPids(rpc)).to.deep.equal([killed!.pid, other!.pid].sort((a, b) => a - b));
      expect(await sum(rpc)).to.equal(44_850);
      killed!.signal("SIGKILL");
      expect(await killed!.ended).to.equal("SIGKILL");
      expect(await sum(rpc)).to.equal(44_850);
      await until("the killed worker is gone from info()", async () => (await workerPids(rpc)).join() === String(other!.pid));
      const third = await startWorker();
      expect(await workerPids(rpc)).to.deep.equal([other!.pid, third.pid].sort((a, b) => a - b));
      expect(await sum(rpc)).to.equal(44_850);
    } finally {
      await stop();
    }
    const processes = [...controllers, ...workers.slice(1)];
    expect(processes.map(({ hasEnded }) => hasEnded)).to.deep.equal([true, true, true]);
    expect(await Promise.all(processes.map(({ ended }) => ended))).to.deep.equal([0, 0, 0]);
    expect(existsSync(registryDir)).to.equal(false);
  });

  it("leaves nothing behind when a process cannot start, and says why", async () => {
    const failure: unknown = await startCluster({ dataDir: join(dataDir, "none"), workers: 2, flags }).catch((cause: unknown) => cause);
    expect(failure).to.be.an("error").with.property("message").that.matches(/a worker ended before it served:\n\d+: bqueryd: CONFIG: data_dir /);
  });
});
