/** A log that nobody outside can make write without end: so many lines a minute of each event, and then how many were left out. */
import type { Log, LogFacts } from "./log.js";

const minuteMs = 60_000;
/** Lines of one event in one minute. */
export const linesPerMinuteMax = 200;

interface Minute {
  startMs: number;
  lines: number;
  unlogged: number;
}

/**
 * The log, with at most `linesPerMinuteMax` lines of each event from info up in a minute of the clock `nowMs`. The first line after
 * some were left out tells how many as `unlogged`. Lines of the level debug are not counted: who asks for them wants all.
 */
export function boundLog(log: Log, nowMs: () => number): Log {
  // Names of events are written in the code, so there are few.
  const minutes = new Map<string, Minute>();

  function bounded(write: (facts: LogFacts) => void): (facts: LogFacts) => void {
    return (facts) => {
      const minute = minuteOf(facts.event, nowMs());
      if (minute.lines >= linesPerMinuteMax) {
        minute.unlogged += 1;
        return;
      }
      minute.lines += 1;
      const { unlogged } = minute;
      minute.unlogged = 0;
      write(unlogged === 0 ? facts : { ...facts, unlogged });
    };
  }

  function minuteOf(event: string, atMs: number): Minute {
    const known = minutes.get(event) ?? { startMs: atMs, lines: 0, unlogged: 0 };
    minutes.set(event, known);
    if (atMs - known.startMs >= minuteMs) Object.assign(known, { startMs: atMs, lines: 0 });
    return known;
  }

  return { debug: log.debug, info: bounded(log.info), warn: bounded(log.warn), error: bounded(log.error), setLevel: log.setLevel };
}
