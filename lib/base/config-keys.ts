/**
 * The one table of configuration keys: names, defaults, units and texts. Files, environment, flags, help, the README
 * and the sample file all come from it.
 */
import { existsSync } from "node:fs";
import { availableParallelism, homedir, hostname } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { limits } from "./limits.js";
import { formatSize, formatDuration, parseSize, parseCount, parseDuration } from "./config-values.js";

/** The environment variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The levels of a log, most important first. */
export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];

/** One key of the configuration. */
export interface ConfigKey<T> {
  /** As in a file; the flag has hyphens, the environment variable capitals and BQUERYD_ before it. */
  readonly name: string;
  /** What stands for the value in help. */
  readonly placeholder: string;
  /** A sentence without full stop, unit included. */
  readonly description: string;
  /** The default in words or as a text that `parse` reads. */
  readonly defaultText: string;
  defaultValue(env: Environment): T;
  /** The value a text stands for; undefined when it stands for none. */
  parse(text: string): T | undefined;
  /** What `parse` accepts, as in "... is not <accepts>". */
  readonly accepts: string;
  /** A text that `parse` reads back; undefined for a value that is not set. */
  format(value: T): string | undefined;
}

interface Facts {
  readonly name: string;
  readonly placeholder: string;
  readonly description: string;
}

/** Every key by the member of `Config` it fills, in the order of help. */
export const configKeys = {
  registryDir: pathKey({
    name: "registry_dir", placeholder: "DIR", description: "directory of the registry that processes of this machine share",
  }, "$XDG_STATE_HOME/bqueryd, else ~/.local/state/bqueryd; root: /var/lib/bqueryd", defaultRegistryDir),
  cluster: textKey({
    name: "cluster", placeholder: "NAME", description: "name of the cluster; several may share a registry",
  }, "default", "a name of letters, digits, '_', '.' and '-'", /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/),
  node: textKey({
    name: "node", placeholder: "NAME", description: "name of this machine in the cluster",
  }, "the host name", "a name of at most 255 characters without spaces", /^\S{1,255}$/, hostname),
  dataDir: pathKey({
    name: "data_dir", placeholder: "DIR", description: "directory whose tables a worker serves",
  }, "/srv/bcolz if it exists, else .", () => (existsSync("/srv/bcolz") ? "/srv/bcolz" : ".")),
  controllers: controllersKey({
    name: "controllers", placeholder: "ADDRESSES", description: "addresses of controllers, tcp://host:port, separated by commas",
  }),
  bind: textKey({
    name: "bind", placeholder: "ADDRESS", description: "address a controller listens on; only loopback in this release",
  }, "127.0.0.1", "an address", /^[A-Za-z0-9_.:%[\]-]+$/),
  port: portKey({
    name: "port", placeholder: "PORT", description: "port a controller listens on",
  }),
  workers: countKey({
    name: "workers", placeholder: "N", description: "workers that `bqueryd up` starts",
  }, { defaultText: "one per core", defaultValue: availableParallelism, min: 1, max: 1_024 }),
  cacheMemoryBytes: bytesKey({
    name: "cache_memory", placeholder: "SIZE", description: "memory a worker keeps decoded columns in",
  }, { defaultText: "1GB", min: 2 ** 20, max: 4 * 2 ** 30 }),
  partialCacheMemoryBytes: bytesKey({
    name: "partial_cache_memory", placeholder: "SIZE", description: "memory a worker keeps answers of earlier queries in",
  }, { defaultText: "64MB", min: 0, max: 4 * 2 ** 30 }),
  queryMemoryBytes: bytesKey({
    name: "query_memory", placeholder: "SIZE", description: "memory one query may use in a worker",
  }, { defaultText: "1GB", min: 2 ** 20, max: 4 * 2 ** 30 }),
  mergeMemoryBytes: bytesKey({
    name: "merge_memory", placeholder: "SIZE", description: "memory a client may use to merge an answer",
  }, { defaultText: "2GB", min: 2 ** 20, max: 2 ** 40 }),
  answerMemoryBytes: bytesKey({
    name: "answer_memory", placeholder: "SIZE", description: "memory a client keeps answers in, for the same questions",
  }, { defaultText: "64MB", min: 0, max: 2 ** 40 }),
  messageBytesMax: bytesKey({
    name: "message_bytes_max", placeholder: "SIZE", description: "size of the largest frame a process accepts",
  }, { defaultText: "1GB", min: 2 ** 20, max: limits.frameBytesMax }),
  queueTasksMax: countKey({
    name: "queue_tasks_max", placeholder: "N", description: "calls a controller queues before it answers BUSY",
  }, { defaultText: "10000", min: 1, max: 1_000_000 }),
  heartbeatMs: secondsKey({
    name: "heartbeat", placeholder: "SECONDS", description: "seconds between heartbeats",
  }, { defaultText: "1", min: 0.05, max: 3_600 }),
  expiryMs: secondsKey({
    name: "expiry", placeholder: "SECONDS", description: "seconds of silence after which a process counts as lost",
  }, { defaultText: "5", min: 0.1, max: 36_000 }),
  attemptsMax: countKey({
    name: "attempts_max", placeholder: "N", description: "times a shard of a query is tried before the query fails",
  }, { defaultText: "3", min: 1, max: 100 }),
  timeoutMs: secondsKey({
    name: "timeout", placeholder: "SECONDS", description: "seconds a call may take",
  }, { defaultText: "120", min: 0.001, max: 1_000_000 }),
  keepGenerations: countKey({
    name: "keep_generations", placeholder: "N", description: "generations of a table that import and compact keep, the new one included",
  }, { defaultText: "2", min: 1, max: limits.generationsMax }),
  logLevel: levelKey({
    name: "log_level", placeholder: "LEVEL", description: `how much is logged on stderr: ${logLevels.join(", ")}`,
  }),
} as const;

