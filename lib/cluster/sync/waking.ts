/** Waiting for whatever comes first: something to do, or time to look again. */

/** A sleeper that others may wake. */
export interface Waking {
  /** Ends the wait under way, or the next one before it begins. */
  wake(): void;
  /** Whether somebody woke it since the last wait ended. */
  isDue(): boolean;
  /** Resolves when woken, or after so long. */
  wait(ms: number): Promise<void>;
}

/** A sleeper that is awake. */
export function createWaking(): Waking {
  let isDue = false;
  let settle: (() => void) | undefined;
  return {
    wake() {
      isDue = true;
      settle?.();
    },
    isDue: () => isDue,
    async wait(ms) {
      if (!isDue) await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        settle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      settle = undefined;
      isDue = false;
    },
  };
}
