import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { loadConfig } from "../../lib/base/config.js";
import { startUp, type Up } from "../../lib/cli/up.js";
import { connect, type ClusterInfo, type Rpc } from "../../lib/index.js";
import { findFreePort } from "../support/redis.js";
import { until } from "../support/until.js";
import { writeTable } from "../support/write-table.js";

describe("up and the verbs that stop processes", function () {
  this.timeout(180_000);
  let folder: string;
  let up: Up;
  let rpc: Rpc;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-up-verbs-"));
    await mkdir(join(folder, "data"));
    // Not one of those that other controllers of this machine take while ours is being started again.
    const flags = { port: String(await findFreePort()), registry_dir: join(folder, "registry"), data_dir: join(folder, "data"), workers: "2", downloaders: "1", cache_memory: "16MB", query_memory: "16MB", heartbeat: "0.2", expiry: "2", log_level: "error" };
    up = await startUp(loadConfig({ flags, env: {}, machineFile: join(folder, "none.cfg") }));
    rpc = await connect({ registry_dir: join(folder, "registry") });
  });
  after(async () => {
    await rpc.close();
    await up.stop("the test is over");
    await rm(folder, { recursive: true });
  });

  /** The cluster once it is whole and that holds of it. */
  async function whole(what: string, isSo: (info: ClusterInfo) => boolean): Promise<ClusterInfo> {
    let info: ClusterInfo | undefined;
    await until(what, async () => {
      info = await rpc.info().catch(() => undefined);
      return info?.workers.length === 2 && info.downloaders.length === 1 && info.movers.length === 1 && isSo(info);
    });
    return info!;
  }

  it("workers are started again after killworkers, and the controller after kill, at its address", async () => {
    const before = await rpc.info();
    const old = before.workers.map(({ pid }) => pid);
    expect(await rpc.killworkers()).to.deep.equal({ controllers: 0, workers: 2 });
    await whole("there are new workers", ({ workers }) => workers.every(({ pid }) => !old.includes(pid)));
    expect(await rpc.kill()).to.deep.equal({ controllers: 1, workers: 0 });
    expect((await whole("there is a new controller", ({ pid }) => pid !== before.pid)).address).to.equal(before.address);
    expect(await rpc.sleep(0)).to.equal("z...");
  });

  it("a downloader and a mover are there too, bring what is distributed, and are started again when they are killed", async () => {
    const path = join(folder, "new", "taxi.bcolz");
    await mkdir(join(folder, "bucket"));
    await writeTable(path, [{ name: "v", dtype: "int64", values: [1n, 2n, 4n] }]);
    await rpc.distribute(path, join(folder, "bucket"), { wait: true, timeout: 30 });
    expect((await rpc.groupby("taxi.bcolz", [], [["v", "sum"]])).rows()).to.deep.equal([{ v: 7 }]);
    const [downloader, mover] = (({ downloaders, movers }) => [downloaders[0]!.pid, movers[0]!.pid])(await rpc.info());
    for (const pid of [downloader, mover]) process.kill(pid, "SIGKILL");
    await whole("there are new ones", ({ downloaders, movers }) => downloaders[0]!.pid !== downloader && movers[0]!.pid !== mover);
  });

  it("nothing is started again after killall", async () => {
    expect(await rpc.killall()).to.deep.equal({ controllers: 1, workers: 2, downloaders: 1, movers: 1 });
    expect(await up.stopped).to.equal("killall");
  });
});
