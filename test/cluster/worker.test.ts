import { expect } from "chai";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { randomId } from "../../lib/base/clock.js";
import { loadConfig, type Config } from "../../lib/base/config.js";
import { startWorker, type RunningWorker } from "../../lib/cluster/worker/node.js";
import { createTables } from "../../lib/columns/write/writer.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { openSocketCount } from "../../lib/wire/sockets.js";
import type { WorkerReply } from "../../lib/wire/messages.js";
import { startControllerDouble, type ControllerDouble } from "../support/controller-double.js";
import { createFakeRegistry } from "../support/fake-registry.js";
import { createSilentLog } from "../support/silent-log.js";
import { until } from "../support/until.js";

const rows = 1_000;

describe("worker", function () {
  this.timeout(180_000);
  const { log, events } = createSilentLog();
  let directory = "";
  let dataDir = "";
  let controller: ControllerDouble;
  let worker: RunningWorker | undefined;

  beforeEach(async () => {
    events.length = 0;
    directory = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    dataDir = join(directory, "data");
    await mkdir(dataDir);
    controller = await startControllerDouble();
  });

  afterEach(async () => {
    await worker?.stop("end of the test");
    worker = undefined;
    await controller.close();
    await rm(directory, { recursive: true });
    expect(openSocketCount()).to.equal(0);
  });

  async function writeTaxi(): Promise<void> {
    const paths = [0, 1, 2].map((index) => join(dataDir, `taxi-${index}.bcolzs`));
    const columns = [{ name: "k", dtype: "int64" }, { name: "v", dtype: "float64" }] as const;
    const writer = await createTables({ paths, columns, set: true, replace: true, sort: null });
    for (const shard of [0, 1, 2]) {
      const keys = BigInt64Array.from({ length: rows }, (_, row) => BigInt(row % (7 + shard)));
      const values = Float64Array.from({ length: rows }, (_, row) => shard * rows + row);
      await writer.append(shard, [
        { dtype: "int64", rows, values: keys, nulls: null },
        { dtype: "float64", rows, values, nulls: null },
      ]);
    }
    await writer.commit();
  }

  function configWith(flags: Record<string, string> = {}): Config {
    return loadConfig({
      flags: { data_dir: dataDir, controllers: controller.address, cache_memory: "16MB", query_memory: "16MB", heartbeat: "0.05", expiry: "0.5", ...flags },
      env: {}, machineFile: join(directory, "none.cfg"),
    });
  }

  async function start(): Promise<RunningWorker> {
    worker = await startWorker({ config: configWith(), log, registry: createFakeRegistry() });
    return worker;
  }

  /** A task over all three shards of taxi, named by the given nonce. */
  async function taskOf(nonce: string, { generation, remainingMs = 10_000 }: { generation?: string; remainingMs?: number } = {}): Promise<WorkerReply & { type: "task" }> {
    const register = controller.messages.map(({ header }) => header).find(({ type }) => type === "register");
    const holdings = register?.type === "register" ? register.holdings : [];
    const shards = holdings.map((holding, ordinal) => ({ ordinal, name: holding.name, generation: generation ?? holding.generation }));
    return { type: "task", taskId: randomId(), attempt: 1, kind: "groupby", queryId: randomId(), nonce, shards, remainingMs };
  }

  const query = encodeQuery(parseQuery({ keys: ["k"], measures: [["v", "sum"]], where: [] }));

  it("registers with what it holds, runs a task and is ready again with what it cached", async () => {
    await writeTaxi();
    const { id } = await start();
    const register = await controller.take("register");
    expect(register).to.include({ workerId: id, role: "worker", pid: process.pid, dataDir });
    expect(register.holdings.map(({ name, rows: count }) => [name, count])).to.deep.equal([0, 1, 2].map((n) => [`taxi-${n}.bcolzs`, rows]));
    const ready = await controller.take("ready");
    const task = await taskOf(ready.nonce);
    controller.send(task, [query]);
    const done = await controller.take("done");
    expect(done).to.have.nested.property("cost.rowsScanned", 3 * rows);
    expect(done.taskId).to.equal(task.taskId);
    const partials = controller.messages.filter(({ header }) => header.type === "partial");
    expect(partials.map(({ header }) => header.type === "partial" && header.block)).to.deep.equal([{ start: 0, size: 3 }]);
    for (const { body } of partials) expect(body[0]!.length).to.be.greaterThan(0);
    const again = await controller.take("ready");
    expect(again.nonce).to.not.equal(ready.nonce);
    expect(again.cached.map(({ shard, columns }) => [shard, [...columns].sort()])).to.deep.equal([0, 1, 2].map((n) => [`taxi-${n}.bcolzs`, ["k", "v"]]));
  });

  it("declines a task with another nonce", async () => {
    await writeTaxi();
    await start();
    await controller.take("ready");
    const task = await taskOf("0".repeat(32));
    controller.send(task, [query]);
    expect((await controller.take("declined")).taskId).to.equal(task.taskId);
  });

  it("reports what is wrong with a query, and with the time it has", async () => {
    await writeTaxi();
    await start();
    const { nonce } = await controller.take("ready");
    const unknown = encodeQuery(parseQuery({ keys: ["kk"], measures: [["v", "sum"]], where: [] }));
    controller.send(await taskOf(nonce), [unknown]);
    const failed = await controller.take("failed");
    expect(failed).to.include({ code: "UNKNOWN_COLUMN", retry: "never", shard: "taxi-0.bcolzs" });
    const next = await controller.take("ready");
    controller.send(await taskOf(next.nonce, { remainingMs: 0 }), [query]);
    expect(await controller.take("failed")).to.include({ code: "DEADLINE" });
  });

  it("tells of what changed before it fails a task over a generation that is gone", async () => {
    await writeTaxi();
    await start();
    const { nonce } = await controller.take("ready");
    const task = await taskOf(nonce, { generation: "0".repeat(64) });
    // Only a shard that stays: of one that goes, the watch may tell before the task is looked at.
    const shards = task.shards.filter(({ name }) => name === "taxi-0.bcolzs");
    await rm(join(dataDir, "taxi-2.bcolzs"), { recursive: true });
    controller.send({ ...task, shards }, [query]);
    expect(await controller.take("failed")).to.include({ code: "GENERATION_GONE", shard: "taxi-0.bcolzs" });
    const types = controller.messages.map(({ header }) => header.type);
    expect(types.indexOf("holdings")).to.be.within(1, types.indexOf("failed"));
  });

  it("tells of tables that come while it runs", async () => {
    await start();
    await controller.take("register");
    await writeTaxi();
    await until("all shards are told of", () => {
      const added = controller.messages.flatMap(({ header }) => (header.type === "holdings" ? header.added : []));
      return new Set(added.map(({ name }) => name)).size === 3;
    });
    expect(events.filter(({ event }) => event === "table.added")).to.have.lengthOf(3);
  });

  it("tells of a table that it cannot open, and when it can again", async () => {
    await start();
    await controller.take("register");
    const current = join(dataDir, "cut.bcolz", "CURRENT");
    await mkdir(join(dataDir, "cut.bcolz"));
    await writeFile(current, `${"ab".repeat(32)}\n`);
    const told = (): (readonly { name: string; code: string }[])[] => controller.messages.flatMap(({ header }) => (header.type === "broken" ? [header.tables] : []));
    await until("it is told of", () => told().length > 0);
    expect(told()[0]!.map(({ name }) => name)).to.deep.equal(["cut.bcolz"]);
    controller.send({ type: "heartbeat", known: false });
    await controller.take("register");
    await until("it is told of again", () => told().length > 1);
    expect(told()[1]).to.deep.equal(told()[0]);
    await rm(join(dataDir, "cut.bcolz"), { recursive: true });
    await until("nothing is broken", () => told().length > 2);
    expect(told()[2]).to.deep.equal([]);
  });

  it("registers again with a controller that does not know it, and with one that came back at its address", async () => {
    await start();
    await controller.take("register");
    controller.send({ type: "heartbeat", known: false });
    await controller.take("register");
    await controller.close();
    controller = await startControllerDouble(Number(new URL(controller.address).port));
    await controller.take("register");
    await until("a heartbeat comes", () => controller.heartbeats > 0);
  });

  it("connects anew to a controller that fell silent", async () => {
    await start();
    await controller.take("register");
    await until("heartbeats pass", () => controller.heartbeats > 0);
    expect(controller.messages.filter(({ header }) => header.type === "register")).to.have.lengthOf(1);
    controller.isSilent = true;
    await controller.take("register");
  });

  it("says goodbye when it is stopped, and when a controller shuts it down", async () => {
    const stopped = await start();
    await controller.take("register");
    await stopped.stop("SIGTERM");
    expect(await stopped.stopped).to.equal("SIGTERM");
    expect(await controller.take("bye")).to.include({ reason: "SIGTERM" });
    const shut = await start();
    await controller.take("register");
    controller.send({ type: "shutdown", reason: "killall" });
    expect(await shut.stopped).to.equal("killall");
    await controller.take("bye");
  });

  it("refuses a data_dir that is missing or a file, naming it and what to do", async () => {
    const file = join(directory, "file");
    await writeFile(file, "");
    const refusal = async (path: string): Promise<unknown> => {
      return startWorker({ config: configWith({ data_dir: path }), log, registry: createFakeRegistry() }).then(() => undefined, (error: unknown) => error);
    };
    expect(await refusal(join(directory, "none"))).to.include({
      code: "CONFIG", message: `data_dir ${join(directory, "none")} does not exist; create it, or set data_dir to the directory of your tables`,
    });
    expect(await refusal(file)).to.include({
      code: "CONFIG", message: `data_dir ${file} is not a directory; set data_dir to the directory of your tables`,
    });
  });
});
