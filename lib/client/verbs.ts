/** The verbs about processes and calls, and those that workers do without a table. */
import { logLevels, type LogLevel } from "../base/config-keys.js";
import { BquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { suggestion } from "../base/nearest.js";
import { decodeGenerations, decodeLogLevel, decodeQueries, decodeRollback, decodeStopped, type GenerationInfo, type LogLevelSet, type QueryInfo, type Rollback, type Stopped } from "../wire/documents.js";
import type { Errand } from "../wire/messages.js";
import type { CallOptions } from "./call-options.js";
import type { Answer, Call } from "./session.js";

/** Options of the verbs that a worker does. */
export interface ErrandOptions extends CallOptions {
  /** Calls of one key share a queue; by default a client has its own. */
  readonly affinity?: string;
  /** The worker that is to do it, by its id in info() or the beginning of that; any that is free without it. */
  readonly worker?: string;
}

/** A function to be called, and how. */
export interface CodeOptions extends ErrandOptions {
  /** A module that `code_modules` of the workers has, and a function of it: `fs.readdirSync`. */
  readonly function: string;
  /** What JSON can hold. */
  readonly args?: readonly unknown[];
  /** One more argument, the last: an object. */
  readonly kwargs?: Readonly<Record<string, unknown>>;
  /** false answers at once with the id of the query, by which it can be cancelled. */
  readonly wait?: boolean;
}

/** Those verbs. Every one rejects with a BquerydError. */
export interface Verbs {
  /** What runs and waits now at all controllers that are up, a document for each call. */
  queries(options?: CallOptions): Promise<readonly QueryInfo[]>;
  /** Ends a query by its id in queries(), or the beginning of that; its caller gets CANCELLED. Gives the id. */
  cancel(query: string, options?: CallOptions): Promise<string>;
  /** One worker sleeps so many seconds, then it is 'z...'. A list queues a sleep for each element and gives their ids at once. */
  sleep(seconds: number | readonly number[], options?: ErrandOptions): Promise<unknown>;
  /** Sets how much every process of the cluster logs, those too that come later while a controller that heard of it is up; gives how many were reached. */
  loglevel(level: LogLevel, options?: CallOptions): Promise<LogLevelSet>;
  /** The bytes of a file below the data_dir of a worker. */
  readfile(path: string, options?: ErrandOptions): Promise<Uint8Array>;
  /** What a function answers that a worker calls: a value that JSON can hold, or bytes. DISABLED unless `code_modules` allows it. */
  execute_code(code: CodeOptions): Promise<unknown>;
  /** The generations of a table that nodes have, or the imports of a set, the latest first. */
  generations(table: string, options?: CallOptions): Promise<readonly GenerationInfo[]>;
  /**
   * Lets queries read the generation before the one in use again, all shards of a set together; or the one whose id in
   * generations() begins so, an earlier or a later one. Every node that serves the table has to have it.
   */
  rollback(table: string, generation?: string, options?: CallOptions): Promise<Rollback>;
  /** Stops every worker. */
  killworkers(options?: CallOptions): Promise<Stopped>;
  /** Stops the connected controller. */
  kill(options?: CallOptions): Promise<Stopped>;
  /** Stops every process of the cluster: workers, downloaders, movers and controllers. */
  killall(options?: CallOptions): Promise<Stopped>;
}

/** What a verb asks besides its options. */
export interface Asking extends Partial<Pick<Call, "tables" | "asks" | "body" | "affinity" | "onAnswer">> {
  readonly isSafe: boolean;
  /** Milliseconds that it takes by itself, beyond the time a call may take by default. */
  readonly takesMs?: number;
}

/** Sends a verb with its options and gives the final answer. Rejects with USAGE for options that it does not take. */
export type AskVerb = (verb: Call["verb"], options: CallOptions, asking: Asking) => Promise<Answer>;

/** The verbs of whoever asks so. */
export function createVerbs(ask: AskVerb): Verbs {
  return {
    queries: async (options = {}) => decodeQueries((await ask("queries", options, { isSafe: true })).value),
    cancel: async (query, options = {}) => requireText("cancel", (await ask("cancel", options, { isSafe: false, asks: { query: readIdStart("query", query) } })).value),
    loglevel: async (level, options = {}) => decodeLogLevel((await ask("loglevel", options, { isSafe: true, asks: { level: readLevel(level) } })).value),
    generations: async (table, options = {}) => decodeGenerations((await ask("generations", options, { isSafe: true, tables: [readTable("generations", table)] })).value),
    rollback: async (table, generation, options = {}) => {
      const asks = generation === undefined ? {} : { generation: readGeneration(generation) };
      return decodeRollback((await ask("rollback", options, { isSafe: false, tables: [readTable("rollback", table)], asks })).value);
    },
    killworkers: async (options = {}) => decodeStopped("killworkers", (await ask("killworkers", options, { isSafe: false })).value),
    kill: async (options = {}) => decodeStopped("kill", (await ask("kill", options, { isSafe: false })).value),
    killall: async (options = {}) => decodeStopped("killall", (await ask("killall", options, { isSafe: false })).value),
    sleep: async (seconds, options = {}) => {
      const errands = readSeconds(seconds);
      const takesMs = 1_000 * errands.reduce((sum, errand) => sum + errand.seconds, 0);
      return doErrands(ask, errands, options, { isSafe: true, takesMs, isDetached: Array.isArray(seconds) });
    },
    readfile: async (path, options = {}) => {
      const bytes = await doErrands(ask, [{ kind: "readfile", path: readPath(path) }], options, { isSafe: true });
      if (bytes instanceof Uint8Array) return bytes;
      throw new BquerydError("BAD_MESSAGE", "the answer of readfile() is no bytes; run the same release everywhere");
    },
    execute_code: async (code) => {
      const { errand, body, isDetached } = readCode(code);
      const answer = await doErrands(ask, [errand], code, { isSafe: false, body: [body], isDetached });
      return isDetached && Array.isArray(answer) ? answer[0] as unknown : answer;
    },
  };
}

/** What errands come to; of those that nobody waits for, their ids. */
async function doErrands(ask: AskVerb, errands: readonly Errand[], options: ErrandOptions, { isDetached = false, ...asking }: Asking & { isDetached?: boolean }): Promise<unknown> {
  const { affinity, worker } = options;
  if (affinity !== undefined && (typeof affinity !== "string" || affinity.length > limits.affinityMax)) {
    throw new BquerydError("USAGE", `affinity is not a text of at most ${limits.affinityMax} characters; give a key such as 'dashboard'`);
  }
  let answered: { readonly form: "json" | "bytes"; readonly body: readonly Uint8Array[] } = { form: "json", body: [] };
  const asks = { errands: [...errands], ...(worker === undefined ? {} : { worker: readIdStart("worker", worker) }), ...(isDetached ? { detached: true as const } : {}) };
  const result = await ask(errands[0]!.kind, options, {
    ...asking, asks, isSafe: asking.isSafe && !isDetached, affinity,
    onAnswer: (form, body) => { answered = { form, body }; },
  });
  return isDetached ? result.value : readAnswer(answered.form, answered.body);
}

function readAnswer(form: "json" | "bytes", [bytes = new Uint8Array(0)]: readonly Uint8Array[]): unknown {
  if (form === "bytes") return Uint8Array.from(bytes);
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
  } catch (cause) {
    throw new BquerydError("BAD_MESSAGE", "the answer of a worker is no JSON; run the same release everywhere", { cause });
  }
}

