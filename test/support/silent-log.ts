/** A log for tests that keeps what it is told. */
import type { Log, LogFacts } from "../../lib/base/log.js";

/** A log, and the events it was told of any level, oldest first. */
export function createSilentLog(): { log: Log; events: LogFacts[] } {
  const events: LogFacts[] = [];
  const keep = (facts: LogFacts): void => { events.push(facts); };
  return { log: { debug: keep, info: keep, warn: keep, error: keep, setLevel: () => undefined }, events };
}
