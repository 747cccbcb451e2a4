/** Ending a transfer early: asked from outside, or because a part of it has failed. */
import { setMaxListeners } from "node:events";
import { BquerydError } from "../base/errors.js";

/** Throws CANCELLED once the signal has been aborted. */
export function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw interrupted(signal);
}

/**
 * What work gives, which gets a signal of its own: aborted with the given one, and by `fail`, which throws, so that all
 * other parts of the work end too. The first failure is that of the whole; CANCELLED where the given signal was the reason.
 */
export async function stopTogether<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal, fail: (cause: unknown) => never) => Promise<T>): Promise<T> {
  requireGoing(signal);
  const own = new AbortController();
  // Every request that is under way listens.
  setMaxListeners(0, own.signal);
  const stop = (): void => { own.abort(interrupted(signal)); };
  let first: unknown;
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await work(own.signal, (cause) => {
      first ??= cause;
      own.abort(cause);
      throw cause;
    });
  } catch (cause) {
    requireGoing(signal);
    throw first ?? cause;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function interrupted(signal: AbortSignal | undefined): BquerydError {
  return new BquerydError("CANCELLED", "the transfer was cancelled; start it again to go on from where it was", { cause: signal?.reason });
}
