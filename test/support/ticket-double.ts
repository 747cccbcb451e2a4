/** What downloaders and movers do to tickets in a registry, without their disks: slots go on as a test says, by the same decisions. */
import { BquerydError } from "../../lib/base/errors.js";
import { decide } from "../../lib/cluster/sync/tickets/core.js";
import type { Outcome, TicketEvent } from "../../lib/cluster/sync/tickets/ticket.js";
import type { Registry } from "../../lib/registry/registry.js";
import { keyOfSlot, type Slot, type SlotPlace, type TicketHead, type TicketPlan } from "../../lib/registry/tickets.js";

/** How far a ticket can be brought. */
export type Stage = "downloading" | "verified" | "prepared" | "committed" | "done";

/** What drives tickets. */
export interface TicketDouble {
  /** Tells an event of a ticket, and makes what comes of it. */
  tell(id: string, event: TicketEvent): Promise<Outcome>;
  /** Brings every slot, and then the ticket, so far. */
  bring(id: string, to: Stage): Promise<void>;
  /** A slot fails, and with it the ticket. */
  fail(id: string, reason: string): Promise<void>;
}

/** The bytes that every table has, half of which have come while it is being downloaded. */
export const tableBytes = 1_000;
const [owner, leaseMs] = ["downloader.1", 60_000];

/** Drives the tickets of a registry. Tables without a known generation get one. */
export function createTicketDouble(registry: Registry): TicketDouble {
  async function read(id: string): Promise<{ head: TicketHead; plan: TicketPlan; slots: ReadonlyMap<string, Slot>; nowMs: number }> {
    const [{ nowMs, heads }, plan] = [await registry.tickets.list(), await registry.tickets.plan(id)];
    const head = heads.find((one) => one.id === id);
    if (head === undefined || plan === undefined) throw new Error(`no ticket ${id}`);
    return { head, plan, slots: await registry.tickets.slots(plan), nowMs };
  }
  async function tell(id: string, event: TicketEvent): Promise<Outcome> {
    for (;;) {
      const { nowMs, ...ticket } = await read(id);
      const outcome = decide(ticket, event, nowMs);
      try {
        if (outcome.kind === "change") await registry.tickets.change(id, outcome.change);
        if (outcome.kind === "commit") await registry.tickets.commit(id, outcome.commit);
        return outcome;
      } catch (cause) {
        if (!(cause instanceof BquerydError) || cause.code !== "STALE") throw cause;
      }
    }
  }
  async function bringSlot(id: string, place: SlotPlace, generation: string, to: "downloading" | "verified" | "prepared"): Promise<void> {
    const claim = { ...place, process: owner, fence: 1 };
    await tell(id, { kind: "claim", ...place, process: owner, leaseMs });
    await tell(id, { kind: "renew", ...claim, leaseMs, bytesDone: tableBytes / 2, bytesTotal: tableBytes });
    if (to === "downloading") return;
    await tell(id, { kind: "verified", ...claim, bytes: tableBytes });
    if (to === "prepared") await tell(id, { kind: "prepared", ...place, fence: 1, generation });
  }
  async function eachSlot(id: string, work: (place: SlotPlace, generation: string) => Promise<unknown>): Promise<void> {
    const { plan, slots } = await read(id);
    for (const node of plan.nodes) {
      for (const { table, generation } of plan.tables) if (slots.has(keyOfSlot({ node, table }))) await work({ node, table }, generation ?? "ab".repeat(32));
    }
  }
  return {
    tell,
    async bring(id, to) {
      const slotsTo = to === "committed" || to === "done" ? "prepared" : to;
      await eachSlot(id, (place, generation) => bringSlot(id, place, generation, slotsTo));
      if (to !== "committed" && to !== "done") return;
      await tell(id, { kind: "commit", pointers: await registry.pointers() });
      if (to === "committed") return;
      await eachSlot(id, (place) => tell(id, { kind: "switched", ...place }));
      await tell(id, { kind: "finish" });
    },
    async fail(id, reason) {
      const { plan: { nodes: [node], tables: [table] } } = await read(id);
      const place = { node: node!, table: table!.table };
      await tell(id, { kind: "claim", ...place, process: owner, leaseMs });
      await tell(id, { kind: "failed", ...place, process: owner, fence: 1, reason });
    },
  };
}
