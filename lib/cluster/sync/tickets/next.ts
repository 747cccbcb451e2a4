/** What a downloader, a mover and whoever looks after tickets has to do next, given what they have read and what lies on their node. */
import type { Pointers } from "../../../registry/pointers.js";
import { isJoin, keyOfSlot, type Slot, type SlotPlace, type TicketHead } from "../../../registry/tickets.js";
import { choosePreferred } from "../../../base/rendezvous.js";
import { canClaim } from "./slot-events.js";
import { countSlots, slotOf, type Ticket } from "./ticket.js";

/** A generation that lies beside the current ones of a table for the sake of a ticket. */
export interface PreparedMark {
  readonly ticket: string;
  readonly table: string;
  readonly generation: string;
}

/** A folder that one claim of a slot fetches into. */
export interface Stage {
  readonly ticket: string;
  readonly table: string;
  readonly fence: number;
}

/** What a mover knows. */
export interface MoverView {
  readonly node: string;
  /** Every ticket there is, with the slots of this node; ended ones need none. */
  readonly tickets: readonly Ticket[];
  /** As the registry has them, and put back where it had lost them. */
  readonly pointers: Pointers;
  readonly marks: readonly PreparedMark[];
  readonly stages: readonly Stage[];
  /** Generations that CURRENT lists of a table, the one in use and those kept. */
  readonly kept: ReadonlyMap<string, readonly string[]>;
  /** For how long tickets of marks and stages have been missing in the registry, ms; see `noteUnknown`. */
  readonly unknownMs: ReadonlyMap<string, number>;
}

/** One thing for a mover to do, safe to be done again. */
export type MoverStep =
  /** Put the verified files beside those there and write the mark; then tell `prepared`, `unstaged` or `refused`. */
  | Stage & { readonly kind: "prepare" }
  /** Make it CURRENT and take the mark away; then tell `switched`. */
  | PreparedMark & { readonly kind: "promote" }
  /** It is CURRENT or pointers have gone on: tell `switched`. */
  | SlotPlace & { readonly kind: "settle"; readonly ticket: string }
  /** Take the mark away; what nobody names is collected. */
  | PreparedMark & { readonly kind: "takeBack" }
  | Stage & { readonly kind: "clear" };

/** How long a ticket must have been unknown before its marks are taken back: pointers of an emptied registry are back long before. */
export const unknownPatienceMs = 600_000;
/** The same for stages, which no pointer names. A ticket does not come back; it may only have been made after the list was read. */
export const unknownStagePatienceMs = 10_000;

/** The slot that a downloader claims: any of its node that may be; several downloaders prefer different ones. */
export function findClaim(ticket: Ticket, node: string, process: string, nowMs: number): SlotPlace | undefined {
  if (ticket.head.state !== "active") return undefined;
  const free = ticket.plan.tables.filter(({ table }) => {
    const slot = slotOf(ticket, { node, table });
    return slot !== undefined && canClaim(slot, nowMs);
  });
  const table = choosePreferred(process, free.map((one) => one.table));
  return table === undefined ? undefined : { node, table };
}

/**
 * What to do with a ticket as a whole, by its head alone; each is an event for `decide`. `restedMs` is for how long whoever asks has
 * seen it as it is, by a clock of its own, which alone counts where the registry's was set back since it changed.
 */
export function nextForTicket(head: TicketHead, nowMs: number, stallMs: number, restedMs = 0): "commit" | "finish" | "giveUp" | undefined {
  const slots = countSlots(head);
  const { prepared, switched, failed } = head.counts;
  // Slots that failed are found beside others only where tables join one by one.
  if (head.state === "active" && prepared + failed === slots) return "commit";
  if (head.state === "committed" && switched + failed === slots) return "finish";
  const isUnderWay = head.state === "active" || head.state === "committed";
  const stillMs = head.changedMs > nowMs ? restedMs : nowMs - head.changedMs;
  return isUnderWay && stillMs >= stallMs ? "giveUp" : undefined;
}

