/** What becomes of a process when nobody reads its standard output any more. */
import { toBquerydError } from "../base/errors.js";
import { reportError } from "./report.js";

/**
 * From now on output into a pipe that nobody reads any more, as in `bqueryd inspect x | head`, ends the process quietly;
 * what else goes wrong with it, as on a full disk, ends it with the error.
 */
export function endWithReader(): void {
  process.stdout.on("error", endProcess);
}

/** From now on work goes on when the reader has gone, for an exit code that tells what was found. */
export function outliveReader(): void {
  process.stdout.removeListener("error", endProcess);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") endProcess(error);
  });
}

function endProcess(error: NodeJS.ErrnoException): void {
  process.exit(error.code === "EPIPE" ? 0 : reportError(toBquerydError(error, "write to standard output")));
}
