/** The verbs that bring tables to nodes: distribute, download, downloads and delete_download. */
import { basename } from "node:path";
import { monotonicMs, randomId } from "../base/clock.js";
import type { Config } from "../base/config.js";
import { BquerydError } from "../base/errors.js";
import { findTableName, isTableName } from "../columns/names.js";
import { decodeCancelled, decodeDownloads, decodeTicketMade, ticketPrefix, type DownloadInfo, type TicketMade } from "../wire/download-documents.js";
import type { BucketTable } from "../wire/messages.js";
import { requireCallOptions, timeoutMsOf, withSignal, type CallOptions } from "./call-options.js";
import type { CallWatch } from "./call-watch.js";
import type { Asker } from "./session.js";
import { waitForTicket } from "./ticket-wait.js";
import { progressOfTicket, progressOfUpload, thinProgress, type OnProgress } from "./transfer-progress.js";
import type { AskVerb } from "./verbs.js";

/** Options of distribute. Without `timeout` it takes as long as something moves. */
export interface DistributeOptions extends CallOptions {
  /** How many nodes get each table; all of them without it. */
  readonly replicas?: number | null;
  /** true answers when the tables are in use everywhere, and fails with TICKET_FAILED and the reason where they will not be. */
  readonly wait?: boolean;
  /** Is told how far it is, of what is waited for; of distribute while it sends in any case. */
  readonly onProgress?: OnProgress;
}

/** What download takes. */
export interface DownloadRequest extends DistributeOptions {
  /** Directory names of tables and shards: `taxi.bcolz`, `taxi-0.bcolzs`. */
  readonly filenames: string | readonly string[];
  readonly bucket: string;
}

/** Options of downloads. */
export interface DownloadsOptions extends CallOptions {
  /** true gives a document for each ticket, with every table on every node; 'nodes' leaves these out. */
  readonly verbose?: boolean | "nodes";
}

/** Those verbs. Every one rejects with a BquerydError. */
export interface DownloadVerbs {
  /** Sends tables to a bucket and has nodes download them and switch to them, all at once or not at all; gives the name of the ticket. */
  distribute(files: string | readonly string[], bucket: string, options?: DistributeOptions): Promise<string>;
  /** Has nodes download tables that are in a bucket and switch to them, all at once or not at all; gives the name of the ticket. */
  download(request: DownloadRequest): Promise<string>;
  /** The tickets, the newest last, each with how many of its slots, a table on a node, are done: `['bqueryd_download_ticket_...', '0/1']`. */
  downloads(options?: DownloadsOptions & { readonly verbose?: false }): Promise<readonly (readonly [string, string])[]>;
  downloads(options: DownloadsOptions & { readonly verbose: true | "nodes" }): Promise<readonly DownloadInfo[]>;
  /** Cancels a ticket, by its name, with or without `bqueryd_download_ticket_`, and gives how many slots that ends: 0 of one that is over, which is forgotten, or in use. */
  delete_download(ticket: string, options?: CallOptions): Promise<number>;
}

/** What those verbs work with. */
export interface DownloadParts {
  readonly ask: AskVerb;
  timed<T>(work: () => Promise<T>): Promise<T>;
  /** Asks without being watched, or ended by a line of a prompt. */
  readonly quiet: Asker;
  readonly config: Config;
  signalNow(): AbortSignal | undefined;
  readonly watch: CallWatch | undefined;
}

/** The verbs of whoever has these parts. */
export function createDownloadVerbs(parts: DownloadParts): DownloadVerbs {
  const { ask, timed } = parts;
  async function listAll(options: DownloadsOptions = {}): Promise<readonly DownloadInfo[] | readonly (readonly [string, string])[]> {
    requireCallOptions("downloads", options);
    const detail = readDetail(options);
    const documents = decodeDownloads((await ask("downloads", options, { isSafe: true, asks: detail === undefined ? {} : { detail } })).value);
    return detail === undefined ? documents.map(({ ticket, done, slots }) => [ticketPrefix + ticket, `${done}/${slots}`] as const) : documents;
  }
  return {
    distribute: (files, bucket, options = {}) => timed(async () => {
      requireCallOptions("distribute", options);
      const [names, store] = [readNames("distribute", "files", files), readBucket("distribute", bucket)];
      return watched(parts, readTicketOptions("distribute", options), (run) => distribute(parts, names, store, run));
    }),
    download: (request) => timed(async () => {
      if (typeof request !== "object" || request === null) throw new BquerydError("USAGE", "download takes an object; write rpc.download({filenames: ['taxi.bcolz'], bucket: 'shop'})");
      requireCallOptions("download", request);
      const sources = readNames("download", "filenames", request.filenames).map((table) => ({ table: requireExact(table), manifest: null, generation: null }));
      const bucket = readBucket("download", request.bucket);
      return watched(parts, readTicketOptions("download", request), (run) => makeTicket(parts, { bucket, sources }, run));
    }),
    downloads: listAll as DownloadVerbs["downloads"],
    delete_download: async (ticket, options = {}) => decodeCancelled((await ask("delete_download", options, { isSafe: false, asks: { ticket: readTicket(ticket) } })).value),
  };
}

