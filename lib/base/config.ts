/**
 * The configuration of a process, from four sources in rising order: /etc/bqueryd.cfg, the file of --config, BQUERYD_*
 * variables, flags. The only file that reads the environment.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse as parseIni, safe as escapeIni } from "ini";
import { configKeys, stateDirectory, type ConfigKey, type Environment } from "./config-keys.js";
import { BquerydError, toBquerydError } from "./errors.js";
import { suggestion } from "./nearest.js";
import { formatSize } from "./config-values.js";

type Members = typeof configKeys;
type ValueOf<K> = K extends ConfigKey<infer T> ? T : never;

/** Every configured value, checked: sizes in bytes, durations in milliseconds, paths absolute. */
export type Config = { readonly [M in keyof Members]: ValueOf<Members[M]> };

/** Where the configuration of a process comes from. */
export interface ConfigSources {
  /** Values of flags by key name (`data_dir` or `data-dir`); undefined ones count as absent. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  /** What messages name as the place of those values; each flag by its own name when absent. */
  readonly flagsOf?: string;
  /** Variables; the process's own when absent. */
  readonly env?: Environment;
  /** The file named by --config, which must exist. */
  readonly file?: string | undefined;
  /** The file of the whole machine, which need not exist; /etc/bqueryd.cfg when absent. */
  readonly machineFile?: string;
  /** Told of what is harmless but worth a word, as a sentence. */
  readonly onWarning?: (sentence: string) => void;
}

/** One key as it is in force: its text in a file, and the source it came from. */
export interface Setting {
  readonly name: string;
  /** Undefined for a key that is not set and has no fixed default. */
  readonly text: string | undefined;
  readonly source: string;
}

interface Given {
  readonly name: string;
  readonly text: string;
  readonly source: string;
}

const members: readonly (readonly [string, ConfigKey<unknown>])[] = Object.entries(configKeys);
const variablePrefix = "BQUERYD_";
const keyNames = members.map(([, key]) => key.name);

/** The checked configuration. CONFIG names the key, its source and what is accepted. */
export function loadConfig(sources: ConfigSources): Config {
  return decodeConfig(collect(sources), sources.env ?? process.env);
}

/** The file that keeps the lines of this user's prompts, whichever registry these use. */
export function historyFile(env: Environment = process.env): string {
  return join(stateDirectory(env), "history");
}

/** Every key as it is in force, in the order of the table. Throws what `loadConfig` throws. */
export function listSettings(sources: ConfigSources): Setting[] {
  const given = collect(sources);
  const config = decodeConfig(given, sources.env ?? process.env);
  return formatMembers(config).map(({ name, text, hide }) => {
    return { name, text: text === undefined ? undefined : (hide?.(text) ?? text), source: given.get(name)?.source ?? "default" };
  });
}

/** Settings as a configuration file that reads back the same, but for passwords; the source of each stands in its comment. */
export function formatSettings(settings: readonly Setting[]): string {
  const lines = settings.map(({ name, text, source }) => {
    return { setting: text === undefined ? `; ${name} =` : `${name} = ${escapeIni(text)}`, source };
  });
  const width = Math.max(...lines.map(({ setting }) => setting.length));
  return lines.map(({ setting, source }) => `${setting.padEnd(width)}  ; ${source}\n`).join("");
}

/**
 * The configuration as flags that give another process the same one, whatever its other sources say; without what may hold
 * a password, which everybody would see in the list of processes.
 */
export function configFlags(config: Config): string[] {
  return formatMembers(config).flatMap(({ name, text, hide }) => (text === undefined || hide !== undefined ? [] : [`${flagOf(name)}=${text}`]));
}

/** The environment that goes with those flags: that of this process, and what they leave out. */
export function configEnvironment(config: Config): Environment {
  const hidden = formatMembers(config).filter(({ hide }) => hide !== undefined).map(({ name, text = "" }) => [variablePrefix + name.toUpperCase(), text] as const);
  return { ...process.env, ...Object.fromEntries(hidden) };
}

/** Sets a variable of this process and its children that a library reads and offers no other way for, unless it is set. */
export function setVariable(name: string, value: string): void {
  process.env[name] ??= value;
}

/** The texts of all keys that are set, by name, as a file would have them, passwords too. */
export function configTexts(config: Config): Readonly<Record<string, string>> {
  return Object.fromEntries(formatMembers(config).flatMap(({ name, text }) => (text === undefined ? [] : [[name, text]])));
}

