/**
 * The configuration of a process, from four sources in rising order: /etc/bqueryd.cfg, the file of --config, BQUERYD_*
 * variables, flags. The only file that reads the environment.
 */
import { readFileSync } from "node:fs";
import { parse as parseIni, safe as escapeIni } from "ini";
import { configKeys, type ConfigKey, type Environment } from "./config-keys.js";
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
const keyNames = members.map(([, key]) => key.name);

/** The checked configuration. CONFIG names the key, its source and what is accepted. */
export function loadConfig(sources: ConfigSources): Config {
  return decodeConfig(collect(sources), sources.env ?? process.env);
}

/** Every key as it is in force, in the order of the table. Throws what `loadConfig` throws. */
export function listSettings(sources: ConfigSources): Setting[] {
  const given = collect(sources);
  const config = decodeConfig(given, sources.env ?? process.env);
  return formatMembers(config).map((entry) => ({ ...entry, source: given.get(entry.name)?.source ?? "default" }));
}

/** Settings as a configuration file that reads back the same; the source of each stands in its comment. */
export function formatSettings(settings: readonly Setting[]): string {
  const lines = settings.map(({ name, text, source }) => {
    return { setting: text === undefined ? `; ${name} =` : `${name} = ${escapeIni(text)}`, source };
  });
  const width = Math.max(...lines.map(({ setting }) => setting.length));
  return lines.map(({ setting, source }) => `${setting.padEnd(width)}  ; ${source}\n`).join("");
}

/** The configuration as flags that give another process the same one, whatever its other sources say. */
export function configFlags(config: Config): string[] {
  return formatMembers(config).flatMap(({ name, text }) => (text === undefined ? [] : [`${flagOf(name)}=${text}`]));
}

/** The flag of a key: `--data-dir` for `data_dir`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll("_", "-")}`;
}

function formatMembers(config: Config): { name: string; text: string | undefined }[] {
  const values: Readonly<Record<string, unknown>> = config;
  return members.map(([member, key]) => ({ name: key.name, text: key.format(values[member]) }));
}

/** The texts given for each key, the strongest source last to write. */
function collect(sources: ConfigSources): ReadonlyMap<string, Given> {
  const given = [
    ...readFile(sources.machineFile ?? "/etc/bqueryd.cfg", "optional"),
    ...(sources.file === undefined ? [] : readFile(sources.file, "required")),
    ...fromEnvironment(sources.env ?? process.env),
    ...fromFlags(sources.flags),
  ];
  return new Map(given.filter((entry) => isServed(entry, sources.onWarning)).map((entry) => [entry.name, entry]));
}

function readFile(path: string, need: "optional" | "required"): Given[] {
  const text = readText(path, need);
  return text === undefined ? [] : Object.entries(parseIni(text)).map(([name, value]) => {
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
    throw new BquerydError("CONFIG", `cannot read the configuration file ${path}: ${failure.message}; name a readable file`, {
      details: { source: path }, cause,
    });
  }
}

function fromEnvironment(env: Environment): Given[] {
  const prefix = "BQUERYD_";
  return Object.entries(env).flatMap(([variable, text]) => {
    if (!variable.startsWith(prefix) || text === undefined) return [];
    return [{ name: variable.slice(prefix.length).toLowerCase(), text, source: variable }];
  });
}

function fromFlags(flags: ConfigSources["flags"]): Given[] {
  return Object.entries(flags).flatMap(([flag, text]) => {
    const name = flag.replaceAll("-", "_");
    return text === undefined ? [] : [{ name, text, source: flagOf(name) }];
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
  if (name === "redis_url") {
    throw new BquerydError("CONFIG", `redis_url in ${source}: Redis is not supported in this release; remove it, the registry is the directory registry_dir`, { details });
  }
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
  throw new BquerydError("CONFIG", `${key.name} = '${text}' in ${source} cannot be used; give ${key.accepts}`, {
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
}
