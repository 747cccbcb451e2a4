/** Stopping long work between its steps. */
import { BquerydError } from "../base/errors.js";

/** Throws CANCELLED once the signal has been aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new BquerydError("CANCELLED", "the import was interrupted; nothing was stored", { cause: signal.reason });
}
