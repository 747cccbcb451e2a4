import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { randomId, wallMs } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { findNodes, requireReadyNode, warnOfNodes, type NodeRoles } from "../../lib/cluster/controller/answers/download-nodes.js";
import { describeTicket } from "../../lib/cluster/controller/answers/download-report.js";
import { deleteTicket, listDownloads, makeTicket, type DownloadHost } from "../../lib/cluster/controller/answers/downloads.js";
import { addSession, createSessions } from "../../lib/cluster/controller/peers/sessions.js";
import { openRegistry } from "../../lib/registry/open.js";
import type { Registry } from "../../lib/registry/registry.js";
import { keyOfSlot, type Slot, type TicketHead, type TicketPlan } from "../../lib/registry/tickets.js";
import { decodeDownloads } from "../../lib/wire/download-documents.js";
import { createFakeRegistry } from "../support/fake-registry.js";
import { failureOf } from "../support/failure.js";
import { createSilentLog } from "../support/silent-log.js";
import { createTicketDouble, tableBytes } from "../support/ticket-double.js";
import { until } from "../support/until.js";

type Asked = Parameters<typeof makeTicket>[1];

const every = ["worker", "downloader", "mover"];
const node = (name: string, roles: readonly string[] = every): NodeRoles => ({ node: name, roles: new Set(roles) });
const source = (table: string) => ({ table, manifest: null, generation: null });

describe("the nodes of a ticket", () => {
  it("are those of every process that registered, each with the roles there", () => {
    const sessions = createSessions();
    for (const [place, [at, role]] of ([["b", "worker"], ["a", "mover"], ["b", "worker"], ["b", "downloader"]] as const).entries()) {
      addSession(sessions, { kind: "worker", id: `${place}`, peer: `p${place}`, key: null, node: at, pid: 1, role, dataDir: "/d", startedMs: 0 });
    }
    addSession(sessions, { kind: "client", id: "c", peer: "pc", key: null, lastHeardMs: 0 });
    expect(findNodes(sessions)).to.deep.equal([node("a", ["mover"]), node("b", ["worker", "downloader"])]);
  });

  it("are refused at once where none has both a downloader and a mover, with what to start", async () => {
    for (const nodes of [[], [node("n1", ["worker"])], [node("n1", ["worker", "mover"]), node("n2", ["downloader"])]]) {
      const failure = await failureOf(() => { requireReadyNode(nodes); });
      expect(failure.code).to.equal("TICKET_FAILED");
      expect(failure.message).to.match(/; start bqueryd downloader and bqueryd movebcolz on each node$/);
    }
    expect((await failureOf(() => { requireReadyNode([node("n1", ["mover"]), node("n2", [])]); })).message).to.include("n1 has no downloader, n2 has no downloader and no mover;");
    requireReadyNode([node("n1", ["worker"]), node("n2", ["downloader", "mover"])]);
  });

  it("are warned of where some lack what they need, of those that are waited for alone", () => {
    const nodes = [node("n1"), node("n2", ["worker", "downloader"]), node("n3", ["worker"])];
    expect(warnOfNodes(nodes, new Set(["n1"]))).to.deep.equal([]);
    expect(warnOfNodes(nodes, new Set(["n1", "n2"]))).to.deep.equal(["n2 has no mover; the ticket waits for it, and fails in the end: start bqueryd movebcolz there"]);
    expect(warnOfNodes(nodes, new Set(["n3", "gone"]))).to.deep.equal(["gone has no downloader and no mover, n3 has no downloader and no mover; the ticket waits for them, and fails in the end: start bqueryd downloader and bqueryd movebcolz there"]);
  });
});

