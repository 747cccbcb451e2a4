/**
 * The one table of configuration keys: names, defaults, units and texts. Files, environment, flags, help, the README
 * and the sample file all come from it.
 */
import { existsSync } from "node:fs";
import { availableParallelism, homedir, hostname } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { limits } from "./limits.js";
import { hideRedisPassword, parseRedisUrl } from "./redis-url.js";
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
  /** The text of a value as people are shown it, where it may hold a password. */
  readonly hide?: (text: string) => string;
}

interface Facts {
  readonly name: string;
  readonly placeholder: string;
  readonly description: string;
}

/** Every key by the member of `Config` it fills, in the order of help. */
export const configKeys = {
  redisUrl: redisUrlKey({
    name: "redis_url", placeholder: "URL", description: "Redis server that keeps the registry of a cluster of several machines, redis://host:port/db",
  }),
  registryDir: pathKey({
    name: "registry_dir", placeholder: "DIR", description: "directory of the registry that processes of this machine share",
  }, "$XDG_STATE_HOME/bqueryd, else ~/.local/state/bqueryd; root: /var/lib/bqueryd", stateDirectory),
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
    name: "controllers", placeholder: "ADDRESSES", description: "addresses of controllers, tcp://host:port or tcp://host:port/KEY, separated by commas",
  }),
  bind: textKey({
    name: "bind", placeholder: "ADDRESS", description: "address a controller listens on; other than loopback it needs key_file",
  }, "127.0.0.1", "an address", /^[A-Za-z0-9_.:%[\]-]+$/),
  port: portKey({
    name: "port", placeholder: "PORT", description: "port a controller listens on",
  }),
  advertise: optionalKey({
    name: "advertise", placeholder: "HOST", description: "host name or address of this machine that a controller tells others",
  }, "the address of bind", "a host name or an address", (text) => (/^([A-Za-z0-9_.-]{1,255}|\[?[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\]?)$/.test(text) ? text : undefined)),
  keyFile: optionalKey({
    name: "key_file", placeholder: "FILE", description: "file of this process's secret key, made by `bqueryd keygen`; a controller with one takes known keys alone",
  }, "none: no keys", "a path", parsePath),
  authorizedKeys: optionalKey({
    name: "authorized_keys", placeholder: "FILE", description: "file of the keys that a controller takes besides its own, a line each: roles, public key, name",
  }, "none", "a path", parsePath),
  insecure: flagKey({
    name: "insecure", placeholder: "BOOL", description: "whether a controller may listen for other machines without keys, where everybody may do everything",
  }),
  workers: countKey({
    name: "workers", placeholder: "N", description: "workers that `bqueryd up` starts",
  }, { defaultText: "one per core", defaultValue: availableParallelism, min: 1, max: 1_024 }),
  downloaders: countKey({
    name: "downloaders", placeholder: "N", description: "downloaders that `bqueryd up` starts, and one mover where there are any",
  }, { defaultText: "0", min: 0, max: 64 }),
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
  leaseMs: secondsKey({
    name: "lease", placeholder: "SECONDS", description: "seconds after which a table that a downloader has said nothing of is given to another one",
  }, { defaultText: "30", min: 0.1, max: limits.leaseSecondsMax }),
  stallMs: secondsKey({
    name: "stall", placeholder: "SECONDS", description: "seconds after which a ticket that nothing moves on fails",
  }, { defaultText: "600", min: 0.1, max: 1_000_000 }),
  downloadRateBytes: optional(bytesKey({
    name: "download_rate", placeholder: "SIZE", description: "bytes a second that a downloader fetches at most",
  }, { defaultText: "none", min: 1_024, max: 2 ** 40 })),
  codeModules: modulesKey({
    name: "code_modules", placeholder: "MODULES", description: "modules whose functions execute_code may call in a worker, separated by commas",
  }),
  logLevel: levelKey({
    name: "log_level", placeholder: "LEVEL", description: `how much is logged on stderr: ${logLevels.join(", ")}`,
  }),
  memoryLimitBytes: optional(bytesKey({
    name: "memory_limit", placeholder: "SIZE", description: "resident memory beyond which a worker drops its caches, and if that is not enough ends, to be started again",
  }, { defaultText: "none", min: 2 ** 24, max: 2 ** 42 })),
  metricsPort: optional(countKey({
    name: "metrics_port", placeholder: "PORT", description: "port of /metrics, /healthz and /readyz over HTTP, 0 for any free one; of `bqueryd up` the controller's, and its workers, downloaders and mover have those that follow",
  }, { defaultText: "none", min: 0, max: 65_535 })),
  s3Endpoint: optionalKey({
    name: "s3_endpoint", placeholder: "URL", description: "address of an object store that speaks S3 and is not of AWS, https://host:port",
  }, "none: AWS", "an address such as https://objects.example.org:9000, without user and password", parseEndpoint),
  s3Region: optionalKey({
    name: "s3_region", placeholder: "REGION", description: "region of the buckets",
  }, "AWS_REGION, else that of the profile; us-east-1 with s3_endpoint", "the name of a region", (text) => (/^[a-z0-9-]{1,63}$/.test(text) ? text : undefined)),
  s3PathStyle: optional(flagKey({
    name: "s3_path_style", placeholder: "BOOL", description: "whether a bucket is a part of the path of its address, not of the host name",
  }, "true with s3_endpoint, else false")),
  s3Sse: choiceKey({
    name: "s3_sse", placeholder: "KIND", description: "how S3 is told to encrypt what it stores: none leaves it to the bucket",
  }, ["none", "AES256", "aws:kms"]),
  s3KmsKeyId: optionalKey({
    name: "s3_kms_key_id", placeholder: "ID", description: "key of KMS that S3 encrypts with; it needs s3_sse = aws:kms",
  }, "that of the bucket", "the id or ARN of a key", (text) => (/^[!-~]{1,2048}$/.test(text) ? text : undefined)),
  s3Profile: optionalKey({
    name: "s3_profile", placeholder: "NAME", description: "profile of ~/.aws whose credentials are used; S3 is never given any by this configuration itself",
  }, "AWS_PROFILE, else the default chain of AWS", "the name of a profile", (text) => (/^[^\s[\]]{1,255}$/.test(text) ? text : undefined)),
} as const;

