import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { connect, type Rpc } from "../../lib/index.js";
import { withCluster } from "../../misc/support/cluster.js";
import { killWorkersUnderLoad } from "../support/killing-workers.js";
import { oneOf } from "../support/random/draw.js";
import { breakRegistryUnderLoad, registryFaults } from "../support/registry-faults.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";

const shards = 6;
const rowsPerShard = 20_000;
const clients = 4;
/** Calls that each client has under way at a time. */
const callsAtOnce = 8;

async function writeNumbers(folder: string): Promise<void> {
  const rows = shards * rowsPerShard;
  await writeShards(Array.from({ length: shards }, (_, shard) => join(folder, `numbers-${shard}.bcolzs`)), [
    { name: "k", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row % 10)) },
    { name: "v", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row)) },
  ]);
}

/** Group k holds the rows k, k + 10, ... */
function expectedRows(): string {
  const perGroup = (rowsPerShard * shards) / 10;
  return JSON.stringify(Array.from({ length: 10 }, (_, k) => ({ k, v: k * perGroup + 5 * perGroup * (perGroup - 1) })));
}

/** One of two controllers killed or stopped: every call is answered, rightly, those that it had by the other. */
async function loseController(): Promise<void> {
  const signal = oneOf(seededRandom(freshSeed()), ["SIGKILL", "SIGSTOP"] as const);
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-lost-"));
  const rpcs: Rpc[] = [];
  try {
    await writeNumbers(folder);
    await withCluster({ dataDir: folder, workers: 2, flags: ["--cache-memory=32MB", "--query-memory=64MB", "--heartbeat=0.2", "--expiry=1"] }, async ({ registryDir, startController, controllers }) => {
      await startController();
      for (let k = 0; k < clients; k++) rpcs.push(await connect({ registry_dir: registryDir, timeout: 60 }));
      for (const rpc of rpcs) await until("both workers and all shards are there", async () => (await rpc.info()).workers.length === 2 && (await rpc.files())[0]?.shards === shards);
      const { pid } = await rpcs[0]!.info();
      const victim = controllers.find((controller) => controller.pid === pid)!;
      const [answers, wrong, failed]: [number[], string[], string[]] = [rpcs.map(() => 0), [], []];
      const expected = expectedRows();
      let isOver = false;
      const load = rpcs.flatMap((rpc, client) => Array.from({ length: callsAtOnce }, async () => {
        while (!isOver) {
          try {
            const text = JSON.stringify((await rpc.groupby("numbers", ["k"], ["v"], [], { cache: false })).rows());
            if (text !== expected) wrong.push(text);
          } catch (cause) {
            failed.push(String(cause));
          }
          answers[client]! += 1;
        }
      }));
      try {
        await until("all are at it", () => answers.every((count) => count > callsAtOnce));
        victim.signal(signal);
        const before = [...answers];
        await until("every client goes on", () => answers.every((count, client) => count > before[client]! + 2 * callsAtOnce));
      } finally {
        isOver = true;
        await Promise.all(load);
        victim.signal("SIGCONT");
      }
      expect({ wrong, failed }, signal).to.deep.equal({ wrong: [], failed: [] });
      expect((await rpcs[0]!.info()).pid).to.not.equal(pid);
    });
  } finally {
    await Promise.all(rpcs.map((rpc) => rpc.close()));
    await rm(folder, { recursive: true, force: true });
  }
}

/** kill -9 of one of two workers: every answer is right, none is lost, and the worker is back. */
async function killWorker(): Promise<void> {
  const seed = freshSeed();
  const report = await killWorkersUnderLoad({ kills: 1, seed });
  expect(report, `seed ${seed}`).to.deep.include({ kills: 1, wrong: [], failed: [] });
  expect(report.answers).to.be.greaterThan(20);
}

/** A Redis server killed, flushed or frozen: every answer is right, none is lost, and the registry is filled again. */
async function breakRegistry(): Promise<void> {
  const { answers, wrong, failed, logged } = await breakRegistryUnderLoad({ faults: registryFaults, frozenMs: 1_000 });
  expect({ wrong, failed }).to.deep.equal({ wrong: [], failed: [] });
  expect(answers).to.be.greaterThan(20);
  expect(logged, "each loss is told once").to.deep.equal(["registry.lost", "registry.restored", "registry.lost", "registry.restored"]);
}

describe("what is lost under load", function lost() {
  this.timeout(180_000);

  // Each run of the tests takes one of them; .ci/run has more faults in its long runs.
  const losses = [["a controller that is killed or stopped", loseController], ["a worker that is killed", killWorker], ["a Redis server that is killed, flushed or frozen", breakRegistry]] as const;
  const [what, lose] = oneOf(seededRandom(freshSeed()), losses);
  it(`costs no answer and makes none wrong: ${what}`, lose);
});
