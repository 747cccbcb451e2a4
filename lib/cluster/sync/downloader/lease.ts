/** Keeps the lease of a slot while its table comes, and finds out when it is lost. */
import { monotonicMs } from "../../../base/clock.js";
import type { FetchProgress } from "../../../transfer/fetch/fetch.js";
import type { Told } from "../telling.js";
import { isRenewalDue } from "./core.js";

/** A lease that is being kept. */
export interface Lease {
  /** The table has come so far; told with the next renewal. */
  note(progress: FetchProgress): void;
  /** Something has happened to tickets: this one may be over. */
  check(): void;
  progress(): FetchProgress | undefined;
  /** Keeps it no longer; resolves when a renewal under way has been answered. */
  stop(): Promise<void>;
}

/** How a lease is renewed, and who is told when it cannot be. */
export interface LeaseOptions {
  readonly leaseMs: number;
  /** After so long without anything having come it is lost. */
  readonly stallMs: number;
  readonly renew: (progress: FetchProgress | undefined) => Promise<Told>;
  /** Somebody else has the slot by now, or the ticket is over. */
  readonly onLost: (told: Told) => void;
  /** Nothing has come for `stallMs`. */
  readonly onStalled: () => void;
  /** A renewal failed; it is tried again as long as nobody took the slot over. */
  readonly onFailure: (cause: unknown) => void;
}

/** Keeps a lease that was given just now. */
export function keepLease({ leaseMs, stallMs, renew, onLost, onStalled, onFailure }: LeaseOptions): Lease {
  let renewedMs = monotonicMs();
  let movedMs = renewedMs;
  let latest: FetchProgress | undefined;
  let hasNews = false;
  let renewing: Promise<void> | undefined;
  let isOver = false;

  async function tryToRenew(): Promise<void> {
    renewedMs = monotonicMs();
    hasNews = false;
    try {
      const told = await renew(latest);
      if (told.how !== "refused" && told.how !== "gone") return;
      if (!isOver) onLost(told);
      isOver = true;
    } catch (cause) {
      onFailure(cause);
    }
  }
  function look(): void {
    if (!isOver && monotonicMs() - movedMs >= stallMs) {
      isOver = true;
      onStalled();
    }
    if (isOver || renewing !== undefined || !isRenewalDue({ leaseMs, renewedMs, hasNews }, monotonicMs())) return;
    renewing = tryToRenew().finally(() => { renewing = undefined; });
  }

  const timer = setInterval(look, Math.min(leaseMs / 6, 500));
  return {
    note(progress) {
      const isNews = progress.bytesDone !== latest?.bytesDone || progress.bytesTotal !== latest.bytesTotal;
      if (isNews) [hasNews, movedMs] = [true, monotonicMs()];
      latest = progress;
    },
    check() {
      hasNews = true;
      look();
    },
    progress: () => latest,
    async stop() {
      isOver = true;
      clearInterval(timer);
      await renewing;
    },
  };
}
