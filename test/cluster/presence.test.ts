import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import type { Rpc } from "../../lib/index.js";
import { startCluster, type Cluster } from "../../misc/support/cluster.js";
import { until } from "../support/until.js";
import { writeTable } from "../support/write-table.js";

const program = fileURLToPath(new URL("../support/presence-child.js", import.meta.url));
const withinMs = 60_000;

/** A child, and what it has said. */
interface Child {
  readonly process: ChildProcess;
  said(): string[];
}

describe("downloaders and movers as processes", function () {
  this.timeout(120_000);
  let folder: string;
  let cluster: Cluster;
  let rpc: Rpc;
  const children: Child[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-presence-"));
    await writeTable(join(folder, "taxi.bcolz"), [{ name: "v", dtype: "int64", values: [1n, 2n, 3n] }]);
    cluster = await startCluster({ dataDir: folder, workers: 1, flags: ["--heartbeat=0.5", "--cache-memory=16MB", "--query-memory=16MB"] });
    ({ rpc } = cluster);
    await cluster.startController();
    for (const role of ["downloader", "downloader", "mover"]) children.push(await start(role));
    await until("all are listed", async () => (await counts()).join() === "1,2,1", withinMs);
  });
  after(async () => {
    for (const { process: child } of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await cluster.stop();
    await rm(folder, { recursive: true });
  });

  async function start(role: string): Promise<Child> {
    const child = spawn(process.execPath, [program, role, `--registry-dir=${cluster.registryDir}`, `--data-dir=${folder}`, "--heartbeat=0.5"], { stdio: ["ignore", "pipe", "inherit", "ipc"] });
    let text = "";
    child.stdout!.setEncoding("utf8").on("data", (more: string) => { text += more; });
    const started: Child = { process: child, said: () => text.split("\n").slice(0, -1) };
    await until(`a ${role} is registered`, () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode} before`);
      return started.said().includes("ready");
    }, withinMs);
    return started;
  }

  /** Workers, downloaders and movers of the controller that is asked. */
  async function counts(): Promise<number[]> {
    const { workers, downloaders, movers } = await rpc.info();
    return [workers.length, downloaders.length, movers.length];
  }

  it("are listed beside the workers with what they are at, and queries go on as without them", async () => {
    const { downloaders, movers, warnings } = await rpc.info();
    expect([...downloaders, ...movers].map(({ pid }) => pid)).to.have.members(children.map(({ process: { pid } }) => pid));
    await until("they have said what they are at", async () => (await rpc.info()).downloaders.every(({ busy, doing }) => busy && doing === "taxi-3.bcolzs 41 %"), withinMs);
    expect(movers[0]).to.include({ role: "mover", data_dir: folder });
    expect(warnings).to.deep.equal([]);
    expect([...await rpc.groupby("taxi", [], ["v"])]).to.deep.equal([{ v: 6 }]);
  });

  it("hear of loglevel, and those that come later of the level that was set", async () => {
    // A controller that is slow to renew its record is not listed for a moment.
    const all = { level: "debug", controllers: 2, workers: 1, downloaders: 2, movers: 1 };
    await until("all are told", async () => isDeepStrictEqual({ ...await rpc.loglevel("debug") }, all), withinMs);
    for (const { said } of children) await until("it has heard of it", () => said().includes("level debug"), withinMs);
    const late = await start("mover");
    children.push(late);
    await until("it has heard of it", () => late.said().includes("level debug"), withinMs);
    await until("two movers are warned of", async () => (await rpc.info()).warnings.some((sentence) => sentence.includes("has 2 movers")), withinMs);
  });

  it("are missed as soon as they are killed, which info() tells with the reason", async () => {
    const killed = children.pop()!;
    killed.process.kill("SIGKILL");
    await until("it is gone", async () => (await counts()).join() === "1,2,1", withinMs);
    const { departures, warnings } = await rpc.info();
    expect(departures[0]).to.include({ role: "mover", given_back: 0, failed_calls: 0 }).and.property("reason").to.match(/^(connection|heartbeat) lost: /);
    expect(warnings.join()).to.match(/mover [0-9a-f]{8} on .* was lost \d+ s ago \(/);
  });

  it("stay at killworkers, and end at killall", async () => {
    expect(await rpc.killworkers()).to.deep.equal({ controllers: 0, workers: 1 });
    await until("the worker is gone", async () => (await counts()).join() === "0,2,1", withinMs);
    expect(await rpc.killall()).to.deep.equal({ controllers: 2, workers: 0, downloaders: 2, movers: 1 });
    for (const { process: child, said } of children) {
      await until("it has ended", () => child.exitCode !== null, withinMs);
      expect([child.exitCode, said().filter((line) => line.startsWith("shutdown"))]).to.deep.equal([0, ["shutdown killall"]]);
    }
    expect(await Promise.all(cluster.controllers.map(({ ended }) => ended))).to.deep.equal([0, 0]);
  });
});
