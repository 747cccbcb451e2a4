/** Stopping long work between its steps. */
import { BquerydError } from "../base/errors.js";

/** What an interruption says of each work. */
const sentences = {
  import: "the import was interrupted; nothing was stored",
  export: "the export was interrupted; no file was written",
} as const;

/** Throws CANCELLED, naming the work, once the signal has been aborted. */
export function throwIfAborted(signal: AbortSignal | undefined, work: keyof typeof sentences): void {
  if (signal?.aborted === true) throw new BquerydError("CANCELLED", sentences[work], { cause: signal.reason });
}
