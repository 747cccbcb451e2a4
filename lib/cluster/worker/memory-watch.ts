/** Whether a worker has taken too much memory for too long, and what is to be done about it: this decides, node.ts does. */

/** How long memory has been over its limit. Updated in place by `watchMemory`. */
export interface MemoryWatch {
  beatsOver: number;
  /** Whether caches were dropped since it went over. */
  hasDropped: boolean;
}

/** What a worker is found to have. */
export interface MemoryFacts {
  readonly residentBytes: number;
  /** Undefined for no limit. */
  readonly limitBytes: number | undefined;
  /** A task runs: what it takes is given back after it, and caches cannot be dropped under it. */
  readonly isBusy: boolean;
}

/** Heartbeats over the limit before something is done, and before it is done although a task runs. */
const beats = { idle: 3, busy: 10 } as const;

/** A watch over a process that has just begun. */
export function createMemoryWatch(): MemoryWatch {
  return { beatsOver: 0, hasDropped: false };
}

/** What to do at a heartbeat: caches go first, once; a worker that is still over its limit after that ends. */
export function watchMemory(watch: MemoryWatch, { residentBytes, limitBytes, isBusy }: MemoryFacts): "nothing" | "drop" | "end" {
  if (limitBytes === undefined || residentBytes <= limitBytes) {
    Object.assign(watch, createMemoryWatch());
    return "nothing";
  }
  watch.beatsOver += 1;
  if (watch.beatsOver < (isBusy ? beats.busy : beats.idle)) return "nothing";
  if (watch.hasDropped || isBusy) return "end";
  Object.assign(watch, { beatsOver: 0, hasDropped: true });
  return "drop";
}

/** `memory limit: 2.10 GB of 2.00 GB`, in the units of the configuration. */
export function describeExcess({ residentBytes, limitBytes = 0 }: Pick<MemoryFacts, "residentBytes" | "limitBytes">): string {
  const [unit, bytes] = limitBytes >= 2 ** 30 ? ["GB", 2 ** 30] : ["MB", 2 ** 20];
  return `memory limit: ${(residentBytes / bytes).toFixed(2)} ${unit} of ${(limitBytes / bytes).toFixed(2)} ${unit}`;
}
