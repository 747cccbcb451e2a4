import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { connect } from "../../lib/index.js";
import { runBqueryd, startBqueryd } from "../../misc/support/process.js";
import { startRedis, type RedisServer } from "../support/redis.js";
import { until } from "../support/until.js";

describe("bqueryd up with the configuration file of the original, which names a Redis server alone", function upRedis() {
  this.timeout(60_000);
  let folder: string;
  let server: RedisServer;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-up-redis-"));
    server = await startRedis(["--requirepass", "hunter2"]);
  });
  afterEach(async () => {
    await server.remove();
    rmSync(folder, { recursive: true });
  });

  it("gives the processes it starts the server, and the password to nobody else", async () => {
    const config = join(folder, "bqueryd.cfg");
    writeFileSync(config, `redis_url = redis://:hunter2@127.0.0.1:${server.port}/3\n`);
    const up = await startBqueryd(["up", "--workers=2", `--config=${config}`, `--data-dir=${folder}`, `--registry-dir=${join(folder, "registry")}`]);
    try {
      await until("all serve", () => up.stdout().includes("ready: ") || up.hasEnded, 40_000);
      const rpc = await connect({ config });
      const { workers, pid } = await rpc.info();
      await rpc.close();
      expect(workers).to.have.length(2);
      for (const child of [pid, ...workers.map((worker) => worker.pid)]) expect(readFileSync(`/proc/${child}/cmdline`, "utf8")).to.not.contain("hunter2");
      expect(up.stdout() + up.stderr() + await runBqueryd(["controller", "--print-config", `--config=${config}`])).to.not.contain("hunter2");
    } finally {
      up.signal("SIGTERM");
      await up.ended;
    }
    expect(readdirSync(folder), "no registry in a folder").to.deep.equal(["bqueryd.cfg"]);
  });
});
