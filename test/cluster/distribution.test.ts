import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { randomId } from "../../lib/base/clock.js";
import { placeTicket } from "../../lib/cluster/sync/tickets/placement.js";
import { connect, type Rpc } from "../../lib/index.js";
import { openDirectory } from "../../lib/objects/directory/store.js";
import { openRegistry } from "../../lib/registry/open.js";
import type { Registry } from "../../lib/registry/registry.js";
import { uploadTables } from "../../lib/transfer/send/upload.js";
import { startBqueryd, type BquerydProcess } from "../../misc/support/process.js";
import { ownLoopback } from "../support/own-loopback.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";

const shards = ["numbers-0.bcolzs", "numbers-1.bcolzs", "numbers-2.bcolzs"];
const rows = 300;
const withinMs = 60_000;

describe("a set brought to two nodes", function () {
  this.timeout(180_000);
  let folder: string;
  let registry: Registry;
  let rpc: Rpc | undefined;
  const running: BquerydProcess[] = [];
  const registryDir = (): string => join(folder, "registry");
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-distribution-"));
    for (const name of ["n1", "n2", "bucket"]) mkdirSync(join(folder, name));
    registry = await openRegistry({ registryDir: registryDir(), cluster: "default" });
  });
  afterEach(async () => {
    await rpc?.close();
    await registry.close();
    for (const one of running) one.signal("SIGTERM");
    await Promise.all(running.splice(0).map(({ ended }) => ended));
    rmSync(folder, { recursive: true });
  });

  async function start(role: string, node: string): Promise<BquerydProcess> {
    const memory = role === "worker" ? ["--cache-memory=16MB", "--query-memory=16MB"] : [];
    const one = await startBqueryd([role, `--registry-dir=${registryDir()}`, `--node=${node}`, `--data-dir=${join(folder, node)}`, `--bind=${ownLoopback()}`, "--lease=3", ...memory]);
    running.push(one);
    await until(`${role} has started`, () => one.stderr().includes('"process.started"'), withinMs);
    return one;
  }

  /** Sends a generation of every shard and brings it to both nodes. */
  async function createTicket(value: bigint): Promise<string> {
    const paths = shards.map((name) => join(folder, "source", name));
    mkdirSync(join(folder, "source"), { recursive: true });
    await writeShards(paths, [{ name: "v", dtype: "int64", values: new Array<bigint>(rows).fill(value) }], { replace: true });
    const store = await openDirectory(join(folder, "bucket"));
    const tables = (await uploadTables(store, paths)).map(({ table, manifestKey: manifest, generation }) => ({ table, manifest, generation }));
    await store.close();
    const plan = { id: randomId().slice(0, 16), bucket: join(folder, "bucket"), tables, nodes: ["n1", "n2"], replicas: null };
    await registry.tickets.create(plan, placeTicket(plan));
    return plan.id;
  }

  async function untilDone(id: string): Promise<void> {
    const state = async (): Promise<string> => {
      const head = (await registry.tickets.list()).heads.find((one) => one.id === id);
      return head?.state === "failed" ? head.reason ?? "" : head?.state ?? "none";
    };
    await until("the ticket is done", async () => {
      const now = await state();
      if (!["active", "committed", "done"].includes(now)) throw new Error(now);
      return now === "done";
    }, withinMs);
  }

  async function sum(): Promise<bigint> {
    const [row] = [...await rpc!.groupby("numbers", [], [["v", "sum", "s"], ["*", "count", "n"]], [], { cache: false })] as { s: number | bigint; n: number | bigint }[];
    expect(Number(row!.n), "rows of one generation").to.equal(rows);
    return BigInt(row!.s);
  }

  it("is answered from the old generation, whole, and from then on from the new one, though a downloader and a mover are killed on the way", async () => {
    const downloaders = [];
    const movers = [];
    await Promise.all(([["controller", "n1"], ["worker", "n1"], ["worker", "n2"]] as const).map(([role, node]) => start(role, node)));
    for (const node of ["n1", "n2"]) {
      downloaders.push(await start("downloader", node));
      movers.push(await start("movebcolz", node));
    }
    rpc = await connect({ registry_dir: registryDir(), timeout: 60 });
    await untilDone(await createTicket(1n));
    await until("both nodes serve it", async () => await sum().catch(() => 0n) === BigInt(rows), withinMs);
    const seen: bigint[] = [];
    let isOver = false;
    const asking = (async () => { while (!isOver) seen.push(await sum()); })();
    try {
      const id = await createTicket(2n);
      downloaders[0]!.signal("SIGKILL");
      movers[1]!.signal("SIGKILL");
      await Promise.all([downloaders[0]!.ended, movers[1]!.ended]);
      await start("downloader", "n1");
      await start("movebcolz", "n2");
      await untilDone(id);
      const answers = seen.length;
      await until("it is asked again", () => seen.length > answers + 1, withinMs);
    } finally {
      isOver = true;
      await asking;
    }
    const changes = seen.filter((value, at) => at > 0 && value !== seen[at - 1]);
    expect(new Set(seen)).to.deep.equal(new Set([BigInt(rows), 2n * BigInt(rows)]));
    expect(changes, "once, and never back").to.deep.equal([2n * BigInt(rows)]);
    await distributeFewer(3n);
    expect(await sum(), "of two shards").to.equal(3n * BigInt(rows));
    const { shards: named, from, to } = await rpc.rollback("numbers");
    expect([named, await sum()], "of all three again").to.deep.equal([shards.length, 2n * BigInt(rows)]);
    expect((await registry.pointers()).tables.get(shards[2]!)?.generation).to.be.a("string");
    expect(await rpc.rollback("numbers", from!)).to.include({ from: to, to: from, shards: 2 });
    expect(await sum(), "of the two").to.equal(3n * BigInt(rows));
    expect((await registry.pointers()).tables.get(shards[2]!)?.generation).to.equal(null);
  });

  /** Distributes the set with a shard less. */
  async function distributeFewer(value: bigint): Promise<void> {
    const paths = shards.slice(1).map((_, shard) => join(folder, "fewer", shards[shard]!));
    mkdirSync(join(folder, "fewer"));
    await writeShards(paths, [{ name: "v", dtype: "int64", values: new Array<bigint>(rows).fill(value) }]);
    await rpc!.distribute(paths, join(folder, "bucket"), { wait: true, timeout: withinMs / 1_000 });
  }
});
