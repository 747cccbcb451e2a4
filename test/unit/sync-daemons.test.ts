import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { loadConfig } from "../../lib/base/config.js";
import { BquerydError } from "../../lib/base/errors.js";
import type { Files } from "../../lib/base/files.js";
import { observeDownloader } from "../../lib/cluster/metrics/downloader-metrics.js";
import { createExposition } from "../../lib/cluster/metrics/exposition.js";
import { observeMover } from "../../lib/cluster/metrics/mover-metrics.js";
import { hasSurplus } from "../../lib/cluster/sync/mover/disk.js";
import type { Show, Showing } from "../../lib/cluster/sync/showing.js";
import { incomingFolder, stagePath } from "../../lib/cluster/sync/stages.js";
import { tell } from "../../lib/cluster/sync/telling.js";
import { readPrepared } from "../../lib/columns/files/prepared.js";
import { openTable } from "../../lib/columns/read/open.js";
import { verifyTable } from "../../lib/columns/verify/verify.js";
import { openRegistry } from "../../lib/registry/open.js";
import type { Registry } from "../../lib/registry/registry.js";
import { keyOfSlot, type TicketPlan } from "../../lib/registry/tickets.js";
import { openDirectory } from "../../lib/objects/directory/store.js";
import type { ObjectStore } from "../../lib/objects/objects.js";
import { openS3 } from "../../lib/objects/s3/store.js";
import { uploadTables } from "../../lib/transfer/send/upload.js";
import { writeRawBcolz } from "../support/bcolz-directory.js";
import { setStage, settingsOf, smallLimits, withIdentity } from "../support/s3/stage.js";
import { describeOverDrawnRegistry } from "../support/sync/drawn-registry.js";
import { setNodes, type Nodes } from "../support/sync/nodes.js";
import { until } from "../support/until.js";
import { unsyncedFiles } from "../support/write-table.js";

const table = "taxi.bcolz";
const slow = { download_rate: "1024" };
const waitMs = 60_000;

/** Names in a folder and below it. */
async function treeOf(path: string): Promise<string[]> {
  return (await readdir(path, { recursive: true }).catch((): string[] => [])).sort();
}

/** Files of a process that is killed after so many changes: nothing it does from then on has an effect. */
function dyingFiles(changesMax: number): { files: Files; isDead(): boolean } {
  let changes = 0;
  const changing = <A extends unknown[], T>(run: (...args: A) => Promise<T>) => async (...args: A): Promise<T> => {
    // With this code a mover tells nobody, and waits.
    if (changes >= changesMax) throw new BquerydError("BUSY", "killed");
    changes += 1;
    return run(...args);
  };
  const { create, createSynced, append, rename, link, remove, makeDirectory, removeDirectory, touch } = unsyncedFiles;
  const files = {
    ...unsyncedFiles, create: changing(create), createSynced: changing(createSynced), append: changing(append), rename: changing(rename), link: changing(link),
    remove: changing(remove), makeDirectory: changing(makeDirectory), removeDirectory: changing(removeDirectory), touch: changing(touch),
  };
  return { files, isDead: () => changes >= changesMax };
}

/** Waits until a folder holds these names and no others. */
async function untilTree(path: string, names: readonly string[]): Promise<void> {
  const isSame = async (): Promise<boolean> => JSON.stringify(await treeOf(path)) === JSON.stringify(names);
  await until(`${path} is as it was`, isSame, waitMs).catch(async () => { expect(await treeOf(path)).to.deep.equal(names); });
}

