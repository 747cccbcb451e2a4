/** How fast transfers go: bytes a second that all of them share, and the pauses before what failed is tried again. */
import { setTimeout as sleep } from "node:timers/promises";
import { monotonicMs, type Random } from "../../base/clock.js";

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

/** Pauses before tries: the n-th, from 1, takes a time between half of and all of 0.2 s x 2^n, 20 s at most. */
export function createBackOff(random: Random, pacing: Pacing = realPacing): (failures: number, signal: AbortSignal) => Promise<void> {
  return (failures, signal) => pacing.sleep(Math.min(20_000, 200 * 2 ** failures) * (0.5 + random() / 2), signal);
}
