import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { connect, type Rpc } from "../../lib/index.js";
import { openRegistry } from "../../lib/registry/open.js";
import { withCluster } from "../../misc/support/cluster.js";
import { failureOf } from "../support/failure.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";

const rows = 4_000;
const shardCount = 4;
const versions = 5;

describe("pointers to generations in a cluster", function pointers() {
  this.timeout(180_000);
  let folder: string;
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "bqueryd-pointers-")); });
  afterEach(() => { rmSync(folder, { recursive: true }); });

  /** Imports one version after the other, of which each keeps all before; every value of version N is N. */
  async function writeVersions(): Promise<Map<string, string>[]> {
    const paths = Array.from({ length: shardCount }, (_, shard) => join(folder, `numbers-${shard}.bcolzs`));
    const moves: Map<string, string>[] = [];
    for (let version = 1; version <= versions; version++) {
      const values = Array.from({ length: rows }, () => BigInt(version));
      const generations = await writeShards(paths, [{ name: "v", dtype: "int64", values }], { replace: version > 1, keepGenerations: versions });
      moves.push(new Map(paths.map((path, index) => [basename(path), generations[index]!])));
    }
    return moves;
  }

  async function versionOf(rpc: Rpc): Promise<number> {
    const [row] = (await rpc.groupby("numbers", [], [["v", "sum"]])).rows();
    return Number(row!["v"]) / rows;
  }

  it("moves go to and fro under load: every answer is of one version, and none is older than one before, over two controllers", async () => {
    const moves = await writeVersions();
    const changesTo = (version: number) => [...moves[version - 1]!].map(([table, generation]) => ({ table, generation }));
    await withCluster({ dataDir: folder, workers: 2, flags: ["--heartbeat=0.2"] }, async ({ registryDir, rpc, controllers, startController }) => {
      const registry = await openRegistry({ registryDir, cluster: "default" });
      await startController();
      const others = await Promise.all([1, 2, 3].map(() => connect({ registry_dir: registryDir })));
      try {
        expect(await versionOf(rpc), "without pointers: the current one").to.equal(versions);
        let epoch = await registry.movePointers(changesTo(1), 0);
        const clients = [rpc, ...others];
        for (const client of clients) await until("all go by the pointers", async () => await versionOf(client) === 1);
        let isOver = false;
        const seen: number[][] = clients.map(() => []);
        const asking = clients.map(async (client, index) => {
          while (!isOver) seen[index]!.push(await versionOf(client));
        });
        for (let version = 2; version <= versions; version++) {
          epoch = await registry.movePointers(changesTo(version), epoch);
          if (version === 3) controllers[0]!.signal("SIGKILL");
          await until("all have followed", () => seen.every((answers) => answers.at(-1) === version));
        }
        isOver = true;
        await Promise.all(asking);
        for (const answers of seen) expect([...answers].sort((a, b) => a - b)).to.deep.equal(answers);
        expect((await rpc.info()).epoch).to.equal(epoch);
        await registry.movePointers([{ table: "numbers-0.bcolzs", generation: "f".repeat(64) }], epoch);
        await until("it is known that nobody holds it", async () => (await rpc.info()).epoch > epoch);
        expect(await failureOf(() => versionOf(rpc))).to.include({ code: "SHARD_UNAVAILABLE" });
      } finally {
        for (const client of others) await client.close();
        await registry.close();
      }
    });
  });
});
