/** Turns of the event loop, in which nobody who has much to do keeps timers and connections waiting. */
import { monotonicMs } from "./clock.js";

/** What work that comes without end asks between its pieces. */
export interface Turn {
  /** Whether this turn has taken so long by now that others should have theirs. */
  isOver(): boolean;
  /** Resolves in the next turn, after timers and connections had theirs. */
  pass(): Promise<void>;
}

/** A turn that is over after so many milliseconds from when it was first asked about. */
export function createTurn(longMs: number): Turn {
  let sinceMs: number | undefined;
  return {
    isOver() {
      if (sinceMs !== undefined) return monotonicMs() - sinceMs >= longMs;
      sinceMs = monotonicMs();
      setImmediate(() => { sinceMs = undefined; });
      return false;
    },
    pass: () => new Promise((resolve) => { setImmediate(resolve); }),
  };
}
