/** Bringing a node what it lacks of what pointers name: looks now and again, and makes the tickets that bring it (catch-up.ts). */
import { join } from "node:path";
import { monotonicMs } from "../../../base/clock.js";
import { toBquerydError } from "../../../base/errors.js";
import type { Files } from "../../../base/files.js";
import type { Log } from "../../../base/log.js";
import type { Registry } from "../../../registry/registry.js";
import { isJoin, type TicketHead, type TicketPlan } from "../../../registry/tickets.js";
import { retainTable } from "../land.js";
import { tell } from "../telling.js";
import { findUnlisted, nextForJoins, noteNodes, type JoinStep, type LiveNodes, type TableGeneration } from "../tickets/catch-up.js";
import { placeTicket } from "../tickets/placement.js";
import type { Ticket } from "../tickets/ticket.js";
import { createHeldTables, type HeldTables } from "./held.js";
import type { Knowledge } from "./knowledge.js";

/** What it takes. */
export interface JoinsParts {
  readonly registry: Registry;
  readonly files: Files;
  readonly log: Log;
  readonly node: string;
  readonly dataDir: string;
  readonly knowledge: Knowledge;
  /** Of a ticket under way. */
  readonly planOf: (id: string) => Promise<TicketPlan | undefined>;
}

/** What a look is given: the tickets as they were listed, with the slots of this node of those under way. */
export interface JoinsView {
  readonly tickets: readonly Ticket[];
  /** The registry's clock. */
  readonly nowMs: number;
}

/** Nothing has changed, but time goes by: tables wait to be tried again, and nodes become steady. */
const lookEveryMs = 30_000;
/** Between two looks while tickets change all the time; a look that takes long is followed by so many times as long a pause. */
const [lookPauseMs, pausesPerLook] = [500, 10];
/** What is gone need not be looked for all the time. */
const [retainEveryMs, busyPauseMs] = [60_000, 2_000];

/** What a mover does so that its node holds what it should. */
export class Joins {
  readonly #parts: JoinsParts;
  readonly #held: HeldTables;
  /** Of tickets that have ended: the plan of those that brought this node something, null of others. */
  readonly #ended = new Map<string, TicketPlan | null>();
  #nodes: LiveNodes | undefined;
  #lookedAtMs = -Infinity;
  #restUntilMs = -Infinity;
  #dueMs = Infinity;
  #isChanged = true;
  /** Tables that could not be listed again, and when that is tried anew. */
  readonly #unlisted = new Map<string, number>();

  constructor(parts: JoinsParts) {
    this.#parts = parts;
    this.#held = createHeldTables(parts.dataDir);
  }

  /** Something was done to tables of this node. */
  noteChanged(): void {
    this.#isChanged = true;
    this.#held.noteChanged();
  }

