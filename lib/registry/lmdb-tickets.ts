/** Tickets in the LMDB environment of the embedded registry: the operations of ticket-store.ts, each in a transaction of its own. */
import type { RootDatabase } from "lmdb";
import { wallMs } from "../base/clock.js";
import { rangeOf } from "./lmdb-range.js";
import type { PointerChange } from "./pointers.js";
import { createTicketStore, type TicketStore } from "./ticket-store.js";
import type { TicketKeeper } from "./tickets.js";

/** How the registry reads and writes. */
export interface LmdbAccess {
  store(): TicketStore;
  read<T>(work: () => T): Promise<T>;
  /** Runs `change` as one transaction. */
  write<T>(change: () => T): Promise<T>;
  /** Inside a transaction. */
  movePointers(changes: readonly PointerChange[], expectedEpoch: number): number;
}

/** The tickets of a cluster in a database. */
export function openTicketStore(database: RootDatabase<string, string>, cluster: string): TicketStore {
  return createTicketStore({
    get: (key) => database.get(key),
    put(key, text) { database.putSync(key, text); },
    remove: (key) => database.removeSync(key),
    list: (prefix) => rangeOf(database, prefix),
  }, `${cluster}:bqueryd_`);
}

/** A keeper over them. */
export function keepLmdbTickets({ store, read, write, movePointers }: LmdbAccess): TicketKeeper {
  return {
    create: (plan, places) => write(() => { store().create(plan, places, wallMs()); }),
    list: () => read(() => store().list(wallMs())),
    plan: (id) => read(() => store().plan(id, wallMs())),
    slots: (plan, node) => read(() => store().slots(plan, node, wallMs())),
    change: (id, change) => write(() => { store().change(id, change, wallMs()); }),
    commit: (id, commit) => write(() => store().commit(id, commit, wallMs(), movePointers)),
    remove: (id) => write(() => store().remove(id, wallMs())),
  };
}
