/** The program `bqueryd`: its commands, and what a process does whatever its command. */
import { Command } from "commander";
import { BquerydError, toBquerydError } from "../base/errors.js";
import { version } from "../base/version.js";
import { addCompactCommand } from "./compact.js";
import { addControllerCommand } from "./controller.js";
import { addExportCommand } from "./export.js";
import { addImportCommand } from "./import.js";
import { addInspectCommand } from "./inspect.js";
import { stopListeningEarly } from "./interruption.js";
import { addConfigOptions, hyphenateFlags } from "./options.js";
import { addPrompt } from "./prompt.js";
import { reportError } from "./report.js";
import { addUpCommand } from "./up.js";
import { addVerifyCommand } from "./verify.js";
import { addWorkerCommand } from "./worker.js";

/** Runs the command that the arguments (without program and script) name, and yields the exit code of the process. */
export async function main(argv: readonly string[]): Promise<number> {
  endWithReader();
  await stopListeningEarly();
  try {
    await createProgram().parseAsync(hyphenateFlags(argv), { from: "user" });
    // A command that did what it was asked may still have bad news: `verify`.
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return reportError(error);
  }
}

/** The program with all its commands, unparsed. Failures are thrown, help goes to stdout. */
export function createProgram(): Command {
  const program = new Command("bqueryd")
    .description("Group-by analytics over sharded column files. Without a command: a prompt with `rpc`.")
    .version(version, "--version", "print the version")
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .configureHelp({ showGlobalOptions: true });
  addPrompt(program);
  addConfigOptions(program);
  for (const add of [addUpCommand, addControllerCommand, addWorkerCommand, addImportCommand, addExportCommand, addInspectCommand, addVerifyCommand, addCompactCommand]) add(program);
  return program.hook("preAction", (_, action) => {
    if (action !== program && program.opts()["eval"] !== undefined) {
      throw new BquerydError("USAGE", `--eval is for the prompt, not for ${action.name()}; leave one of them out`);
    }
  });
}

/**
 * Output into a pipe that nobody reads any more, as in `bqueryd inspect x | head`, ends the process quietly; what else
 * goes wrong with it, as on a full disk, ends it with the error.
 */
function endWithReader(): void {
  process.stdout.once("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? 0 : reportError(toBquerydError(error, "write to standard output")));
  });
}
