/** The program `bqueryd`: its commands, and what a process does whatever its command. */
import { Command } from "commander";
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { version } from "../base/version.js";
import { stopListeningEarly } from "./interruption.js";
import { addConfigOptions, globalOptionsOf, hyphenateFlags, readsAll } from "./options.js";
import { endWithReader } from "./output.js";
import { reportError, usageError } from "./report.js";

/** What adds each command to the program, in the order of help. Loading them all takes longer than most of them do. */
const commands: ReadonlyMap<string, () => Promise<(program: Command) => void>> = new Map([
  ["up", async () => (await import("./up.js")).addUpCommand],
  ["controller", async () => (await import("./controller.js")).addControllerCommand],
  ["worker", async () => (await import("./worker.js")).addWorkerCommand],
  ["downloader", async () => (await import("./downloader.js")).addDownloaderCommand],
  ["movebcolz", async () => (await import("./movebcolz.js")).addMovebcolzCommand],
  ["import", async () => (await import("./import.js")).addImportCommand],
  ["export", async () => (await import("./export.js")).addExportCommand],
  ["inspect", async () => (await import("./inspect.js")).addInspectCommand],
  ["verify", async () => (await import("./verify.js")).addVerifyCommand],
  ["compact", async () => (await import("./compact.js")).addCompactCommand],
  ["distribute", async () => (await import("./distribute.js")).addDistributeCommand],
  ["downloads", async () => (await import("./downloads.js")).addDownloadsCommand],
  ["keygen", async () => (await import("./keygen.js")).addKeygenCommand],
  ["top", async () => (await import("./top.js")).addTopCommand],
  ["doctor", async () => (await import("./doctor.js")).addDoctorCommand],
]);

/** Runs the command that the arguments (without program and script) name, and yields the exit code of the process. Throws where it cannot be loaded. */
export async function main(argv: readonly string[]): Promise<number> {
  endWithReader();
  await stopListeningEarly();
  const program = await createProgram(neededFor(argv));
  try {
    await program.parseAsync(hyphenateFlags(argv), { from: "user" });
    // A command that did what it was asked may still have bad news: `verify`.
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return reportError(error);
  }
}

/** What of the program is loaded: commands by their names, and the prompt. */
interface Parts {
  readonly names: readonly string[];
  readonly prompt: boolean;
}

const allParts: Parts = { names: [...commands.keys()], prompt: true };

/** The parts by which the arguments are understood as by all: the commands that are named, or may be, and the prompt where none comes first. */
function neededFor(argv: readonly string[]): Parts {
  const [first = ""] = argv;
  if (["-V", "--version"].includes(first)) return { names: [], prompt: false };
  const isNamed = commands.has(first) && !argv.some((argument) => argument.startsWith("--eval"));
  if (isNamed) return { names: [first], prompt: false };
  const asksForHelp = argv.some((argument) => /^(?:help$|--help$|-\w*h)/.test(argument));
  return asksForHelp ? allParts : { names: argv.filter((argument, place) => commands.has(argument) && argv.indexOf(argument) === place), prompt: true };
}

/** The program with parts of it, by default with all, unparsed. Failures are thrown, help goes to stdout. */
export async function createProgram({ names, prompt }: Parts = allParts): Promise<Command> {
  const program = new Command("bqueryd")
    .description("Group-by analytics over sharded column files. Without a command: a prompt with `rpc`.")
    .version(version, "-V, --version", "print the version")
    .exitOverride((error) => { throw error.code === "commander.help" && error.exitCode !== 0 ? unknownCommand(program.args[1] ?? "") : error; })
    .configureOutput({ writeErr: () => undefined })
    .helpCommand("help [command]", "print the flags of a command")
    .configureHelp({ showGlobalOptions: true, visibleGlobalOptions: globalOptionsOf });
  if (prompt) (await import("./prompt.js")).addPrompt(program, allParts.names);
  addConfigOptions(program);
  for (const add of await Promise.all(names.map((name) => commands.get(name)!()))) add(program);
  for (const command of program.commands) {
    command.exitOverride((error) => { throw error.exitCode === 0 ? error : usageError(error, command.name()); });
    if (!readsAll(command)) command.addHelpText("after", `\nThe flags of configuration keys are taken too, and ${globalOptionsOf(command).length === 0 ? "none" : "no other"} is of use here;\nbqueryd --help lists them.`);
  }
  // A wrong command is told before what stands behind it: the prompt itself takes one argument.
  program.allowExcessArguments();
  return program.hook("preAction", (_, action) => {
    if (action !== program && program.opts()["eval"] !== undefined) {
      throw new BquerydError("USAGE", `--eval is for the prompt, not for ${action.name()}; leave one of them out`);
    }
  });
}

/** How `help` ends for a name that nothing has. */
function unknownCommand(name: string): BquerydError {
  return new BquerydError("USAGE", `there is no command '${name}'${suggestion(name, commands.keys(), "see bqueryd --help")}`);
}
