/** How a command fails: one line on stderr and the exit code of the error's code. */
import { CommanderError } from "commander";
import { BquerydError, toBquerydError } from "../base/errors.js";
import { escapeUnprintable } from "../base/text-width.js";

/** Writes `bqueryd: CODE: sentence; what to do` on stderr and returns the exit code. A help that was asked for is 0. */
export function reportError(error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const failure = asFailure(error);
  process.stderr.write(`bqueryd: ${formatError(failure)}\n`);
  return failure.exitCode;
}

/** Writes `bqueryd: warning: sentence` on stderr. */
export function reportWarning(sentence: string): void {
  process.stderr.write(`bqueryd: warning: ${sentence}\n`);
}

/** An error as one line `CODE: sentence; what to do`; a bug of ours is followed by its stack. */
export function formatError(error: unknown): string {
  const failure = asFailure(error);
  const line = `${failure.code}: ${oneLine(failure.message)}`;
  return failure.code === "INTERNAL" ? `${line}; this is a fault of bqueryd, please report it\n${stackOf(failure)}` : line;
}

function asFailure(error: unknown): BquerydError {
  return error instanceof CommanderError ? usageError(error) : toBquerydError(error);
}

/** What commander says in two lines with parentheses about a command, or about the program, in ours. */
export function usageError(error: CommanderError, command?: string): BquerydError {
  const [sentence = "", hint] = error.message.replace(/^error: /, "").split("\n");
  const nearest = /^\(Did you mean (?:one of )?(.+?)\?\)$/.exec(hint ?? "")?.[1];
  const advice = nearest === undefined ? `see bqueryd ${command === undefined ? "" : `${command} `}--help` : `did you mean '${nearest}'?`;
  return new BquerydError("USAGE", `${sentence.replace(/\.$/, "")}; ${advice}`);
}

/** What a user or a file named may hold anything; a terminal is to see it and not to obey it. */
function oneLine(text: string): string {
  return escapeUnprintable(text.replace(/\s*\n\s*/g, " "));
}

function stackOf(error: Error): string {
  return error.cause instanceof Error ? stackOf(error.cause) : (error.stack ?? error.message);
}
