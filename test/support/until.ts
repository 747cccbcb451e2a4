/** Waiting in tests. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "../../lib/base/clock.js";

/** How often is looked first, and how often once it takes long: to ask a starting cluster too often slows its start. */
const [soonMs, laterMs] = [5, 25];
const soonForMs = 250;

/** Resolves when the condition holds; throws naming `what` when it does not within the time. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const startMs = monotonicMs();
  while (!await condition()) {
    const waitedMs = monotonicMs() - startMs;
    if (waitedMs > withinMs) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await delay(waitedMs < soonForMs ? soonMs : laterMs);
  }
}
