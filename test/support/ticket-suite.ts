/** What every registry must do with tickets. */
import { expect } from "chai";
import { describe, it } from "mocha";
import { randomId } from "../../lib/base/clock.js";
import { limits } from "../../lib/base/limits.js";
import type { Pointers } from "../../lib/registry/pointers.js";
import type { Registry, RegistryChange } from "../../lib/registry/registry.js";
import { keyOfSlot, type Slot, type SlotPlace, type TicketHead, type TicketPlan } from "../../lib/registry/tickets.js";
import { failureOf } from "./failure.js";
import { settleIn, type RegistryHouse } from "./registry-house.js";
import { until } from "./until.js";

/** The pointers of a cluster at an epoch: these tables at a generation, or none. */
export function pointersAt(epoch: number, tables: Readonly<Record<string, string | null>> = {}): Pointers {
  return { epoch, tables: new Map(Object.entries(tables).map(([table, generation]) => [table, { generation, epoch, source: null }])) };
}

/** A plan of two tables for two nodes. */
export function ticketPlan(facts: Partial<TicketPlan> = {}): TicketPlan {
  return { id: randomId().slice(0, 16), bucket: "s3://shop/daily", tables: [ticketTable("a.bcolz"), ticketTable("b.bcolz")], nodes: ["n1", "n2"], replicas: null, ...facts };
}

/** Every table on every node. */
export function everywhere({ tables, nodes }: TicketPlan): SlotPlace[] {
  return nodes.flatMap((node) => tables.map(({ table }) => ({ node, table })));
}

const queued: Slot = { state: "queued", fence: 0 };
const generation = "ab".repeat(32);
const prepared: Slot = { state: "prepared", bytes: 7, generation };
const hourMs = 3_600_000;

/** Every state of a slot, in several forms. */
const manySlots: readonly Slot[] = [
  { state: "queued", fence: 3 },
  { state: "downloading", fence: 4, owner: randomId(), sinceMs: 1_700_000_000_000, leaseUntilMs: 1_700_000_030_000, bytesDone: 0, bytesTotal: null },
  { state: "downloading", fence: 4, owner: "host-1.pid_7", sinceMs: 1, leaseUntilMs: 2, bytesDone: 12, bytesTotal: 9e14 },
  { state: "verified", fence: 4, bytes: 0 }, prepared, { state: "switched", bytes: 7, generation },
  { state: "failed", reason: "DISK_FULL: no room for a.bcolz on n1 = 12 bytes; 'make' \"room\" é" },
];

