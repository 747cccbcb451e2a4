/** Commands run in this process: a process of their own takes most of a second to start. */
import { main } from "../../lib/cli/main.js";
import { withoutProgress } from "./progress-lines.js";

/** What became of a command. */
export interface CommandOutcome {
  readonly code: number;
  readonly stdout: string;
  /** But for progress. */
  readonly stderr: string;
}

/** Runs `bqueryd` with these arguments in a folder, one command at a time: what is written meanwhile is taken for what it writes. */
export async function runCommand(args: readonly string[], folder = process.cwd()): Promise<CommandOutcome> {
  const before = process.cwd();
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)];
  const { exitCode } = process;
  const listeners = process.stdout.listeners("error");
  process.exitCode = undefined;
  process.chdir(folder);
  try {
    const code = await main(args);
    return { code, stdout: stdout.text(), stderr: withoutProgress(stderr.text()) };
  } finally {
    process.chdir(before);
    process.exitCode = exitCode;
    // A process has one command, and leaves its listeners to its end.
    for (const listener of process.stdout.listeners("error").slice(listeners.length)) process.stdout.removeListener("error", listener as () => void);
    stdout.restore();
    stderr.restore();
  }
}

/** Takes what is written to a stream, which is no terminal meanwhile. */
function capture(stream: NodeJS.WriteStream): { text(): string; restore(): void } {
  const { write, isTTY, columns } = stream;
  let text = "";
  const taken = (chunk: Uint8Array | string): boolean => {
    text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    return true;
  };
  Object.assign(stream, { write: taken, isTTY: false, columns: undefined });
  return { text: () => text, restore: () => { Object.assign(stream, { write, isTTY, columns }); } };
}
