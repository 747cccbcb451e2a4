import { expect } from "chai";
import { beforeEach, describe, it } from "mocha";
import { findUnlisted, joinPauseMaxMs, joinPauseMs, joinsMax, joinTablesMax, nextForJoins, noteNodes, steadyMs, type JoinStep, type NodeView } from "../../lib/cluster/sync/tickets/catch-up.js";
import { decide } from "../../lib/cluster/sync/tickets/core.js";
import { chooseNodes, placeTicket } from "../../lib/cluster/sync/tickets/placement.js";
import type { Ticket, TicketEvent } from "../../lib/cluster/sync/tickets/ticket.js";
import type { TablePointer, TableSource } from "../../lib/registry/pointers.js";
import { createTicketStore, type TicketStore } from "../../lib/registry/ticket-store.js";
import type { TicketPlan } from "../../lib/registry/tickets.js";
import { createMemoryEntries } from "../support/memory-tickets.js";
import { pointersAt, ticketPlan } from "../support/ticket-suite.js";

const first = "ab".repeat(32);
const second = "cd".repeat(32);
const source: TableSource = { bucket: "s3://shop/daily", replicas: null, hasManifest: true };

describe("what a node fetches without being asked", () => {
  let store: TicketStore;
  let nowMs: number;
  let pointers: Map<string, TablePointer>;
  let held: Map<string, string[]>;
  beforeEach(() => {
    store = createTicketStore(createMemoryEntries(), "");
    nowMs = 10_000_000;
    pointers = new Map();
    held = new Map();
  });

  function point(table: string, generation: string | null, from: TableSource | null = source): void {
    pointers.set(table, { generation, epoch: pointers.size + 1, source: from });
  }
  function tickets(node = "n1"): Ticket[] {
    return store.list(nowMs).heads.map((head) => {
      const plan = store.plan(head.id, nowMs)!;
      return { head, plan, slots: head.endedMs === null ? store.slots(plan, node, nowMs) : new Map() };
    });
  }
  function view(facts: Partial<NodeView> = {}): NodeView {
    return { node: "n1", nodes: { names: ["n1", "n2", "n3"], sinceMs: 0 }, pointers: { epoch: pointers.size, tables: pointers }, held, tickets: tickets(facts.node), nowMs, ...facts };
  }
  function plans(steps: readonly JoinStep[] = nextForJoins(view())): TicketPlan[] {
    return steps.flatMap((step) => (step.kind === "create" ? [step.plan] : []));
  }
  const tablesOf = (made: readonly TicketPlan[]): string[] => made.flatMap(({ tables }) => tables.map(({ table }) => table));
  function create(plan: TicketPlan): TicketPlan {
    store.create(plan, placeTicket(plan), nowMs);
    return plan;
  }
  function tell(id: string, event: TicketEvent): void {
    const ticket = tickets(event.kind === "claim" ? event.node : undefined).find(({ head }) => head.id === id)!;
    const outcome = decide({ ...ticket, slots: store.slots(ticket.plan, undefined, nowMs) }, event, nowMs);
    expect(outcome.kind, JSON.stringify(event)).to.be.oneOf(["change", "commit"]);
    if (outcome.kind === "change") store.change(id, outcome.change, nowMs);
    if (outcome.kind === "commit") store.commit(id, outcome.commit, nowMs, () => 99);
  }
  /** The ticket ends without any of its tables. */
  function fail(plan: TicketPlan): void {
    for (const { table } of plan.tables) {
      tell(plan.id, { kind: "claim", node: "n1", table, process: "p", leaseMs: 1_000 });
      tell(plan.id, { kind: "failed", node: "n1", table, process: "p", fence: 1, reason: "NOT_FOUND: gone" });
    }
    tell(plan.id, { kind: "commit", pointers: pointersAt(0) });
  }

  it("is what pointers name, has a source, and is not here as current, kept or prepared", () => {
    point("here.bcolz", first);
    held.set("here.bcolz", [second, first]);
    point("old.bcolz", second);
    held.set("old.bcolz", [first]);
    point("new.bcolz", first, { ...source, hasManifest: false });
    point("by-hand.bcolz", first, null);
    point("none.bcolz", null);
    const [plan, ...more] = plans();
    expect(more).to.deep.equal([]);
    expect(plan).to.deep.include({ bucket: source.bucket, nodes: ["n1"], replicas: null, purpose: "join" });
    expect(plan!.tables).to.deep.equal([{ table: "new.bcolz", manifest: null, generation: first }, { table: "old.bcolz", manifest: `old.bcolz/${second}.manifest.json`, generation: second }]);
    create(plan!);
    expect(nextForJoins(view())).to.deep.equal([]);
  });

  it("is made once by whoever sees the same, and another time for another generation, node or place in time", () => {
    point("a.bcolz", first);
    const [plan] = plans();
    expect(plans()).to.deep.equal([plan]);
    const others = [plans(nextForJoins(view({ node: "n2" })))];
    pointers.set("a.bcolz", { generation: first, epoch: 2, source });
    others.push(plans());
    pointers.set("a.bcolz", { generation: second, epoch: 1, source });
    others.push(plans());
    const ids = [plan!.id, ...others.map(([one]) => one!.id)];
    expect(new Set(ids).size).to.equal(4);
    for (const id of ids) expect(id).to.match(/^[0-9a-f]{16}$/);
  });

  it("leaves alone what another ticket under way brings, and no longer once that has failed", () => {
    point("a.bcolz", first);
    point("b.bcolz", first);
    const made = create(ticketPlan({ nodes: ["n1"], tables: [{ table: "a.bcolz", manifest: null, generation: null }, { table: "b.bcolz", manifest: "m", generation: first }] }));
    expect(plans()).to.deep.equal([]);
    expect(tablesOf(plans(nextForJoins(view({ node: "n2" }))))).to.deep.equal(["a.bcolz", "b.bcolz"]);
    tell(made.id, { kind: "cancel" });
    expect(tablesOf(plans())).to.deep.equal(["a.bcolz", "b.bcolz"]);
    create(ticketPlan({ nodes: ["n1"], tables: [{ table: "b.bcolz", manifest: "m", generation: second }] }));
    expect(tablesOf(plans()), "one that may come to nothing").to.deep.equal(["a.bcolz", "b.bcolz"]);
  });

  it("is tried again after a pause that grows and is bounded, each time as another ticket, and holds up no other table", () => {
    point("a.bcolz", first);
    const ids = new Set<string>();
    for (const pauseMs of [0, joinPauseMs, 2 * joinPauseMs, 4 * joinPauseMs]) {
      nowMs += pauseMs - (pauseMs === 0 ? 0 : 1);
      if (pauseMs > 0) expect(plans(), `after less than ${pauseMs}`).to.deep.equal([]);
      nowMs += 1;
      const [plan] = plans();
      ids.add(plan!.id);
      fail(create(plan!));
    }
    expect(ids.size).to.equal(4);
    point("b.bcolz", first);
    expect(tablesOf(plans())).to.deep.equal(["b.bcolz"]);
    pointers.set("a.bcolz", { generation: second, epoch: 9, source });
    expect(tablesOf(plans()), "another generation was never tried").to.deep.equal(["a.bcolz", "b.bcolz"]);
    pointers.set("a.bcolz", { generation: first, epoch: 1, source });
    nowMs += joinPauseMaxMs;
    expect(tablesOf(plans())).to.contain("a.bcolz");
  });

  it("waits for the pause, and not for a clock that was set back", () => {
    point("a.bcolz", first);
    fail(create(plans()[0]!));
    nowMs -= 5_000_000;
    const [again] = plans();
    fail(create(again!));
    expect(plans()).to.deep.equal([]);
    nowMs += 2 * joinPauseMs;
    expect(tablesOf(plans())).to.deep.equal(["a.bcolz"]);
    const names = ["n1", "n2"];
    expect(noteNodes({ names, sinceMs: nowMs + 1 }, names, nowMs)).to.deep.equal({ names, sinceMs: nowMs });
  });

  it("keeps tickets few and bounded, and those of two buckets apart", () => {
    for (let index = 0; index < (joinsMax + 2) * joinTablesMax; index++) point(`t-${index}.bcolzs`, first);
    point("other.bcolz", first, { ...source, bucket: "s3://other" });
    const made = plans();
    expect(made).to.have.length(joinsMax);
    for (const { tables, bucket } of made) {
      expect(tables.length).to.be.at.most(joinTablesMax);
      expect(tables.some(({ table }) => table === "other.bcolz")).to.equal(bucket === "s3://other");
    }
    create(made[0]!);
    const more = plans();
    expect(more).to.have.length(joinsMax - 1);
    expect(tablesOf(more).filter((table) => made[0]!.tables.some((one) => one.table === table))).to.deep.equal([]);
  });

  it("tells of tables whose pointer has gone on while they come, and waits for pointers that are not back", () => {
    point("a.bcolz", first);
    point("b.bcolz", first);
    const plan = create(plans()[0]!);
    pointers.delete("b.bcolz");
    pointers.set("a.bcolz", { generation: second, epoch: 9, source: null });
    const step = { kind: "superseded", ticket: plan.id, node: "n1", table: "a.bcolz" } as const;
    expect(nextForJoins(view())).to.deep.equal([step]);
    tell(plan.id, { kind: "superseded", node: "n1", table: "a.bcolz" });
    expect(nextForJoins(view())).to.deep.equal([]);
    expect(nextForJoins(view({ node: "n2" })).filter(({ kind }) => kind === "superseded"), "another node's").to.deep.equal([]);
  });

  it("asks for a generation to be listed again that only fell off CURRENT", () => {
    point("a.bcolz", first);
    held.set("a.bcolz", [second]);
    point("b.bcolz", null);
    held.set("b.bcolz", [second]);
    held.set("c.bcolz", [second]);
    expect(findUnlisted({ epoch: 1, tables: pointers }, held)).to.deep.equal([{ table: "a.bcolz", generation: first }]);
  });

  describe("with replicas", () => {
    const names = Array.from({ length: 200 }, (_, index) => `trips-${index}.bcolzs`);
    const replicas = { ...source, replicas: 2 };
    beforeEach(() => { for (const name of names) point(name, first, replicas); });

    it("is what the rendezvous of live nodes gives to the node: a fourth one takes its share, and nobody else takes or loses anything", () => {
      const three = ["n1", "n2", "n3"];
      const holds = new Map(three.map((node) => [node, new Map(names.filter((name) => chooseNodes(name, three, 2).includes(node)).map((name) => [name, [first]]))]));
      for (const node of three) expect(plans(nextForJoins(view({ node, held: holds.get(node)! }))), node).to.deep.equal([]);
      const nodes = { names: [...three, "n4"], sinceMs: 0 };
      for (const node of three) expect(nextForJoins(view({ node, nodes, held: holds.get(node)! })), node).to.deep.equal([]);
      const taken = tablesOf(plans(nextForJoins(view({ node: "n4", nodes }))));
      expect(taken.length / (names.length * 2)).to.be.within(0.7 / 4, 1.3 / 4);
      // What it takes, the others may keep; when it is gone again nobody lacks anything.
      for (const node of three) expect(nextForJoins(view({ node, held: holds.get(node)! })), node).to.deep.equal([]);
    });

    it("gives the tables of a node that is gone to those that are left, once that is certain", () => {
      const holds = new Map(names.filter((name) => chooseNodes(name, ["n1", "n2", "n3"], 2).includes("n1")).map((name) => [name, [first]]));
      const nodes = noteNodes({ names: ["n1", "n2", "n3"], sinceMs: 0 }, ["n1", "n2"], nowMs);
      expect(nextForJoins(view({ nodes, held: holds }))).to.deep.equal([]);
      nowMs += steadyMs;
      const same = noteNodes(nodes, ["n1", "n2"], nowMs);
      expect(same).to.equal(nodes);
      const taken = tablesOf(plans(nextForJoins(view({ nodes: same, held: holds }))));
      expect(taken).to.have.members(names.filter((name) => !holds.has(name)));
      expect(tablesOf(plans(nextForJoins(view({ nodes: { names: ["n2"], sinceMs: 0 }, held: holds })))), "its own listing is late").to.have.members(taken);
    });
  });
});
