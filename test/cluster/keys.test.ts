import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { loadConfig } from "../../lib/base/config.js";
import { BquerydError } from "../../lib/base/errors.js";
import { formatCheck } from "../../lib/cli/doctor/check.js";
import { checkCluster } from "../../lib/cli/doctor/cluster.js";
import { connect, type Rpc } from "../../lib/index.js";
import { createKeyFile } from "../../lib/wire/key-file.js";
import type { Role } from "../../lib/wire/roles.js";
import { runBqueryd, startBqueryd, type BquerydProcess } from "../../misc/support/process.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";
import { failureOf } from "../support/failure.js";

describe("a cluster with keys", function () {
  this.timeout(180_000);
  let folder = "";
  const processes: BquerydProcess[] = [];
  const clients: Rpc[] = [];

  const path = (name: string): string => join(folder, name);

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-keyed-"));
    mkdirSync(path("data"));
    const paths = [0, 1, 2].map((shard) => path(`data/taxi-${shard}.bcolzs`));
    await writeShards(paths, [{ name: "v", dtype: "int64", values: Array.from({ length: 300 }, (_, row) => BigInt(row)) }]);
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((rpc) => rpc.close()));
    for (const running of processes) running.signal("SIGTERM");
    await Promise.all(processes.splice(0).map(({ ended }) => ended));
    rmSync(folder, { recursive: true });
  });

  /** Gives the key's line, as keygen prints it. */
  function makeKey(name: string, role: Role, isKnown = true): string {
    const line = createKeyFile(path(name), { name, roles: new Set([role]) });
    if (isKnown) appendFileSync(path("authorized_keys"), `${line}\n`);
    return line;
  }

  async function start(role: string, key: string, ...more: string[]): Promise<BquerydProcess> {
    const started = await startBqueryd([role, `--registry-dir=${path("registry")}`, `--data-dir=${path("data")}`, `--key-file=${path(key)}`, "--cache-memory=16MB", "--query-memory=16MB", "--heartbeat=0.2", "--expiry=5", ...more]);
    processes.push(started);
    return started;
  }

  async function startController(...more: string[]): Promise<BquerydProcess> {
    const controller = await start("controller", "server", `--authorized-keys=${path("authorized_keys")}`, ...more);
    await until("the controller serves", () => {
      if (controller.hasEnded) throw new Error(controller.stderr());
      return controller.stderr().includes("process.started");
    });
    return controller;
  }

  async function ask(key: string | undefined, options: { controllers?: string } = {}): Promise<Rpc> {
    const rpc = await connect({ registry_dir: path("registry"), timeout: 10, ...options, ...(key === undefined ? {} : { key_file: path(key) }) });
    clients.push(rpc);
    return rpc;
  }

  async function sum(rpc: Rpc): Promise<unknown> {
    return (await rpc.groupby("taxi", [], ["v"])).rows()[0]?.["v"];
  }

  async function untilWorkers(rpc: Rpc, count: number): Promise<void> {
    await until(`${count} workers serve`, async () => (await rpc.info().catch(() => undefined))?.workers.length === count);
  }

  const addressIn = ({ stderr }: BquerydProcess): string => /"address":"(tcp:[^"]+)"/.exec(stderr())![1]!;

  it("doctor says which key is missing or unknown, and what to do", async () => {
    makeKey("server", "node");
    const key = makeKey("eve", "client", false).split(" ")[1]!;
    await startController();
    const findings = async (flags: Record<string, string>): Promise<string | undefined> => {
      const { checks } = await checkCluster(loadConfig({ flags: { registry_dir: path("registry"), ...flags }, env: {}, machineFile: "/nonexistent" }));
      return checks.filter(({ name }) => name === "controller").map(formatCheck).join("\n");
    };
    expect(await findings({})).to.match(/^failed {3}controller: CONFIG: the controller tcp:\S+ takes only those who have a key, and this process has none; set key_file$/);
    expect(await findings({ key_file: path("eve") })).to.match(new RegExp(`^failed {3}controller: FORBIDDEN: tcp:\\S+ does not know the key of this process; add a line to its authorized_keys, .*${key}`));
  });

  it("answers known keys over encrypted connections, refuses others meanwhile, and lets each do what its role allows", async () => {
    makeKey("server", "node");
    for (const [name, role] of [["ada", "client"], ["root", "admin"], ["machine", "node"]] as const) makeKey(name, role);
    makeKey("mallory", "admin", false);
    const controller = await startController();
    const worker = await start("worker", "machine");
    const refused = await start("worker", "ada");
    const ada = await ask("ada");
    await untilWorkers(ada, 1);
    expect(await sum(ada)).to.equal(44_850);
    expect((await ada.groupby("taxi", ["v"], [["*", "count", "n"]])).toCSV()).to.equal(`v,n\n${Array.from({ length: 300 }, (_, v) => `${v},1\n`).join("")}`);

    expect((await failureOf(async () => (await ask("mallory")).ping())).message).to.match(/does not know the key of this process; add a line to its authorized_keys/);
    expect((await failureOf(async () => (await ask(undefined)).ping())).message).to.match(/takes only those who have a key, and this process has none; set key_file/);
    expect((await failureOf(() => ada.killall())).message).to.match(/^killall needs the role admin, and the key of this client has client; /);
    expect((await failureOf(async () => (await ask("machine")).killall())).message).to.match(/^killall needs the role admin, and the key of this client has node; /);
    const wrong = addressIn(controller).replace(/[0-9a-f]{64}$/, (key) => [...key].reverse().join(""));
    expect((await failureOf(async () => (await ask("ada", { controllers: wrong })).ping())).message).to.match(/does not have the key that its address names; compare it/);
    await until("the worker with a client's key says why it serves nothing", () => refused.stderr().includes("a worker needs the role node, and its key has client"));
    expect((await ada.info()).workers).to.have.length(1);
    expect((await ada.info()).refused).to.be.at.least(4);
    expect(await sum(ada)).to.equal(44_850);

    const root = await ask("root");
    expect(await root.killall()).to.deep.equal({ workers: 1, controllers: 1 });
    expect(await Promise.all([controller.ended, worker.ended])).to.deep.equal([0, 0]);
    const secrets = ["server", "ada", "root", "machine", "mallory"].map((name) => readFileSync(path(name), "utf8").trim().split("\n").at(-1)!);
    for (const { stderr, stdout } of processes) for (const secret of secrets) expect(`${stderr()}${stdout()}`).to.not.include(secret);
  });

  it("goes on after a restart of the controller with the same key", async () => {
    makeKey("server", "node");
    makeKey("ada", "client");
    const first = await startController();
    await start("worker", "server");
    const ada = await ask("ada");
    await untilWorkers(ada, 1);
    first.signal("SIGKILL");
    await first.ended;
    await startController();
    await untilWorkers(ada, 1);
    expect(await sum(ada)).to.equal(44_850);
  });

  it("of one machine needs one key file: up with it serves whoever has it", async () => {
    makeKey("server", "node", false);
    const up = await start("up", "server", "--workers=1");
    await until("up is ready", () => {
      if (up.hasEnded) throw new Error(up.stderr());
      return up.stdout().includes("ready: ");
    });
    const [, address] = /^ready: (tcp:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{64}), 1 worker, /.exec(up.stdout())!;
    expect(await sum(await ask("server"))).to.equal(44_850);
    expect(await runBqueryd([address!, `--key-file=${path("server")}`, "--eval=rpc.ping()"])).to.equal("pong\n");
    const failure = await failureOf(() => runBqueryd([`--registry-dir=${path("registry")}`, "--eval=rpc.ping()"]));
    expect(failure.code).to.equal("CONFIG");
    await (await ask("server")).killall();
    expect(await up.ended).to.equal(0);
  });

  it("keygen prints the public line alone, and writes over nothing", async () => {
    const line = await runBqueryd(["keygen", path("ada"), "--role=client,admin", "--name=ada"]);
    expect(line).to.match(/^client,admin [0-9a-f]{64} ada\n$/);
    expect(statSync(path("ada")).mode & 0o777).to.equal(0o600);
    const before = readFileSync(path("ada"), "utf8");
    const failure = await failureOf(() => runBqueryd(["keygen", path("ada")]));
    expect([failure.code, failure.message]).to.deep.equal(["EXISTS", `${path("ada")} is there already; name another file, or remove it if nobody uses its key any more`]);
    expect(readFileSync(path("ada"), "utf8")).to.equal(before);
    expect(await failureOf(() => runBqueryd(["keygen", path("x"), "--role=root"]))).to.be.instanceOf(BquerydError).and.have.property("code", "USAGE");
    expect((await failureOf(() => runBqueryd(["keygen", path("x"), "--name=a\nclient b"]))).code).to.equal("USAGE");
    expect((await failureOf(() => runBqueryd(["keygen", path("none/x")]))).code).to.equal("NOT_FOUND");
  });

  it("a key file that others may read keeps a process from starting", async () => {
    writeFileSync(path("open"), `${"0f".repeat(32)}\n`, { mode: 0o644 });
    for (const role of ["controller", "worker"]) {
      const started = await start(role, "open");
      expect(await started.ended).to.equal(78);
      expect(started.stderr()).to.include("may be read or changed by others; run chmod 600").and.not.include("0f0f");
    }
  });
});
