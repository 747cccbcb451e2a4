/** The registry of simulated tickets: what the real one keeps them with, over memory, and pointers beside them. */
import { BquerydError } from "../../../lib/base/errors.js";
import { changedPointer, epochMoved, joinPointers, lacks, nextEpoch } from "../../../lib/registry/entries.js";
import type { PointerChange, Pointers } from "../../../lib/registry/pointers.js";
import { createTicketStore } from "../../../lib/registry/ticket-store.js";
import type { Slot, SlotPlace, TicketChange, TicketCommit, TicketList, TicketPlan } from "../../../lib/registry/tickets.js";
import { createMemoryEntries } from "../../support/memory-tickets.js";

const nothing: Pointers = { epoch: 0, tables: new Map() };

/** A registry that can be away, and be emptied. Each operation is one step. */
export class TicketRegistry {
  pointers = nothing;
  isAway = false;
  readonly #entries = createMemoryEntries();
  readonly #store = createTicketStore(this.#entries, "");
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  empty(): void {
    this.#entries.clear();
    this.pointers = nothing;
  }

  create(plan: TicketPlan, places: readonly SlotPlace[]): void {
    this.#store.create(plan, places, this.#nowMs());
  }

  /** Greater after every change that watchers are told of. */
  get changes(): number {
    return this.#store.changes();
  }

  list(): TicketList {
    return this.#store.list(this.#nowMs());
  }

  plan(id: string): TicketPlan | undefined {
    return this.#store.plan(id, this.#nowMs());
  }

  slots(plan: TicketPlan, node?: string): Map<string, Slot> {
    return this.#store.slots(plan, node, this.#nowMs());
  }

  change(id: string, change: TicketChange): void {
    this.#store.change(id, change, this.#nowMs());
  }

  commit(id: string, commit: TicketCommit): number {
    return this.#store.commit(id, commit, this.#nowMs(), (changes, expectedEpoch) => this.#movePointers(changes, expectedEpoch));
  }

  move(changes: readonly PointerChange[], expectedEpoch: number): number {
    return this.#movePointers(changes, expectedEpoch);
  }

  restore(known: Pointers): void {
    if (!lacks(this.pointers, known)) return;
    const { tables } = joinPointers(this.pointers, known);
    this.pointers = { epoch: Math.max(known.epoch, this.pointers.epoch + 1), tables };
  }

  #movePointers(changes: readonly PointerChange[], expectedEpoch: number): number {
    if (this.pointers.epoch !== expectedEpoch) throw epochMoved(expectedEpoch, this.pointers.epoch);
    if (changes.length === 0) return expectedEpoch;
    const epoch = nextEpoch(this.pointers.epoch, this.#nowMs());
    const { tables } = this.pointers;
    this.pointers = { epoch, tables: new Map([...tables, ...changes.map((change) => [change.table, changedPointer(tables.get(change.table), change, epoch)] as const)]) };
    return epoch;
  }
}

/** What is said of a registry that is away. */
export function away(): BquerydError {
  return new BquerydError("REGISTRY_UNAVAILABLE", "the registry is away");
}
