/**
 * A ticket: the download of several tables to several nodes, as the registry keeps it. Three parts of unlike size and
 * haste: the plan, which never changes; the head, small, with a version; and a slot for each (node, table), changed one
 * by one. Every time is the registry's clock, milliseconds since 1970: clocks of machines are never compared.
 */
import type { PointerChange } from "./pointers.js";

/** The states of a ticket: `committed` when its pointers have moved, `done` when every node has made them CURRENT as well. */
export const ticketStates = ["active", "committed", "done", "failed", "cancelled"] as const;
export type TicketState = (typeof ticketStates)[number];

/** The states of a slot, in the order it goes through them. */
export const slotStates = ["queued", "downloading", "verified", "prepared", "switched", "failed"] as const;
export type SlotState = (typeof slotStates)[number];

/** A table of a ticket, by its directory name. */
export interface TicketTable {
  readonly table: string;
  /** Its manifest's key in the bucket; null where there is none: a plain prefix, or a zip. */
  readonly manifest: string | null;
  /** 64 hexadecimal digits; null until it has come: without a manifest only that tells. */
  readonly generation: string | null;
}

/**
 * What a ticket is for. `switch` makes what it brings the generation in use, everywhere or nowhere. `join` brings a node the generations
 * in use that it lacks: it moves no pointers, and each of its tables comes or fails by itself.
 */
export type TicketPurpose = "switch" | "join";

/** What a ticket is to bring where. */
export interface TicketPlan {
  /** 16 hexadecimal digits. */
  readonly id: string;
  readonly bucket: string;
  readonly tables: readonly TicketTable[];
  readonly nodes: readonly string[];
  /** How many of the nodes get each table; null: all. */
  readonly replicas: number | null;
  /** Left out: `switch`. */
  readonly purpose?: TicketPurpose;
  /** Names, without suffix, of the sets that it brings whole: their shards that are none of its tables have no pointer any more once it is committed. */
  readonly sets?: readonly string[];
}

/** What everybody looks at to see how a ticket is. */
export interface TicketHead {
  readonly id: string;
  /** Rises with every change of the state. Whoever changes a slot names it, and so changes nothing of a ticket that is over. */
  readonly version: number;
  readonly state: TicketState;
  /** Why it failed, or what is left to do on nodes that are away; null where there is nothing to say. */
  readonly reason: string | null;
  readonly createdMs: number;
  /** When the head or a slot changed last, also by a lease renewed. */
  readonly changedMs: number;
  readonly endedMs: number | null;
  /** The epoch at which its pointers moved. */
  readonly epoch: number | null;
  /** How many slots are in each state. */
  readonly counts: Readonly<Record<SlotState, number>>;
}

/** One table on its way to one node. A fence is how often the slot was claimed: only the last claim may go on. */
export type Slot =
  | { readonly state: "queued"; readonly fence: number }
  | {
    readonly state: "downloading"; readonly fence: number;
    /** The process that has it, until the lease is over. */
    readonly owner: string; readonly sinceMs: number; readonly leaseUntilMs: number;
    readonly bytesDone: number;
    /** Null while not known. */
    readonly bytesTotal: number | null;
  }
  | { readonly state: "verified"; readonly fence: number; readonly bytes: number }
  | { readonly state: "prepared" | "switched"; readonly bytes: number; readonly generation: string }
  | { readonly state: "failed"; readonly reason: string };

/** Which slot. */
export interface SlotPlace {
  readonly node: string;
  readonly table: string;
}

/** One slot changed from what was seen of it. */
export interface SlotChange extends SlotPlace {
  readonly from: Slot;
  readonly to: Slot;
}

/** A change of a ticket, made as a whole or not at all. */
export interface TicketChange {
  /** The version of the head that was seen. */
  readonly expectedVersion: number;
  /** A new state; the ticket is forgotten `keepMs` after, null: never. */
  readonly head: { readonly state: TicketState; readonly reason: string | null; readonly keepMs: number | null } | null;
  readonly slots: readonly SlotChange[];
}

/** The commit of a ticket: `committed` and all its pointers at once, of which those that join have none. */
export interface TicketCommit {
  readonly expectedVersion: number;
  readonly expectedEpoch: number;
  readonly pointers: readonly PointerChange[];
}

/** The tickets there are, the oldest first. */
export interface TicketList {
  /** The registry's clock. */
  readonly nowMs: number;
  readonly heads: readonly TicketHead[];
}

/** Keeps tickets. Every operation may fail with REGISTRY_UNAVAILABLE; whether a change that failed so was made is not known. */
export interface TicketKeeper {
  /** Keeps a new ticket, `active`, its slots `queued`. Throws EXISTS for an id that is taken, BUSY when there are too many, USAGE for what is no ticket. */
  create(plan: TicketPlan, places: readonly SlotPlace[]): Promise<void>;
  list(): Promise<TicketList>;
  /** The plan of a ticket, or undefined; it never changes, so that one look is enough. */
  plan(id: string): Promise<TicketPlan | undefined>;
  /** The slots of all nodes, or of one node those of the tables that the plan names, which may be some of them; by `keyOfSlot`. None of a ticket that is gone. */
  slots(plan: TicketPlan, node?: string): Promise<ReadonlyMap<string, Slot>>;
  /** Throws STALE when the head's version or one of the slots is another than was seen, NOT_FOUND for no ticket. */
  change(id: string, change: TicketChange): Promise<void>;
  /** Makes it `committed` and moves its pointers in one step, and gives their epoch; of one that joins, the epoch that there is. Throws USAGE for pointers of one that joins, and for none of another, STALE when the version or the epoch is another, NOT_FOUND for no ticket. */
  commit(id: string, commit: TicketCommit): Promise<number>;
  /** Forgets a ticket in whatever state; tells whether there was one. */
  remove(id: string): Promise<boolean>;
}

/** Tells whether a ticket only brings a node what is in use already. */
export function isJoin({ purpose }: TicketPlan): boolean {
  return purpose === "join";
}

/** The name of a slot: the node, a space, the table. */
export function keyOfSlot({ node, table }: SlotPlace): string {
  return `${node} ${table}`;
}
