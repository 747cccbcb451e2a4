/** Waiting in tests. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "../../lib/base/clock.js";

/** Resolves when the condition holds; throws naming `what` when it does not within the time. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const endMs = monotonicMs() + withinMs;
  while (!await condition()) {
    if (monotonicMs() > endMs) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await delay(5);
  }
}
