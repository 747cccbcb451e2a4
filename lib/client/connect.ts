/** connect(): the `rpc` object, the same for programs and at the prompt. */
import { monotonicMs } from "../base/clock.js";
import { loadConfig, type Config } from "../base/config.js";
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { clusterMark } from "../registry/cluster-mark.js";
import { describeRegistry, openRegistry } from "../registry/open.js";
import type { Registry } from "../registry/registry.js";
import { readArguments, type GroupbyOptions, type GroupbyQuery } from "./arguments.js";
import { requireCallOptions, requireSignal, timeoutMsOf, withSignal, type CallOptions } from "./call-options.js";
import { watchCalls, type CallWatch } from "./call-watch.js";
import { createDownloadVerbs, type DownloadVerbs } from "./downloads.js";
import { decodeFiles, decodeInfo, type ClusterInfo, type TableInfo } from "../wire/documents.js";
import { groupby, type CallLimits } from "./groupby.js";
import { findKeys } from "../wire/key-file.js";
import { createKeptAnswers } from "./kept-answers.js";
import { createMergeThread } from "./merge-thread.js";
import { streamRows, type RowStream } from "./row-stream.js";
import { Session, type Asker, type Call } from "./session.js";
import type { Table } from "./table.js";
import { createVerbs, type AskVerb, type Verbs } from "./verbs.js";

/** Where the cluster is; what is left out comes from the configuration (file, BQUERYD_* variables, defaults). */
export interface ConnectOptions {
  /** Path of a configuration file. */
  readonly config?: string;
  /** A Redis server with the registry, in place of a folder: `redis://host:port/db`. */
  readonly redis_url?: string;
  readonly registry_dir?: string;
  readonly cluster?: string;
  /** Addresses of controllers, `tcp://host:port` or `tcp://host:port/KEY`, instead of those in the registry. */
  readonly controllers?: string | readonly string[];
  /** Path of the file of this client's secret key. */
  readonly key_file?: string;
  /** Seconds that a call may take unless it says otherwise. */
  readonly timeout?: number;
}

/** The verbs of a cluster. Every one rejects with a BquerydError. */
export interface Rpc extends Verbs, DownloadVerbs {
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
  /** Seconds that the last call took, answered or not; of rows, until the last table was taken or the loop was left. */
  readonly last_call_duration: number;
  close(): Promise<void>;
}

const connectNames = ["config", "redis_url", "registry_dir", "cluster", "controllers", "key_file", "timeout"];
/** Those that are texts. */
const textNames = ["config", "redis_url", "registry_dir", "cluster", "key_file"];

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
  return (await openClient(config)).rpc;
}

/** Who looks after the calls of a client. */
export interface ClientHooks {
  /** What ends a call, besides its own signal; asked for when one is made. */
  signalNow?(): AbortSignal | undefined;
  /** Is told how far calls are. */
  readonly watch?: CallWatch | undefined;
}

/** A connection as a prompt has it. */
export interface Client {
  readonly rpc: Rpc;
  /** The tables, beside the calls of the user: neither watched, nor ended with them, nor the last of them. */
  tables(): Promise<readonly TableInfo[]>;
}

/** Connects as a whole configuration says, for who looks after its calls; rejects as `connect`. */
export async function openClient(config: Config, { signalNow = () => undefined, watch }: ClientHooks = {}): Promise<Client> {
  const keys = findKeys(config.keyFile);
  const registry = config.controllers.length > 0 ? undefined : await openRegistry(config);
  const find = rememberLast(() => findControllers(config, registry));
  try {
    await find();
  } catch (error) {
    await registry?.close();
    throw error;
  }
  const cluster = registry === undefined ? undefined : clusterMark(config);
  const session = new Session({ findControllers: find, messageBytesMax: config.messageBytesMax, keys, cluster, expiryMs: config.expiryMs });
  const mergeThread = createMergeThread();
  const answers = createKeptAnswers(config.answerMemoryBytes);
  const close = async (): Promise<void> => {
    await session.close();
    await mergeThread.close();
    await registry?.close();
  };
  const asker = watch === undefined ? session : watchCalls(session, watch);
  const rpc = createRpc(asker, { helpers: { mergeThread, answers, differing: { keys: new Set() } }, config, signalNow, close, watch, quiet: session });
  const listing: Call = { verb: "files", tables: [], columns: [], body: [], isSafe: true, timeoutMs: config.timeoutMs };
  return { rpc, tables: async () => decodeFiles((await session.ask(listing)).value) };
}

/** What calls need besides the session. */
interface RpcParts {
  readonly helpers: Pick<CallLimits, "mergeThread" | "answers" | "differing">;
  readonly config: Config;
  signalNow(): AbortSignal | undefined;
  close(): Promise<void>;
  readonly watch: CallWatch | undefined;
  /** What asks without being watched. */
  readonly quiet: Asker;
}