  /** When to look again at the latest, by the steady clock. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Does what there is to do, and tells whether tickets came of it or changed. Throws REGISTRY_UNAVAILABLE, STALE. */
  async look(view: JoinsView): Promise<boolean> {
    const { knowledge, registry } = this.#parts;
    const startMs = monotonicMs();
    this.#dueMs = startMs < this.#restUntilMs ? this.#restUntilMs : Infinity;
    if (this.#dueMs !== Infinity || (knowledge.pointers.tables.size === 0 && view.tickets.length === 0)) return false;
    const nodes = noteNodes(this.#nodes, await registry.nodes(), view.nowMs);
    if (nodes !== this.#nodes || this.#held.isDue(knowledge.pointers) || view.tickets.some(isUnderWay)) this.#isChanged = true;
    this.#nodes = nodes;
    if (!this.#isChanged && Math.abs(view.nowMs - this.#lookedAtMs) < lookEveryMs) return false;
    this.#lookedAtMs = view.nowMs;
    // What is under way now may be over at the next look.
    this.#isChanged = view.tickets.some(isUnderWay);
    const hasDone = await this.#bring(view, nodes);
    this.#restUntilMs = monotonicMs() + Math.max(lookPauseMs, pausesPerLook * (monotonicMs() - startMs));
    return hasDone;
  }

  async #bring(view: JoinsView, nodes: LiveNodes): Promise<boolean> {
    const { knowledge } = this.#parts;
    if (this.#find(view, nodes).length + this.#findUnlisted().length === 0) return false;
    // Nothing is decided on pointers that were read before the tickets, nor without the tickets that have ended.
    await knowledge.follow();
    const tickets = await this.#readEnded(view.tickets);
    await this.#retain();
    let hasDone = false;
    for (const step of this.#find({ ...view, tickets }, nodes)) hasDone = await this.#do(step) || hasDone;
    return hasDone;
  }

  #find({ tickets, nowMs }: JoinsView, nodes: LiveNodes): JoinStep[] {
    const { node, knowledge: { pointers } } = this.#parts;
    return nextForJoins({ node, nodes, pointers, held: this.#held.read(pointers), tickets, nowMs });
  }

  /** Tickets that have ended are listed without their plans, of which those that joined count. */
  async #readEnded(tickets: readonly Ticket[]): Promise<Ticket[]> {
    const listed = new Set(tickets.map(({ head }) => head.id));
    for (const id of [...this.#ended.keys()]) if (!listed.has(id)) this.#ended.delete(id);
    const whole: Ticket[] = [];
    for (const ticket of tickets) {
      const plan = isUnderWay(ticket) ? ticket.plan : await this.#endedPlan(ticket.head);
      whole.push(plan === null ? ticket : { ...ticket, plan });
    }
    return whole;
  }

  async #endedPlan({ id }: TicketHead): Promise<TicketPlan | null> {
    const known = this.#ended.get(id);
    if (known !== undefined) return known;
    const plan = await this.#parts.registry.tickets.plan(id);
    const ours = plan !== undefined && isJoin(plan) && plan.nodes.includes(this.#parts.node) ? plan : null;
    this.#ended.set(id, ours);
    return ours;
  }

  #findUnlisted(): TableGeneration[] {
    const { pointers } = this.#parts.knowledge;
    return findUnlisted(pointers, this.#held.read(pointers)).filter((one) => (this.#unlisted.get(nameOf(one)) ?? -Infinity) <= monotonicMs());
  }

  /** Lists again what has fallen off CURRENT though a pointer names it. What cannot be is fetched, where the table has a source. */
  async #retain(): Promise<void> {
    const { files, dataDir, log } = this.#parts;
    for (const [name, dueMs] of this.#unlisted) if (dueMs <= monotonicMs()) this.#unlisted.delete(name);
    for (const one of this.#findUnlisted()) {
      const { table, generation } = one;
      try {
        if (await retainTable(files, join(dataDir, table), generation)) {
          log.info({ event: "generation.retained", table, generation });
          this.noteChanged();
        } else {
          this.#unlisted.set(nameOf(one), monotonicMs() + retainEveryMs);
        }
      } catch (cause) {
        const failure = toBquerydError(cause);
        log.debug({ event: "step.failed", step: "retain", table, message: failure.message });
        // Whoever writes the table will have done soon.
        this.#isChanged = true;
        this.#unlisted.set(nameOf(one), monotonicMs() + (failure.code === "BUSY" ? busyPauseMs : retainEveryMs));
      }
    }
  }

  async #do(step: JoinStep): Promise<boolean> {
    if (step.kind === "create") return this.#create(step.plan);
    const plan = await this.#parts.planOf(step.ticket);
    if (plan === undefined) return false;
    const { how } = await tell(this.#parts.registry.tickets, plan, { kind: "superseded", node: step.node, table: step.table });
    return how === "made";
  }

  async #create(plan: TicketPlan): Promise<boolean> {
    const { registry, log } = this.#parts;
    try {
      await registry.tickets.create(plan, placeTicket(plan));
      log.info({ event: "ticket.created", ticket: plan.id, purpose: "join", bucket: plan.bucket, tables: plan.tables.length });
      return true;
    } catch (cause) {
      const failure = toBquerydError(cause, `make a ticket for what ${plan.nodes.join()} lacks`);
      // It is there already, or there is no room for it yet.
      if (failure.code === "EXISTS" || failure.code === "BUSY") return false;
      throw failure;
    }
  }
}

function isUnderWay({ head: { state } }: Ticket): boolean {
  return state === "active" || state === "committed";
}

function nameOf({ table, generation }: TableGeneration): string {
  return `${table} ${generation}`;
}
