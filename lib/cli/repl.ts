/** JavaScript with `rpc` in reach: at a prompt that awaits what it prints, or as a script. Both run in a Node REPL. */
import { Recoverable, start, type REPLServer, type ReplOptions } from "node:repl";
import { PassThrough, Writable } from "node:stream";
import { inspect } from "node:util";
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { version } from "../base/version.js";
import type { Rpc } from "../client/connect.js";
import { verbNames } from "../client/option-names.js";
import { Table } from "../client/table.js";
import type { LineCalls } from "./line-calls.js";
import { formatDocument } from "./documents-text.js";
import { completeLine } from "./prompt/completion.js";
import { historyLinesMax, type History } from "./prompt/history.js";
import { printTable, printTiming } from "./prompt/printing.js";
import type { TableNames } from "./prompt/table-names.js";
import type { WaitingLine } from "./prompt/waiting-line.js";
import { formatError } from "./report.js";

type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** What a prompt on a terminal has besides; all of it may be left out. */
export interface PromptAids {
  readonly history?: History;
  /** The tables for Tab. */
  readonly names?: TableNames;
  readonly waiting?: WaitingLine | undefined;
}

/**
 * A prompt until Ctrl-D or .exit, on the terminal unless streams are given. Promises are awaited; no failure ends it, and
 * Ctrl-C ends the line with its calls. On a terminal tables have types and lines times, and Tab completes. Throws when no
 * controller answers.
 */
export async function runRepl(rpc: Rpc, calls: LineCalls, streams: Pick<ReplOptions, "input" | "output" | "terminal"> = {}, aids: PromptAids = {}): Promise<void> {
  // A dead address is told now, not at the first question.
  await rpc.ping();
  const { output = process.stdout } = streams;
  output.write(`bqueryd ${version}; rpc.files() lists the tables, rpc.groupby('TABLE', ['KEY'], ['MEASURE']) asks, .exit leaves\n`);
  const hasColors = output === process.stdout && canColor();
  const line = { startMs: 0, timing: "" };
  // Of a line that Ctrl-C ended the REPL tells nobody but who writes the failure.
  const write = (value: unknown): string => {
    if (isInterruption(value)) {
      const goesOn = aids.waiting?.goesOn() ?? [];
      aids.waiting?.stop();
      calls.cancel();
      if (goesOn.length > 0) return ["CANCELLED: the line was interrupted", ...goesOn, "see rpc.downloads()"].join("; ");
    }
    if (!server.terminal) return formatForPrompt(value);
    const text = value instanceof Table ? printTable(value, { lines: output === process.stdout ? process.stdout.rows : undefined, hasColors }) : formatForPrompt(value);
    return `${text}${line.timing}`;
  };
  const server = startSession(rpc, { prompt: "bqueryd> ", ignoreUndefined: true, breakEvalOnSigint: true, writer: write, ...streams });
  awaitValues(server, {
    begin() {
      calls.begin();
      aids.waiting?.start();
      Object.assign(line, { startMs: monotonicMs(), timing: "" });
    },
    end() { aids.waiting?.stop(); },
    yields(value) {
      if (!server.terminal || calls.count === 0) return;
      const timing = printTiming({ calls: calls.count, ms: monotonicMs() - line.startMs, table: value instanceof Table ? value : undefined }, hasColors);
      if (value === undefined) output.write(`${timing}\n`);
      else line.timing = `\n${timing}`;
    },
  });
  if (server.terminal) {
    if (aids.history !== undefined) keepHistory(server, aids.history);
    completeWith(server, rpc, aids.names);
  }
  const report = (error: unknown): void => {
    output.write(`${formatFailure(error)}\n`);
    server.displayPrompt(true);
  };
  process.on("uncaughtException", report);
  try {
    await new Promise<void>((resolve) => server.once("exit", resolve));
  } finally {
    process.removeListener("uncaughtException", report);
  }
}

/**
 * What the last expression of the code yields, awaited; `await` may stand anywhere in it. Throws what the code throws:
 * ours as it is, anything else as USAGE.
 */
export async function evaluate(code: string, rpc: Rpc): Promise<unknown> {
  let fail!: (error: unknown) => void;
  const failed = new Promise<never>((_, reject) => { fail = reject; });
  // Errors reach the writer when they are thrown, and the callback when the code does not parse.
  const server = startSession(rpc, {
    prompt: "", terminal: false, input: new PassThrough(), output: new Writable({ write: (_chunk, _encoding, done) => { done(); } }),
    writer: (error: unknown) => { fail(error); return ""; },
  });
  const giveUp = (): void => { fail(new BquerydError("USAGE", "the code waits for a promise that nothing settles any more; correct it")); };
  process.once("beforeExit", giveUp);
  try {
    return await Promise.race([failed, evaluateIn(server, code)]);
  } catch (error) {
    throw ofScript(error);
  } finally {
    process.removeListener("beforeExit", giveUp);
    server.close();
  }
}

/** A value as text that ends a line: tables aligned, texts as they are, nothing for undefined. */
export function formatValue(value: unknown): string {
  if (value === undefined) return "";
  const text = typeof value === "string" ? value : formatForPrompt(value);
  // A text of whole lines, as CSV is, is not to get an empty one.
  return text.endsWith("\n") ? text : `${text}\n`;
}

/** A REPL in this very realm, so that a Date typed in it is a Date of the client's. */
function startSession(rpc: Rpc, options: ReplOptions): REPLServer {
  const server = start({ useGlobal: true, ...options });
  server.context["rpc"] = rpc;
  return server;
}

