import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pointersName } from "../../lib/cluster/sync/pointers-file.js";
import { openTable } from "../../lib/columns/read/open.js";
import { verifyTable } from "../../lib/columns/verify/verify.js";
import type { Registry } from "../../lib/registry/registry.js";
import { keyOfSlot, type TicketHead, type TicketPlan } from "../../lib/registry/tickets.js";
import { describeOverDrawnRegistry } from "../support/sync/drawn-registry.js";
import { setNodes, type Nodes } from "../support/sync/nodes.js";
import { until } from "../support/until.js";

const [table, other] = ["taxi.bcolz", "other-0.bcolzs"];
const waitMs = 60_000;

/** A clock that is ahead of the registry's own. */
interface Clock {
  aheadMs: number;
}

/** The registry as those see it whose tickets are listed later than they are. */
function withClock(registry: Registry, clock: Clock): Registry {
  const { tickets } = registry;
  const list: typeof tickets.list = async () => {
    const { heads, nowMs } = await tickets.list();
    return { heads, nowMs: nowMs + clock.aheadMs };
  };
  return bound(registry, { tickets: bound(tickets, { list }) });
}

/** An object with some members replaced. */
function bound<T extends object>(target: T, instead: Partial<T>): T {
  return new Proxy(target, {
    get(_, key) {
      const value: unknown = Reflect.get(key in instead ? instead : target, key);
      return typeof value === "function" && !(key in instead) ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value;
    },
  });
}

/** The tickets that movers have made. */
async function joinsOf({ registry }: Nodes): Promise<{ head: TicketHead; plan: TicketPlan }[]> {
  const { heads } = await registry.tickets.list();
  const all = await Promise.all(heads.map(async (head) => ({ head, plan: await registry.tickets.plan(head.id) })));
  return all.flatMap(({ head, plan }) => (plan?.purpose === "join" ? [{ head, plan }] : []));
}

async function startNode(nodes: Nodes, node: string, flags: Readonly<Record<string, string>> = {}): Promise<{ stop(): Promise<void> }> {
  const daemons = [await nodes.startDownloader(node, { flags }), await nodes.startMover(node, flags)];
  return { async stop() { await Promise.all(daemons.map((one) => one.stop("SIGTERM"))); } };
}

/** Waits until a node has the generation in use, whole, and nothing of its way there. */
async function untilThere(nodes: Nodes, node: string, name: string, generation: string): Promise<void> {
  await until(`${name} is on ${node}`, () => nodes.current(node, name) === generation, waitMs);
  await until("nothing is left", async () => (await nodes.incoming(node)).length === 0, waitMs);
  expect((await verifyTable(nodes.path(node, name))).findings).to.deep.equal([]);
}