/** A key that stands for nothing unless it is set. */
function optional<T>(key: ConfigKey<T>): ConfigKey<T | undefined> {
  return { ...key, defaultValue: () => undefined, format: (value) => (value === undefined ? undefined : key.format(value)) };
}

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
    parse: parsePath,
    format: (value) => value,
  };
}

function parsePath(text: string): string | undefined {
  return text === "" || text.includes("\0") ? undefined : resolve(text);
}

/** A text that need not be set. */
function optionalKey(facts: Facts, defaultText: string, accepts: string, parse: (text: string) => string | undefined): ConfigKey<string | undefined> {
  return { ...facts, defaultText, accepts, defaultValue: () => undefined, parse, format: (value) => value };
}

/** The address of an HTTP server; undefined for a text that is none, or holds more than one, as a password. */
function parseEndpoint(text: string): string | undefined {
  if (!/^https?:\/\/[^\s@?#]+$/.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).href.replace(/\/+$/, "");
}

/** One of a few words, the first of which is the default. */
function choiceKey<T extends string>(facts: Facts, choices: readonly [T, ...T[]]): ConfigKey<T> {
  return {
    ...facts,
    defaultText: choices[0],
    accepts: `one of ${choices.join(", ")}`,
    defaultValue: () => choices[0],
    parse: (text) => choices.find((choice) => choice.toLowerCase() === text.toLowerCase()),
    format: (value) => value,
  };
}

function flagKey(facts: Facts, defaultText = "false"): ConfigKey<boolean> {
  const values = new Map([["true", true], ["false", false]]);
  return { ...facts, defaultText, accepts: "true or false", defaultValue: () => false, parse: (text) => values.get(text.toLowerCase()), format: String };
}

/** Where this user, or on a machine of its own root, keeps what is to last: the registry, and the history of prompts. */
export function stateDirectory(env: Environment): string {
  const stateHome = env["XDG_STATE_HOME"];
  // The XDG specification says that a relative path there is to be ignored.
  if (stateHome !== undefined && isAbsolute(stateHome)) return join(stateHome, "bqueryd");
  if (process.getuid?.() === 0) return "/var/lib/bqueryd";
  return join(env["HOME"] ?? homedir(), ".local", "state", "bqueryd");
}

function redisUrlKey(facts: Facts): ConfigKey<string> {
  return {
    ...facts,
    defaultText: "none: the registry is the directory registry_dir",
    accepts: "an address such as redis://127.0.0.1:6379/0, a password in it percent-encoded",
    defaultValue: () => "",
    parse: (text) => (text === "" || parseRedisUrl(text) !== undefined ? text : undefined),
    format: (url) => (url === "" ? undefined : url),
    hide: hideRedisPassword,
  };
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

/** Tells whether a text is the address of a controller: `tcp://host:port`, or `tcp://host:port/KEY` with its public key. */
export function isControllerAddress(text: string): boolean {
  const port = /^tcp:\/\/(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.-]+):(\d{1,5})(?:\/[0-9a-f]{64})?$/.exec(text)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

/** Modules of Node's (`fs`, `fs/promises`) and packages, never paths. */
function modulesKey(facts: Facts): ConfigKey<readonly string[]> {
  const pattern = /^(@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9_][a-z0-9._-]*(\/[a-z]+)?$/;
  return {
    ...facts,
    defaultText: "none: execute_code is off",
    accepts: "names of modules of Node or of packages, such as fs, path",
    defaultValue: () => [],
    parse(text) {
      const modules = text.trim() === "" ? [] : text.split(",").map((module) => module.trim().replace(/^node:/, ""));
      return modules.every((module) => pattern.test(module)) ? modules : undefined;
    },
    format: (modules) => (modules.length === 0 ? undefined : modules.join(",")),
  };
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
