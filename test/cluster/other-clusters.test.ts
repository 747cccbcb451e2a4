import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { randomId } from "../../lib/base/clock.js";
import { connect } from "../../lib/index.js";
import { openRegistry } from "../../lib/registry/open.js";
import { startBqueryd, type BquerydProcess } from "../../misc/support/process.js";
import { failureOf } from "../support/failure.js";
import { ownLoopback } from "../support/own-loopback.js";
import { until } from "../support/until.js";

describe("a controller that takes the port of one of another cluster", function () {
  this.timeout(180_000);
  let folder: string;
  const running: BquerydProcess[] = [];
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "bqueryd-others-")); });
  afterEach(async () => {
    for (const one of running) one.signal("SIGTERM");
    await Promise.all(running.splice(0).map(({ ended }) => ended));
    rmSync(folder, { recursive: true });
  });

  async function start(role: "controller" | "worker", cluster: string): Promise<BquerydProcess> {
    const one = await startBqueryd([role, `--registry-dir=${join(folder, cluster)}`, `--data-dir=${folder}`, `--bind=${ownLoopback()}`, "--heartbeat=0.1", "--expiry=1"]);
    running.push(one);
    await until(`the ${role} is up`, () => one.stderr().includes('"event":"process.started"'));
    return one;
  }

  it("gets neither its workers nor its clients, which find their own again", async () => {
    const other = await start("controller", "theirs");
    const address = /"address":"(tcp:[^"]+)"/.exec(other.stderr())![1]!;
    const refusals = (who: string): boolean => other.stderr().split("\n").some((line) => line.includes('"event":"peer.refused"') && line.includes(who));
    // What one that was killed leaves for a while.
    const registry = await openRegistry({ registryDir: join(folder, "ours"), cluster: "default" });
    const left = { id: randomId(), address, node: "here", pid: process.pid, startedMs: 0 };
    await registry.announce(left, 60_000);
    const theirs = await connect({ registry_dir: join(folder, "theirs") });
    const ours = await connect({ registry_dir: join(folder, "ours") });
    try {
      const worker = await start("worker", "ours");
      await until("the worker came to the wrong one", () => refusals("a worker on"));
      expect(await failureOf(() => ours.ping({ timeout: 2 }))).to.include({ code: "NO_CONTROLLER" });
      await until("it is told that the client was wrong", () => refusals("a client"));
      expect((await theirs.info()).workers).to.be.empty;
      await registry.withdraw(left.id);
      await start("controller", "ours");
      await until("the worker is registered with its own", () => worker.stderr().includes('"event":"worker.registered"'));
      await until("it serves there", async () => (await ours.info()).workers.length === 1);
      expect((await theirs.info()).workers).to.be.empty;
    } finally {
      await Promise.all([ours.close(), theirs.close(), registry.close()]);
    }
  });
});
