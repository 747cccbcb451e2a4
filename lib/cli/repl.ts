/** JavaScript with `rpc` in reach: at a prompt that awaits what it prints, or as a script. Both run in a Node REPL. */
import { homedir } from "node:os";
import { join } from "node:path";
import { Recoverable, start, type REPLServer, type ReplOptions } from "node:repl";
import { PassThrough, Writable } from "node:stream";
import { inspect } from "node:util";
import { BquerydError } from "../base/errors.js";
import { version } from "../base/version.js";
import type { Rpc } from "../client/connect.js";
import { Table } from "../client/table.js";
import { formatError } from "./report.js";

type Outcome = { readonly value: unknown } | { readonly error: unknown };

/**
 * A prompt until Ctrl-D or .exit, on the terminal unless streams are given. Promises are awaited; no failure ends it.
 * Throws when no controller answers.
 */
export async function runRepl(rpc: Rpc, streams: Pick<ReplOptions, "input" | "output"> = {}): Promise<void> {
  // A dead address is told now, not at the first question.
  await rpc.ping();
  const { output = process.stdout } = streams;
  output.write(`bqueryd ${version}; rpc.files() lists the tables, rpc.groupby('TABLE', ['KEY'], ['MEASURE']) asks, .exit leaves\n`);
  const server = startSession(rpc, { prompt: "bqueryd> ", ignoreUndefined: true, breakEvalOnSigint: true, writer: formatForPrompt, ...streams });
  awaitValues(server);
  if (server.terminal) server.setupHistory(join(homedir(), ".bqueryd_history"), () => undefined);
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
  try {
    return await Promise.race([failed, evaluateIn(server, code)]);
  } catch (error) {
    throw ofScript(error);
  } finally {
    server.close();
  }
}

/** A value as text that ends a line: tables aligned, texts as they are, nothing for undefined. */
export function formatValue(value: unknown): string {
  if (value === undefined) return "";
  return `${typeof value === "string" ? value : formatForPrompt(value)}\n`;
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

/** Makes a prompt wait for a promise that a line yields. Ctrl-C ends the waiting. */
function awaitValues(server: REPLServer): void {
  const evaluateLine = server.eval;
  const pendingName = "__bqueryd_pending";
  Object.defineProperty(server, "eval", {
    value(this: REPLServer, code: string, context: typeof server.context, file: string, done: (error: Error | null, value?: unknown) => void) {
      evaluateLine.call(server, code, context, file, (error: Error | null, value: unknown) => {
        if (error !== null || !isPromise(value)) {
          done(error, value);
          return;
        }
        // Awaited by the REPL itself, which holds back typed-ahead lines meanwhile and ends the waiting on Ctrl-C.
        context[pendingName] = value.then((settled): Outcome => ({ value: settled }), (reason: unknown): Outcome => ({ error: reason }));
        evaluateLine.call(server, `await ${pendingName}\n`, context, file, (interrupted: Error | null, outcome: Outcome) => {
          Reflect.deleteProperty(context, pendingName);
          if (interrupted === null && "error" in outcome) server.output.write(`${formatFailure(outcome.error)}\n`);
          done(interrupted, interrupted === null && "value" in outcome ? outcome.value : undefined);
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
  if (value instanceof BquerydError) return formatError(value);
  if (isInterruption(value)) return "CANCELLED: the wait was interrupted; the call itself may go on";
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  const text = inspect(value, { depth: 8, maxArrayLength: 1_000, colors: process.stdout.isTTY && process.stdout.hasColors() });
  // Rows have no prototype, which is of no interest to who reads them.
  return text.replaceAll("[Object: null prototype] ", "");
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
  return new BquerydError("USAGE", `the code failed with ${formatForPrompt(error)}; correct it`, { cause: error });
}

function isOurFault(error: Error): boolean {
  const library = new URL("..", import.meta.url).href;
  const origin = error.stack?.split("\n").find((line) => line.trimStart().startsWith("at "));
  return origin?.includes(library) === true;
}