describe("the document of a ticket", () => {
  const plan: TicketPlan = { id: "00", bucket: "shop", tables: [source("a.bcolz"), source("b.bcolz")], nodes: ["n1", "n2"], replicas: null };
  const head: TicketHead = {
    id: "00", version: 1, state: "active", reason: null, createdMs: 1_000, changedMs: 9_000, endedMs: null, epoch: null,
    counts: { queued: 1, downloading: 1, verified: 1, prepared: 1, switched: 0, failed: 0 },
  };
  const slots = new Map<string, Slot>([
    [keyOfSlot({ node: "n1", table: "a.bcolz" }), { state: "downloading", fence: 1, owner: "p", sinceMs: 6_000, leaseUntilMs: 20_000, bytesDone: 400, bytesTotal: 1_000 }],
    [keyOfSlot({ node: "n1", table: "b.bcolz" }), { state: "queued", fence: 0 }],
    [keyOfSlot({ node: "n2", table: "a.bcolz" }), { state: "verified", fence: 1, bytes: 1_000 }],
    [keyOfSlot({ node: "n2", table: "b.bcolz" }), { state: "prepared", bytes: 500, generation: "ab".repeat(32) }],
  ]);

  it("has bytes, rate and time left of each slot, node and of all, the size of a table known from another node", () => {
    const told = describeTicket({ head, plan, nowMs: 10_000, slots, listsPlaces: true, nodes: [node("n1"), node("n2", ["worker"])] });
    expect(decodeDownloads([told])).to.deep.equal([told]);
    expect(told).to.deep.include({ state: "active", slots: 4, done: 1, age: 9, idle: 1, bucket: "shop", tables: 2, bytes_done: 1_900, bytes_total: 3_000, rate: 100, eta: 11 });
    expect(told.nodes).to.deep.equal([
      { node: "n1", slots: 2, done: 0, bytes_done: 400, bytes_total: 1_500, rate: 100, eta: 11 }, { node: "n2", slots: 2, done: 1, bytes_done: 1_500, bytes_total: 1_500, rate: 0, eta: 0 },
    ]);
    expect(told.places[0]).to.deep.equal({ node: "n1", table: "a.bcolz", state: "downloading", bytes_done: 400, bytes_total: 1_000, rate: 100, eta: 6, owner: "p", reason: null });
    expect(told.places[1]).to.deep.include({ state: "queued", bytes_done: 0, bytes_total: 500, rate: null, eta: null });
    expect(told.warnings).to.have.length(1);
    expect(told.warnings[0]).to.match(/^n2 has no downloader and no mover;/);
  });

  it("knows no sum where the size of a table is not known, and no rate of a moment", () => {
    const early = new Map(slots).set(keyOfSlot({ node: "n2", table: "b.bcolz" }), { state: "queued", fence: 0 });
    const told = describeTicket({ head, plan, nowMs: 6_000, slots: early, listsPlaces: false, nodes: [] });
    expect(told).to.deep.include({ bytes_done: 1_400, bytes_total: null, rate: 0, eta: null, places: [] });
  });
});

