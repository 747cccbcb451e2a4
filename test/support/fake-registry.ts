/** A registry in memory. */
import type { ControllerRecord, Registry } from "../../lib/registry/registry.js";

/** A registry whose list a test changes. While `isLost`, it cannot be read. */
export interface FakeRegistry extends Registry {
  isLost: boolean;
  list(...addresses: string[]): void;
}

/** A registry that lists no controller yet. */
export function createFakeRegistry(): FakeRegistry {
  const listeners = new Set<() => void>();
  let records: ControllerRecord[] = [];
  function change(changed: ControllerRecord[]): void {
    records = changed;
    for (const listener of listeners) listener();
  }
  return {
    isLost: false,
    list(...addresses) {
      change(addresses.map((address, index) => ({ id: `${index}`, address, node: "n", pid: 1, startedMs: 0 })));
    },
    async announce(record) { change([...records, record]); },
    async withdraw(id) { change(records.filter((record) => record.id !== id)); },
    async controllers() {
      if (this.isLost) throw new Error("the registry is away");
      return records;
    },
    watch(onChange) {
      listeners.add(onChange);
      return () => { listeners.delete(onChange); };
    },
    async close() { listeners.clear(); },
  };
}
