/** What a downloader decides: which slot it claims next, when it says that it goes on, and what a failure means. Pure. */
import type { BquerydError, ErrorCode } from "../../../base/errors.js";
import type { Random } from "../../../base/clock.js";
import type { SlotPlace } from "../../../registry/tickets.js";
import { findClaim } from "../tickets/next.js";
import type { Ticket } from "../tickets/ticket.js";

/** A slot of a ticket to be claimed. */
export interface NextClaim {
  readonly ticket: Ticket;
  readonly place: SlotPlace;
}

/** How often a table is tried in one claim: each try has tried every request of its several times already. */
export const attemptsMax = 6;

/** Progress is told at most so often, and whatever is told goes with a renewal. */
const progressMs = 1_000;
const [firstPauseMs, longestPauseMs] = [500, 30_000];

/** What fails otherwise on another try, though its code says that nobody can tell. */
const passingCodes: readonly ErrorCode[] = ["IO", "CONNECTION_LOST"];

/** The slot to claim, of the oldest ticket that has one; tickets hold the slots of this node. */
export function findNextClaim(tickets: readonly Ticket[], node: string, process: string, nowMs: number): NextClaim | undefined {
  for (const ticket of tickets) {
    const place = findClaim(ticket, node, process, nowMs);
    if (place !== undefined) return { ticket, place };
  }
  return undefined;
}

/** How a lease stands. Times are of one steady clock. */
export interface LeaseFacts {
  readonly leaseMs: number;
  /** When it was renewed last, or tried to be. */
  readonly renewedMs: number;
  /** Whether there is more to tell than the last time. */
  readonly hasNews: boolean;
}

/** Tells whether a lease is to be renewed: a third of it has passed, or there is something to tell and it was not told a moment ago. */
export function isRenewalDue({ leaseMs, renewedMs, hasNews }: LeaseFacts, nowMs: number): boolean {
  const restMs = leaseMs / 3;
  return nowMs - renewedMs >= (hasNews ? Math.min(progressMs, restMs) : restMs);
}

/** What to do after so many tries, from 1, of which the last failed: try again after a pause, or fail the slot for good. */
export function judgeFailure(failure: BquerydError, attempts: number, random: Random): { readonly kind: "fail" } | { readonly kind: "again"; readonly pauseMs: number } {
  const mayPass = failure.retry === "same" || passingCodes.includes(failure.code);
  // What comes damaged each time was fetched again already.
  const isLasting = !mayPass || failure.details["isDamaged"] === true;
  if (isLasting || attempts >= attemptsMax) return { kind: "fail" };
  return { kind: "again", pauseMs: Math.min(longestPauseMs, firstPauseMs * 2 ** attempts) * (0.5 + random() / 2) };
}