function readSeconds(seconds: unknown): (Errand & { kind: "sleep" })[] {
  const list: readonly unknown[] = Array.isArray(seconds) ? seconds : [seconds];
  if (list.length === 0 || list.length > limits.errandsMax) throw new BquerydError("USAGE", `sleep takes from 1 to ${limits.errandsMax} numbers of seconds, not ${list.length}`);
  return list.map((value) => {
    if (typeof value === "number" && value >= 0 && value <= limits.sleepSecondsMax) return { kind: "sleep", seconds: value };
    throw new BquerydError("USAGE", `sleep takes seconds from 0 to ${limits.sleepSecondsMax}, not ${String(value)}; write rpc.sleep(1) or rpc.sleep([1, 1])`);
  });
}

function readLevel(level: unknown): LogLevel {
  const known = logLevels.find((candidate) => candidate === level);
  if (known !== undefined) return known;
  throw new BquerydError("USAGE", `there is no log level '${String(level)}'${suggestion(String(level), logLevels, `use one of ${logLevels.join(", ")}`)}`, { details: { levels: logLevels } });
}

function readTable(verb: string, table: unknown): string {
  if (typeof table === "string" && table !== "" && table.length <= limits.tableNameMax) return table;
  throw new BquerydError("USAGE", `${verb} takes the name of a table or set; write rpc.${verb}('taxi')`);
}

