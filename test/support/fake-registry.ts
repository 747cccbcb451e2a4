/** A registry in memory. */
import { wallMs } from "../../lib/base/clock.js";
import { changedPointer, joinPointers, lacks } from "../../lib/registry/entries.js";
import type { PointerChange, Pointers } from "../../lib/registry/pointers.js";
import type { ControllerRecord, Registry, RegistryChange } from "../../lib/registry/registry.js";
import { createTicketStore, type TicketStore } from "../../lib/registry/ticket-store.js";
import { createMemoryEntries } from "./memory-tickets.js";

/** A registry whose list a test changes. While `isLost`, it cannot be read. */
export interface FakeRegistry extends Registry {
  isLost: boolean;
  list(...addresses: string[]): void;
  /** Puts other pointers in the place of those there are. */
  point(pointers: Pointers): void;
}

/** A registry that lists no controller yet. */
export function createFakeRegistry(): FakeRegistry {
  const listeners = new Set<(change: RegistryChange) => void>();
  let records: ControllerRecord[] = [];
  const nodes = new Map<string, string>();
  let pointers: Pointers = { epoch: 0, tables: new Map() };
  function tell(change: RegistryChange): void {
    for (const listener of listeners) listener(change);
  }
  const store = createTicketStore(createMemoryEntries(), "");
  /** What one step over the tickets yields; watchers are told. */
  async function onTickets<T>(step: (store: TicketStore) => T): Promise<T> {
    const before = store.changes();
    const result = step(store);
    if (store.changes() !== before) tell("tickets");
    return result;
  }
  function move(changes: readonly PointerChange[], expectedEpoch: number): number {
    if (pointers.epoch !== expectedEpoch) throw new Error("the epoch is another");
    if (changes.length === 0) return expectedEpoch;
    const epoch = expectedEpoch + 1;
    pointers = { epoch, tables: new Map([...pointers.tables, ...changes.map((change) => [change.table, changedPointer(pointers.tables.get(change.table), change, epoch)] as const)]) };
    tell("pointers");
    return epoch;
  }
  function change(changed: ControllerRecord[]): void {
    records = changed;
    tell("controllers");
  }
  return {
    isLost: false,
    tickets: {
      create: (plan, places) => onTickets(({ create }) => { create(plan, places, wallMs()); }),
      list: () => onTickets(({ list }) => list(wallMs())),
      plan: (id) => onTickets(({ plan }) => plan(id, wallMs())),
      slots: (plan, node) => onTickets(({ slots }) => slots(plan, node, wallMs())),
      change: (id, what) => onTickets((kept) => { kept.change(id, what, wallMs()); }),
      commit: (id, what) => onTickets(({ commit }) => commit(id, what, wallMs(), move)),
      remove: (id) => onTickets(({ remove }) => remove(id, wallMs())),
    },
    list(...addresses) {
      change(addresses.map((address, index) => ({ id: `${index}`, address, node: "n", pid: 1, startedMs: 0 })));
    },
    point(moved) {
      pointers = moved;
      tell("pointers");
    },
    async announce(record) {
      if (!records.some(({ id }) => id === record.id)) change([...records, record]);
    },
    async withdraw(id) { change(records.filter((record) => record.id !== id)); },
    async controllers() {
      if (this.isLost) throw new Error("the registry is away");
      return records;
    },
    async announceNode({ id, node }) { nodes.set(id, node); },
    async withdrawNode(id) { nodes.delete(id); },
    async nodes() { return [...new Set(nodes.values())].sort(); },
    async pointers() {
      if (this.isLost) throw new Error("the registry is away");
      return pointers;
    },
    async movePointers(changes, expectedEpoch) { return move(changes, expectedEpoch); },
    async restorePointers(known) {
      if (lacks(pointers, known)) this.point(joinPointers(pointers, known));
    },
    watch(onChange) {
      listeners.add(onChange);
      return () => { listeners.delete(onChange); };
    },
    async close() { listeners.clear(); },
  };
}