/** What both registries have to give. */
function describeDaemons(name: string, open: (folder: string) => Promise<Registry>): void {
  describe(`downloaders and movers over the ${name}`, function () {
    this.timeout(180_000);
    let nodes: Nodes;
    beforeEach(async () => { nodes = await setNodes(open); });
    afterEach(() => nodes.close());

    it("bring new generations to all nodes, and switch when every node has them and not before", async () => {
      const [first, second] = [await nodes.upload(table, 1n), await nodes.upload("other-0.bcolzs", 1n)];
      for (const node of ["n1", "n2"]) {
        await nodes.startMover(node);
        if (node === "n1") await nodes.startDownloader(node);
      }
      const before = await nodes.createTicket([first, second]);
      await until("the first node is prepared", async () => (await nodes.head(before.id))?.counts.prepared === 2, waitMs);
      expect([nodes.current("n1", table), (await nodes.registry.pointers()).tables.size, (await nodes.head(before.id))?.state]).to.deep.equal([undefined, 0, "active"]);
      await nodes.startDownloader("n2");
      await nodes.reaches(before.id, "done");
      const next = await nodes.upload(table, 2n);
      const plan = await nodes.createTicket([next]);
      await nodes.reaches(plan.id, "done");
      for (const node of ["n1", "n2"]) {
        expect(nodes.current(node, table)).to.equal(next.generation);
        expect(nodes.current(node, "other-0.bcolzs")).to.equal(second.generation);
        expect(readPrepared(nodes.path(node, table))).to.deep.equal([]);
        expect((await readFile(join(nodes.path(node, table), "CURRENT"), "utf8")).split("\n")).to.deep.equal([next.generation, first.generation, ""]);
        expect((await verifyTable(nodes.path(node, table))).findings).to.deep.equal([]);
        await until("nothing is left of what was fetched", async () => (await nodes.incoming(node)).length === 0, waitMs);
      }
      const pointers = await nodes.registry.pointers();
      expect([...pointers.tables].map(([at, { generation }]) => [at, generation])).to.have.deep.members([[table, next.generation], ["other-0.bcolzs", second.generation]]);
      expect(nodes.events.filter(({ event, ticket }) => event === "ticket.committed" && ticket === plan.id)).to.have.length(1);
    });

    it("change nothing anywhere when one table cannot be had, and say why", async () => {
      const old = await nodes.upload(table, 1n);
      for (const node of ["n1", "n2"]) {
        await nodes.startMover(node);
        await nodes.startDownloader(node);
      }
      await nodes.reaches((await nodes.createTicket([old])).id, "done");
      const before = await Promise.all(["n1", "n2"].map((node) => treeOf(nodes.path(node, table))));
      const next = await nodes.upload(table, 2n);
      const plan = await nodes.createTicket([next, { table: "none.bcolz", manifest: null, generation: null }]);
      await nodes.reaches(plan.id, "failed");
      expect((await nodes.head(plan.id))?.reason).to.match(/^none\.bcolz on n[12]: NOT_FOUND: .* has no table none\.bcolz; /);
      await until("all is taken back", async () => (await Promise.all(["n1", "n2"].map((node) => nodes.incoming(node)))).flat().length === 0, waitMs);
      for (const [index, node] of ["n1", "n2"].entries()) await untilTree(nodes.path(node, table), before[index]!);
      expect((await nodes.registry.pointers()).tables.get(table)?.generation).to.equal(old.generation);
      expect(nodes.events.some(({ event, ticket }) => event === "ticket.failed" && ticket === plan.id)).to.equal(true);
    });

    it("go on with what a downloader has left that was killed, when its lease is over", async () => {
      const asked = await nodes.upload(table, 1n, 3_000);
      const plan = await nodes.createTicket([asked], ["n1"]);
      await tell(nodes.registry.tickets, plan, { kind: "claim", node: "n1", table, process: "killed", leaseMs: 300 });
      const left = stagePath(nodes.dataDir("n1"), { ticket: plan.id, table, fence: 1 });
      await mkdir(dirname(left), { recursive: true });
      await cp(join(nodes.folder, "source", table), left, { recursive: true, filter: (from) => basename(from) !== "CURRENT" });
      const downloader = await nodes.startDownloader("n1");
      await nodes.startMover("n1");
      await nodes.reaches(plan.id, "done");
      expect(nodes.events.some(({ event, fence }) => event === "slot.resumed" && fence === 2)).to.equal(true);
      // Its manifest alone comes again.
      expect(downloader.look()).to.deep.include({ slots: { verified: 1, failed: 0, released: 0, lost: 0 } });
      expect(downloader.look().bytes).to.be.below(4_000);
      expect(openTable(nodes.path("n1", table)).generation).to.equal(asked.generation);
    });
  });
}

