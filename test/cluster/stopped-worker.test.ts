import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { withCluster } from "../../misc/support/cluster.js";
import { writeShards } from "../support/write-table.js";

const shards = 16;

describe("a worker that is stopped", function () {
  this.timeout(60_000);

  it("holds up a call for much less than it takes to be lost, and changes no byte of its answer", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-data-"));
    try {
      const values = Array.from({ length: 400_000 }, (_, row) => Math.sin(row) * 10 ** (row % 9));
      const keys = values.map((_, row) => BigInt(row % 1_000));
      await writeShards(Array.from({ length: shards }, (_, shard) => join(dataDir, `waves-${shard}.bcolzs`)), [
        { name: "k", dtype: "int64", values: keys }, { name: "v", dtype: "float64", values },
      ]);
      await withCluster({ dataDir, workers: 2, keepsAnswers: false, flags: ["--expiry=30"] }, async ({ rpc, workers: [stopped] }) => {
        const ask = async (): Promise<{ csv: string; retries: number }> => {
          const table = await rpc.groupby("waves", ["k"], [["v", "sum"], ["v", "std", "sd"]], [], { cache: false });
          return { csv: table.toCSV(), retries: table.summary.retries };
        };
        const before = await ask();
        for (let again = 0; again < 3; again++) expect((await ask()).csv).to.equal(before.csv);
        stopped!.signal("SIGSTOP");
        try {
          const during = await ask();
          expect(during.csv).to.equal(before.csv);
          expect(during.retries).to.be.at.least(1);
          // Long before it would be doubted for its silence alone, after half of the 30 s.
          expect(rpc.last_call_duration).to.be.below(10);
        } finally {
          stopped!.signal("SIGCONT");
        }
        expect((await ask()).csv).to.equal(before.csv);
      });
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });
});