/** Everything there is to do for a mover, what serves queries first. */
export function nextForMover(view: MoverView): MoverStep[] {
  const tickets = new Map(view.tickets.map((ticket) => [ticket.head.id, ticket]));
  const marked = new Set(view.marks.map(({ ticket, table }) => `${ticket} ${table}`));
  return [
    ...view.marks.flatMap((mark) => stepOfMark(view, mark, tickets.get(mark.ticket))),
    ...view.tickets.flatMap((ticket) => stepsOfSlots(view, ticket, (table) => marked.has(`${ticket.head.id} ${table}`))),
    ...view.stages.filter((stage) => !isWanted(view, stage, tickets.get(stage.ticket))).map((stage): MoverStep => ({ kind: "clear", ...stage })),
  ];
}

/** Since when tickets that have left something are missing in the registry, given what was known of that before; by any steady clock. */
export function noteUnknown(before: ReadonlyMap<string, number>, left: Iterable<string>, listed: ReadonlySet<string>, nowMs: number): ReadonlyMap<string, number> {
  return new Map([...left].filter((id) => !listed.has(id)).map((id) => [id, before.get(id) ?? nowMs]));
}

function stepOfMark(view: MoverView, mark: PreparedMark, ticket: Ticket | undefined): MoverStep[] {
  if (ticket?.head.state === "active") return [];
  // Before all else: whatever became of the ticket, what a pointer names stays.
  if (view.pointers.tables.get(mark.table)?.generation === mark.generation) return [{ kind: "promote", ...mark }];
  return isOver(view, mark, ticket) ? [{ kind: "takeBack", ...mark }] : [];
}

/** Whether a mark that no pointer names has lost its use. */
function isOver(view: MoverView, { ticket: id, table, generation }: PreparedMark, ticket: Ticket | undefined): boolean {
  if (ticket === undefined) return isUnknownFor(view, id, unknownPatienceMs);
  const { state } = ticket.head;
  return state === "failed" || state === "cancelled" || isSuperseded(view, ticket, table, generation);
}

/**
 * Whether pointers have gone on since the commit. Those that were read before it, or are not back yet, tell nothing. One that joins
 * has moved no pointer: any other generation that is named once it is committed is a later one.
 */
function isSuperseded({ pointers }: MoverView, { head: { epoch }, plan }: Ticket, table: string, generation: string): boolean {
  const pointer = pointers.tables.get(table);
  if (epoch === null || pointer === undefined) return false;
  return isJoin(plan) ? pointers.epoch >= epoch && pointer.generation !== generation : pointer.epoch > epoch;
}

function isUnknownFor({ unknownMs }: MoverView, id: string, patienceMs: number): boolean {
  return (unknownMs.get(id) ?? 0) >= patienceMs;
}

function stepsOfSlots(view: MoverView, ticket: Ticket, isMarked: (table: string) => boolean): MoverStep[] {
  const { head, plan } = ticket;
  if (head.state !== "active" && head.state !== "committed") return [];
  return plan.tables.flatMap(({ table }): MoverStep[] => {
    const slot = ticket.slots.get(keyOfSlot({ node: view.node, table }));
    if (slot?.state === "verified" && head.state === "active") return [{ kind: "prepare", ticket: head.id, table, fence: slot.fence }];
    return slot?.state === "prepared" && !isMarked(table) && isSettled(view, ticket, table, slot) ? [{ kind: "settle", ticket: head.id, node: view.node, table }] : [];
  });
}

function isSettled(view: MoverView, ticket: Ticket, table: string, { generation }: Slot & { readonly state: "prepared" | "switched" }): boolean {
  if (ticket.head.state !== "committed") return false;
  return view.kept.get(table)?.includes(generation) === true || isSuperseded(view, ticket, table, generation);
}

/** Whether a stage may still be fetched into, taken over by the next claim, or landed. */
function isWanted(view: MoverView, { ticket: id, table, fence }: Stage, ticket: Ticket | undefined): boolean {
  if (ticket === undefined) return !isUnknownFor(view, id, unknownStagePatienceMs);
  const slot = ticket.slots.get(keyOfSlot({ node: view.node, table }));
  if (ticket.head.state !== "active" || slot === undefined) return false;
  return slot.state === "queued" || slot.state === "downloading" || (slot.state === "verified" && slot.fence === fence);
}
