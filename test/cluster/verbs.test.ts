import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { monotonicMs } from "../../lib/base/clock.js";
import { connect, type Rpc } from "../../lib/index.js";
import { startCluster, type Cluster } from "../../misc/support/cluster.js";
import { failureOf } from "../support/failure.js";
import { until } from "../support/until.js";
import { writeTable } from "../support/write-table.js";

describe("verbs over real processes", function () {
  this.timeout(180_000);
  let folder: string;
  let cluster: Cluster;
  let rpc: Rpc;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-verbs-"));
    const dataDir = join(folder, "data");
    await mkdir(dataDir);
    await writeFile(join(folder, "secret.txt"), "secret");
    await writeFile(join(dataDir, "notes.txt"), "what a table is about");
    await symlink(join(folder, "secret.txt"), join(dataDir, "out.txt"));
    await writeTable(join(dataDir, "taxi.bcolz"), [{ name: "v", dtype: "int64", values: [1n, 2n, 3n] }]);
    await mkdir(join(dataDir, "node_modules", "busy"), { recursive: true });
    await writeFile(join(dataDir, "node_modules", "busy", "index.mjs"), "export const spin = () => { for (;;); };\n");
    await writeFile(join(dataDir, "node_modules", "busy", "package.json"), JSON.stringify({ name: "busy", main: "index.mjs" }));
    cluster = await startCluster({ dataDir, workers: 2, flags: ["--code-modules=fs,busy", "--cache-memory=16MB", "--query-memory=16MB"] });
    await cluster.startController();
    ({ rpc } = cluster);
    await until("both workers are at both controllers", async () => (await rpc.loglevel("info")).controllers === 2 && (await rpc.info()).workers.length === 2);
  });
  after(async () => {
    await cluster.stop();
    await rm(folder, { recursive: true });
  });

  /** Another client of the same cluster; of the given controller alone, if any. */
  async function other(address?: string): Promise<Rpc> {
    return connect(address === undefined ? { registry_dir: cluster.registryDir } : { controllers: address });
  }

  async function idle(): Promise<void> {
    await until("nothing runs", async () => (await rpc.queries()).length === 0 && (await rpc.info()).workers.every(({ busy }) => !busy));
  }

  /** The processes of functions that run in our data directory now. */
  function codeProcesses(): string[] {
    return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && readLinkOf(`/proc/${pid}/cwd`) === join(folder, "data") && readOf(`/proc/${pid}/cmdline`).includes("code-process"));
  }

  it("sleep takes the place of one worker, is seen in queries() and info(), and is answered", async () => {
    const asked = rpc.sleep(1, { affinity: "night" });
    await until("it runs", async () => (await rpc.queries()).some(({ state }) => state === "running"));
    const [query] = await rpc.queries();
    expect(query).to.deep.include({ verb: "sleep", subject: "sleep(1)", affinity: "night", shards: 1, shards_done: 0, workers: 1 });
    const info = await other(query!.controller === (await rpc.info()).id ? (await rpc.info()).address : (await rpc.info()).controllers[0]!.address);
    const running = (await info.info()).workers.flatMap((worker) => worker.running ?? []);
    await info.close();
    expect(running).to.have.length(1);
    expect(running[0]).to.include({ verb: "sleep", subject: "sleep(1)", query: query!.query });
    expect((await rpc.groupby("taxi", [], ["v"])).rows()[0]).to.deep.include({ v: 6 });
    expect(await asked).to.equal("z...");
    expect(rpc.last_call_duration).to.be.above(0);
    await idle();
  });

  it("a list of sleeps is queued and answered at once, and the queue is served after them", async () => {
    const ids = await rpc.sleep([60, 60, 60, 60], { affinity: "night" }) as string[];
    expect(ids).to.have.length(4);
    const states = async (): Promise<string> => (await rpc.queries()).map(({ state }) => state).sort().join();
    await until("both workers sleep", async () => await states() === "running,running,waiting,waiting");
    expect((await rpc.queries()).map(({ query }) => query)).to.have.members(ids);
    const next = rpc.groupby("taxi", [], ["v"]);
    await until("it waits for them", async () => await states() === "running,running,waiting,waiting,waiting");
    for (const id of ids) await rpc.cancel(id);
    expect((await next).numRows).to.equal(1);
    await idle();
  });

  it("cancel ends a call of another client by the beginning of its id, and its caller is told", async () => {
    const second = await other();
    try {
      const failed = failureOf(() => second.sleep(60));
      await until("it runs", async () => (await rpc.queries()).some(({ state }) => state === "running"));
      const { query } = (await rpc.queries())[0]!;
      expect(await rpc.cancel(query.slice(0, 12))).to.equal(query);
      expect(await failed).to.include({ code: "CANCELLED" }).and.have.property("message").which.match(/cancelled by .*client/);
      expect(await failureOf(() => rpc.cancel(query))).to.include({ code: "NOT_FOUND" });
      expect(await failureOf(() => rpc.cancel("taxi"))).to.include({ code: "USAGE" });
    } finally {
      await second.close();
    }
  });

  it("a worker takes the next task within 100 ms of a cancel", async () => {
    const [first, ...others] = await rpc.sleep([60, 60]) as [string, string];
    await until("both workers sleep", async () => (await rpc.queries()).filter(({ state }) => state === "running").length === 2);
    const next = rpc.groupby("taxi", [], ["v"]);
    await until("it waits", async () => (await rpc.queries()).some(({ verb, state }) => verb === "groupby" && state === "waiting"));
    const startMs = monotonicMs();
    await rpc.cancel(first);
    await next;
    // Bounded by far, for a machine that does other things, and still before the other one has slept.
    expect(monotonicMs() - startMs).to.be.below(40_000);
    for (const id of others) await rpc.cancel(id);
    await idle();
  });

  it("2: the question after a sleep that ran out of time gets its own answer", async () => {
    const failure = await failureOf(() => rpc.sleep(30, { timeout: 0.2 }));
    expect(failure).to.include({ code: "DEADLINE" });
    expect(await rpc.ping()).to.equal("pong");
    expect((await rpc.groupby("taxi", [], ["v"])).numRows).to.equal(1);
    const abort = new AbortController();
    const cancelled = failureOf(() => rpc.sleep(30, { signal: abort.signal }));
    await until("it runs", async () => (await rpc.queries()).length > 0);
    abort.abort();
    expect(await cancelled).to.include({ code: "CANCELLED" });
    await idle();
  });

  it("15: readfile gives files below data_dir and none outside", async () => {
    expect(Buffer.from(await rpc.readfile("notes.txt")).toString()).to.equal("what a table is about");
    expect((await rpc.readfile("taxi.bcolz/CURRENT")).length).to.be.above(60);
    for (const path of ["../secret.txt", "out.txt", "/etc/passwd", "taxi.bcolz"]) {
      expect(await failureOf(() => rpc.readfile(path)), path).to.include({ code: "FORBIDDEN" });
    }
    expect(await failureOf(() => rpc.readfile("nothing.txt"))).to.include({ code: "NOT_FOUND" });
  });

  it("execute_code calls what code_modules allows, with kwargs last, and gives its failures as errors", async () => {
    expect(await rpc.execute_code({ function: "fs.readdirSync", args: ["."], wait: true })).to.include.members(["notes.txt", "taxi.bcolz"]);
    expect(await rpc.execute_code({ function: "fs.readFileSync", args: ["notes.txt"], kwargs: { encoding: "utf8" } })).to.equal("what a table is about");
    expect(await failureOf(() => rpc.execute_code({ function: "fs.readdirSync", args: ["nothing"] }))).to.include({ code: "BAD_INPUT" });
    expect(await failureOf(() => rpc.execute_code({ function: "os.cpus" }))).to.include({ code: "DISABLED" });
    const id = await rpc.execute_code({ function: "fs.writeFileSync", args: ["made.txt", "by code"], wait: false });
    expect(id).to.match(/^[0-9a-f]{32}$/);
    await until("it is done", async () => (await rpc.readfile("made.txt").catch(() => undefined)) !== undefined);
    await idle();
  });

  it("execute_code is never done twice: its caller is told when its worker dies, and its process ends with that", async () => {
    const failed = failureOf(() => rpc.execute_code({ function: "busy.spin" }));
    let pid = 0;
    await until("it runs", async () => {
      const running = (await rpc.queries()).find(({ state }) => state === "running");
      if (running === undefined) return false;
      const { controllers, address, id } = await rpc.info();
      const at = await other(running.controller === id ? address : controllers.find((controller) => controller.id === running.controller)!.address);
      pid = (await at.info()).workers.find(({ busy }) => busy)?.pid ?? 0;
      await at.close();
      return pid !== 0;
    });
    await until("its process has begun", () => codeProcesses().length === 1);
    cluster.workers.find((worker) => worker.pid === pid)!.signal("SIGKILL");
    expect(await failed).to.include({ code: "WORKER_LOST" }).and.have.property("message").which.includes("it may have been done or not");
    await until("its process has ended", () => codeProcesses().length === 0);
    await cluster.startWorker();
    await idle();
  });

  it("loglevel reaches every controller and every worker, and they log so from then on", async () => {
    expect(await rpc.loglevel("error")).to.deep.equal({ level: "error", controllers: 2, workers: 2 });
    // What a controller logs at info, as it refuses: nothing now.
    const logged = (): string => cluster.controllers.map(({ stderr }) => stderr()).join("");
    await failureOf(() => rpc.groupby("nowhere1", [], ["v"]));
    await rpc.loglevel("info");
    await failureOf(() => rpc.groupby("nowhere2", [], ["v"]));
    await until("the second refusal is logged", () => logged().includes("nowhere2"));
    expect(logged()).to.not.include("nowhere1");
    expect(await failureOf(() => rpc.loglevel("loud" as "info"))).to.include({ code: "USAGE", message: "there is no log level 'loud'; use one of error, warn, info, debug" });
  });

  it("kill ends the connected controller after it has answered, and killworkers every worker, both to be started again by a supervisor", async () => {
    const { address, pid } = await rpc.info();
    const one = await other(address);
    expect(await one.kill()).to.deep.equal({ controllers: 1, workers: 0 });
    await one.close();
    expect(await cluster.controllers.find((controller) => controller.pid === pid)!.ended).to.equal(75);
    await until("the client is at the other controller", async () => (await rpc.info()).pid !== pid && (await rpc.info()).workers.length === 2);
    const alive = cluster.workers.filter(({ hasEnded }) => !hasEnded);
    expect(await rpc.killworkers()).to.deep.equal({ controllers: 0, workers: 2 });
    expect(await Promise.all(alive.map(({ ended }) => ended))).to.deep.equal([75, 75]);
    await until("none is left", async () => (await rpc.info()).workers.length === 0);
    expect(await failureOf(() => rpc.sleep(1))).to.include({ code: "SHARD_UNAVAILABLE" });
    expect(await rpc.killall()).to.deep.equal({ controllers: 1, workers: 0 });
    expect(await cluster.controllers.find((controller) => controller.pid !== pid)!.ended).to.equal(0);
  });
});

/** Empty for a process that has ended. */
function readLinkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** Empty for a process that has ended. */
function readOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
