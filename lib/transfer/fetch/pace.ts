/** How fast transfers go: bytes a second that all of them share. */
import { setTimeout as sleep } from "node:timers/promises";
import { monotonicMs } from "../../base/clock.js";

/** A bandwidth that transfers share. */
export interface Bandwidth {
  /** Resolves when so many bytes more may have come. Rejects when the signal is aborted. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

/** What time it is, and how to let it pass. */
export interface Pacing {
  nowMs(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

const realPacing: Pacing = { nowMs: monotonicMs, sleep: (ms, signal) => sleep(ms, undefined, { signal }) };
/** What was left unused for longer is gone, ms: so much may come at once. */
const burstMs = 250;

/** A bandwidth of so many bytes a second; without a number there is no bound. Those who wait are served in their order. */
export function createBandwidth(bytesPerSecond: number | undefined, pacing: Pacing = realPacing): Bandwidth {
  let freeMs = -Infinity;
  return {
    async take(bytes, signal) {
      if (bytesPerSecond === undefined) return;
      const nowMs = pacing.nowMs();
      freeMs = Math.max(freeMs, nowMs - burstMs) + bytes / bytesPerSecond * 1_000;
      if (freeMs > nowMs) await pacing.sleep(freeMs - nowMs, signal);
    },
  };
}
