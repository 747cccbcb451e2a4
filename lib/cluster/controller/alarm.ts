/** One timer for all the times something is to happen. */
import { monotonicMs } from "../../base/clock.js";

/** An alarm that goes off once at the earliest time it was set to. */
export interface Alarm {
  /** Goes off at `atMs` (steady clock), or earlier if it was set so. */
  set(atMs: number): void;
  cancel(): void;
}

/** Timers count in 32 bits; an alarm that goes off early is set again by whoever waits. */
const delayMsMax = 3_600_000;
/** What a process that was stopped gives the messages that waited, before it looks at the time. */
const graceMs = 50;

/**
 * An alarm that calls `onDue`. When it goes off more than `lateMsMax` late, the process itself was stopped: then what
 * others sent meanwhile is read first, so that nobody is called silent who was not heard.
 */
export function createAlarm(onDue: () => void, lateMsMax: number): Alarm {
  let timer: NodeJS.Timeout | undefined;
  let dueMs = Infinity;

  function start(delayMs: number): void {
    clearTimeout(timer);
    // Of whole milliseconds: Node keeps a list for each length there is.
    timer = setTimeout(ring, Math.min(Math.max(Math.ceil(delayMs), 0), delayMsMax));
  }

  function ring(): void {
    const lateMs = monotonicMs() - dueMs;
    if (lateMs > lateMsMax) {
      dueMs = monotonicMs() + graceMs;
      start(graceMs);
      return;
    }
    dueMs = Infinity;
    onDue();
  }

  return {
    set(atMs) {
      if (atMs >= dueMs) return;
      dueMs = atMs;
      start(atMs - monotonicMs());
    },
    cancel() {
      clearTimeout(timer);
      dueMs = Infinity;
    },
  };
}
