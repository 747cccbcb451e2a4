import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { connect, type Rpc, type Table } from "../../lib/index.js";
import { oneOf } from "../support/random/draw.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";

const program = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));

interface Daemon {
  readonly child: ChildProcess;
  stderr(): string;
  /** The log lines of an event, once there are so many of them. */
  events(event: string, count?: number): Promise<Readonly<Record<string, unknown>>[]>;
  ended(): Promise<number | null>;
}

function ignoreUnlisted(error: unknown): undefined {
  if (!(error instanceof BquerydError) || error.code !== "NO_CONTROLLER") throw error;
}

describe("daemons in operation", function () {
  this.timeout(180_000);
  // Where worker and controller differ little, each run of the tests takes one.
  const random = seededRandom(freshSeed());
  let folder: string;
  const children: ChildProcess[] = [];
  const connections: Rpc[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-operation-"));
    mkdirSync(join(folder, "data"));
    await writeShards([0, 1, 2, 3].map((shard) => join(folder, "data", `taxi-${shard}.bcolzs`)), [{ name: "v", dtype: "int64", values: [1n, 2n, 3n, 0n] }]);
  });

  afterEach(async () => {
    for (const rpc of connections.splice(0)) await rpc.close();
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    rmSync(folder, { recursive: true });
  });

  function start(command: string, ...flags: string[]): Daemon {
    const args = [program, command, `--data-dir=${join(folder, "data")}`, `--registry-dir=${join(folder, "registry")}`, "--cache-memory=16MB", "--query-memory=16MB", "--heartbeat=0.1", "--expiry=2", ...flags];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
    children.push(child);
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => { stderr += text; });
    const ended = Promise.all([once(child, "exit"), once(child.stderr, "close")]).then(([[exitCode]]) => exitCode as number | null);
    const find = (event: string): Record<string, unknown>[] => {
      const lines = stderr.split("\n").slice(0, -1).filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Record<string, unknown>);
      return lines.filter((line) => line["event"] === event);
    };
    return {
      child, stderr: () => stderr, ended: () => ended,
      async events(event, count = 1) {
        await until(`${command} logs ${event}`, () => find(event).length >= count || child.exitCode !== null);
        expect(find(event).length, stderr).to.be.at.least(count);
        return find(event);
      },
    };
  }

  async function startCluster(...more: string[]): Promise<{ controller: Daemon; worker: Daemon; rpc: Rpc }> {
    const cluster = `c${children.length}`;
    const flags = [`--cluster=${cluster}`, ...more];
    const [controller, worker] = [start("controller", ...flags), start("worker", ...flags)];
    return { controller, worker, rpc: await connectWhenUp(controller, worker, cluster) };
  }

  async function connectWhenUp(controller: Daemon, worker: Daemon, cluster = "default"): Promise<Rpc> {
    await Promise.all([controller.events("process.started"), worker.events("worker.registered")]);
    const rpc = await connectWhenListed({ registry_dir: join(folder, "registry"), cluster });
    connections.push(rpc);
    return rpc;
  }

  /** With beats so short a controller that has to wait for the processor is off the list for a moment. */
  async function connectWhenListed(options: Parameters<typeof connect>[0]): Promise<Rpc> {
    let rpc: Rpc | undefined;
    await until("a controller is listed", async () => (rpc = await connect(options).catch(ignoreUnlisted)) !== undefined);
    return rpc!;
  }

  /** A query under way: one that is over before it was seen to run is asked again. */
  async function askUntilBusy(rpc: Rpc): Promise<{ readonly table: Promise<Table> }> {
    for (;;) {
      let isOver = false;
      const table = rpc.groupby("large", ["v"], [["v", "median", "m"], ["v", "count_distinct", "n"]], [], { cache: false });
      void table.finally(() => { isOver = true; }).catch(() => undefined);
      let isBusy = false;
      await until("the query is seen", async () => isOver || (isBusy = (await rpc.info()).workers.some(({ busy }) => busy)));
      if (isBusy && !isOver) return { table };
      await table;
    }
  }

  async function ask(daemon: Daemon, path: string): Promise<{ status: number; text: string }> {
    const [started] = await daemon.events("process.started");
    const response = await fetch(`${String(started!["metrics"])}${path}`);
    return { status: response.status, text: await response.text() };
  }

  it("tell what they did by --metrics-port, and whether they are ready", async () => {
    const controller = start("controller", "--metrics-port=0");
    expect(await ask(controller, "/readyz")).to.deep.equal({ status: 503, text: "not ready: no worker is registered with it\n" });
    expect(await ask(controller, "/healthz")).to.deep.equal({ status: 200, text: "ok\n" });
    const worker = start("worker", "--metrics-port=0");
    const rpc = await connectWhenUp(controller, worker);
    await rpc.groupby("taxi", [], ["v"]);
    await rpc.groupby("nothing", [], ["v"]).catch(() => undefined);
    for (const daemon of [controller, worker]) expect(await ask(daemon, "/readyz")).to.deep.equal({ status: 200, text: "ready\n" });
    const { text } = await ask(controller, "/metrics");
    expect(text).to.include('bqueryd_calls_total{verb="groupby",outcome="ok"} 1\n').and.include('bqueryd_calls_total{verb="groupby",outcome="UNKNOWN_TABLE"} 1\n');
    expect(text).to.include("\nbqueryd_workers 1\n").and.include("\nbqueryd_registry_up 1\n").and.match(/^bqueryd_received_bytes_total [1-9]/m);
    const held = (await ask(worker, "/metrics")).text;
    expect(held).to.include("\nbqueryd_shards_held 4\n").and.include("\nbqueryd_rows_scanned_total 4\n").and.match(/^bqueryd_cache_bytes [1-9]/m);
    expect(held).to.match(/^bqueryd_tasks_total\{outcome="done"\} [1-4]$/m).and.include("\nbqueryd_compute_up 1\n");
  });

  it("end with one line where the port for metrics is taken", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as AddressInfo;
    const refused = start(oneOf(random, ["worker", "controller"]), `--metrics-port=${port}`);
    expect(await refused.ended()).to.equal(69);
    holder.close();
    expect(refused.stderr()).to.match(/^bqueryd: PORT_IN_USE: port \d+ of 127\.0\.0\.1 is in use by another process; stop it or set another metrics_port$/m);
  });

  it("are told by SIGHUP to read their configuration again, and keep the one they have when it is wrong", async () => {
    const file = join(folder, "bqueryd.cfg");
    writeFileSync(file, "timeout = 60\n");
    const { controller, worker } = await startCluster(`--config=${file}`);
    const port = new URL(String((await controller.events("process.started"))[0]!["address"])).port;
    writeFileSync(file, `timeout = 50\nlog_level = debug\nqueue_tasks_max = 7\nport = ${port}\n`);
    for (const { child } of [controller, worker]) child.kill("SIGHUP");
    expect((await controller.events("config.reloaded"))[0]).to.deep.include({ changed: ["queue_tasks_max", "log_level"], needsRestart: ["timeout", "port"] });
    expect((await worker.events("config.reloaded"))[0]).to.deep.include({ changed: ["timeout", "log_level"], needsRestart: ["queue_tasks_max", "port"] });
    writeFileSync(file, "tiemout = 50\n");
    controller.child.kill("SIGHUP");
    expect((await controller.events("config.refused"))[0]!["message"]).to.match(/^unknown key 'tiemout' in .*bqueryd\.cfg; did you mean 'timeout'\?; until then/);
    controller.child.kill("SIGTERM");
    expect(await controller.ended()).to.equal(0);
  });

  it("end by SIGHUP in a terminal, which is then going away", async () => {
    const args = ["controller", `--registry-dir=${join(folder, "registry")}`, "--json"];
    const child = spawn("script", ["-qec", `exec '${process.execPath}' '${program}' ${args.join(" ")}`, "/dev/null"], { stdio: ["pipe", "pipe", "ignore"] });
    children.push(child);
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => { output += text; });
    const ended = once(child, "close");
    await until("it serves", () => output.includes('"process.started"'));
    process.kill(Number(/"pid":(\d+)/.exec(output)![1]), "SIGHUP");
    expect((await ended)[0]).to.equal(0);
    expect(output).to.include('"reason":"SIGHUP"');
  });

  it("a worker over memory_limit drops its caches, then says goodbye with the reason and ends to be started again", async () => {
    const { controller, worker } = await startCluster("--memory-limit=16MB");
    expect(await worker.ended()).to.equal(75);
    expect((await worker.events("memory.dropped"))[0]).to.include({ limitBytes: 2 ** 24 });
    expect(worker.stderr()).to.match(/^bqueryd: MEMORY_LIMIT: memory limit: \d+\.\d\d MB of 16\.00 MB; raise memory_limit, or lower cache_memory and query_memory$/m);
    const [lost] = await controller.events("worker.lost");
    expect(lost!["reason"]).to.match(/^memory limit: \d+\.\d\d MB of 16\.00 MB$/);
  });

  it("a worker that drops its caches answers on", async () => {
    const file = join(folder, "low.cfg");
    writeFileSync(file, "");
    const { worker, rpc } = await startCluster(`--config=${file}`);
    writeFileSync(file, "memory_limit = 16MB\n");
    worker.child.kill("SIGHUP");
    await worker.events("memory.dropped");
    writeFileSync(file, "");
    worker.child.kill("SIGHUP");
    await worker.events("config.reloaded", 2);
    expect((await rpc.groupby("taxi", [], ["v"])).rows()).to.deep.equal([{ v: 6 }]);
    expect(worker.child.exitCode).to.equal(null);
  });

  it("SIGTERM lets a worker and a controller finish what they have", async () => {
    const values = Array.from({ length: 60_000 }, (_, row) => BigInt(row * 7919 % 1_000_003));
    await writeShards([join(folder, "data", "large-0.bcolzs")], [{ name: "v", dtype: "int64", values }]);
    const role = oneOf(random, ["worker", "controller"] as const);
    const cluster = await startCluster();
    const answer = await askUntilBusy(cluster.rpc);
    cluster[role].child.kill("SIGTERM");
    expect((await answer.table).numRows, role).to.equal(60_000);
    expect(await cluster[role].ended(), role).to.equal(0);
  });
});
