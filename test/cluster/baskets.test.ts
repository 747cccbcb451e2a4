import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { withCluster } from "../../misc/support/cluster.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";

describe("baskets in a cluster", function () {
  this.timeout(60_000);

  it("go on over shards that different workers hold, and the same question again scans nothing", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-baskets-"));
    try {
      const rows = Array.from({ length: 60 }, (_, row) => row);
      await writeShards(rows.slice(0, 6).map((shard) => join(dataDir, `visits-${shard}.bcolzs`)), [
        { name: "visit", dtype: "string", values: rows.map((row) => (row < 25 ? `v${Math.floor(row / 4)}` : row < 50 ? null : "last")) },
        { name: "page", dtype: "int64", values: rows.map(BigInt) },
      ]);
      await withCluster({ dataDir, workers: 2 }, async ({ rpc }) => {
        await until("the set is whole", async () => ((await rpc.files()) as unknown[]).length === 1);
        const ask = async (page: number) => rpc.groupby("visits", ["page"], [], [["page", "==", page]], { expand_filter_column: "visit" });
        const pages = async (page: number): Promise<unknown[]> => [...(await ask(page))].map((row) => row.page);
        expect(await pages(9)).to.deep.equal([8, 9, 10, 11]);
        expect(await pages(40)).to.deep.equal(rows.slice(25, 50));
        expect(await pages(59)).to.deep.equal(rows.slice(50));
        // Each worker keeps what it was asked itself.
        await until("every worker that is asked has been asked before", async () => (await ask(59)).summary.partialCacheHits === 12);
        expect((await ask(59)).summary.shards).to.equal(6);
      });
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