function textKey(facts: Facts, defaultText: string, accepts: string, pattern: RegExp, compute?: () => string): ConfigKey<string> {
  return {
    ...facts, defaultText, accepts,
    defaultValue: () => compute?.() ?? defaultText,
    parse: (text) => (pattern.test(text) ? text : undefined),
    format: (value) => value,
  };
}

function pathKey(facts: Facts, defaultText: string, compute: (env: Environment) => string): ConfigKey<string> {
  return {
    ...facts, defaultText,
    accepts: "a path",
    defaultValue: (env) => resolve(compute(env)),
    parse: (text) => (text === "" || text.includes("\0") ? undefined : resolve(text)),
    format: (value) => value,
  };
}

function defaultRegistryDir(env: Environment): string {
  const stateHome = env["XDG_STATE_HOME"];
  // The XDG specification says that a relative path there is to be ignored.
  if (stateHome !== undefined && isAbsolute(stateHome)) return join(stateHome, "bqueryd");
  if (process.getuid?.() === 0) return "/var/lib/bqueryd";
  return join(env["HOME"] ?? homedir(), ".local", "state", "bqueryd");
}

function controllersKey(facts: Facts): ConfigKey<readonly string[]> {
  return {
    ...facts,
    defaultText: "none: from the registry",
    accepts: "a list of addresses such as tcp://127.0.0.1:14300",
    defaultValue: () => [],
    parse: parseAddresses,
    format: (addresses) => (addresses.length === 0 ? undefined : addresses.join(",")),
  };
}

function parseAddresses(text: string): readonly string[] | undefined {
  const addresses = text.trim() === "" ? [] : text.split(",").map((address) => address.trim());
  return addresses.every(isControllerAddress) ? addresses : undefined;
}

/** Tells whether a text is the address of a controller: `tcp://host:port`. */
export function isControllerAddress(text: string): boolean {
  const port = /^tcp:\/\/(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.-]+):(\d{1,5})$/.exec(text)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

function portKey(facts: Facts): ConfigKey<number | undefined> {
  const range = { min: 1, max: 65_535 };
  return {
    ...facts,
    defaultText: "first free of 14300 to 14399",
    accepts: "a port from 1 to 65535",
    defaultValue: () => undefined,
    parse: (text) => within(parseCount(text), range),
    format: (port) => (port === undefined ? undefined : String(port)),
  };
}

interface Range {
  readonly min: number;
  readonly max: number;
}

function within(value: number | undefined, range: Range): number | undefined {
  return value !== undefined && value >= range.min && value <= range.max ? value : undefined;
}

function countKey(facts: Facts, rule: Range & { defaultText: string; defaultValue?: () => number }): ConfigKey<number> {
  return {
    ...facts,
    defaultText: rule.defaultText,
    accepts: `a whole number from ${rule.min} to ${rule.max}`,
    defaultValue: rule.defaultValue ?? (() => Number(rule.defaultText)),
    parse: (text) => within(parseCount(text), rule),
    format: String,
  };
}

function bytesKey(facts: Facts, rule: Range & { defaultText: string }): ConfigKey<number> {
  return {
    ...facts,
    defaultText: rule.defaultText,
    accepts: `a size from ${formatSize(rule.min)} to ${formatSize(rule.max)}`,
    defaultValue: () => parseSize(rule.defaultText) ?? rule.min,
    parse: (text) => within(parseSize(text), rule),
    format: formatSize,
  };
}

function secondsKey(facts: Facts, rule: Range & { defaultText: string }): ConfigKey<number> {
  const rangeMs = { min: rule.min * 1_000, max: rule.max * 1_000 };
  return {
    ...facts,
    defaultText: rule.defaultText,
    accepts: `a number of seconds from ${rule.min} to ${rule.max}`,
    defaultValue: () => Number(rule.defaultText) * 1_000,
    parse: (text) => within(parseDuration(text), rangeMs),
    format: formatDuration,
  };
}

function levelKey(facts: Facts): ConfigKey<LogLevel> {
  return {
    ...facts,
    defaultText: "info",
    accepts: `one of ${logLevels.join(", ")}`,
    defaultValue: () => "info",
    parse: (text) => logLevels.find((level) => level === text.toLowerCase()),
    format: (level) => level,
  };
}