describeOverDrawnRegistry("downloaders and movers", describeDaemons, (open, server) => {
  it("wait while the registry is frozen, and finish by themselves", async () => {
    const nodes = await setNodes(open);
    try {
      const asked = await nodes.upload(table, 1n);
      await nodes.startMover("n1");
      const downloader = await nodes.startDownloader("n1");
      const plan = await nodes.createTicket([asked], ["n1"]);
      server().freeze();
      await until("the downloader knows", () => !downloader.look().isRegistryUp, waitMs);
      server().thaw();
      await nodes.reaches(plan.id, "done");
      await until("the downloader knows", () => downloader.look().isRegistryUp, waitMs);
    } finally {
      server().thaw();
      await nodes.close();
    }
  });

  it("go on with new tickets after the registry was emptied, into which the mover puts the pointers back", async () => {
    const nodes = await setNodes(open);
    try {
      const asked = await nodes.upload(table, 1n);
      await nodes.startMover("n1");
      const downloader = await nodes.startDownloader("n1");
      await nodes.reaches((await nodes.createTicket([asked], ["n1"])).id, "done");
      downloader.reload(loadConfig({ env: {}, machineFile: join(nodes.folder, "none"), flags: { download_rate: "1024", lease: "2" } }));
      const lost = await nodes.createTicket([await nodes.upload("large.bcolz", 3n, 3_000)], ["n1"]);
      await until("it is being fetched", () => downloader.look().isRunning, waitMs);
      await server().ask("FLUSHALL");
      await until("it is given up", () => downloader.look().slots["lost"] === 1, waitMs);
      await until("the pointer is back", async () => (await nodes.registry.pointers()).tables.get(table)?.generation === asked.generation, waitMs);
      expect(await nodes.head(lost.id)).to.equal(undefined);
      downloader.reload(loadConfig({ env: {}, machineFile: join(nodes.folder, "none"), flags: { lease: "2" } }));
      const again = await nodes.createTicket([await nodes.upload(table, 2n)], ["n1"]);
      await nodes.reaches(again.id, "done");
    } finally {
      await nodes.close();
    }
  });
});

