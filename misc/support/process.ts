/** The program `bqueryd` as child processes, the way a user or a supervisor runs it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { BquerydError, isErrorCode } from "../../lib/base/errors.js";

/** A running `bqueryd`. It is told to end when this process is gone, however that ended. */
export interface BquerydProcess {
  readonly pid: number;
  readonly hasEnded: boolean;
  /** Resolves with the exit code, or the signal that killed it, when its output is read to the end. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** The last that it wrote on a stream that was not inherited. */
  stdout(): string;
  stderr(): string;
  /** Characters that it wrote on stderr in all. */
  stderrCharacters(): number;
  /** Sends a signal; nothing happens to one that has ended. */
  signal(name: NodeJS.Signals): void;
}

/** How to start it. */
export interface StartOptions {
  /** Its working directory; ours by default. */
  readonly cwd?: string;
  /** Whether it shares our terminal: all streams, or only stderr for its progress. By default none. */
  readonly inherit?: "all" | "stderr";
  /** Variables of its environment besides ours. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How to run it to its end. */
export interface RunOptions extends StartOptions {
  /** Aborting it sends SIGTERM. */
  readonly signal?: AbortSignal;
}

const program = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));
const keptCharacters = 64 * 1024;

/** Starts `bqueryd ARGS`. Rejects when the system does not start the process. */
export async function startBqueryd(args: readonly string[], { cwd, inherit, env }: StartOptions = {}): Promise<BquerydProcess> {
  const input = inherit === "all" ? "inherit" : "ignore";
  const output = inherit === "all" ? "inherit" : "pipe";
  // Without our terminal a group of its own: Ctrl-C reaches us alone, and we end it in order.
  const detached = inherit !== "all";
  const child = spawn(process.execPath, [program, ...args], { cwd, detached, env: { ...process.env, ...env }, stdio: [input, output, inherit === undefined ? "pipe" : "inherit", "ipc"] });
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("close", (code, signal) => { resolve(signal ?? code ?? 0); });
  });
  const stdout = keepTail(child.stdout);
  const stderr = keepTail(child.stderr);
  await once(child, "spawn");
  return {
    pid: child.pid!,
    get hasEnded() { return child.exitCode !== null || child.signalCode !== null; },
    ended, stdout: stdout.tail, stderr: stderr.tail, stderrCharacters: stderr.total,
    signal: (name) => { child.kill(name); },
  };
}

/** What `bqueryd ARGS` prints. Throws the error it reports, and the reason of `signal` when that is aborted. */
export async function runBqueryd(args: readonly string[], { signal, ...options }: RunOptions = {}): Promise<string> {
  signal?.throwIfAborted();
  const child = await startBqueryd(args, options);
  const interrupt = (): void => { child.signal("SIGTERM"); };
  signal?.addEventListener("abort", interrupt);
  const outcome = await child.ended;
  signal?.removeEventListener("abort", interrupt);
  signal?.throwIfAborted();
  if (outcome !== 0) throw failureOf(args, outcome, child.stderr());
  return child.stdout();
}

function failureOf(args: readonly string[], outcome: number | NodeJS.Signals, stderr: string): BquerydError {
  const [, code, message] = /^bqueryd: ([A-Z_]+): (.*)$/m.exec(stderr) ?? [];
  if (code !== undefined && message !== undefined && isErrorCode(code)) return new BquerydError(code, message);
  return new BquerydError("INTERNAL", `bqueryd ${args.join(" ")} ended with ${outcome}: ${stderr.trim()}`);
}

/** Reads a stream to its end and gives the last of it, and how long it was. */
function keepTail(stream: NodeJS.ReadableStream | null): { tail(): string; total(): number } {
  let tail = "";
  let total = 0;
  stream?.setEncoding("utf8").on("data", (text: string) => {
    tail = (tail + text).slice(-keptCharacters);
    total += text.length;
  });
  return { tail: () => tail, total: () => total };
}
