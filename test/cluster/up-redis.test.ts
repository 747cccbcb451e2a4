import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { connect } from "../../lib/index.js";
import { runBqueryd, startBqueryd } from "../../misc/support/process.js";
import { failureOf } from "../support/failure.js";
import { findFreePort, startRedis, type RedisServer } from "../support/redis.js";
import { until } from "../support/until.js";
import { writeTable } from "../support/write-table.js";

describe("bqueryd up with the configuration file of the original, which names a Redis server alone", function upRedis() {
  this.timeout(180_000);
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

describe("a Redis server that speaks TLS, with a certificate of an authority of one's own", function tls() {
  this.timeout(180_000);
  // Of 127.0.0.1 and good for a century.
  const certificate = (name: string): string => fileURLToPath(new URL(`../../../test/fixtures/tls/${name}.pem`, import.meta.url));

  it("is believed where NODE_EXTRA_CA_CERTS names the authority, and nowhere else", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bqueryd-redis-tls-"));
    const port = await findFreePort();
    const server = await startRedis(["--tls-port", String(port), "--tls-cert-file", certificate("certificate"), "--tls-key-file", certificate("key"), "--tls-auth-clients", "no"]);
    const flags = [`--redis-url=rediss://127.0.0.1:${port}/0`, "--timeout=5"];
    const env = { NODE_EXTRA_CA_CERTS: certificate("certificate") };
    await writeTable(join(folder, "t.bcolz"), [{ name: "v", dtype: "int64", values: [1n, 2n, 4n] }]);
    const up = await startBqueryd(["up", "--workers=1", `--data-dir=${folder}`, ...flags.slice(0, 1)], { env });
    try {
      await until("all serve", () => up.stdout().includes("ready: ") || up.hasEnded, 40_000);
      const ask = ["--eval", "rpc.groupby('t.bcolz', [], [['v', 'sum', 'v']])", ...flags];
      expect(await runBqueryd(ask, { env })).to.match(/^\s*7$/m);
      const failure = await failureOf(() => runBqueryd(ask));
      expect(failure.code).to.equal("REGISTRY_UNAVAILABLE");
      expect(failure.message).to.include(`127.0.0.1:${port}`).and.match(/self-signed certificate/).and.include("NODE_EXTRA_CA_CERTS");
    } finally {
      up.signal("SIGTERM");
      await up.ended;
      await server.remove();
      rmSync(folder, { recursive: true });
    }
  });
});