/** One call that makes a ticket. */
interface Run {
  readonly options: TicketOptions;
  readonly signal: AbortSignal | undefined;
  /** Of the steady clock; Infinity for none. */
  readonly deadlineMs: number;
  readonly tell: OnProgress;
}

interface TicketOptions extends Pick<DistributeOptions, "signal" | "timeout" | "onProgress"> {
  readonly replicas: number | null;
  readonly wait: boolean;
}

/** Does what may take long, told of to whoever watches. */
async function watched<T>({ signalNow, watch }: DownloadParts, options: TicketOptions, work: (run: Run) => Promise<T>): Promise<T> {
  const deadlineMs = monotonicMs() + timeoutMsOf(options, Infinity);
  const { signal } = withSignal(options.signal === undefined ? {} : { signal: options.signal }, signalNow());
  const watching = watch?.begin();
  const tell = thinProgress((progress) => {
    watching?.update(progress);
    options.onProgress?.(progress);
  });
  try {
    return await work({ options, signal, deadlineMs, tell });
  } finally {
    watching?.end();
  }
}

async function distribute(parts: DownloadParts, files: readonly string[], bucket: string, run: Run): Promise<string> {
  const { signal, deadlineMs, tell } = run;
  const { findDirectories, findWholeSets, sendTables } = await import("./send-tables.js");
  const paths = await findDirectories(files, parts.config.dataDir);
  // What no node could get is not sent for an hour first.
  await askTicket(parts, { bucket, sources: paths.map((path) => ({ table: basename(path), manifest: null, generation: null })) }, run, undefined);
  const tables = await withDeadline(signal, deadlineMs, (limited) => sendTables(paths, bucket, parts.config, {
    signal: limited, onProgress: ({ bytesDone, bytesTotal }) => { tell(progressOfUpload(bytesDone, bytesTotal)); },
  }));
  const sources = tables.map(({ table, generation, manifestKey }) => ({ table, generation, manifest: manifestKey }));
  return makeTicket(parts, { bucket, sources, sets: findWholeSets(tables) }, run, tables.reduce((sum, { bytes }) => sum + bytes, 0));
}

/** Sending ends with DEADLINE when its time is over. */
async function withDeadline<T>(signal: AbortSignal | undefined, deadlineMs: number, work: (signal: AbortSignal | undefined) => Promise<T>): Promise<T> {
  if (deadlineMs === Infinity) return work(signal);
  const over = AbortSignal.timeout(Math.max(1, Math.ceil(deadlineMs - monotonicMs())));
  try {
    return await work(signal === undefined ? over : AbortSignal.any([signal, over]));
  } catch (cause) {
    if (!over.aborted || signal?.aborted === true) throw cause;
    throw new BquerydError("DEADLINE", "the tables were not all sent in time, and no ticket was made; what was sent is not sent again: repeat it with a longer timeout", { cause });
  }
}

/** What a ticket is asked for. */
interface Wanted {
  readonly bucket: string;
  readonly sources: readonly BucketTable[];
  /** The sets of which all shards are among them. */
  readonly sets?: readonly string[];
}

/** Harmless to any controller, sent twice. */
const safely = { tables: [], columns: [], body: [], isSafe: true } as const;

/** Makes the ticket, and waits for it where that is asked. */
async function makeTicket(parts: DownloadParts, wanted: Wanted, run: Run, tablesBytes?: number): Promise<string> {
  const { options, signal, deadlineMs, tell } = run;
  // An id of our own: a call whose answer got lost may be repeated, and makes one ticket.
  const ticket = randomId().slice(0, 16);
  const name = ticketPrefix + ticket;
  const { slots, warnings } = await askTicket(parts, wanted, run, ticket);
  const bytesTotal = tablesBytes === undefined ? null : Math.round(tablesBytes * slots / wanted.sources.length);
  tell({ phase: "download", ticket: name, bytesDone: 0, bytesTotal, fraction: 0, nodes: [], warnings });
  if (!options.wait) return name;
  await waitForTicket(name, {
    deadlineMs, signal, onLook: (document) => { tell(progressOfTicket(name, document, tablesBytes)); },
    look: async (timeoutMs) => decodeDownloads((await parts.quiet.ask({ ...safely, verb: "downloads", asks: { ticket, detail: "nodes" }, signal, timeoutMs })).value)[0],
  });
  return name;
}