async function evaluateIn(server: REPLServer, code: string): Promise<unknown> {
  const outcome = await new Promise<Outcome>((resolve) => {
    server.eval.call(server, `${code}\n`, server.context, "script", (error: unknown, value: unknown) => {
      resolve(error === null || error === undefined ? { value } : { error });
    });
  });
  if ("error" in outcome) throw outcome.error instanceof Recoverable ? outcome.error.err : outcome.error;
  return outcome.value;
}

/** Lines of earlier prompts are had with the arrow keys, and those of this one by later ones. */
function keepHistory(server: REPLServer, { lines, add }: History): void {
  // The one way: an option for it is not passed on, and Node's own file is overwritten by whichever prompt ends last.
  Reflect.set(server, "historySize", historyLinesMax);
  Reflect.set(server, "history", [...lines]);
  server.on("history", ([newest]: readonly string[]) => { if (newest !== undefined) add(newest); });
}

/** Tab offers what stands in calls of `rpc`, and elsewhere what Node's own prompt does. */
function completeWith(server: REPLServer, rpc: Rpc, names: TableNames | undefined): void {
  const { completer } = server;
  Object.defineProperty(server, "completer", {
    value(this: REPLServer, line: string, done: (error: Error | null, found: [readonly string[], string]) => void) {
      const found = completeLine(line, { verbs: Object.keys(rpc), tables: names?.now() ?? [] });
      if (found === undefined) Reflect.apply(completer, server, [line, done]);
      else done(null, [found.words, found.typed]);
    },
  });
}

/** Is told of every line. */
interface LineWatch {
  begin(): void;
  /** It ended, before anything is written of it. */
  end(): void;
  /** It ended well. */
  yields(value: unknown): void;
}

/** Makes a prompt wait for a promise that a line yields. Ctrl-C ends the waiting. */
function awaitValues(server: REPLServer, watch: LineWatch): void {
  const evaluateLine = server.eval;
  const pendingName = "__bqueryd_pending";
  Object.defineProperty(server, "eval", {
    value(this: REPLServer, code: string, context: typeof server.context, file: string, end: (error: Error | null, value?: unknown) => void) {
      const done: typeof end = (error, value) => {
        watch.end();
        if (error === null) watch.yields(value);
        end(error, value);
      };
      watch.begin();
      evaluateLine.call(server, code, context, file, (error: Error | null, value: unknown) => {
        if (error !== null || !isPromise(value)) {
          done(error, value);
          return;
        }
        // Awaited by the REPL itself, which holds back typed-ahead lines meanwhile and ends the waiting on Ctrl-C.
        context[pendingName] = value.then((settled): Outcome => ({ value: settled }), (reason: unknown): Outcome => ({ error: reason }));
        evaluateLine.call(server, `await ${pendingName}\n`, context, file, (interrupted: Error | null, outcome: Outcome) => {
          Reflect.deleteProperty(context, pendingName);
          if (interrupted !== null || "value" in outcome) return done(interrupted, interrupted === null && "value" in outcome ? outcome.value : undefined);
          watch.end();
          server.output.write(`${formatFailure(outcome.error)}\n`);
          end(null);
        });
      });
    },
  });
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** What the prompt prints: tables aligned, errors on one line, anything else as Node's own prompt does. */
function formatForPrompt(value: unknown): string {
  if (value instanceof Table) return value.toString();
  const document = formatDocument(value);
  if (document !== undefined) return document;
  if (value instanceof BquerydError) return formatError(value);
  if (isInterruption(value)) return "CANCELLED: the line was interrupted; what it asked is cancelled";
  if (value instanceof Error) return `${value.name}: ${value.message}${adviceOn(value)}`;
  const text = inspect(value, { depth: 8, maxArrayLength: 1_000, colors: canColor() });
  // Rows have no prototype, which is of no interest to who reads them.
  return text.replaceAll("[Object: null prototype] ", "");
}

function canColor(): boolean {
  return process.stdout.isTTY && process.stdout.hasColors();
}

/** A verb may be mistyped; and a call gives a promise of its table, of which a name that was given to it without await is left. */
function adviceOn({ name, message }: Error): string {
  const [, verb] = /^rpc\.([\w$]+) is not a function$/.exec(message) ?? [];
  if (verb !== undefined) return suggestion(verb, verbNames, "Object.keys(rpc) lists the verbs");
  const [, promise] = /^([\w$]+)(?:\.(?:rows|column|toArrow|toCSV) is not a function| is not iterable)$/.exec(message) ?? [];
  return name !== "TypeError" || promise === undefined ? "" : `; if it is the answer of a call, await it: ${promise} = await rpc.groupby(...)`;
}

/** What Node throws when Ctrl-C ends the evaluation of a line. */
function isInterruption(value: unknown): boolean {
  return value instanceof Error && "code" in value && value.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED";
}

function formatFailure(error: unknown): string {
  return error instanceof BquerydError ? formatError(error) : `Uncaught ${formatForPrompt(error)}`;
}

/** A failure of the script's own as an error that a command can end with; one of ours, or a fault in us, as it is. */
function ofScript(error: unknown): unknown {
  if (error instanceof BquerydError) return error;
  if (error instanceof Error && isOurFault(error)) return error;
  const text = formatForPrompt(error);
  return new BquerydError("USAGE", `the code failed with ${text}${text.endsWith("?") ? "" : "; correct it"}`, { cause: error });
}

function isOurFault(error: Error): boolean {
  const library = new URL("..", import.meta.url).href;
  const origin = error.stack?.split("\n").find((line) => line.trimStart().startsWith("at "));
  return origin?.includes(library) === true;
}