for (const [name, open] of [
  ["in memory", async () => createFakeRegistry()],
  ["in a folder", (folder: string) => openRegistry({ registryDir: folder, cluster: "c" })],
] as const) {
  describe(`tickets of a controller whose registry is ${name}`, () => {
    let folder: string;
    let registry: Registry;
    let host: DownloadHost & { there: NodeRoles[]; events: readonly { event: string }[] };
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "bqueryd-downloads-"));
      registry = await open(folder);
      const { log, events } = createSilentLog();
      host = { registry, log, events, there: [node("n1"), node("n2")], nodes: () => host.there };
    });
    afterEach(async () => {
      await registry.close();
      await rm(folder, { recursive: true });
    });

    /** Makes a ticket and gives its id. */
    async function make(more: Partial<Asked> = {}): Promise<string> {
      const ticket = randomId().slice(0, 16);
      await makeTicket(host, { ticket, bucket: "shop", sources: [source("a.bcolz"), source("b.bcolz")], ...more });
      return ticket;
    }
    const documents = async (asked: Parameters<typeof listDownloads>[1] = {}) => (await listDownloads(host, asked)).documents;

    it("makes one for all nodes or for as many as are asked for, and says who lacks what", async () => {
      const ticket = randomId().slice(0, 16);
      host.there.push(node("n3", ["worker"]));
      const sources = Array.from({ length: 20 }, (_, index) => source(`t-${index}.bcolzs`));
      expect(await makeTicket(host, { ticket, bucket: "shop", sources })).to.deep.include({ ticket, slots: 60 }).and.have.property("warnings").with.length(1);
      expect((await registry.tickets.plan(ticket))!.nodes).to.deep.equal(["n1", "n2", "n3"]);
      expect(host.events.map(({ event }) => event)).to.deep.equal(["ticket.created"]);
      for (const [replicas, slots] of [[1, 20], [2, 40], [9, 60]] as const) {
        const told = await makeTicket(host, { ticket: randomId().slice(0, 16), bucket: "shop", sources, replicas });
        expect(told).to.include({ slots });
        expect(told.warnings.filter((warning) => warning.includes("replicas"))).to.deep.equal(replicas === 9 ? ["9 replicas are asked for, and there are 3 nodes: each table comes to all of these"] : []);
      }
    });

    it("keeps which sets come whole, and none of which no shard comes", async () => {
      const ticket = await make({ sources: [source("t-0.bcolzs"), source("t-1.bcolzs")], sets: ["t"] });
      expect(await registry.tickets.plan(ticket)).to.have.deep.property("sets", ["t"]);
      for (const sets of [["u"], ["t", "t-0.bcolzs"]]) expect(await failureOf(() => make({ sources: [source("t-0.bcolzs"), source("u.bcolz")], sets }))).to.include({ code: "USAGE" });
    });

    it("makes one that is asked for twice once, whoever has come or gone meanwhile, and none under an id that is another's", async () => {
      const ticket = await make();
      const again = { ticket, bucket: "shop", sources: [source("a.bcolz"), source("b.bcolz")] };
      host.there = [];
      expect(await makeTicket(host, again)).to.include({ ticket, slots: 4 });
      expect(host.events).to.have.length(1);
      expect(await documents()).to.have.length(1);
      for (const other of [{ bucket: "other" }, { replicas: 1 }, { sources: [source("a.bcolz")] }, { sources: [source("a-0.bcolzs")], sets: ["a"] }]) expect(await failureOf(() => makeTicket(host, { ...again, ...other }))).to.include({ code: "EXISTS" });
    });

    it("refuses what is none, and makes nothing then", async () => {
      const sources = [source("a.bcolz")];
      expect(await failureOf(() => makeTicket(host, { ticket: "00".repeat(8), sources }))).to.include({ code: "USAGE" });
      expect(await makeTicket(host, { bucket: "shop", sources })).to.deep.equal({ ticket: null, slots: 2, warnings: [] });
      const wrong: readonly (readonly [Partial<Asked>, string])[] = [
        [{ bucket: "no/such" }, "CONFIG"], [{ bucket: "UPPER" }, "CONFIG"], [{ sources: [] }, "USAGE"], [{ sources: [source("taxi")] }, "BAD_INPUT"], [{ sources: [source("../a.bcolz")] }, "BAD_INPUT"],
        [{ sources: [source("a.bcolz"), source("a.bcolz")] }, "USAGE"], [{ sources: Array.from({ length: 100_001 }, (_, index) => source(`t-${index}.bcolzs`)) }, "USAGE"],
      ];
      for (const [more, code] of wrong) expect(await failureOf(() => make(more)), JSON.stringify(more).slice(0, 80)).to.include({ code });
      host.there = [node("n1", ["worker", "mover"])];
      for (const ask of [() => make(), () => makeTicket(host, { bucket: "shop", sources })]) expect(await failureOf(ask)).to.include({ code: "TICKET_FAILED" });
      expect(await documents()).to.deep.equal([]);
      expect(host.events).to.deep.equal([]);
    });

    it("lists them, the newest last, with as much of each as is asked for, and the epoch of what has been committed", async () => {
      const double = createTicketDouble(registry);
      const first = await make();
      const madeMs = wallMs();
      // Those of one millisecond have no order.
      await until("the clock has gone on", () => wallMs() > madeMs);
      const second = await make({ sources: [source("c.bcolz")] });
      await double.bring(first, "done");
      await double.bring(second, "downloading");
      const { documents: plain, epoch } = await listDownloads(host, {});
      expect(plain.map(({ ticket, state, done, slots, nodes }) => [ticket, state, done, slots, nodes.length])).to.deep.equal([[first, "done", 4, 4, 0], [second, "active", 0, 2, 0]]);
      expect(epoch).to.equal((await registry.pointers()).epoch).and.to.be.above(0);
      const byNode = await documents({ detail: "nodes" });
      expect(byNode.map(({ nodes, places }) => [nodes.length, places.length])).to.deep.equal([[0, 0], [2, 0]]);
      expect(byNode[1]).to.include({ bytes_done: tableBytes, bytes_total: 2 * tableBytes });
      const bySlot = await documents({ detail: "slots" });
      expect(bySlot.map(({ places }) => places.map(({ state }) => state))).to.deep.equal([Array.from({ length: 4 }, () => "switched"), ["downloading", "downloading"]]);
      expect((await documents({ ticket: first })).map(({ ticket }) => ticket)).to.deep.equal([first]);
      expect(await documents({ ticket: "0".repeat(16) })).to.deep.equal([]);
    });

    it("cancels one that is under way, forgets one that is over, lets one in use go on, and knows no other", async () => {
      const double = createTicketDouble(registry);
      for (const stage of [undefined, "downloading", "verified", "prepared"] as const) {
        const id = await make();
        if (stage !== undefined) await double.bring(id, stage);
        expect(await deleteTicket(host, { ticket: id }, "me"), stage).to.equal(4);
        expect((await documents({ ticket: id }))[0], stage).to.include({ state: "cancelled" });
        expect(await deleteTicket(host, { ticket: id }, "me"), stage).to.equal(0);
        expect(await documents({ ticket: id }), stage).to.deep.equal([]);
        expect(await failureOf(() => deleteTicket(host, { ticket: id }, "me"))).to.include({ code: "NOT_FOUND" });
      }
      const used = await make();
      await double.bring(used, "committed");
      expect(await deleteTicket(host, { ticket: used }, "me")).to.equal(0);
      expect((await documents({ ticket: used }))[0]).to.include({ state: "committed" });
      await double.bring(used, "done");
      expect(await deleteTicket(host, { ticket: used }, "me")).to.equal(0);
      const failed = await make();
      await double.fail(failed, "no room");
      expect((await documents({ ticket: failed }))[0]).to.include({ state: "failed", reason: "a.bcolz on n1: no room" });
      expect(await deleteTicket(host, { ticket: failed }, "me")).to.equal(0);
      expect(await documents()).to.deep.equal([]);
    });
  });
}

describe("cancelling a ticket that changes", () => {
  it("reads it again as often as it takes, and gives up in the end", async () => {
    const registry = createFakeRegistry();
    const host: DownloadHost = { registry, log: createSilentLog().log, nodes: () => [node("n1")] };
    const ticket = "ab".repeat(8);
    await makeTicket(host, { ticket, bucket: "shop", sources: [source("a.bcolz")] });
    const { change } = registry.tickets;
    const stale = (): Promise<never> => Promise.reject(new BquerydError("STALE", "it is another"));
    const changing: { change: typeof change } = registry.tickets;
    changing.change = stale;
    expect(await failureOf(() => deleteTicket(host, { ticket }, "me"))).to.include({ code: "BUSY" });
    let turns = 0;
    changing.change = async (id, what) => { await (++turns < 3 ? stale() : change(id, what)); };
    expect(await deleteTicket(host, { ticket }, "me")).to.equal(1);
  });
});
