/** connect(): the `rpc` object, the same for programs and at the prompt. */
import { monotonicMs } from "../base/clock.js";
import { loadConfig, type Config } from "../base/config.js";
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { openRegistry } from "../registry/open.js";
import type { Registry } from "../registry/registry.js";
import { readArguments, type GroupbyOptions, type GroupbyQuery } from "./arguments.js";
import { decodeFiles, decodeInfo, type ClusterInfo, type TableInfo } from "../wire/documents.js";
import { groupby, type CallLimits } from "./groupby.js";
import { createKeptAnswers } from "./kept-answers.js";
import { createMergeThread } from "./merge-thread.js";
import { streamRows, type RowStream } from "./row-stream.js";
import { Session, type Call } from "./session.js";
import type { Table } from "./table.js";

/** Where the cluster is; what is left out comes from the configuration (file, BQUERYD_* variables, defaults). */
export interface ConnectOptions {
  /** Path of a configuration file. */
  readonly config?: string;
  readonly registry_dir?: string;
  readonly cluster?: string;
  /** Addresses of controllers, `tcp://host:port`, instead of those in the registry. */
  readonly controllers?: string | readonly string[];
  /** Seconds that a call may take unless it says otherwise. */
  readonly timeout?: number;
}

/** Options of every verb; `timeout` in seconds. */
export interface CallOptions {
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** The verbs of a cluster. Every one rejects with a BquerydError. */
export interface Rpc {
  /** 'pong', from the controller. */
  ping(options?: CallOptions): Promise<unknown>;
  /** One document about the controller, its workers, queues and warnings. */
  info(options?: CallOptions): Promise<ClusterInfo>;
  /** The tables and sets that can be asked, with shards, rows and holders. */
  files(options?: CallOptions): Promise<readonly TableInfo[]>;
  groupby(tables: string | readonly string[], keys: GroupbyQuery["keys"], measures: readonly unknown[], where?: readonly unknown[] | string, options?: GroupbyOptions): Promise<Table>;
  groupby(query: GroupbyQuery): Promise<Table>;
  /** The rows that groupby gives with `aggregate: false`, slice by slice: `for await (const table of rpc.rows('taxi', ['id1']))`. */
  rows(tables: string | readonly string[], keys: GroupbyQuery["keys"], measures?: readonly unknown[], where?: readonly unknown[] | string, options?: GroupbyOptions): RowStream;
  rows(query: GroupbyQuery): RowStream;
  /** Stops every worker and every controller. */
  killall(options?: CallOptions): Promise<unknown>;
  /** Seconds that the last call took, answered or not; of rows, until the last table was taken or the loop was left. */
  readonly last_call_duration: number;
  close(): Promise<void>;
}

const callNames = ["timeout", "signal"];
const connectNames = ["config", "registry_dir", "cluster", "controllers", "timeout"];

/**
 * Connects to a cluster. Rejects with NO_CONTROLLER when none is up, CONFIG or USAGE for wrong options, and
 * REGISTRY_UNAVAILABLE.
 */
export async function connect(options: ConnectOptions = {}): Promise<Rpc> {
  requireKnown(options);
  return connectWith(readConfig(options));
}

/** Connects as a whole configuration says; rejects as `connect`. */
export async function connectWith(config: Config): Promise<Rpc> {
  const registry = config.controllers.length > 0 ? undefined : await openRegistry({ registryDir: config.registryDir, cluster: config.cluster });
  try {
    await findControllers(config, registry);
  } catch (error) {
    await registry?.close();
    throw error;
  }
  const session = new Session({ findControllers: () => findControllers(config, registry), messageBytesMax: config.messageBytesMax, expiryMs: config.expiryMs });
  const mergeThread = createMergeThread();
  const answers = createKeptAnswers(config.answerMemoryBytes);
  return createRpc(session, { mergeThread, answers, differing: { keys: new Set() } }, config, async () => {
    await session.close();
    await mergeThread.close();
    await registry?.close();
  });
}

function createRpc(session: Session, helpers: Pick<CallLimits, "mergeThread" | "answers" | "differing">, config: Config, close: () => Promise<void>): Rpc {
  let durationMs = 0;
  async function timed<T>(work: () => Promise<T>): Promise<T> {
    const startMs = monotonicMs();
    try {
      return await work();
    } finally {
      durationMs = monotonicMs() - startMs;
    }
  }
  function ask(verb: Call["verb"], options: CallOptions, isSafe: boolean): Promise<unknown> {
    return timed(async () => {
      requireCallOptions(verb, options);
      const answer = await session.ask({ verb, tables: [], columns: [], body: [], isSafe, timeoutMs: timeoutMsOf(options, config), signal: options.signal });
      return answer.value;
    });
  }
  return {
    ping: (options = {}) => ask("ping", options, true),
    info: async (options = {}) => decodeInfo(await ask("info", options, true)),
    files: async (options = {}) => decodeFiles(await ask("files", options, true)),
    killall: (options = {}) => ask("killall", options, false),
    groupby: (...args: unknown[]) => timed(async () => {
      const query = readArguments("groupby", args);
      requireSignal(query.signal);
      return groupby(session, query, { timeoutMs: timeoutMsOf(query, config), mergeBytes: config.mergeMemoryBytes, ...helpers });
    }),
    rows: (...args: unknown[]) => {
      const query = readArguments("rows", args);
      requireSignal(query.signal);
      const limits = { timeoutMs: timeoutMsOf(query, config), mergeBytes: config.mergeMemoryBytes, ...helpers };
      return streamRows(session, query, limits, (tookMs) => { durationMs = tookMs; });
    },
    get last_call_duration() { return durationMs / 1_000; },
    close,
  };
}

async function findControllers(config: Config, registry: Registry | undefined): Promise<readonly string[]> {
  const addresses = registry === undefined ? config.controllers : (await registry.controllers()).map((record) => record.address);
  if (addresses.length > 0) return addresses;
  throw new BquerydError("NO_CONTROLLER", `no controller is up in ${config.registryDir}; start one with bqueryd up`, { details: { registryDir: config.registryDir } });
}

/** Throws USAGE unless the options of a verb are an object of what it takes. */
function requireCallOptions(verb: string, options: unknown): void {
  if (typeof options !== "object" || options === null) throw new BquerydError("USAGE", `${verb} takes an object of options, such as {timeout: 10}`);
  for (const name of Object.keys(options)) {
    if (!callNames.includes(name)) throw new BquerydError("USAGE", `${verb} has no option '${name}'${suggestion(name, callNames, `it takes ${callNames.join(" and ")}`)}`);
  }
  requireSignal("signal" in options ? options.signal : undefined);
}

function requireSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new BquerydError("USAGE", "signal is not an AbortSignal; give the signal of an AbortController");
}

