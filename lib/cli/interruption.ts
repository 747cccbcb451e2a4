/** Ending cleanly when the user wants it to end. Imports nothing: it is there before the rest of the program is loaded. */
import { setImmediate as nextTurn } from "node:timers/promises";

/** As every CANCELLED. */
const interruptedExitCode = 130;

/** Does work with a signal that Ctrl-C and SIGTERM abort; a second one ends the process at once. */
export async function whileUninterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    return await work(interruption.signal);
  } finally {
    process.removeListener("SIGINT", interrupt).removeListener("SIGTERM", interrupt);
  }
}

/** From now on Ctrl-C ends the process with a line that says so, until a command takes over. */
export function listenEarly(): void {
  process.on("SIGINT", endEarly);
}

/** Leaves Ctrl-C to a command, once what came before it was heard. */
export async function stopListeningEarly(): Promise<void> {
  // Loading modules blocks, and a signal of that time is told of at the next look for events: at least one lies between two turns.
  await nextTurn();
  await nextTurn();
  process.removeListener("SIGINT", endEarly);
}

function endEarly(): void {
  process.stderr.write("bqueryd: CANCELLED: it was interrupted before it began; nothing was done\n");
  process.exit(interruptedExitCode);
}
