/** The flags that commands share: the configuration keys, --config, --print-config and -v. */
import type { Command, Option } from "commander";
import { configKeys, logLevels } from "../base/config-keys.js";
import { flagOf, formatSettings, listSettings, loadConfig, type Config, type ConfigSources } from "../base/config.js";
import { reportWarning } from "./report.js";

/** Adds --config, --print-config, -v and a flag for every configuration key to a command. */
export function addConfigOptions(command: Command): Command {
  command.option("--config <FILE>", "read a configuration file, over /etc/bqueryd.cfg");
  command.option("--print-config", "print the configuration in force and where each value comes from, and exit");
  command.option("-v, --verbose", "log one level more; -vv, -vvv: two, three", (_, before: number) => before + 1, 0);
  for (const key of Object.values(configKeys)) {
    command.option(`${flagOf(key.name)} <${key.placeholder}>`, `${key.description} (default: ${key.defaultText})`);
  }
  return command;
}

/**
 * The configuration that the flags of a command, its --config file and the environment make; undefined when
 * --print-config asked to see it, and it has been printed. CONFIG as `loadConfig`.
 */
export function readConfig(command: Command): Config | undefined {
  const options: Readonly<Record<string, unknown>> = command.optsWithGlobals();
  const sources = raiseLevel(configSources(options), Number(options["verbose"] ?? 0));
  if (options["printConfig"] !== true) return loadConfig(sources);
  process.stdout.write(formatSettings(listSettings(sources)));
  return undefined;
}

/** Adds --json, which `showsForPeople` reads, to a command that logs. */
export function addLogOption(command: Command): Command {
  return command.option("--json", "log lines of JSON on a terminal too");
}

/** Tells whether a command that logs does so on a terminal that people look at. */
export function showsForPeople(command: Command): boolean {
  return process.stderr.isTTY && command.opts()["json"] !== true;
}

/** The arguments with hyphens for the underscores in names of flags: `--data_dir=x` becomes `--data-dir=x`. */
export function hyphenateFlags(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  return argv.map((argument, index) => {
    if (end !== -1 && index >= end) return argument;
    const name = /^--[a-z][a-z_]*(?==|$)/.exec(argument)?.[0];
    return name === undefined ? argument : name.replaceAll("_", "-") + argument.slice(name.length);
  });
}

/** The flags of the program that a command reads, for its help: those of the daemons are all configuration. */
export function globalOptionsOf(command: Command): Option[] {
  if (command.parent === null) return [];
  const keys = readBy[command.name()];
  const ofPrompt = ["version", "eval"];
  return command.parent.options.filter((option) => !option.hidden && (keys === undefined ? !ofPrompt.includes(option.attributeName()) : keys.includes(option.attributeName())));
}

/** Tells whether a command reads every key of the configuration. */
export function readsAll(command: Command): boolean {
  return readBy[command.name()] === undefined;
}

/** Of the commands that read few of them, the names by which commander knows them; the others read all. */
const readBy: Readonly<Record<string, readonly string[]>> = {
  import: ["config", "printConfig", "keepGenerations", "timeout"], compact: ["config", "printConfig", "keepGenerations", "timeout"],
  export: [], inspect: [], verify: [], keygen: [], help: [],
};

function configSources(options: Readonly<Record<string, unknown>>): ConfigSources {
  const flags = Object.values(configKeys).map(({ name }) => [name, textOf(options[memberOf(name)])] as const);
  return { flags: Object.fromEntries(flags), file: textOf(options["config"]), onWarning: reportWarning };
}

/** How commander names the value of a flag. */
function memberOf(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The sources with the log level that -v makes of the one they say. */
function raiseLevel(sources: ConfigSources, steps: number): ConfigSources {
  if (steps === 0) return sources;
  const said = logLevels.indexOf(loadConfig({ flags: sources.flags, file: sources.file }).logLevel);
  return { ...sources, flags: { ...sources.flags, log_level: logLevels[Math.min(said + steps, logLevels.length - 1)] } };
}
