import { expect } from "chai";
import { beforeEach, describe, it } from "mocha";
import { claimsMax } from "../../lib/cluster/sync/tickets/slot-events.js";
import { decide } from "../../lib/cluster/sync/tickets/core.js";
import { findClaim, nextForMover, nextForTicket, noteUnknown, unknownPatienceMs, unknownStagePatienceMs, type MoverView } from "../../lib/cluster/sync/tickets/next.js";
import { chooseNodes, placeTicket } from "../../lib/cluster/sync/tickets/placement.js";
import type { Claim, Outcome, Ticket, TicketEvent } from "../../lib/cluster/sync/tickets/ticket.js";
import { limits } from "../../lib/base/limits.js";
import { createTicketStore, type TicketStore } from "../../lib/registry/ticket-store.js";
import { keyOfSlot, type Slot, type TicketPlan } from "../../lib/registry/tickets.js";
import { createMemoryEntries } from "../support/memory-tickets.js";
import { pointersAt, ticketPlan } from "../support/ticket-suite.js";

const generation = "ab".repeat(32);
const other = "cd".repeat(32);
const place = { node: "n1", table: "a.bcolz" };
const claim: Claim = { ...place, process: "p1", fence: 1 };
const leaseMs = 30_000;

describe("core of tickets", () => {
  let store: TicketStore;
  let plan: TicketPlan;
  let nowMs: number;
  beforeEach(() => {
    store = createTicketStore(createMemoryEntries(), "");
    plan = ticketPlan();
    nowMs = 1_000_000;
    store.create(plan, placeTicket(plan), nowMs);
  });

  function read(): Ticket {
    return { head: store.list(nowMs).heads.find(({ id }) => id === plan.id)!, plan, slots: store.slots(plan, undefined, nowMs) };
  }
  function slot(at = place): Slot {
    return read().slots.get(keyOfSlot(at))!;
  }
  /** Decides, and keeps what comes of it. */
  function happen(event: TicketEvent): Outcome {
    const outcome = decide(read(), event, nowMs);
    if (outcome.kind === "change") store.change(plan.id, outcome.change, nowMs);
    if (outcome.kind === "commit") store.commit(plan.id, outcome.commit, nowMs, () => 77);
    return outcome;
  }
  /** Each of these changes something. */
  function go(...events: TicketEvent[]): void {
    for (const event of events) expect(happen(event), JSON.stringify(event)).to.have.property("kind").that.is.oneOf(["change", "commit"]);
  }
  function prepareAll(generationOf: (node: string) => string = () => generation): void {
    for (const at of placeTicket(plan)) {
      go({ kind: "claim", ...at, process: "p1", leaseMs }, { kind: "verified", ...at, process: "p1", fence: 1, bytes: 5 }, { kind: "prepared", ...at, fence: 1, generation: generationOf(at.node) });
    }
  }

  it("brings a slot from queued to switched", () => {
    go({ kind: "claim", ...place, process: "p1", leaseMs });
    expect(slot()).to.deep.equal({ state: "downloading", fence: 1, owner: "p1", sinceMs: nowMs, leaseUntilMs: nowMs + leaseMs, bytesDone: 0, bytesTotal: null });
    nowMs += 10_000;
    go({ kind: "renew", ...claim, leaseMs, bytesDone: 3, bytesTotal: 5 });
    expect(slot()).to.deep.include({ leaseUntilMs: nowMs + leaseMs, sinceMs: nowMs - 10_000, bytesDone: 3, bytesTotal: 5 });
    go({ kind: "verified", ...claim, bytes: 5 });
    expect(slot()).to.deep.equal({ state: "verified", fence: 1, bytes: 5 });
    go({ kind: "prepared", ...place, fence: 1, generation });
    expect(slot()).to.deep.equal({ state: "prepared", bytes: 5, generation });
    for (const at of placeTicket(plan).filter((one) => keyOfSlot(one) !== keyOfSlot(place))) {
      go({ kind: "claim", ...at, process: "p2", leaseMs }, { kind: "verified", ...at, process: "p2", fence: 1, bytes: 5 }, { kind: "prepared", ...at, fence: 1, generation });
    }
    expect(nextForTicket(read().head, nowMs, 1_000)).to.equal("commit");
    go({ kind: "commit", pointers: pointersAt(3) });
    for (const at of placeTicket(plan)) go({ kind: "switched", ...at });
    expect(nextForTicket(read().head, nowMs, 1_000)).to.equal("finish");
    go({ kind: "finish" });
    expect(read().head).to.include({ state: "done", reason: null, epoch: 77, endedMs: nowMs });
  });

  it("answers a command that comes twice with `already`, and changes nothing", () => {
    const events: TicketEvent[] = [
      { kind: "claim", ...place, process: "p1", leaseMs }, { kind: "verified", ...claim, bytes: 5 }, { kind: "unstaged", ...place, fence: 1 },
      { kind: "claim", ...place, process: "p1", leaseMs }, { kind: "release", ...claim, fence: 2 }, { kind: "claim", ...place, process: "p1", leaseMs },
      { kind: "verified", ...claim, fence: 3, bytes: 5 }, { kind: "prepared", ...place, fence: 3, generation },
    ];
    for (const event of events) {
      go(event);
      expect(happen(event), JSON.stringify(event)).to.deep.equal({ kind: "already" });
    }
    go({ kind: "cancel" });
    expect(happen({ kind: "cancel" })).to.deep.equal({ kind: "already" });
  });

  it("gives a slot to nobody else before the lease is over, and then with a higher fence", () => {
    go({ kind: "claim", ...place, process: "p1", leaseMs });
    nowMs += leaseMs - 1;
    expect(happen({ kind: "claim", ...place, process: "p2", leaseMs })).to.have.property("kind", "refused");
    nowMs += 1;
    go({ kind: "claim", ...place, process: "p2", leaseMs });
    expect(slot()).to.include({ owner: "p2", fence: 2 });
  });

  it("gives a slot to another when the registry's clock was set back by much more than any lease is long", () => {
    nowMs = 10_000_000;
    go({ kind: "claim", ...place, process: "p1", leaseMs });
    nowMs -= 2_000 * limits.leaseSecondsMax - leaseMs;
    expect(findClaim({ ...read(), plan: { ...plan, tables: plan.tables.slice(0, 1) } }, "n1", "p2", nowMs)).to.equal(undefined);
    nowMs -= 1;
    expect(findClaim({ ...read(), plan: { ...plan, tables: plan.tables.slice(0, 1) } }, "n1", "p2", nowMs)).to.deep.equal(place);
    go({ kind: "claim", ...place, process: "p2", leaseMs });
    expect(slot()).to.include({ owner: "p2", fence: 2, leaseUntilMs: nowMs + leaseMs });
  });

  it("lets an owner go on after its lease as long as nobody took over, and change nothing afterwards", () => {
    go({ kind: "claim", ...place, process: "p1", leaseMs });
    nowMs += 10 * leaseMs;
    go({ kind: "renew", ...claim, leaseMs, bytesDone: 1, bytesTotal: 5 });
    nowMs += leaseMs;
    go({ kind: "claim", ...place, process: "p2", leaseMs });
    const before = slot();
    const late: TicketEvent[] = [
      { kind: "renew", ...claim, leaseMs, bytesDone: 2, bytesTotal: 5 }, { kind: "release", ...claim }, { kind: "verified", ...claim, bytes: 5 }, { kind: "failed", ...claim, reason: "x" },
      { kind: "prepared", ...place, fence: 1, generation }, { kind: "unstaged", ...place, fence: 1 }, { kind: "refused", ...place, fence: 1, reason: "x" },
    ];
    for (const event of late) expect(happen(event), event.kind).to.have.property("kind", "refused");
    go({ kind: "verified", ...claim, process: "p2", fence: 2, bytes: 5 });
    for (const event of late) expect(happen(event), event.kind).to.have.property("kind", "refused");
    expect(before).to.include({ owner: "p2" });
    expect(read().head.state).to.equal("active");
  });

  it("fails the whole ticket with one slot, and says where and why", () => {
    go({ kind: "claim", ...place, process: "p1", leaseMs }, { kind: "failed", ...claim, reason: "DISK_FULL: no room\nfor 5 bytes" });
    expect(slot()).to.deep.equal({ state: "failed", reason: "DISK_FULL: no room for 5 bytes" });
    expect(read().head).to.include({ state: "failed", reason: "a.bcolz on n1: DISK_FULL: no room for 5 bytes", endedMs: nowMs });
    expect(happen({ kind: "failed", ...claim, reason: "x" })).to.deep.equal({ kind: "already" });
    for (const event of [{ kind: "claim", node: "n2", table: "a.bcolz", process: "p2", leaseMs }, { kind: "commit", pointers: pointersAt(1) }, { kind: "cancel" }] as const) {
      expect(happen(event), event.kind).to.have.property("kind", "refused");
    }
  });

  it("fails what a mover refuses, what is another generation than the manifest says, and what never comes to an end", () => {
    const verified: TicketEvent[] = [{ kind: "claim", ...place, process: "p1", leaseMs }, { kind: "verified", ...claim, bytes: 5 }];
    go(...verified, { kind: "refused", ...place, fence: 1, reason: "TABLE_NOT_MANAGED: a.bcolz is not ours" });
    expect(read().head.reason).to.contain("TABLE_NOT_MANAGED");
    renew();
    go(...verified, { kind: "prepared", ...place, fence: 1, generation: other });
    expect(read().head.reason).to.contain(other).and.contain(generation);
    renew();
    for (let fence = 1; fence <= claimsMax; fence++) go({ kind: "claim", ...place, process: "p1", leaseMs }, { kind: "release", ...claim, fence });
    go({ kind: "claim", ...place, process: "p1", leaseMs });
    expect(read().head).to.include({ state: "failed" }).and.property("reason").contain(`${claimsMax} times`);
  });

  /** Another ticket in the place of the one there was. */
  function renew(facts: Partial<TicketPlan> = {}): void {
    plan = ticketPlan(facts);
    store.create(plan, placeTicket(plan), nowMs);
  }

  it("commits when every slot is prepared, and not before", () => {
    go({ kind: "claim", ...place, process: "p1", leaseMs });
    expect(happen({ kind: "commit", pointers: pointersAt(1) })).to.have.property("kind", "refused");
    renew();
    prepareAll();
    const { head, slots } = read();
    const source = { bucket: plan.bucket, replicas: null, hasManifest: plan.tables[0]!.manifest !== null };
    const some = new Map([...slots].slice(1));
    expect(decide({ head, plan, slots: some }, { kind: "commit", pointers: pointersAt(1) }, nowMs), "not all of them read").to.have.property("kind", "refused");
    expect(happen({ kind: "commit", pointers: pointersAt(9) })).to.deep.equal({
      kind: "commit", commit: { expectedVersion: 1, expectedEpoch: 9, pointers: [{ table: "a.bcolz", generation, source }, { table: "b.bcolz", generation, source }] },
    });
    expect(happen({ kind: "commit", pointers: pointersAt(9) })).to.deep.equal({ kind: "already" });
    expect(happen({ kind: "cancel" }), "in use").to.have.property("kind", "refused");
  });

  it("leaves the shards that a set of it has no more without a generation, and all other tables alone", () => {
    const tables = ["a-0.bcolzs", "a-1.bcolzs"].map((table) => ({ table, manifest: null, generation }));
    const before = pointersAt(9, { "a-0.bcolzs": other, "a-2.bcolzs": other, "a-3.bcolzs": null, "a.bcolz": other, "b-2.bcolzs": other, "a-b-2.bcolzs": other });
    const changes = (sets: Partial<TicketPlan>): unknown => {
      renew({ tables, ...sets });
      prepareAll();
      const outcome = happen({ kind: "commit", pointers: before });
      return outcome.kind === "commit" ? [outcome.commit.expectedEpoch, ...outcome.commit.pointers.map((change) => [change.table, change.generation])] : outcome;
    };
    const moved = [9, ["a-0.bcolzs", generation], ["a-1.bcolzs", generation]];
    expect(changes({ sets: ["a"] })).to.deep.equal([...moved, ["a-2.bcolzs", null]]);
    plan = ticketPlan();
    store.remove(plan.id, nowMs);
    expect(changes({}), "of which not every shard came").to.deep.equal(moved);
  });

  it("names what came where no manifest told the generation, and fails when it differs between nodes", () => {
    const unknown = plan.tables.map((table) => ({ ...table, manifest: null, generation: null }));
    renew({ tables: unknown });
    prepareAll(() => other);
    expect(happen({ kind: "commit", pointers: pointersAt(1) })).to.have.nested.property("commit.pointers[1].generation", other);
    renew({ tables: unknown });
    prepareAll((node) => (node === "n1" ? generation : other));
    go({ kind: "commit", pointers: pointersAt(1) });
    expect(read().head).to.include({ state: "failed" }).and.property("reason").contain("n1").and.contain("n2").and.contain(other);
  });

  it("gives up when nothing comes on, naming who is waited for, and is done without those who are away after a commit", () => {
    go({ kind: "claim", ...place, process: "p1", leaseMs });
    nowMs += 59_999;
    expect(nextForTicket(read().head, nowMs, 60_000)).to.equal(undefined);
    expect(happen({ kind: "giveUp", stallMs: 60_000 })).to.have.property("kind", "refused");
    nowMs += 1;
    expect(nextForTicket(read().head, nowMs, 60_000)).to.equal("giveUp");
    go({ kind: "giveUp", stallMs: 60_000 });
    expect(read().head).to.include({ state: "failed" }).and.property("reason").match(/60 s.* n1, n2$/);
    renew();
    prepareAll();
    go({ kind: "commit", pointers: pointersAt(1) }, { kind: "switched", node: "n1", table: "a.bcolz" }, { kind: "switched", node: "n1", table: "b.bcolz" });
    nowMs += 60_000;
    expect(nextForTicket(read().head, nowMs, 60_000)).to.equal("giveUp");
    go({ kind: "giveUp", stallMs: 60_000 });
    expect(read().head).to.include({ state: "done" }).and.property("reason").match(/within 60 s by n2,/);
    expect(nextForTicket(read().head, nowMs + 60_000, 60_000)).to.equal(undefined);
  });

  it("gives up where the registry's clock was set back when whoever looks has seen it as it is for so long", () => {
    nowMs -= 500_000;
    expect(nextForTicket(read().head, nowMs, 60_000, 59_999)).to.equal(undefined);
    expect(nextForTicket(read().head, nowMs, 60_000, 60_000)).to.equal("giveUp");
    go({ kind: "claim", ...place, process: "p1", leaseMs });
    expect(nextForTicket(read().head, nowMs, 60_000, 60_000), "it has changed by the new clock").to.equal(undefined);
    expect(happen({ kind: "giveUp", stallMs: 60_000 })).to.have.property("kind", "refused");
    nowMs -= 500_000;
    go({ kind: "giveUp", stallMs: 60_000 });
    expect(read().head).to.include({ state: "failed" });
  });

  it("fails where it would change more pointers at once than can be, with those of shards that are gone", () => {
    const tables = [{ table: "a-0.bcolzs", manifest: null, generation }];
    const gone = Object.fromEntries(Array.from({ length: limits.shardsMax }, (_, shard) => [`a-${shard + 1}.bcolzs`, other]));
    renew({ tables, sets: ["a"] });
    prepareAll();
    go({ kind: "commit", pointers: pointersAt(9, gone) });
    expect(read().head).to.include({ state: "failed" }).and.property("reason").match(/^it would change 100001 pointers at once, more than 100000; /);
  });

  it("says with its pointers where the tables come from", () => {
    renew({ replicas: 2, tables: [{ table: "a.bcolz", manifest: null, generation: null }] });
    prepareAll();
    expect(happen({ kind: "commit", pointers: pointersAt(1) })).to.have.deep.nested.property("commit.pointers[0].source", { bucket: plan.bucket, replicas: 2, hasManifest: false });
  });

  describe("one that joins", () => {
    const at = (table: string) => ({ node: "n1", table });
    const verified = (table: string): TicketEvent[] => [{ kind: "claim", ...at(table), process: "p1", leaseMs }, { kind: "verified", ...at(table), process: "p1", fence: 1, bytes: 5 }];
    const prepared = (table: string): TicketEvent[] => [...verified(table), { kind: "prepared", ...at(table), fence: 1, generation }];
    beforeEach(() => { renew({ nodes: ["n1"], purpose: "join", tables: plan.tables.map((table) => ({ ...table, generation })) }); });

    it("commits without pointers, and is listed for a shorter time when it is done", () => {
      go(...prepared("a.bcolz"), ...prepared("b.bcolz"));
      expect(nextForTicket(read().head, nowMs, 60_000)).to.equal("commit");
      expect(happen({ kind: "commit", pointers: pointersAt(9) })).to.deep.equal({ kind: "commit", commit: { expectedVersion: 1, expectedEpoch: 9, pointers: [] } });
      go({ kind: "switched", ...at("a.bcolz") }, { kind: "switched", ...at("b.bcolz") });
      expect(nextForTicket(read().head, nowMs, 60_000)).to.equal("finish");
      go({ kind: "finish" });
      expect(read().head).to.include({ state: "done", reason: null });
      nowMs += 3_600_000;
      expect(store.list(nowMs).heads.filter(({ id }) => id === plan.id)).to.deep.equal([]);
    });

    it("brings the tables that come, and says which does not and why", () => {
      go(...verified("a.bcolz"), { kind: "refused", ...at("a.bcolz"), fence: 1, reason: "TABLE_NOT_MANAGED: not ours" });
      expect(read().head.state).to.equal("active");
      expect(nextForTicket(read().head, nowMs, 60_000)).to.equal(undefined);
      go(...prepared("b.bcolz"));
      expect(nextForTicket(read().head, nowMs, 60_000)).to.equal("commit");
      go({ kind: "commit", pointers: pointersAt(9) }, { kind: "switched", ...at("b.bcolz") });
      expect(nextForTicket(read().head, nowMs, 60_000)).to.equal("finish");
      go({ kind: "finish" });
      expect(read().head).to.include({ state: "done" }).and.property("reason").match(/^1 of 2 .*a\.bcolz.*TABLE_NOT_MANAGED/);
    });

    it("fails when none comes, and is cancelled when pointers name none of them any more", () => {
      go(...verified("a.bcolz"), { kind: "refused", ...at("a.bcolz"), fence: 1, reason: "x" }, { kind: "superseded", ...at("b.bcolz") });
      expect(happen({ kind: "superseded", ...at("b.bcolz") })).to.deep.equal({ kind: "already" });
      go({ kind: "commit", pointers: pointersAt(9) });
      expect(read().head).to.include({ state: "failed", epoch: null });
      renew({ nodes: ["n1"], purpose: "join" });
      go(...prepared("a.bcolz"), { kind: "superseded", ...at("a.bcolz") }, { kind: "superseded", ...at("b.bcolz") }, { kind: "commit", pointers: pointersAt(9) });
      expect(read().head).to.include({ state: "cancelled" }).and.property("reason").contain("superseded");
    });

    it("is not superseded where it sets the pointers itself", () => {
      renew();
      expect(happen({ kind: "superseded", ...place })).to.have.property("kind", "refused");
    });

    it("makes CURRENT what its pointer names still, and lets go of the rest, also where that went on before the commit", () => {
      go(...prepared("a.bcolz"), ...prepared("b.bcolz"), { kind: "commit", pointers: pointersAt(77) });
      const mark = { ticket: plan.id, table: "a.bcolz", generation };
      const view = (to: string | null, epoch: number, marks = [mark]): MoverView => ({
        node: "n1", tickets: [read()], marks, stages: [], kept: new Map(), unknownMs: new Map(),
        pointers: { epoch, tables: new Map([["a.bcolz", { generation: to, epoch: 70, source: null }]]) },
      });
      expect(nextForMover(view(generation, 77))).to.deep.equal([{ kind: "promote", ...mark }]);
      expect(nextForMover(view(other, 76)), "read before the commit").to.deep.equal([]);
      for (const to of [other, null]) {
        expect(nextForMover(view(to, 77))).to.deep.equal([{ kind: "takeBack", ...mark }]);
        expect(nextForMover(view(to, 77, []))).to.deep.equal([{ kind: "settle", ticket: plan.id, node: "n1", table: "a.bcolz" }]);
      }
    });
  });

  it("gives a downloader a slot of its own node that nobody has", () => {
    const claimed: string[] = [];
    for (const process of ["p1", "p2", "p3"]) {
      const found = findClaim(read(), "n1", process, nowMs);
      if (found !== undefined) go({ kind: "claim", ...found, process, leaseMs });
      claimed.push(found === undefined ? "none" : keyOfSlot(found));
    }
    expect(claimed.slice(0, 2)).to.have.members(["n1 a.bcolz", "n1 b.bcolz"]);
    expect(claimed[2]).to.equal("none");
    nowMs += leaseMs;
    expect(findClaim(read(), "n1", "p3", nowMs)).to.have.property("node", "n1");
    expect(findClaim(read(), "n3", "p3", nowMs)).to.equal(undefined);
    go({ kind: "cancel" });
    expect(findClaim(read(), "n2", "p3", nowMs)).to.equal(undefined);
  });

  describe("what a mover has to do", () => {
    const mark = (): MoverView["marks"][number] => ({ ticket: plan.id, table: "a.bcolz", generation });
    function view(facts: Partial<MoverView> = {}): MoverView {
      return { node: "n1", tickets: [read()], pointers: { epoch: 0, tables: new Map() }, marks: [], stages: [], kept: new Map(), unknownMs: new Map(), ...facts };
    }
    function pointing(to: string | null, epoch: number): Partial<MoverView> {
      return { pointers: { epoch, tables: new Map([["a.bcolz", { generation: to, epoch, source: null }]]) } };
    }

    it("prepares what is verified, of an active ticket and of its fence, and keeps what may be of use", () => {
      go({ kind: "claim", ...place, process: "p1", leaseMs });
      const stage = { ticket: plan.id, table: "a.bcolz", fence: 1 };
      expect(nextForMover(view({ stages: [stage] }))).to.deep.equal([]);
      go({ kind: "verified", ...claim, bytes: 5 });
      expect(nextForMover(view({ stages: [stage, { ...stage, fence: 0 }] }))).to.deep.equal([{ kind: "prepare", ...stage }, { kind: "clear", ...stage, fence: 0 }]);
      go({ kind: "prepared", ...place, fence: 1, generation });
      expect(nextForMover(view({ stages: [stage], marks: [mark()] }))).to.deep.equal([{ kind: "clear", ...stage }]);
      go({ kind: "cancel" });
      expect(nextForMover(view({ stages: [stage], marks: [mark()] }))).to.deep.equal([{ kind: "takeBack", ...mark() }, { kind: "clear", ...stage }]);
    });

    it("makes CURRENT what a pointer names, and lets go of what pointers have passed by", () => {
      prepareAll();
      go({ kind: "commit", pointers: pointersAt(1) });
      expect(nextForMover(view({ marks: [mark()], ...pointing(generation, 77) }))).to.deep.equal([{ kind: "promote", ...mark() }]);
      for (const what of [{}, pointing(other, 76), pointing(null, 5)]) expect(nextForMover(view({ marks: [mark()], ...what })), "pointers read before, or not back yet").to.deep.equal([]);
      expect(nextForMover(view({ marks: [mark()], ...pointing(other, 78) }))).to.deep.equal([{ kind: "takeBack", ...mark() }]);
      expect(nextForMover(view(pointing(generation, 77))), "neither marked nor there").to.deep.equal([]);
      const settle = [{ kind: "settle", ticket: plan.id, node: "n1", table: "a.bcolz" }];
      expect(nextForMover(view({ ...pointing(generation, 77), kept: new Map([["a.bcolz", [other, generation]]]) }))).to.deep.equal(settle);
      expect(nextForMover(view(pointing(other, 78)))).to.deep.equal(settle);
    });

    it("looks at each mark a few times, however many there are", () => {
      const tables = Array.from({ length: 2_000 }, (_, index) => ({ table: `a-${index}.bcolzs`, manifest: null, generation }));
      const slots = new Map(tables.map(({ table }): [string, Slot] => [keyOfSlot({ node: "n1", table }), { state: "prepared", bytes: 5, generation }]));
      const tickets: Ticket[] = [{ head: { ...read().head, state: "committed", epoch: 77 }, plan: { ...plan, tables, nodes: ["n1"] }, slots }];
      let looks = 0;
      const marks = new Proxy(tables.map(({ table }) => ({ ticket: plan.id, table, generation })), { get(list, key): unknown {
        if (typeof key === "string" && /^\d/.test(key)) looks += 1;
        return Reflect.get(list, key);
      } });
      expect(nextForMover(view({ tickets, marks }))).to.deep.equal([]);
      expect(looks).to.be.at.most(10 * tables.length);
    });

    it("takes back nothing that a pointer names, whatever became of the ticket", () => {
      prepareAll();
      go({ kind: "cancel" });
      for (const tickets of [[read()], []]) {
        const long = new Map([[plan.id, 10 * unknownPatienceMs]]);
        expect(nextForMover(view({ tickets, marks: [mark()], unknownMs: long, ...pointing(generation, 5) }))).to.deep.equal([{ kind: "promote", ...mark() }]);
      }
    });

    it("cleans up after a ticket that is not known any more, and only after a while", () => {
      const stage = { ticket: plan.id, table: "a.bcolz", fence: 1 };
      const left = { tickets: [], marks: [mark()], stages: [stage] };
      let unknown = noteUnknown(new Map(), [plan.id], new Set(), 5_000);
      unknown = noteUnknown(unknown, [plan.id], new Set(), 9_000);
      expect([...unknown]).to.deep.equal([[plan.id, 5_000]]);
      expect(noteUnknown(unknown, [plan.id], new Set([plan.id]), 9_500).size, "it is back").to.equal(0);
      const after = (ms: number) => nextForMover(view({ ...left, unknownMs: new Map([[plan.id, ms]]) }));
      expect(after(unknownStagePatienceMs - 1)).to.deep.equal([]);
      for (const ms of [unknownStagePatienceMs, unknownPatienceMs - 1]) expect(after(ms)).to.deep.equal([{ kind: "clear", ...stage }]);
      expect(after(unknownPatienceMs)).to.deep.equal([{ kind: "takeBack", ...mark() }, { kind: "clear", ...stage }]);
    });
  });

  describe("placing", () => {
    const nodes = Array.from({ length: 8 }, (_, index) => `node${index}`);
    const tables = Array.from({ length: 4_000 }, (_, index) => `trips-${index}.bcolzs`);

    it("gives a table to every node, or to as many as asked for", () => {
      expect(chooseNodes("a.bcolz", ["y", "x"], null)).to.deep.equal(["x", "y"]);
      expect(chooseNodes("a.bcolz", nodes, 9)).to.deep.equal(nodes);
      const shares = new Map(nodes.map((node) => [node, 0]));
      for (const table of tables) {
        const chosen = chooseNodes(table, nodes, 3);
        expect(new Set(chosen).size).to.equal(3);
        expect(chooseNodes(table, nodes.toReversed(), 3)).to.deep.equal(chosen);
        for (const node of chosen) shares.set(node, shares.get(node)! + 1);
      }
      for (const [node, share] of shares) expect(share / tables.length, node).to.be.within(0.9 * 3 / 8, 1.1 * 3 / 8);
    });

    it("moves about 1/(N+1) to a new node, and nothing between the others", () => {
      for (const replicas of [1, 2]) {
        let taken = 0;
        for (const table of tables) {
          const before = chooseNodes(table, nodes, replicas);
          const after = chooseNodes(table, [...nodes, "node8"], replicas);
          if (after.includes("node8")) taken += 1;
          expect(after.filter((node) => node !== "node8" && !before.includes(node))).to.deep.equal([]);
        }
        expect(taken / (tables.length * replicas)).to.be.within(0.9 / 9, 1.1 / 9);
      }
    });
  });
});
