/** Tells the registry what has happened to a ticket: reads it, lets the core decide, and makes the change. */
import { BquerydError } from "../../base/errors.js";
import { isJoin, keyOfSlot, type Slot, type TicketCommit, type TicketChange, type TicketHead, type TicketKeeper, type TicketPlan } from "../../registry/tickets.js";
import { decide } from "./tickets/core.js";
import type { Ticket, TicketEvent } from "./tickets/ticket.js";

/** What came of an event. */
export interface Told {
  /** `gone`: there is no such ticket any more. */
  readonly how: "made" | "already" | "refused" | "gone";
  /** Why it was refused. */
  readonly reason: string | null;
  /** The slot of the event as it is now, where it was looked at. */
  readonly slot: Slot | undefined;
  /** The state that the ticket was given with this. */
  readonly head: TicketChange["head"];
  /** The epoch of a commit. */
  readonly epoch: number | undefined;
}

/** How often a change is decided anew because somebody was quicker. */
const triesMax = 20;

/**
 * Tells an event of a ticket. Throws REGISTRY_UNAVAILABLE, after which it may have been made: tell it again; STALE when
 * others are quicker again and again, and for a commit at once, whose epoch has to be read anew.
 */
export async function tell(keeper: TicketKeeper, plan: TicketPlan, event: TicketEvent): Promise<Told> {
  for (let tries = 1; ; tries++) {
    const { heads, nowMs } = await keeper.list();
    const head = heads.find(({ id }) => id === plan.id);
    if (head === undefined) return { ...nothing, how: "gone" };
    const ticket: Ticket = { head, plan, slots: await readSlots(keeper, plan, event) };
    const slot = "node" in event ? ticket.slots.get(keyOfSlot(event)) : undefined;
    const outcome = decide(ticket, event, nowMs);
    if (outcome.kind === "already") return { ...nothing, how: "already", slot };
    if (outcome.kind === "refused") return { ...nothing, how: "refused", reason: outcome.reason, slot };
    try {
      if (outcome.kind === "commit") return { ...nothing, how: "made", epoch: await commit(keeper, head, outcome.commit) };
      await keeper.change(head.id, outcome.change);
      return { ...nothing, how: "made", slot: outcome.change.slots[0]?.to ?? slot, head: outcome.change.head };
    } catch (cause) {
      if (!(cause instanceof BquerydError)) throw cause;
      if (cause.code === "NOT_FOUND") return { ...nothing, how: "gone" };
      if (cause.code !== "STALE" || event.kind === "commit" || tries === triesMax) throw cause;
    }
  }
}

const nothing: Omit<Told, "how"> = { reason: null, slot: undefined, head: null, epoch: undefined };

/** The slots that the core needs for an event: one, all, or none. */
async function readSlots(keeper: TicketKeeper, plan: TicketPlan, event: TicketEvent): Promise<ReadonlyMap<string, Slot>> {
  if ("node" in event) return keeper.slots({ ...plan, tables: plan.tables.filter(({ table }) => table === event.table) }, event.node);
  const needsAll = event.kind === "commit" || event.kind === "giveUp" || (event.kind === "finish" && isJoin(plan));
  return needsAll ? keeper.slots(plan) : new Map();
}

function commit(keeper: TicketKeeper, { id }: TicketHead, change: TicketCommit): Promise<number> {
  return keeper.commit(id, change);
}