/** Asks for the ticket of that id; without one whether it could be made. */
async function askTicket({ quiet, config }: DownloadParts, { bucket, sources, sets = [] }: Wanted, { options: { replicas }, signal, deadlineMs }: Run, ticket: string | undefined): Promise<TicketMade> {
  const asks = { bucket, sources: [...sources], ...(sets.length === 0 ? {} : { sets: [...sets] }), ...(ticket === undefined ? {} : { ticket }), ...(replicas === null ? {} : { replicas }) };
  const timeoutMs = Math.max(1, Math.min(config.timeoutMs, deadlineMs - monotonicMs()));
  return decodeTicketMade((await quiet.ask({ ...safely, verb: "download", asks, signal, timeoutMs })).value);
}

function readTicketOptions(verb: string, { replicas = null, wait = false, onProgress, timeout, signal }: DistributeOptions): TicketOptions {
  const isCount = typeof replicas === "number" && Number.isSafeInteger(replicas) && replicas > 0;
  if (replicas !== null && !isCount) throw new BquerydError("USAGE", `replicas of ${verb} is ${String(replicas)}, not a whole number above 0; leave it out for all nodes`);
  if (typeof wait !== "boolean") throw new BquerydError("USAGE", `wait of ${verb} is neither true nor false`);
  if (onProgress !== undefined && typeof onProgress !== "function") throw new BquerydError("USAGE", `onProgress of ${verb} is no function; write {onProgress: ({phase, fraction}) => console.log(phase, fraction)}`);
  return { replicas, wait, ...(onProgress === undefined ? {} : { onProgress }), ...(timeout === undefined ? {} : { timeout }), ...(signal === undefined ? {} : { signal }) };
}

function readNames(verb: string, what: string, given: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  const example = verb === "download" ? "rpc.download({filenames: ['taxi.bcolz'], bucket: 'shop'})" : "rpc.distribute(['taxi'], 'shop')";
  if (list.length === 0) throw new BquerydError("USAGE", `${what} of ${verb} is empty; write ${example}`);
  const names = list.map((name) => {
    if (typeof name === "string" && name !== "") return name;
    throw new BquerydError("USAGE", `${what} of ${verb} has ${String(name)} where the name of a table is to be; write ${example}`);
  });
  return [...new Set(names)];
}

function readBucket(verb: string, bucket: unknown): string {
  if (typeof bucket === "string" && bucket !== "") return bucket;
  const example = verb === "download" ? "rpc.download({filenames: ['taxi.bcolz'], bucket: 'shop'})" : "rpc.distribute(['taxi'], 'shop')";
  throw new BquerydError("USAGE", `${verb} lacks the name of a bucket; write ${example}`);
}

/** A bucket is looked into by the downloaders alone, so that only whole names are understood. */
function requireExact(name: string): string {
  if (isTableName(name)) return name;
  const nearest = findTableName(`${name}.bcolz`) === undefined ? "the directory name of each table" : `${name}.bcolz, or each shard: ${name}-0.bcolzs, ...`;
  throw new BquerydError("USAGE", `'${name}' is not the directory name of a table, and a controller does not know what else is in a bucket; name ${nearest} (rpc.distribute takes names of sets and patterns)`, { details: { name } });
}

function readTicket(ticket: unknown): string {
  const id = typeof ticket === "string" ? ticket.replace(ticketPrefix, "").toLowerCase() : "";
  if (/^[0-9a-f]{16}$/.test(id)) return id;
  throw new BquerydError("USAGE", `'${String(ticket)}' is not the name of a ticket; see rpc.downloads()`);
}

function readDetail({ verbose = false }: DownloadsOptions): "nodes" | "slots" | undefined {
  if (verbose === false) return undefined;
  if (verbose === true) return "slots";
  if (verbose === "nodes") return "nodes";
  throw new BquerydError("USAGE", `verbose of downloads is ${String(verbose)}; give true, false or 'nodes'`);
}
