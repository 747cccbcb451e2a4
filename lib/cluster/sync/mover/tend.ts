/** What is done with tickets as a whole, by every mover alike: whoever is first commits, ends or gives up a ticket. */
import { monotonicMs } from "../../../base/clock.js";
import { BquerydError } from "../../../base/errors.js";
import type { Log } from "../../../base/log.js";
import { joinPointers, lacks } from "../../../registry/entries.js";
import type { Pointers } from "../../../registry/pointers.js";
import type { Registry } from "../../../registry/registry.js";
import type { TicketHead, TicketPlan } from "../../../registry/tickets.js";
import { tell } from "../telling.js";
import { nextForTicket } from "../tickets/next.js";
import type { TicketEvent } from "../tickets/ticket.js";

/** What it takes. */
export interface TendTools {
  readonly registry: Registry;
  readonly log: Log;
  readonly stallMs: number;
  /** Reads the pointers anew. */
  readonly followPointers: () => Promise<Pointers>;
  readonly planOf: (id: string) => Promise<TicketPlan | undefined>;
  /** When each ticket of which the registry's clock has not come to the last change was seen first as it is, by the steady clock. */
  readonly rests: Map<string, { readonly changedMs: number; readonly sinceMs: number }>;
}

/** The pointers as the registry has them, after what it has lost of the known ones was put back. Throws REGISTRY_UNAVAILABLE. */
export async function followPointers(registry: Registry, known: Pointers): Promise<Pointers> {
  let found = await registry.pointers();
  if (lacks(found, known)) {
    await registry.restorePointers(known);
    found = await registry.pointers();
  }
  return joinPointers(known, found);
}

/** Does what is to be done with tickets, by their heads, and tells whether there was something. Throws REGISTRY_UNAVAILABLE. */
export async function tendTickets(tools: TendTools, heads: readonly TicketHead[], nowMs: number): Promise<boolean> {
  let hasChanged = false;
  const listed = new Set(heads.map(({ id }) => id));
  for (const id of [...tools.rests.keys()]) if (!listed.has(id)) tools.rests.delete(id);
  for (const head of heads) {
    const next = nextForTicket(head, nowMs, tools.stallMs, restOf(tools, head, nowMs));
    const plan = next === undefined ? undefined : await tools.planOf(head.id);
    if (next === undefined || plan === undefined) continue;
    hasChanged = await tend(tools, plan, next) || hasChanged;
  }
  return hasChanged;
}

/** For how long a ticket has been as it is, of which the registry's clock does not tell, as it was set back since; 0 of others. */
function restOf({ rests }: TendTools, { id, changedMs }: TicketHead, nowMs: number): number {
  if (changedMs <= nowMs) {
    rests.delete(id);
    return 0;
  }
  const known = rests.get(id);
  const rest = known?.changedMs === changedMs ? known : { changedMs, sinceMs: monotonicMs() };
  rests.set(id, rest);
  return monotonicMs() - rest.sinceMs;
}

async function tend(tools: TendTools, plan: TicketPlan, next: "commit" | "finish" | "giveUp"): Promise<boolean> {
  const { registry, stallMs, log } = tools;
  const event: TicketEvent = next === "commit" ? { kind: next, pointers: await tools.followPointers() } : next === "giveUp" ? { kind: next, stallMs } : { kind: next };
  try {
    const told = await tell(registry.tickets, plan, event);
    if (told.epoch !== undefined) log.info({ event: "ticket.committed", ticket: plan.id, tables: plan.tables.length, epoch: told.epoch });
    if (told.head?.state === "failed") log.warn({ event: "ticket.failed", ticket: plan.id, message: told.head.reason ?? "for no reason given" });
    if (told.head?.state === "done") log.info({ event: "ticket.done", ticket: plan.id, ...(told.head.reason === null ? {} : { message: told.head.reason }) });
    return told.how === "made";
  } catch (cause) {
    // Another commit was quicker, of this ticket or of another one: look anew.
    if (cause instanceof BquerydError && cause.code === "STALE") return true;
    throw cause;
  }
}
