/** A ticket as those see it who work on it, what can happen to it, and what comes of that. */
import { limits } from "../../../base/limits.js";
import type { Pointers } from "../../../registry/pointers.js";
import { isJoin, keyOfSlot, type Slot, type SlotPlace, type TicketChange, type TicketCommit, type TicketHead, type TicketPlan } from "../../../registry/tickets.js";

/** A ticket as it was read: with the slots of one node, or of all. */
export interface Ticket {
  readonly head: TicketHead;
  readonly plan: TicketPlan;
  /** By `keyOfSlot`. */
  readonly slots: ReadonlyMap<string, Slot>;
}

/** The claim that a downloader has: its process and the fence it was given. */
export interface Claim extends SlotPlace {
  readonly process: string;
  readonly fence: number;
}

/** What somebody wants done to a ticket, or has found. Times are spans. */
export type TicketEvent =
  /** A downloader wants a slot of its node. */
  | SlotPlace & { readonly kind: "claim"; readonly process: string; readonly leaseMs: number }
  /** It goes on with it. */
  | Claim & { readonly kind: "renew"; readonly leaseMs: number; readonly bytesDone: number; readonly bytesTotal: number | null }
  /** It hands it back: it has to stop. */
  | Claim & { readonly kind: "release" }
  /** All files lie in its stage, hashed and synced. */
  | Claim & { readonly kind: "verified"; readonly bytes: number }
  /** It cannot be fetched, and never will be. */
  | Claim & { readonly kind: "failed"; readonly reason: string }
  /** The mover finds no stage of that fence any more. */
  | SlotPlace & { readonly kind: "unstaged"; readonly fence: number }
  /** The mover has put the files beside the current ones and written the mark. */
  | SlotPlace & { readonly kind: "prepared"; readonly fence: number; readonly generation: string }
  /** The mover cannot put them there. */
  | SlotPlace & { readonly kind: "refused"; readonly fence: number; readonly reason: string }
  /** Of a ticket that joins: the pointer of the table names another generation by now, or none. */
  | SlotPlace & { readonly kind: "superseded" }
  /** The mover has made the generation CURRENT, or found that pointers have gone on without it. */
  | SlotPlace & { readonly kind: "switched" }
  /** Every slot is prepared, or failed where it joins: all slots have been read, and these pointers after them. */
  | { readonly kind: "commit"; readonly pointers: Pointers }
  /** Every slot is switched, or failed where it joins; of one that joins all slots have been read. */
  | { readonly kind: "finish" }
  /** Nothing has changed for `stallMs`: all slots have been read. */
  | { readonly kind: "giveUp"; readonly stallMs: number }
  | { readonly kind: "cancel" };

/** What comes of an event: a change or commit to be made in the registry, nothing because it is so already, or a refusal. */
export type Outcome =
  | { readonly kind: "change"; readonly change: TicketChange }
  | { readonly kind: "commit"; readonly commit: TicketCommit }
  | { readonly kind: "already" }
  | { readonly kind: "refused"; readonly reason: string };

/** Ended tickets are listed for a day. Of those that join each node makes its own: what went well is listed shortly. */
export const endedKeepMs = 86_400_000;
const joinKeepMs = 21_600_000;
const joinedKeepMs = 600_000;

/** How the reason of a slot begins whose pointer has gone on. */
export const supersededText = "superseded: ";

/** It is so already: a command that came twice. */
export const already: Outcome = { kind: "already" };

/** The outcome that nothing comes of. */
export function refuse(reason: string): Outcome {
  return { kind: "refused", reason };
}

/** The slot at a place, of those that were read. */
export function slotOf({ slots }: Ticket, place: SlotPlace): Slot | undefined {
  return slots.get(keyOfSlot(place));
}

/** How many slots a ticket has, also those that were not read. */
export function countSlots({ counts }: TicketHead): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** A change of one slot. */
export function changeSlot({ head }: Ticket, { node, table }: SlotPlace, from: Slot, to: Slot): Outcome {
  return { kind: "change", change: { expectedVersion: head.version, head: null, slots: [{ node, table, from, to }] } };
}

/** The end of a ticket, of which `slots` change with it. */
export function endTicket({ head, plan }: Ticket, end: { state: "done" | "failed" | "cancelled"; reason: string | null }, slots: TicketChange["slots"] = []): Outcome {
  const reason = end.reason === null ? null : trimReason(end.reason);
  const keepMs = !isJoin(plan) ? endedKeepMs : end.state === "done" && reason === null ? joinedKeepMs : joinKeepMs;
  return { kind: "change", change: { expectedVersion: head.version, head: { state: end.state, reason, keepMs }, slots } };
}

/** A reason on one line that is not too long to keep. */
export function trimReason(reason: string): string {
  const line = reason.replaceAll(/[\s\0]+/g, " ").trim();
  return line === "" ? "for no reason given" : line.slice(0, limits.ticketReasonMax);
}