/** Describes tickets in the registry `name`, as in every other. */
export function describeTickets(name: string, build: () => Promise<RegistryHouse>): void {
  describe(`tickets of the ${name}`, () => {
    let house: RegistryHouse;
    let ours: Registry;
    let theirs: Registry;
    settleIn(build, (...all) => { [house, ours, theirs] = all; });

    async function create(facts: Partial<TicketPlan> = {}): Promise<TicketPlan> {
      const plan = ticketPlan(facts);
      await ours.tickets.create(plan, everywhere(plan));
      return plan;
    }
    async function headOf(id: string): Promise<TicketHead | undefined> {
      return (await theirs.tickets.list()).heads.find((head) => head.id === id);
    }
    /** Changes a slot of node n1, table a.bcolz. */
    function setSlot(id: string, from: Slot, to: Slot, expectedVersion = 1): Promise<void> {
      return ours.tickets.change(id, { expectedVersion, head: null, slots: [{ node: "n1", table: "a.bcolz", from, to }] });
    }

    it("keeps a new one for everybody, active, with queued slots, and knows no other", async () => {
      expect(await ours.tickets.list()).to.have.property("heads").that.is.empty;
      const plan = await create();
      const { nowMs, heads } = await theirs.tickets.list();
      expect(heads).to.have.length(1);
      expect(heads[0]).to.deep.include({ id: plan.id, version: 1, state: "active", reason: null, endedMs: null, epoch: null });
      expect(heads[0]?.counts).to.deep.equal({ queued: 4, downloading: 0, verified: 0, prepared: 0, switched: 0, failed: 0 });
      expect(heads[0]?.createdMs).to.be.within(nowMs - 60_000, nowMs).and.equal(heads[0]?.changedMs);
      expect(await theirs.tickets.plan(plan.id)).to.deep.equal(plan);
      expect(await theirs.tickets.slots(plan)).to.deep.equal(new Map(everywhere(plan).map((place) => [keyOfSlot(place), queued])));
      const other = ticketPlan();
      expect(await theirs.tickets.plan(other.id)).to.equal(undefined);
      expect((await theirs.tickets.slots(other)).size).to.equal(0);
    });

    it("gives the slots of one node alone, those that there are", async () => {
      const plan = ticketPlan({ nodes: ["n", "n1", "n11"] });
      await ours.tickets.create(plan, everywhere(plan).filter(({ node, table }) => node !== "n1" || table === "b.bcolz"));
      expect([...(await theirs.tickets.slots(plan, "n")).keys()]).to.have.members(["n a.bcolz", "n b.bcolz"]);
      expect([...(await theirs.tickets.slots(plan, "n1")).keys()]).to.deep.equal(["n1 b.bcolz"]);
      expect([...(await theirs.tickets.slots({ ...plan, tables: plan.tables.slice(1) }, "n")).keys()], "of the tables that are named").to.deep.equal(["n b.bcolz"]);
    });

    it("keeps and forgets the slots of nodes of any name that there can be", async () => {
      const first = ticketPlan({ nodes: ["n1", "größe", "日本", "\uffff", "🚀", "a:b", "plan", "__proto__"] });
      // Of one that was there before nothing is left to be found.
      for (const plan of [first, { ...first, tables: first.tables.slice(1) }]) {
        await ours.tickets.create(plan, everywhere(plan));
        expect([...(await theirs.tickets.slots(plan)).keys()]).to.have.members(everywhere(plan).map(keyOfSlot));
        for (const node of plan.nodes) expect((await theirs.tickets.slots(plan, node)).size, node).to.equal(plan.tables.length);
        await ours.tickets.remove(plan.id);
      }
    });

    it("lists the oldest first, and keeps clusters apart", async () => {
      const plans = [await create(), await create(), await create()];
      const { heads } = await theirs.tickets.list();
      expect(heads.map(({ id }) => id)).to.have.members(plans.map(({ id }) => id));
      for (const [index, head] of heads.entries()) expect(head.createdMs).to.be.at.least(heads[Math.max(0, index - 1)]!.createdMs);
      const other = await house.open("c");
      expect((await other.tickets.list()).heads).to.be.empty;
      await other.close();
    });

    it("refuses an id that is taken, and what is no ticket", async () => {
      const plan = await create();
      expect(await failureOf(() => theirs.tickets.create(plan, everywhere(plan)))).to.include({ code: "EXISTS" });
      const wrong: Partial<TicketPlan>[] = [
        { id: "x" }, { bucket: "" }, { nodes: [] }, { nodes: ["n1", "n1"] }, { nodes: ["n 1"] }, { nodes: ["n\n1"] }, { tables: [] }, { replicas: 0 },
        { tables: [ticketTable("../a")] }, { tables: [ticketTable("a.bcolz"), ticketTable("a.bcolz")] }, { tables: [{ ...ticketTable("a.bcolz"), generation: "x" }] },
        { bucket: "b".repeat(limits.objectKeyMax + 1) },
      ];
      for (const facts of wrong) {
        const none = ticketPlan(facts);
        expect(await failureOf(() => ours.tickets.create(none, everywhere(none))), JSON.stringify(facts)).to.include({ code: "USAGE" });
      }
      const places: SlotPlace[][] = [[], [{ node: "n3", table: "a.bcolz" }], [{ node: "n1", table: "c.bcolz" }], [{ node: "n1", table: "a.bcolz" }, { node: "n1", table: "a.bcolz" }]];
      for (const some of places) expect(await failureOf(() => ours.tickets.create(ticketPlan(), some))).to.include({ code: "USAGE" });
      expect((await theirs.tickets.list()).heads).to.have.length(1);
    });

    it("changes a slot from what was seen of it, in every form, and counts the states", async () => {
      const { id } = await create();
      let before = queued;
      for (const slot of manySlots) {
        await setSlot(id, before, slot);
        expect([...(await theirs.tickets.slots(ticketPlan({ id }), "n1")).values()]).to.deep.equal([slot, queued]);
        const counts = (await headOf(id))!.counts;
        expect(Object.values(counts).reduce((sum, count) => sum + count)).to.equal(4);
        expect(counts[slot.state], slot.state).to.equal(slot.state === "queued" ? 4 : 1);
        before = slot;
      }
      expect(await headOf(id)).to.include({ version: 1, state: "active" });
    });

    it("changes nothing when a slot or the version is another than was seen", async () => {
      const { id } = await create();
      await setSlot(id, queued, manySlots[0]!);
      expect(await failureOf(() => setSlot(id, queued, prepared))).to.include({ code: "STALE" });
      expect(await failureOf(() => setSlot(id, manySlots[0]!, prepared, 2))).to.include({ code: "STALE" });
      const two = [{ node: "n2", table: "a.bcolz", from: queued, to: prepared }, { node: "n1", table: "a.bcolz", from: queued, to: prepared }];
      expect(await failureOf(() => ours.tickets.change(id, { expectedVersion: 1, head: { state: "failed", reason: "x", keepMs: null }, slots: two }))).to.include({ code: "STALE" });
      expect(await failureOf(() => ours.tickets.change(id, { expectedVersion: 1, head: null, slots: [{ node: "n3", table: "a.bcolz", from: queued, to: prepared }] }))).to.include({ code: "STALE" });
      expect(await headOf(id)).to.deep.include({ version: 1, state: "active", counts: { queued: 4, downloading: 0, verified: 0, prepared: 0, switched: 0, failed: 0 } });
      expect(await failureOf(() => setSlot("0".repeat(16), queued, prepared))).to.include({ code: "NOT_FOUND" });
    });

    it("lets one of many claims of a slot win", async () => {
      const { id } = await create();
      const claims = await Promise.allSettled(Array.from({ length: 10 }, (_, fence) => (fence % 2 === 0 ? ours : theirs).tickets.change(id, { expectedVersion: 1, head: null, slots: [{ node: "n1", table: "a.bcolz", from: queued, to: { state: "verified", fence, bytes: 1 } }] })));
      expect(claims.filter(({ status }) => status === "fulfilled")).to.have.length(1);
      for (const claim of claims) if (claim.status === "rejected") expect(claim.reason).to.have.property("code", "STALE");
      expect((await headOf(id))?.counts).to.include({ queued: 3, verified: 1 });
    });

    it("changes nothing of a slot any more once the ticket is over", async () => {
      const { id } = await create();
      await theirs.tickets.change(id, { expectedVersion: 1, head: { state: "cancelled", reason: "by hand", keepMs: hourMs }, slots: [] });
      expect(await failureOf(() => setSlot(id, queued, prepared))).to.include({ code: "STALE" });
      const head = await headOf(id);
      expect(head).to.include({ version: 2, state: "cancelled", reason: "by hand" });
      expect(head?.endedMs).to.equal(head?.changedMs);
    });

    it("refuses changes that are none", async () => {
      const { id } = await create();
      const slot = { node: "n1", table: "a.bcolz", from: queued };
      const wrong: Slot[] = [
        { state: "failed", reason: "" }, { state: "failed", reason: "a\nb" }, { state: "failed", reason: "x".repeat(limits.ticketReasonMax + 1) }, { state: "queued", fence: -1 },
        { state: "prepared", bytes: 1, generation: "x" }, { state: "verified", fence: 1, bytes: 0.5 }, { ...manySlots[1]!, owner: "a b" } as Slot,
      ];
      for (const to of wrong) expect(await failureOf(() => ours.tickets.change(id, { expectedVersion: 1, head: null, slots: [{ ...slot, to }] })), JSON.stringify(to)).to.include({ code: "USAGE" });
      for (const slots of [[], [{ ...slot, to: prepared }, { ...slot, to: prepared }]]) expect(await failureOf(() => ours.tickets.change(id, { expectedVersion: 1, head: null, slots }))).to.include({ code: "USAGE" });
      for (const head of [{ reason: "a\nb", keepMs: null }, { reason: null, keepMs: 0 }]) expect(await failureOf(() => ours.tickets.change(id, { expectedVersion: 1, head: { state: "failed", ...head }, slots: [] }))).to.include({ code: "USAGE" });
      for (const pointers of [[], [{ table: "a.bcolz", generation: null }], [{ table: "a-3.bcolzs", generation: null }], [{ table: "a.bcolz", generation }, { table: "b.bcolz", generation: null }], [{ table: "a.bcolz", generation, source: { bucket: "", replicas: null, hasManifest: true } }]]) expect(await failureOf(() => ours.tickets.commit(id, { expectedVersion: 1, expectedEpoch: 0, pointers }))).to.include({ code: "USAGE" });
      expect(await headOf(id)).to.include({ version: 1, state: "active" });
    });

    it("commits a ticket and moves its pointers in one step", async () => {
      const { id } = await create();
      const pointers = ["a.bcolz", "b.bcolz"].map((table) => ({ table, generation }));
      const epoch = await ours.tickets.commit(id, { expectedVersion: 1, expectedEpoch: 0, pointers });
      expect(await headOf(id)).to.include({ version: 2, state: "committed", epoch, endedMs: null });
      const named = await theirs.pointers();
      expect(named.epoch).to.equal(epoch);
      expect([...named.tables]).to.have.deep.members(pointers.map(({ table }) => [table, { generation, epoch, source: null }]));
    });

    it("keeps the sets of a ticket, and takes the pointers of shards that are gone away with its commit", async () => {
      const before = await theirs.movePointers([{ table: "a-1.bcolzs", generation }], 0);
      const { id } = await create({ sets: ["a"] });
      expect(await theirs.tickets.plan(id)).to.have.deep.property("sets", ["a"]);
      const epoch = await ours.tickets.commit(id, { expectedVersion: 1, expectedEpoch: before, pointers: [{ table: "a-0.bcolzs", generation }, { table: "a-1.bcolzs", generation: null }] });
      expect([...(await theirs.pointers()).tables]).to.have.deep.members([["a-0.bcolzs", { generation, epoch, source: null }], ["a-1.bcolzs", { generation: null, epoch, source: null }]]);
    });

    it("commits one that joins without pointers, and it alone, at the epoch that there is", async () => {
      const { id } = await create({ purpose: "join", bucket: "not \"purpose\":\"switch\"" });
      const other = await create({ bucket: "\"purpose\":\"join\"" });
      const epoch = await theirs.movePointers([{ table: "z.bcolz", generation }], 0);
      const pointers = [{ table: "a.bcolz", generation }];
      for (const [one, moved] of [[id, pointers], [other.id, []]] as const) expect(await failureOf(() => ours.tickets.commit(one, { expectedVersion: 1, expectedEpoch: epoch, pointers: moved }))).to.include({ code: "USAGE" });
      expect(await failureOf(() => ours.tickets.commit(id, { expectedVersion: 1, expectedEpoch: epoch - 1, pointers: [] }))).to.include({ code: "STALE" });
      expect(await ours.tickets.commit(id, { expectedVersion: 1, expectedEpoch: epoch, pointers: [] })).to.equal(epoch);
      expect(await headOf(id)).to.include({ version: 2, state: "committed", epoch, endedMs: null });
      expect(await theirs.pointers()).to.deep.equal({ epoch, tables: new Map([["z.bcolz", { generation, epoch, source: null }]]) });
      expect(await theirs.tickets.plan(id)).to.include({ purpose: "join" });
    });

    it("commits nothing when the epoch or the version is another", async () => {
      const { id } = await create();
      const epoch = await theirs.movePointers([{ table: "z.bcolz", generation }], 0);
      const pointers = [{ table: "a.bcolz", generation }];
      expect(await failureOf(() => ours.tickets.commit(id, { expectedVersion: 1, expectedEpoch: 0, pointers }))).to.include({ code: "STALE" });
      expect(await failureOf(() => ours.tickets.commit(id, { expectedVersion: 2, expectedEpoch: epoch, pointers }))).to.include({ code: "STALE" });
      expect(await failureOf(() => ours.tickets.commit("0".repeat(16), { expectedVersion: 1, expectedEpoch: epoch, pointers }))).to.include({ code: "NOT_FOUND" });
      expect(await headOf(id)).to.include({ version: 1, state: "active", epoch: null });
      expect([...(await theirs.pointers()).tables.keys()]).to.deep.equal(["z.bcolz"]);
    });

    it("forgets an ended one when its time is over, and one that is removed at once", async () => {
      const [short, long, removed] = [await create(), await create(), await create()];
      const cancel = (id: string, keepMs: number): Promise<void> => ours.tickets.change(id, { expectedVersion: 1, head: { state: "cancelled", reason: null, keepMs }, slots: [] });
      await cancel(long.id, hourMs);
      await cancel(short.id, 20);
      expect(await theirs.tickets.remove(removed.id)).to.equal(true);
      expect(await theirs.tickets.remove(removed.id)).to.equal(false);
      await until("the short one is forgotten", async () => await headOf(short.id) === undefined);
      expect((await theirs.tickets.list()).heads.map(({ id }) => id)).to.deep.equal([long.id]);
      for (const { id } of [short, removed]) {
        expect(await theirs.tickets.plan(id)).to.equal(undefined);
        expect((await theirs.tickets.slots(ticketPlan({ id }))).size).to.equal(0);
        expect(await failureOf(() => setSlot(id, queued, prepared))).to.include({ code: "NOT_FOUND" });
      }
      await ours.tickets.create(short, everywhere(short));
      expect((await headOf(short.id))?.counts.queued).to.equal(4);
    });

    it("tells watchers of a new ticket, of states of slots and tickets, of a removal, and not of renewals", async () => {
      const { id } = await create();
      const changes: RegistryChange[] = [];
      const stop = theirs.watch((change) => { changes.push(change); });
      const noticed = async (what: string): Promise<void> => {
        await until(`${what} is noticed`, () => changes.length > 0);
        expect(changes.splice(0), what).to.deep.equal(["tickets"]);
      };
      const claimed = manySlots[1]! as Slot & { state: "downloading" };
      // Answered after the first look, which is what changes are told against.
      await theirs.tickets.list();
      await setSlot(id, queued, claimed);
      await noticed("a claim");
      const renewed = { ...claimed, bytesDone: 5, bytesTotal: 10, leaseUntilMs: claimed.leaseUntilMs + 1_000 };
      await setSlot(id, claimed, renewed);
      await setSlot(id, renewed, { state: "verified", fence: 4, bytes: 10 });
      await noticed("what came after a renewal, once");
      await ours.tickets.change(id, { expectedVersion: 1, head: { state: "failed", reason: "x", keepMs: hourMs }, slots: [] });
      await noticed("a failure");
      const other = await create();
      await noticed("a new one");
      await ours.tickets.remove(other.id);
      await noticed("a removal");
      stop();
    });

    it("loses all when it is emptied, and goes on with new ones", async () => {
      const { id } = await create();
      const changes: RegistryChange[] = [];
      const stop = theirs.watch((change) => { changes.push(change); });
      await house.empty();
      await until("the loss is noticed", () => changes.includes("tickets"));
      expect((await theirs.tickets.list()).heads).to.be.empty;
      expect(await failureOf(() => setSlot(id, queued, prepared))).to.include({ code: "NOT_FOUND" });
      const plan = await create();
      expect((await theirs.tickets.list()).heads.map((head) => head.id)).to.deep.equal([plan.id]);
      stop();
    });

    it("refuses everything once closed", async () => {
      const plan = await create();
      await theirs.close();
      const { tickets } = theirs;
      const change = { expectedVersion: 1, head: null, slots: [{ node: "n1", table: "a.bcolz", from: queued, to: prepared }] };
      const failures = await Promise.allSettled([
        tickets.list(), tickets.plan(plan.id), tickets.slots(plan), tickets.slots(plan, "n1"), tickets.remove(plan.id), tickets.create(ticketPlan(), everywhere(plan)),
        tickets.change(plan.id, change), tickets.commit(plan.id, { expectedVersion: 1, expectedEpoch: 0, pointers: [{ table: "a.bcolz", generation }] }),
      ]);
      for (const failure of failures) expect(failure).to.have.nested.property("reason.code", "REGISTRY_UNAVAILABLE");
    });
  });
}

function ticketTable(table: string): TicketPlan["tables"][number] {
  return { table, manifest: `${table}/CURRENT.manifest.json`, generation };
}
