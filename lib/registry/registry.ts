/** What processes of a cluster know of each other without being told an address. */

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

/** The shared state of one cluster. Every operation may fail with REGISTRY_UNAVAILABLE; asking again may help. */
export interface Registry {
  /** Lists the controller for `ttlMs` from now; repeat it well before that. */
  announce(record: ControllerRecord, ttlMs: number): Promise<void>;
  /** Takes the controller off the list; no matter if it is not on it. */
  withdraw(id: string): Promise<void>;
  /** The controllers that are up, the longest-lived first. */
  controllers(): Promise<ControllerRecord[]>;
  /**
   * Calls `onChange` soon after the list of controllers changed, or could no longer be read, and not for renewals.
   * Returns how to stop that.
   */
  watch(onChange: () => void): () => void;
  /** Stops all watching and lets go of the registry; announced controllers stay listed until their time is over. */
  close(): Promise<void>;
}
