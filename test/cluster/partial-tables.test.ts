import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import type { PartialProgress, Table } from "../../lib/index.js";
import { withCluster } from "../../misc/support/cluster.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";

const shards = 12;
const rowsPerShard = 1_000;

describe("onPartial", function () {
  this.timeout(60_000);

  it("of a cluster gives what is done, while a worker holds up the rest, and in the end the answer, after a worker was killed too", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bqueryd-partial-"));
    try {
      await writeShards(Array.from({ length: shards }, (_, shard) => join(folder, `t-${shard}.bcolzs`)), [
        { name: "k", dtype: "int64", values: Array.from({ length: shards * rowsPerShard }, (_, row) => BigInt(row % 7)) },
      ]);
      await withCluster({ dataDir: folder, workers: 2, flags: ["--cache-memory=16MB", "--query-memory=16MB", "--heartbeat=0.2", "--expiry=20"] }, async ({ rpc, workers }) => {
        await until("the set is whole", async () => (await rpc.files())[0]?.shards === shards);
        const [held] = workers;
        held!.signal("SIGSTOP");
        const seen: { table: Table; progress: PartialProgress }[] = [];
        const asked = rpc.groupby("t", ["k"], [["*", "count", "n"]], [], { cache: false, order: [["n", "desc"], "k"], limit: 7, onPartial: (table, progress) => { seen.push({ table, progress }); } });
        await until("some is shown", () => seen.length > 0, 20_000);
        held!.signal("SIGKILL");
        const answer = await asked;
        expect(seen.length).to.be.above(1);
        expect(seen[0]!.progress.fraction).to.be.below(1);
        for (const { table, progress } of seen) {
          expect(progress).to.deep.equal({ fraction: progress.shards / shards, shards: progress.shards, of: shards });
          expect(table.rows().reduce((rows, { n }) => rows + Number(n), 0)).to.equal(progress.shards * rowsPerShard);
          expect(table.summary).to.include({ shards, shardsAnswered: progress.shards });
        }
        expect(seen.at(-1)).to.deep.include({ table: answer, progress: { fraction: 1, shards, of: shards } });
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
