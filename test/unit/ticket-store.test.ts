import { expect } from "chai";
import { beforeEach, describe, it } from "mocha";
import { limits } from "../../lib/base/limits.js";
import { decodePlan } from "../../lib/registry/ticket-entries.js";
import { createTicketStore, type TicketStore } from "../../lib/registry/ticket-store.js";
import { createMemoryEntries, type MemoryEntries } from "../support/memory-tickets.js";
import { failureOf } from "../support/failure.js";
import { everywhere, ticketPlan } from "../support/ticket-suite.js";

describe("tickets over texts", () => {
  let entries: MemoryEntries;
  let store: TicketStore;
  beforeEach(() => {
    entries = createMemoryEntries();
    store = createTicketStore(entries, "p:");
  });

  it("keeps so many at most, and has room again when ended ones are forgotten", async () => {
    const plan = ticketPlan();
    const places = everywhere(plan).slice(0, 1);
    for (let count = 0; count < limits.ticketsMax; count++) store.create({ ...plan, id: count.toString(16).padStart(16, "0") }, places, 1_000);
    expect(await failureOf(async () => { store.create(plan, places, 1_000); })).to.include({ code: "BUSY" });
    store.change("0".repeat(16), { expectedVersion: 1, head: { state: "cancelled", reason: null, keepMs: 500 }, slots: [] }, 2_000);
    expect(await failureOf(async () => { store.create(plan, places, 2_499); })).to.include({ code: "BUSY" });
    store.create(plan, places, 2_500);
    expect([...entries.list("p:ticket_slots:0000000000000000:")], "slots of the forgotten one").to.be.empty;
  });

  it("names an entry that something else wrote", async () => {
    const plan = ticketPlan();
    store.create(plan, everywhere(plan), 1_000);
    for (const [key, read] of [
      [`p:tickets:${plan.id}`, () => store.list(1_000)],
      [`p:ticket_plans:${plan.id}`, () => store.plan(plan.id, 1_000)],
      [`p:ticket_slots:${plan.id}:n1 a.bcolz`, () => store.slots(plan, "n1", 1_000)],
    ] as const) {
      const right = entries.get(key)!;
      for (const wrong of ["{}", `{"state":"gone"}`, "queued", "queued fence=x", "prepared 7 xyz", "downloading 1/2 fence=1", "failed ", ""]) {
        entries.put(key, wrong);
        const failure = await failureOf(async () => { read(); });
        expect(failure, `${key} ${wrong}`).to.include({ code: "REGISTRY_UNAVAILABLE" });
        expect(failure.message).to.contain(key);
      }
      entries.put(key, right);
      read();
    }
  });

  it("takes no plan of names that a release might write and this one would not", async () => {
    for (const facts of [{ id: "../../etc/passwd" }, { nodes: ["a b"] }, { replicas: -1 }, { tables: [{ table: "a.bcolz", manifest: 7, generation: null }] }]) {
      expect(await failureOf(async () => decodePlan("k", JSON.stringify({ ...ticketPlan(), ...facts })))).to.include({ code: "REGISTRY_UNAVAILABLE" });
    }
  });

  it("counts changes above those of a registry that was emptied", () => {
    const plan = ticketPlan();
    store.create(plan, everywhere(plan), 5_000);
    const before = store.changes();
    entries.clear();
    expect(store.changes()).to.equal(0);
    store.create(plan, everywhere(plan), 6_000);
    expect(store.changes()).to.be.greaterThan(before);
  });
});