function timeoutMsOf(options: CallOptions, config: Config): number {
  if (options.timeout === undefined) return config.timeoutMs;
  if (typeof options.timeout === "number" && options.timeout > 0 && options.timeout <= 1_000_000) return options.timeout * 1_000;
  throw new BquerydError("USAGE", `timeout ${String(options.timeout)} is not a number of seconds above 0; write {timeout: 10}`);
}

function readConfig(options: ConnectOptions): Config {
  const timeout = options.timeout === undefined ? undefined : String(options.timeout);
  const controllers = joinAddresses(options.controllers);
  return loadConfig({ flags: { registry_dir: options.registry_dir, cluster: options.cluster, controllers, timeout }, file: options.config });
}

/** Addresses as the configuration writes them; undefined for none. */
function joinAddresses(addresses: unknown): string | undefined {
  const list: unknown = typeof addresses === "string" ? [addresses] : (addresses ?? []);
  if (!Array.isArray(list) || !list.every((address) => typeof address === "string")) {
    throw new BquerydError("USAGE", "controllers is not a list of addresses; write {controllers: ['tcp://127.0.0.1:14300']}");
  }
  return list.length === 0 ? undefined : list.join(",");
}

function requireKnown(options: object): void {
  for (const name of Object.keys(options)) {
    if (!connectNames.includes(name)) throw new BquerydError("USAGE", `connect has no option '${name}'${suggestion(name, connectNames, `it takes ${connectNames.join(", ")}`)}`);
  }
}