describe("downloaders and movers", function () {
  this.timeout(180_000);
  let nodes: Nodes;
  beforeEach(async () => { nodes = await setNodes((folder) => openRegistry({ registryDir: folder, cluster: "default" })); });
  afterEach(() => nodes.close());

  async function slotState(plan: TicketPlan, node = "n1", at = table): Promise<string | undefined> {
    return (await nodes.slots(plan)).get(keyOfSlot({ node, table: at }))?.state;
  }
  const config = (flags: Readonly<Record<string, string>>) => loadConfig({ env: {}, machineFile: join(nodes.folder, "none"), flags });

  it("share the tables of a node between two downloaders, each table fetched once", async () => {
    const tables = await Promise.all(Array.from({ length: 20 }, (_, index) => nodes.upload(`many-${index}.bcolzs`, BigInt(index))));
    const both = [await nodes.startDownloader("n1"), await nodes.startDownloader("n1")];
    await nodes.startMover("n1");
    const plan = await nodes.createTicket(tables, ["n1"]);
    await nodes.reaches(plan.id, "done");
    const verified = both.map((one) => one.look().slots["verified"]!);
    expect(verified[0]! + verified[1]!).to.equal(20);
    expect(Math.min(...verified)).to.be.at.least(1);
  });

  it("hand a slot back on SIGTERM, and the next downloader goes on with what there is", async () => {
    const asked = await nodes.upload(table, 1n, 3_000);
    const first = await nodes.startDownloader("n1", { flags: slow });
    const plan = await nodes.createTicket([asked], ["n1"]);
    const footer = `${asked.generation}.json`;
    await until("something has come", async () => (await nodes.incoming("n1")).some((name) => name.endsWith(footer)), waitMs);
    await first.stop("SIGTERM");
    expect((await nodes.slots(plan)).get(keyOfSlot({ node: "n1", table }))).to.deep.equal({ state: "queued", fence: 1 });
    expect(first.look().slots).to.include({ released: 1 });
    await nodes.startDownloader("n1");
    await nodes.startMover("n1");
    await nodes.reaches(plan.id, "done");
    expect(nodes.events.some(({ event, fence }) => event === "slot.resumed" && fence === 2)).to.equal(true);
  });

  it("stop at once when the slot is another's, whose stage is not theirs", async () => {
    const asked = await nodes.upload(table, 1n, 3_000);
    const downloader = await nodes.startDownloader("n1", { flags: { ...slow, lease: "1" } });
    const plan = await nodes.createTicket([asked], ["n1"]);
    await until("it is claimed", () => downloader.look().isRunning, waitMs);
    await until("it has begun", async () => (await nodes.incoming("n1")).length > 2, waitMs);
    await until("another has it", async () => {
      const slot = (await nodes.slots(plan)).get(keyOfSlot({ node: "n1", table }));
      if (slot?.state !== "downloading") return false;
      const to = { ...slot, fence: 2, owner: "another", leaseUntilMs: slot.leaseUntilMs + 3_000_000 };
      return nodes.registry.tickets.change(plan.id, { expectedVersion: 1, head: null, slots: [{ node: "n1", table, from: slot, to }] }).then(() => true, () => false);
    }, waitMs);
    await until("it has stopped", () => downloader.look().slots["lost"] === 1, waitMs);
    expect((await nodes.incoming("n1")).filter((name) => name.startsWith(join(plan.id, "2")))).to.deep.equal([]);
    expect(await slotState(plan)).to.equal("downloading");
    expect((await nodes.incoming("n1")).filter((name) => name.endsWith(".owner")), "whoever comes next may go on with it").to.deep.equal([]);
  });

  it("leave nothing of a ticket that is cancelled while it is fetched, and while it waits prepared", async () => {
    const old = await nodes.upload(table, 1n, 1_000);
    const downloader = await nodes.startDownloader("n1");
    await nodes.startMover("n1");
    await nodes.reaches((await nodes.createTicket([old], ["n1"])).id, "done");
    const before = await treeOf(nodes.path("n1", table));
    const next = await nodes.upload(table, 2n, 1_000);
    const cancel = async (plan: TicketPlan): Promise<void> => {
      expect((await tell(nodes.registry.tickets, plan, { kind: "cancel" })).how).to.equal("made");
      await until("nothing is left", async () => (await nodes.incoming("n1")).length === 0, waitMs);
      await untilTree(nodes.path("n1", table), before);
    };
    const waiting = await nodes.createTicket([next], ["n1", "n2"]);
    await until("it is prepared", async () => await slotState(waiting) === "prepared", waitMs);
    expect(await treeOf(nodes.path("n1", table))).to.include("PREPARED").and.include(`${next.generation}.json`);
    await cancel(waiting);
    downloader.reload(config({ ...slow, lease: "2" }));
    const other = await nodes.upload(table, 3n, 3_000);
    const fetched = await nodes.createTicket([other], ["n1"]);
    await until("it is being fetched", async () => await slotState(fetched) === "downloading" && downloader.look().isRunning, waitMs);
    await cancel(fetched);
    expect(nodes.current("n1", table)).to.equal(old.generation);
  });

  it("fail a ticket on whose way nothing comes on, naming the node, and take back what was prepared elsewhere", async () => {
    const asked = await nodes.upload(table, 1n);
    await nodes.startDownloader("n1");
    // So long that what n1 does takes less on a slow machine, too.
    await nodes.startMover("n1", { stall: "4" });
    const plan = await nodes.createTicket([asked]);
    await nodes.reaches(plan.id, "failed");
    expect((await nodes.head(plan.id))?.reason).to.match(/it waits for n2$/);
    await until("nothing is left", async () => (await readdir(nodes.dataDir("n1"))).join() === ".bqueryd-incoming" && (await nodes.incoming("n1")).length === 0, waitMs);
  });

  it("fail a ticket whose bucket does not answer any more, though its downloader lives", async () => {
    const asked = await nodes.upload(table, 1n);
    const openStore = async (bucket: string): Promise<ObjectStore> => {
      const store = await openDirectory(bucket);
      return { ...store, async *read(_key, { signal } = {}) {
        yield await new Promise<Uint8Array>((_, reject) => { signal?.addEventListener("abort", () => { reject(new Error("aborted")); }); });
      } };
    };
    await nodes.startDownloader("n1", { openStore, flags: { lease: "0.3", stall: "1" } });
    await nodes.startMover("n1", { stall: "60" });
    const plan = await nodes.createTicket([asked], ["n1"]);
    await nodes.reaches(plan.id, "failed");
    expect((await nodes.head(plan.id))?.reason).to.match(/OBJECT_STORE: nothing of taxi\.bcolz has come for 1 s; /);
    await until("nothing is left", async () => (await nodes.incoming("n1")).length === 0, waitMs);
  });

  it("let controllers see them: what they do, and how to end them", async () => {
    const shown: Showing[] = [];
    const closed: string[] = [];
    const show: Show = async (showing) => {
      shown.push(showing);
      return { id: `${showing.role}-1`, isConnected: () => true, close: async (reason) => { closed.push(reason); } };
    };
    const asked = await nodes.upload(table, 1n, 3_000);
    const downloader = await nodes.startDownloader("n1", { show, flags: slow });
    const mover = await nodes.startMover("n1", {}, unsyncedFiles, show);
    expect([downloader.id, mover.id]).to.deep.equal(["downloader-1", "mover-1"]);
    expect(shown.map(({ role, describeDoing }) => [role, describeDoing()])).to.deep.equal([["downloader", null], ["mover", null]]);
    const plan = await nodes.createTicket([asked], ["n1"]);
    await until("it says how far it is", () => /^taxi\.bcolz \d+ %$/.test(shown[0]!.describeDoing() ?? ""), waitMs);
    expect((await nodes.slots(plan)).get(keyOfSlot({ node: "n1", table }))).to.include({ state: "downloading", owner: "downloader-1" });
    for (const { onShutdown } of shown) onShutdown("killall");
    expect([await downloader.stopped, await mover.stopped, ...closed]).to.deep.equal(["killall", "killall", "killall", "killall"]);
  });

  it("say why they are not ready", async () => {
    const [downloader, first] = [await nodes.startDownloader("n1"), await nodes.startMover("n1")];
    await until("the first is at work", () => first.look().isHolder, waitMs);
    const second = await nodes.startMover("n1");
    const [fetching, moving, standing] = [observeDownloader(downloader.look), observeMover(first.look), observeMover(second.look)];
    expect([fetching.findObstacle(), moving.findObstacle()]).to.deep.equal([undefined, undefined]);
    expect(standing.findObstacle()).to.match(/another movebcolz/);
    const plan = await nodes.createTicket([await nodes.upload(table, 1n)], ["n1"]);
    await nodes.reaches(plan.id, "done");
    const texts = await Promise.all([fetching, moving].map(({ families }) => createExposition(families).text()));
    expect(texts[0]).to.include('bqueryd_slots_total{outcome="verified"} 1\n').and.match(/^bqueryd_fetched_bytes_total [1-9]\d+$/m);
    expect(texts[1]).to.include('bqueryd_mover_steps_total{kind="promote"} 1\n').and.include("bqueryd_mover_at_work 1\n");
    await Promise.all([downloader.stop("x"), first.stop("x")]);
    expect([fetching.findObstacle(), moving.findObstacle()]).to.deep.equal(["it is stopping", "it is stopping"]);
  });

  it("never put wrong bytes anywhere, and say which file is damaged", async () => {
    const asked = await nodes.upload(table, 1n);
    for (const name of await readdir(join(nodes.bucket, table))) {
      const path = join(nodes.bucket, table, name);
      const bytes = await readFile(path);
      bytes[bytes.length >> 1]! ^= 1;
      if (!name.endsWith(".manifest.json") && !name.startsWith(asked.generation)) await writeFile(path, bytes);
    }
    await nodes.startDownloader("n1");
    await nodes.startMover("n1");
    const plan = await nodes.createTicket([asked], ["n1"]);
    await nodes.reaches(plan.id, "failed");
    expect((await nodes.head(plan.id))?.reason).to.match(/OBJECT_STORE: .* comes damaged each time/);
    await until("nothing is left", async () => (await nodes.incoming("n1")).length === 0, waitMs);
    expect(await readdir(nodes.dataDir("n1"))).to.deep.equal([".bqueryd-incoming"]);
  });

  it("do not touch a directory that is not ours, and fail the ticket that would", async () => {
    const asked = await nodes.upload(table, 1n);
    await nodes.startDownloader("n1");
    await nodes.startMover("n1");
    await mkdir(nodes.path("n1", table));
    await writeFile(join(nodes.path("n1", table), "notes.txt"), "mine");
    const plan = await nodes.createTicket([asked], ["n1"]);
    await nodes.reaches(plan.id, "failed");
    expect((await nodes.head(plan.id))?.reason).to.include("TABLE_NOT_MANAGED");
    expect(await treeOf(nodes.path("n1", table))).to.deep.equal(["notes.txt"]);
  });

  it("bring a copy of a table of bcolz, without a manifest, by one rename", async () => {
    const bcolz = "old.bcolz";
    writeRawBcolz(join(nodes.bucket, bcolz), [{ name: "a", dtype: "int64", bytes: Buffer.from(BigInt64Array.from([1n, 2n, 3n]).buffer), itemBytes: 8 }]);
    for (const node of ["n1", "n2"]) {
      await nodes.startMover(node);
      await nodes.startDownloader(node);
    }
    const plan = await nodes.createTicket([{ table: bcolz, manifest: null, generation: null }]);
    await nodes.reaches(plan.id, "done");
    const pointed = (await nodes.registry.pointers()).tables.get(bcolz)?.generation;
    for (const node of ["n1", "n2"]) {
      expect(openTable(nodes.path(node, bcolz)).generation).to.equal(pointed);
      await until("nothing is left", async () => (await nodes.incoming(node)).length === 0, waitMs);
    }
  });

  it("take the stage of a table of bcolz away when its ticket is cancelled before it could take its place", async () => {
    const bcolz = "old.bcolz";
    writeRawBcolz(join(nodes.bucket, bcolz), [{ name: "a", dtype: "int64", bytes: Buffer.from(BigInt64Array.from([1n, 2n, 3n]).buffer), itemBytes: 8 }]);
    await nodes.startMover("n1");
    await nodes.startDownloader("n1");
    const plan = await nodes.createTicket([{ table: bcolz, manifest: null, generation: null }]);
    await until("it is prepared", async () => await slotState(plan, "n1", bcolz) === "prepared", waitMs);
    expect(await nodes.incoming("n1")).to.include(join(plan.id, "1", bcolz, "__rootdirs__"));
    expect((await tell(nodes.registry.tickets, plan, { kind: "cancel" })).how).to.equal("made");
    await until("nothing is left", async () => (await nodes.incoming("n1")).length === 0, waitMs);
    expect(await readdir(nodes.dataDir("n1"))).to.deep.equal([".bqueryd-incoming"]);
  });

  it("finish what a mover was about that was killed after any of its steps", async () => {
    const old = await nodes.upload(table, 1n);
    await nodes.startDownloader("n1");
    const first = await nodes.startMover("n1");
    await nodes.reaches((await nodes.createTicket([old], ["n1"])).id, "done");
    await first.stop("SIGTERM");
    const seed = freshSeed();
    const random = seededRandom(seed);
    for (let round = 0; round < 6; round++) {
      const next = await nodes.upload(table, BigInt(2 + round));
      const changesMax = 6 * round + Math.floor(6 * random());
      const dying = dyingFiles(changesMax);
      const killed = await nodes.startMover("n1", {}, dying.files);
      const plan = await nodes.createTicket([next], ["n1"]);
      await until("it was killed, or had done all", async () => dying.isDead() || (await nodes.head(plan.id))?.state === "done", waitMs);
      await killed.stop("SIGKILL");
      // In this process nothing ends: the lock is made to look as that of one that has.
      await rm(join(incomingFolder(nodes.dataDir("n1")), "LOCK"), { force: true });
      await rm(join(nodes.path("n1", table), "LOCK"), { force: true });
      const after = await nodes.startMover("n1");
      await nodes.reaches(plan.id, "done");
      const what = `seed ${seed}, killed after ${changesMax} changes`;
      expect(nodes.current("n1", table), what).to.equal(next.generation);
      expect(readPrepared(nodes.path("n1", table)), what).to.deep.equal([]);
      expect((await verifyTable(nodes.path("n1", table))).findings, what).to.deep.equal([]);
      await until(`nothing is left, ${what}`, async () => (await nodes.incoming("n1")).length === 0, waitMs);
      await after.stop("SIGTERM");
    }
  });

  it("keep as many generations as configured, and collect the others once no query can read them", async () => {
    await nodes.startDownloader("n1");
    const mover = await nodes.startMover("n1", { keep_generations: "1" });
    const generations: string[] = [];
    for (const value of [1n, 2n]) {
      const asked = await nodes.upload(table, value);
      generations.push(asked.generation);
      await nodes.reaches((await nodes.createTicket([asked], ["n1"])).id, "done");
    }
    const footer = join(nodes.path("n1", table), `${generations[0]}.json`);
    const collected = (): boolean => nodes.events.some(({ event, generation }) => event === "generation.collected" && generation === generations[0]);
    expect([await readFile(join(nodes.path("n1", table), "CURRENT"), "utf8"), existsSync(footer), collected()]).to.deep.equal([`${generations[1]}\n`, true, false]);
    await mover.stop("SIGTERM");
    await utimes(footer, 1_000, 1_000);
    expect(await hasSurplus(unsyncedFiles, nodes.dataDir("n1"), table, generations[1]!)).to.equal(true);
    expect(await hasSurplus(unsyncedFiles, nodes.dataDir("n1"), table, generations[0]!), "while a pointer names what is off CURRENT").to.equal(false);
    await nodes.startMover("n1");
    await until("it is collected", collected, waitMs);
    expect(await treeOf(nodes.path("n1", table))).to.include(`${generations[1]}.json`).and.not.include(`${generations[0]}.json`);
    expect((await verifyTable(nodes.path("n1", table))).findings).to.deep.equal([]);
  });

  it("have one mover at work in a data directory, and another that stands in when it ends", async () => {
    const first = await nodes.startMover("n1");
    await until("the first is at work", () => first.look().isHolder, waitMs);
    const second = await nodes.startMover("n1");
    await until("the second stands by", () => nodes.events.some(({ event }) => event === "mover.standby"), waitMs);
    expect([first.look().isHolder, second.look().isHolder]).to.deep.equal([true, false]);
    await first.stop("SIGTERM");
    await nodes.startDownloader("n1");
    const plan = await nodes.createTicket([await nodes.upload(table, 1n)], ["n1"]);
    await nodes.reaches(plan.id, "done");
    expect(second.look().isHolder).to.equal(true);
    expect(await readdir(incomingFolder(nodes.dataDir("n1")))).to.include("LOCK");
  });

  it("fetch from S3 that fails now and then, and name what it refuses for good", async () => {
    const stage = await setStage();
    try {
      const source = await nodes.upload(table, 1n, 3_000);
      await uploadTables(stage.store, [join(nodes.folder, "source", table)]);
      const openStore = () => withIdentity(stage.server.identity, () => openS3({ bucket: "shelf", prefix: "" }, settingsOf(stage.server), smallLimits));
      const downloader = await nodes.startDownloader("n1", { openStore });
      await nodes.startMover("n1");
      stage.server.play(({ index }) => (index % 3 === 0 ? { kind: "refuse", code: "SlowDown", status: 503 } : index % 7 === 0 ? { kind: "cut" } : undefined));
      await nodes.reaches((await nodes.createTicket([source], ["n1"], { bucket: "shelf" })).id, "done");
      stage.server.play(() => ({ kind: "refuse", code: "AccessDenied", status: 403 }));
      const next = { ...source, table: "other.bcolz", manifest: null, generation: null };
      const plan = await nodes.createTicket([next], ["n1"], { bucket: "shelf" });
      await nodes.reaches(plan.id, "failed");
      expect((await nodes.head(plan.id))?.reason).to.include("CONFIG").and.include("HTTP status 403");
      await downloader.stop("done");
    } finally {
      await stage.close();
      await rm(join(nodes.folder, "source"), { recursive: true });
    }
  });
});
