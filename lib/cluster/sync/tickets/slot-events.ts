/** What comes of events of one slot: it goes queued, downloading, verified, prepared, switched, and one that fails fails its ticket, unless that joins. */
import { unreachable } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { isJoin, type Slot } from "../../../registry/tickets.js";
import { already, changeSlot, endTicket, refuse, slotOf, supersededText, trimReason, type Claim, type Outcome, type Ticket, type TicketEvent } from "./ticket.js";

/** Events that name a slot. */
export type SlotEvent = Extract<TicketEvent, { readonly node: string }>;
type EventOf<Kind extends SlotEvent["kind"]> = Extract<SlotEvent, { readonly kind: Kind }>;
type Downloading = Extract<Slot, { readonly state: "downloading" }>;

/** How often a slot is begun: more often only by something that kills its downloader each time. */
export const claimsMax = 20;

/** The outcome of an event of a slot, of a ticket that was read with it. */
export function decideSlot(ticket: Ticket, event: SlotEvent, nowMs: number): Outcome {
  const slot = slotOf(ticket, event);
  if (slot === undefined) return refuse(`the ticket has no slot for ${event.table} on ${event.node}`);
  if (event.kind === "switched") return onSwitched(ticket, event, slot);
  if (slot.state === "failed" && (event.kind === "failed" || event.kind === "refused" || event.kind === "superseded")) return already;
  if (ticket.head.state !== "active") return refuse(`the ticket is ${ticket.head.state}`);
  switch (event.kind) {
    case "claim": return onClaim(ticket, event, slot, nowMs);
    case "renew": case "release": case "verified": case "failed": return onOwner(ticket, event, slot, nowMs);
    case "unstaged": case "prepared": case "refused": return onMover(ticket, event, slot);
    case "superseded": return onSuperseded(ticket, event, slot);
    default: return unreachable(event);
  }
}

function onClaim(ticket: Ticket, event: EventOf<"claim">, slot: Slot, nowMs: number): Outcome {
  if (slot.state === "downloading" && slot.owner === event.process) return already;
  if (!canClaim(slot, nowMs)) return refuse(`it is ${slot.state}`);
  const fence = slot.fence + 1;
  if (fence > claimsMax) return failSlot(ticket, event, slot, `its download was begun ${claimsMax} times and never came to an end; look at the logs of the downloaders there`);
  return changeSlot(ticket, event, slot, {
    state: "downloading", fence, owner: event.process, sinceMs: nowMs, leaseUntilMs: nowMs + event.leaseMs, bytesDone: 0, bytesTotal: null,
  });
}

/** Tells whether a downloader may begin with the slot: nobody has, or the lease of whoever did is over. One that ends later than any does is of a clock that was set back since. */
export function canClaim(slot: Slot, nowMs: number): slot is Extract<Slot, { readonly state: "queued" | "downloading" }> {
  return slot.state === "queued" || (slot.state === "downloading" && (slot.leaseUntilMs <= nowMs || slot.leaseUntilMs > nowMs + 2_000 * limits.leaseSecondsMax));
}

/** Only the last claim counts. Its lease may be over: as long as nobody took the slot over, it is still the owner's. */
function onOwner(ticket: Ticket, event: EventOf<"renew" | "release" | "verified" | "failed">, slot: Slot, nowMs: number): Outcome {
  if (isDone(event, slot)) return already;
  if (!isOwned(slot, event)) return refuse(`it is ${slot.state}, and not ${event.process}'s with fence ${event.fence} any more`);
  switch (event.kind) {
    case "renew": return changeSlot(ticket, event, slot, { ...slot, leaseUntilMs: nowMs + event.leaseMs, bytesDone: event.bytesDone, bytesTotal: event.bytesTotal });
    case "release": return changeSlot(ticket, event, slot, { state: "queued", fence: slot.fence });
    case "verified": return changeSlot(ticket, event, slot, { state: "verified", fence: slot.fence, bytes: event.bytes });
    case "failed": return failSlot(ticket, event, slot, event.reason);
  }
}

function isOwned(slot: Slot, { process, fence }: Claim): slot is Downloading {
  return slot.state === "downloading" && slot.owner === process && slot.fence === fence;
}

/** The same event was answered before, and the answer got lost. */
function isDone(event: EventOf<"renew" | "release" | "verified" | "failed">, slot: Slot): boolean {
  if (event.kind === "release") return slot.state === "queued" && slot.fence === event.fence;
  return event.kind === "verified" && slot.state === "verified" && slot.fence === event.fence;
}

function onMover(ticket: Ticket, event: EventOf<"unstaged" | "prepared" | "refused">, slot: Slot): Outcome {
  if (event.kind === "prepared" && slot.state === "prepared" && slot.generation === event.generation) return already;
  if (event.kind === "unstaged" && slot.state === "queued" && slot.fence === event.fence) return already;
  if (slot.state !== "verified" || slot.fence !== event.fence) return refuse(`it is ${slot.state}, not verified with fence ${event.fence}`);
  switch (event.kind) {
    case "unstaged": return changeSlot(ticket, event, slot, { state: "queued", fence: slot.fence });
    case "refused": return failSlot(ticket, event, slot, event.reason);
    case "prepared": return onPrepared(ticket, event, slot);
  }
}

function onPrepared(ticket: Ticket, event: EventOf<"prepared">, slot: Extract<Slot, { readonly state: "verified" }>): Outcome {
  const wanted = ticket.plan.tables.find(({ table }) => table === event.table)?.generation ?? event.generation;
  if (wanted !== event.generation) return failSlot(ticket, event, slot, `what came is generation ${event.generation}, not ${wanted} as its manifest says`);
  return changeSlot(ticket, event, slot, { state: "prepared", bytes: slot.bytes, generation: event.generation });
}

function onSwitched(ticket: Ticket, event: EventOf<"switched">, slot: Slot): Outcome {
  if (slot.state === "switched") return already;
  if (ticket.head.state !== "committed" || slot.state !== "prepared") return refuse(`the ticket is ${ticket.head.state}, the slot ${slot.state}`);
  return changeSlot(ticket, event, slot, { ...slot, state: "switched" });
}

/** What is prepared already is taken back when the ticket has ended. */
function onSuperseded(ticket: Ticket, event: EventOf<"superseded">, slot: Slot): Outcome {
  if (!isJoin(ticket.plan)) return refuse("the ticket sets pointers, and follows none");
  return failSlot(ticket, event, slot, `${supersededText}the pointer of ${event.table} has gone on`);
}

/** One slot that failed fails all: then no pointer moves. The tables of a ticket that joins have nothing to do with each other. */
function failSlot(ticket: Ticket, { node, table }: { node: string; table: string }, slot: Slot, reason: string): Outcome {
  const failed: Slot = { state: "failed", reason: trimReason(reason) };
  if (isJoin(ticket.plan)) return changeSlot(ticket, { node, table }, slot, failed);
  return endTicket(ticket, { state: "failed", reason: `${table} on ${node}: ${reason}` }, [{ node, table, from: slot, to: failed }]);
}