/** What both registries have to give. */
function describeJoins(name: string, open: (folder: string) => Promise<Registry>): void {
  describe(`movers over the ${name}`, function () {
    this.timeout(180_000);
    const clock: Clock = { aheadMs: 0 };
    let nodes: Nodes;
    beforeEach(async () => {
      clock.aheadMs = 0;
      nodes = await setNodes(async (folder) => withClock(await open(folder), clock));
    });
    afterEach(() => nodes.close());

    it("bring a node that is new, was away, or has lost a table what is in use, each table once", async () => {
      await startNode(nodes, "n1");
      const [first, second] = [await nodes.upload(table, 1n), await nodes.upload(other, 1n)];
      await nodes.reaches((await nodes.createTicket([first, second], ["n1"])).id, "done");
      const late = await startNode(nodes, "n2");
      await untilThere(nodes, "n2", table, first.generation);
      await untilThere(nodes, "n2", other, second.generation);
      expect(await nodes.registry.nodes()).to.deep.equal(["n1", "n2"]);
      await late.stop();
      expect(await nodes.registry.nodes()).to.deep.equal(["n1"]);
      const next = await nodes.upload(table, 2n);
      await nodes.reaches((await nodes.createTicket([next], ["n1"])).id, "done");
      await startNode(nodes, "n2");
      await untilThere(nodes, "n2", table, next.generation);
      expect(openTable(nodes.path("n2", table)).generation).to.equal(next.generation);
      // What has come not long ago is not brought again at once.
      clock.aheadMs = 120_000;
      await rm(nodes.path("n2", other), { recursive: true });
      await untilThere(nodes, "n2", other, second.generation);
      const joins = await joinsOf(nodes);
      for (const { head } of joins) await nodes.reaches(head.id, "done");
      expect(joins.map(({ plan }) => [plan.nodes.join(), plan.tables.map((one) => one.generation)])).to.deep.equal([
        ["n2", [second.generation, first.generation]], ["n2", [next.generation]], ["n2", [second.generation]],
      ]);
      expect((await nodes.registry.pointers()).tables.get(table)).to.deep.include({ generation: next.generation });
    });

    it("bring a node back what a ticket has gone on without, though it has lost what it had prepared", async () => {
      const asked = await nodes.upload(table, 1n);
      const away = await startNode(nodes, "n2");
      const plan = await nodes.createTicket([asked]);
      await until("it is prepared", async () => (await nodes.slots(plan)).get(keyOfSlot({ node: "n2", table }))?.state === "prepared", waitMs);
      await away.stop();
      const first = await startNode(nodes, "n1");
      await until("this node has switched", async () => (await nodes.head(plan.id))?.counts.switched === 1, waitMs);
      await first.stop();
      await startNode(nodes, "n1", { stall: "0.5" });
      await nodes.reaches(plan.id, "done");
      expect((await nodes.head(plan.id))?.reason).to.match(/by n2, which do that when they are back$/);
      await rm(nodes.path("n2", table), { recursive: true });
      await startNode(nodes, "n2");
      await untilThere(nodes, "n2", table, asked.generation);
    });

    it("leave tables with replicas where they are, and bring what is lost back to that node alone", async () => {
      for (const node of ["n1", "n2"]) await startNode(nodes, node);
      await until("both are known", async () => (await nodes.registry.nodes()).length === 2, waitMs);
      const names = ["a-0.bcolzs", "a-1.bcolzs", "a-2.bcolzs", "a-3.bcolzs", "a-4.bcolzs", "a-5.bcolzs"];
      const spread = await Promise.all(names.map((one, at) => nodes.upload(one, BigInt(at))));
      const everywhere = await nodes.upload(table, 1n);
      await nodes.reaches((await nodes.createTicket(spread, ["n1", "n2"], { replicas: 1 })).id, "done");
      await nodes.reaches((await nodes.createTicket([everywhere])).id, "done");
      const placesOf = (): string[] => ["n1", "n2"].flatMap((node) => names.filter((one) => existsSync(nodes.path(node, one))).map((one) => `${node} ${one}`));
      const places = placesOf();
      expect(places).to.have.length(names.length);
      clock.aheadMs = 120_000;
      for (const node of ["n1", "n2"]) await rm(nodes.path(node, table), { recursive: true });
      await rm(nodes.path("n1", names[0]!), { recursive: true, force: true });
      await rm(nodes.path("n2", names[0]!), { recursive: true, force: true });
      await until("all are back", () => places.every((place) => existsSync(nodes.path(...(place.split(" ") as [string, string])))), waitMs);
      for (const node of ["n1", "n2"]) await untilThere(nodes, node, table, everywhere.generation);
      expect(placesOf()).to.deep.equal(places);
      const brought = (await joinsOf(nodes)).flatMap(({ plan }) => plan.tables.map((one) => one.table));
      expect(brought.sort()).to.deep.equal([names[0], table, table]);
    });

    it("bring nothing to a data directory whose disk was unmounted, say so, and go on when it is back", async () => {
      await startNode(nodes, "n1");
      const first = await nodes.upload(table, 1n);
      await nodes.reaches((await nodes.createTicket([first], ["n1"])).id, "done");
      await until("nothing is left", async () => (await nodes.incoming("n1")).length === 0, waitMs);
      const away = join(nodes.folder, "away");
      await rename(nodes.dataDir("n1"), away);
      await mkdir(nodes.dataDir("n1"));
      const said = (event: string): boolean => nodes.events.some((one) => one.event === event && String(one["message"]).includes(`data_dir ${nodes.dataDir("n1")} is not what it was`));
      await until("both say so", () => said("mover.failed") && said("downloader.failed"), waitMs);
      expect(await readdir(nodes.dataDir("n1"))).to.deep.equal([]);
      expect(await joinsOf(nodes)).to.deep.equal([]);
      await rmdir(nodes.dataDir("n1"));
      await rename(away, nodes.dataDir("n1"));
      const next = await nodes.upload(table, 2n);
      await nodes.reaches((await nodes.createTicket([next], ["n1"])).id, "done");
      await untilThere(nodes, "n1", table, next.generation);
    });

    it("leave a table that is on its way when its disk is unmounted, and go on when it is back", async () => {
      await startNode(nodes, "n1", { download_rate: "1024" });
      const asked = await nodes.upload(table, 1n, 2_000);
      const { id } = await nodes.createTicket([asked], ["n1"]);
      await until("it is on its way", async () => (await nodes.incoming("n1")).length > 0, waitMs);
      const away = join(nodes.folder, "away");
      await rename(nodes.dataDir("n1"), away);
      await mkdir(nodes.dataDir("n1"));
      await until("it is left to whoever can go on", () => nodes.events.some(({ event }) => event === "slot.released"), waitMs);
      expect((await nodes.head(id))?.state).to.equal("active");
      await rm(nodes.dataDir("n1"), { recursive: true });
      await rename(away, nodes.dataDir("n1"));
      await nodes.reaches(id, "done");
      await untilThere(nodes, "n1", table, asked.generation);
    });

    it("end a table on its way when pointers go back, and leave nothing of it", async () => {
      await startNode(nodes, "n1");
      const old = await nodes.upload(table, 1n);
      await nodes.reaches((await nodes.createTicket([old], ["n1"])).id, "done");
      const away = await startNode(nodes, "n2");
      await untilThere(nodes, "n2", table, old.generation);
      await away.stop();
      const next = await nodes.upload(table, 2n, 3_000);
      await nodes.reaches((await nodes.createTicket([next], ["n1"])).id, "done");
      await startNode(nodes, "n2", { download_rate: "1024" });
      const underWay = async (): Promise<string | undefined> => (await joinsOf(nodes)).find(({ plan }) => plan.tables[0]?.generation === next.generation)?.head.id;
      await until("it is on its way", async () => (await underWay()) !== undefined && (await nodes.incoming("n2")).length > 0, waitMs);
      await nodes.registry.movePointers([{ table, generation: old.generation }], (await nodes.registry.pointers()).epoch);
      await nodes.reaches((await underWay())!, "cancelled");
      await untilThere(nodes, "n2", table, old.generation);
      expect((await nodes.head((await underWay())!))?.reason).to.include("superseded");
    });
  });
}

describeOverDrawnRegistry("movers", describeJoins, (open, server) => {
  it("put pointers back from the disk into a registry that was emptied while nobody was there", async () => {
    const nodes = await setNodes(open);
    try {
      const node = await startNode(nodes, "n1");
      const asked = await nodes.upload(table, 1n);
      await nodes.reaches((await nodes.createTicket([asked], ["n1"])).id, "done");
      const pointers = await nodes.registry.pointers();
      await node.stop();
      expect(existsSync(join(nodes.dataDir("n1"), pointersName))).to.equal(true);
      await server().ask("FLUSHALL");
      expect((await nodes.registry.pointers()).tables.size).to.equal(0);
      await startNode(nodes, "n1");
      await until("they are back", async () => (await nodes.registry.pointers()).tables.size > 0, waitMs);
      expect(await nodes.registry.pointers()).to.deep.equal(pointers);
      await startNode(nodes, "n2");
      await untilThere(nodes, "n2", table, asked.generation);
    } finally {
      await nodes.close();
    }
  });
});