function createRpc(session: Asker, { helpers, config, signalNow, close, watch, quiet }: RpcParts): Rpc {
  let durationMs = 0;
  async function timed<T>(work: () => Promise<T>): Promise<T> {
    const startMs = monotonicMs();
    try {
      return await work();
    } finally {
      durationMs = monotonicMs() - startMs;
    }
  }
  const ask: AskVerb = (verb, options, { takesMs = 0, ...asking }) => timed(async () => {
    requireCallOptions(verb, options);
    const { signal } = withSignal(options, signalNow());
    const timeoutMs = timeoutMsOf(options, config.timeoutMs) + (options.timeout === undefined ? takesMs : 0);
    return session.ask({ verb, tables: [], columns: [], body: [], timeoutMs, signal, ...asking });
  });
  return {
    ...createVerbs(ask),
    ...createDownloadVerbs({ ask, timed, quiet, config, signalNow, watch }),
    ping: async (options = {}) => (await ask("ping", options, { isSafe: true })).value,
    info: async (options = {}) => decodeInfo((await ask("info", options, { isSafe: true })).value),
    files: async (options = {}) => decodeFiles((await ask("files", options, { isSafe: true })).value),
    groupby: (...args: unknown[]) => timed(async () => {
      const query = readArguments("groupby", args);
      requireSignal(query.signal);
      return groupby(session, withSignal(query, signalNow()), { timeoutMs: timeoutMsOf(query, config.timeoutMs), mergeBytes: config.mergeMemoryBytes, ...helpers });
    }),
    rows: (...args: unknown[]) => {
      const query = readArguments("rows", args);
      requireSignal(query.signal);
      const limits = { timeoutMs: timeoutMsOf(query, config.timeoutMs), mergeBytes: config.mergeMemoryBytes, ...helpers };
      return streamRows(session, withSignal(query, signalNow()), limits, (tookMs) => { durationMs = tookMs; });
    },
    get last_call_duration() { return durationMs / 1_000; },
    close,
  };
}

/** What is found, and, while the registry is away, what was found last. */
function rememberLast(find: () => Promise<readonly string[]>): () => Promise<readonly string[]> {
  let last: readonly string[] = [];
  return async () => {
    try {
      return last = await find();
    } catch (cause) {
      if (last.length > 0 && cause instanceof BquerydError && cause.code === "REGISTRY_UNAVAILABLE") return last;
      throw cause;
    }
  };
}

async function findControllers(config: Config, registry: Registry | undefined): Promise<readonly string[]> {
  const addresses = registry === undefined ? config.controllers : (await registry.controllers()).map((record) => record.address);
  if (addresses.length > 0) return addresses;
  const place = describeRegistry(config);
  throw new BquerydError("NO_CONTROLLER", `no controller is up in ${place}; start one with bqueryd up`, { details: { registry: place } });
}

function readConfig(options: ConnectOptions): Config {
  const timeout = options.timeout === undefined ? undefined : String(options.timeout);
  const controllers = joinAddresses(options.controllers);
  // Who names a folder does not mean the server of a configuration file.
  const redisUrl = options.redis_url ?? (options.registry_dir === undefined ? undefined : "");
  return loadConfig({ flags: { redis_url: redisUrl, registry_dir: options.registry_dir, cluster: options.cluster, controllers, key_file: options.key_file, timeout }, flagsOf: "connect()", file: options.config });
}

/** Addresses as the configuration writes them; undefined for none. */
function joinAddresses(addresses: unknown): string | undefined {
  const list: unknown = typeof addresses === "string" ? [addresses] : (addresses ?? []);
  if (!Array.isArray(list) || !list.every((address) => typeof address === "string")) {
    throw new BquerydError("USAGE", "controllers is not a list of addresses; write {controllers: ['tcp://127.0.0.1:14300']}");
  }
  return list.length === 0 ? undefined : list.join(",");
}

/** Programs in JavaScript may give anything. */
function requireKnown(options: unknown): void {
  if (typeof options !== "object" || options === null) throw new BquerydError("USAGE", "connect takes an object of options, such as {cluster: 'night'}");
  for (const [name, value] of Object.entries(options)) {
    if (!connectNames.includes(name)) throw new BquerydError("USAGE", `connect has no option '${name}'${suggestion(name, connectNames, `it takes ${connectNames.join(", ")}`)}`);
    if (textNames.includes(name) && value !== undefined && value !== null && typeof value !== "string") throw new BquerydError("USAGE", `${name} of connect is no text; write {${name}: '...'}`);
  }
}