/** The flag of a key: `--data-dir` for `data_dir`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll("_", "-")}`;
}

function formatMembers(config: Config): { name: string; text: string | undefined; hide: ConfigKey<unknown>["hide"] }[] {
  const values: Readonly<Record<string, unknown>> = config;
  return members.map(([member, key]) => ({ name: key.name, text: key.format(values[member]), hide: key.hide }));
}

/** The texts given for each key, the strongest source last to write. */
function collect(sources: ConfigSources): ReadonlyMap<string, Given> {
  const given = [
    ...readFile(sources.machineFile ?? "/etc/bqueryd.cfg", "optional"),
    ...(sources.file === undefined ? [] : readFile(sources.file, "required")),
    ...fromEnvironment(sources.env ?? process.env),
    ...fromFlags(sources),
  ];
  return new Map(given.filter((entry) => isServed(entry, sources.onWarning)).map((entry) => [entry.name, entry]));
}

function readFile(path: string, need: "optional" | "required"): Given[] {
  const text = readText(path, need);
  return text === undefined ? [] : Object.entries(parseIni(text)).map(([name, parsed]) => {
    // The parser takes 'true' and 'false' for values of its own, and a key that is alone on its line for true.
    const value: unknown = typeof parsed === "boolean" && text.split("\n").some((line) => line.split("=", 1)[0]?.trim() === name && line.includes("=")) ? String(parsed) : parsed;
    if (typeof value !== "string") {
      throw new BquerydError("CONFIG", `cannot read '${name}' in ${path}; write one 'key = value' a line, without sections and lists`, {
        details: { key: name, source: path },
      });
    }
    return { name, text: value, source: path };
  });
}

function readText(path: string, need: "optional" | "required"): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const failure = toBquerydError(cause);
    if (need === "optional" && failure.code === "NOT_FOUND") return undefined;
    throw new BquerydError("CONFIG", `cannot read the configuration file ${path}: ${cause instanceof Error ? cause.message : String(cause)}; name a readable file`, {
      details: { source: path }, cause,
    });
  }
}

function fromEnvironment(env: Environment): Given[] {
  return Object.entries(env).flatMap(([variable, text]) => {
    if (!variable.startsWith(variablePrefix) || text === undefined) return [];
    return [{ name: variable.slice(variablePrefix.length).toLowerCase(), text, source: variable }];
  });
}

function fromFlags({ flags, flagsOf }: ConfigSources): Given[] {
  return Object.entries(flags).flatMap(([flag, text]) => {
    const name = flag.replaceAll("-", "_");
    return text === undefined ? [] : [{ name, text, source: flagsOf ?? flagOf(name) }];
  });
}

/** Tells whether code reads the key. Keys of older and later releases get an answer of their own, others an error. */
function isServed({ name, source }: Given, onWarning: ConfigSources["onWarning"]): boolean {
  if (keyNames.includes(name)) return true;
  if (name === "azure_conn_string") {
    onWarning?.(`azure_conn_string in ${source} is not used any more; remove it`);
    return false;
  }
  const details = { key: name, source };
  const advice = suggestion(name, keyNames, "remove it, or see the keys with bqueryd --print-config");
  throw new BquerydError("CONFIG", `unknown key '${name}' in ${source}${advice}`, { details });
}

function decodeConfig(given: ReadonlyMap<string, Given>, env: Environment): Config {
  const values = members.map(([member, key]) => {
    const found = given.get(key.name);
    return [member, found === undefined ? key.defaultValue(env) : requireValue(key, found)];
  });
  const config = Object.fromEntries(values) as Config;
  checkTogether(config);
  return config;
}

function requireValue<T>(key: ConfigKey<T>, { text, source }: Given): T {
  const value = key.parse(text);
  if (value !== undefined) return value;
  const shown = key.hide === undefined ? ` = '${text}'` : "";
  throw new BquerydError("CONFIG", `${key.name}${shown} in ${source} cannot be used; give ${key.accepts}`, {
    details: { key: key.name, source },
  });
}

function checkTogether(config: Config): void {
  // A compute thread's memory is one WebAssembly memory of at most 4 GB, reserved at start; the rest is working room.
  const threadBytesMax = 3.5 * 2 ** 30;
  const asked = config.cacheMemoryBytes + config.queryMemoryBytes;
  if (asked > threadBytesMax) {
    throw new BquerydError("CONFIG", `cache_memory and query_memory together are ${formatSize(asked)}, more than ${formatSize(threadBytesMax)}; lower one, and start more workers to use more memory`, {
      details: { keys: ["cache_memory", "query_memory"], bytes: asked, bytesMax: threadBytesMax },
    });
  }
  if (config.expiryMs < 2 * config.heartbeatMs) {
    throw new BquerydError("CONFIG", `expiry of ${config.expiryMs / 1_000} s is less than two heartbeats of ${config.heartbeatMs / 1_000} s; raise expiry or lower heartbeat`, {
      details: { keys: ["heartbeat", "expiry"] },
    });
  }
  if (config.s3KmsKeyId !== undefined && config.s3Sse !== "aws:kms") {
    throw new BquerydError("CONFIG", `s3_kms_key_id is for s3_sse = aws:kms, which is ${config.s3Sse}; set both, or remove the key`, {
      details: { keys: ["s3_kms_key_id", "s3_sse"] },
    });
  }
}
