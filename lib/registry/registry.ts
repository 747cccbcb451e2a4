/** What processes of a cluster know of each other without being told an address, and which generation of a table is in use. */
import type { PointerChange, Pointers } from "./pointers.js";
import type { TicketKeeper } from "./tickets.js";

/** A controller that is up, as it announced itself. */
export interface ControllerRecord {
  /** 128 random bits as 32 hexadecimal digits, made anew by each process. */
  readonly id: string;
  /** Where clients and workers connect: `tcp://127.0.0.1:14300`. */
  readonly address: string;
  readonly node: string;
  readonly pid: number;
  /** Milliseconds since 1970 of that machine. */
  readonly startedMs: number;
}

/** A node that can be given tables, as its mover announced it. */
export interface NodeRecord {
  /** Of the process, made anew by each. */
  readonly id: string;
  readonly node: string;
  readonly pid: number;
}

/** What has changed, or may have. */
export type RegistryChange = "controllers" | "pointers" | "tickets";

/**
 * The shared state of one cluster. Every operation may fail with REGISTRY_UNAVAILABLE, within seconds; asking again may
 * help. Of a change that failed so it is not known whether it was made.
 */
export interface Registry {
  /** Downloads under way, and those that have ended not long ago. */
  readonly tickets: TicketKeeper;
  /** Lists the controller for `ttlMs` from now; repeat it well before that. */
  announce(record: ControllerRecord, ttlMs: number): Promise<void>;
  /** Takes the controller off the list; no matter if it is not on it. */
  withdraw(id: string): Promise<void>;
  /** The controllers that are up, the longest-lived first. */
  controllers(): Promise<ControllerRecord[]>;
  /** Lists the node for `ttlMs` from now; repeat it well before that. Nobody is told: whoever needs nodes asks. */
  announceNode(record: NodeRecord, ttlMs: number): Promise<void>;
  /** Takes away what a process announced of its node; no matter if it did not. */
  withdrawNode(id: string): Promise<void>;
  /** The nodes whose movers are up, by name, each once. */
  nodes(): Promise<string[]>;
  /** All pointers. */
  pointers(): Promise<Pointers>;
  /**
   * Sets all the pointers given or none, and gives the new epoch. Throws STALE when the epoch is not `expectedEpoch`, and
   * USAGE for names and generations that are none, a table twice, or no change at all.
   */
  movePointers(changes: readonly PointerChange[], expectedEpoch: number): Promise<number>;
  /**
   * Puts back what the registry has lost: of each table the pointer of the greater epoch stays, and the epoch does not end
   * below the one given. Changes nothing where nothing is lost.
   */
  restorePointers(known: Pointers): Promise<void>;
  /**
   * Calls `onChange` soon after the list of controllers, the pointers or the state of a ticket or slot changed, and with
   * "controllers" when the registry can no longer be read or can be again; not for renewals and the bytes of a slot.
   * Returns how to stop that.
   */
  watch(onChange: (change: RegistryChange) => void): () => void;
  /** Stops all watching and lets go of the registry; announced controllers stay listed until their time is over. */
  close(): Promise<void>;
}