function readGeneration(generation: unknown): string {
  const start = typeof generation === "string" ? generation.toLowerCase() : "";
  if (/^[0-9a-f]{1,64}$/.test(start)) return start;
  throw new BquerydError("USAGE", `'${String(generation)}' is not a generation, or its beginning; see rpc.generations()`);
}

function readPath(path: unknown): string {
  if (typeof path === "string" && path !== "" && path.length <= limits.filePathMax) return path;
  throw new BquerydError("USAGE", `readfile takes the path of a file below data_dir, of at most ${limits.filePathMax} characters; write rpc.readfile('notes.txt')`);
}

function readIdStart(what: string, id: unknown): string {
  const start = typeof id === "string" ? id.toLowerCase() : "";
  if (/^[0-9a-f]{1,32}$/.test(start)) return start;
  throw new BquerydError("USAGE", `'${String(id)}' is not the id of a ${what}, or its beginning; see rpc.${what === "worker" ? "info" : "queries"}()`);
}

function readCode(code: unknown): { errand: Errand; body: Uint8Array; isDetached: boolean } {
  const example = "write rpc.execute_code({function: 'fs.readdirSync', args: ['.']})";
  if (typeof code !== "object" || code === null) throw new BquerydError("USAGE", `execute_code takes an object; ${example}`);
  const { function: name, args = [], kwargs, wait = true } = code as Readonly<Record<string, unknown>>;
  if (typeof name !== "string" || name === "" || name.length > limits.functionNameMax) throw new BquerydError("USAGE", `execute_code lacks the name of a function; ${example}`);
  if (!Array.isArray(args)) throw new BquerydError("USAGE", `args of execute_code is not a list; ${example}`);
  if (kwargs !== undefined && (typeof kwargs !== "object" || kwargs === null || Array.isArray(kwargs))) throw new BquerydError("USAGE", "kwargs of execute_code is not an object; write {kwargs: {withFileTypes: false}}");
  if (typeof wait !== "boolean") throw new BquerydError("USAGE", "wait of execute_code is neither true nor false");
  return { errand: { kind: "execute_code", function: name }, body: encodeArgs([...(args as unknown[]), ...(kwargs === undefined ? [] : [kwargs])]), isDetached: !wait };
}

function encodeArgs(args: readonly unknown[]): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = new TextEncoder().encode(JSON.stringify(args));
  } catch (cause) {
    throw new BquerydError("USAGE", `the arguments of execute_code cannot be written as JSON (${cause instanceof Error ? cause.message : String(cause)}); give plain values`, { cause });
  }
  if (bytes.length <= limits.functionArgumentsBytesMax) return bytes;
  throw new BquerydError("USAGE", `the arguments of execute_code have ${bytes.length} bytes as JSON, more than ${limits.functionArgumentsBytesMax}; give the path of a file below data_dir in their place`);
}

function requireText(verb: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new BquerydError("BAD_MESSAGE", `the answer of ${verb}() is no text; run the same release everywhere`);
}
