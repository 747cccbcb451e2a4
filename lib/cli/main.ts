/** The program `bqueryd`: its commands, and what a process does whatever its command. */
import { Command } from "commander";
import { BquerydError } from "../base/errors.js";
import { version } from "../base/version.js";
import { addCompactCommand } from "./compact.js";
import { addControllerCommand } from "./controller.js";
import { addExportCommand } from "./export.js";
import { addImportCommand } from "./import.js";
import { addInspectCommand } from "./inspect.js";
import { stopListeningEarly } from "./interruption.js";
import { addConfigOptions, globalOptionsOf, hyphenateFlags } from "./options.js";
import { endWithReader } from "./output.js";
import { addPrompt } from "./prompt.js";
import { reportError, usageError } from "./report.js";
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
    .version(version, "-V, --version", "print the version")
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .helpCommand("help [command]", "print the flags of a command")
    .configureHelp({ showGlobalOptions: true, visibleGlobalOptions: globalOptionsOf });
  addPrompt(program);
  addConfigOptions(program);
  for (const add of [addUpCommand, addControllerCommand, addWorkerCommand, addImportCommand, addExportCommand, addInspectCommand, addVerifyCommand, addCompactCommand]) add(program);
  for (const command of program.commands) {
    command.exitOverride((error) => { throw error.exitCode === 0 ? error : usageError(error, command.name()); });
    if (globalOptionsOf(command).length < globalOptionsOf(program.commands[0]!).length) command.addHelpText("after", `\nThe flags of configuration keys are taken too, and ${globalOptionsOf(command).length === 0 ? "none" : "no other"} is of use here; bqueryd --help lists them.`);
  }
  // A wrong command is told before what stands behind it: the prompt itself takes one argument.
  program.allowExcessArguments();
  return program.hook("preAction", (_, action) => {
    if (action !== program && program.opts()["eval"] !== undefined) {
      throw new BquerydError("USAGE", `--eval is for the prompt, not for ${action.name()}; leave one of them out`);
    }
  });
}
