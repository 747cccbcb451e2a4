/** `bqueryd top`: a cluster as it works, in a terminal; elsewhere one look at it. */
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { monotonicMs } from "../base/clock.js";
import type { Config } from "../base/config.js";
import { BquerydError, toBquerydError } from "../base/errors.js";
import { connectWith, type Rpc } from "../client/connect.js";
import type { DownloadInfo } from "../wire/download-documents.js";
import { readConfig } from "./options.js";
import { formatError } from "./report.js";
import { formatTop, type Room, type Sample } from "./top-view.js";

/** The streams of a terminal that `top` takes over for a while. */
export interface TopTerminal {
  readonly input: Pick<NodeJS.ReadStream, "on" | "removeListener" | "setRawMode" | "pause" | "resume">;
  readonly output: Pick<NodeJS.WriteStream, "write" | "columns" | "rows">;
}

const everyMs = 1_000;
const answerMs = 5_000;
/** Where nobody looks at a terminal, as many lines as there are. */
const unboundedRoom: Room = { columns: 1_000, rows: 10_000 };
/** The alternate screen without a cursor, and back. */
const [enterScreen, leaveScreen] = ["\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"];
const [toTop, clearToLineEnd, clearBelow] = ["\x1b[H", "\x1b[K", "\x1b[J"];
/** Ctrl-C and Ctrl-D come as keys from a terminal in raw mode. */
const quitKeys = ["q", "Q", "\x03", "\x04"] as const;

/** Adds `top` to the program. */
export function addTopCommand(program: Command): void {
  program
    .command("top")
    .description("show the cluster as it works, until q or Ctrl-C; where there is no terminal, once")
    .option("--json", "print one JSON object, once")
    .action(runTop);
}

async function runTop({ json = false }: { readonly json?: boolean }, command: Command): Promise<void> {
  const config = readConfig(command);
  if (config === undefined) return;
  const rpc = await connectWith(config);
  try {
    const first = await takeSample(rpc, config);
    if (json) process.stdout.write(`${JSON.stringify({ info: first.info, tables: first.tables, downloads: first.downloads })}\n`);
    else if (process.stdout.isTTY && process.stdin.isTTY) await watchTop(first, () => takeSample(rpc, config), { input: process.stdin, output: process.stdout });
    else process.stdout.write(`${formatTop(first, undefined, unboundedRoom).join("\n")}\n`);
  } finally {
    await rpc.close();
  }
}

/** Shows a sample and, every second, a new one, until a key or a signal ends it. What cannot be had is told on the last line. */
export async function watchTop(first: Sample, take: () => Promise<Sample>, { input, output }: TopTerminal): Promise<void> {
  const over = new AbortController();
  const end = (): void => { over.abort(); };
  const onKey = (keys: Buffer | string): void => { if (quitKeys.some((key) => keys.toString().includes(key))) end(); };
  input.setRawMode(true);
  input.on("data", onKey).on("end", end).resume();
  process.on("SIGINT", end).on("SIGTERM", end).on("SIGHUP", end);
  output.write(enterScreen);
  try {
    await redraw(first, take, output, over.signal);
  } finally {
    process.removeListener("SIGINT", end).removeListener("SIGTERM", end).removeListener("SIGHUP", end);
    input.removeListener("data", onKey).removeListener("end", end).pause();
    input.setRawMode(false);
    output.write(leaveScreen);
  }
}

async function redraw(first: Sample, take: () => Promise<Sample>, output: TopTerminal["output"], signal: AbortSignal): Promise<void> {
  let [sample, before]: [Sample, Sample | undefined] = [first, undefined];
  let trouble: string | undefined;
  while (!signal.aborted) {
    const room = { columns: output.columns, rows: output.rows - 1 };
    const lines = [...formatTop(sample, before, room), trouble ?? "q ends"];
    output.write(`${toTop}${lines.map((line) => `${line}${clearToLineEnd}`).join("\r\n")}${clearBelow}`);
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      [before, sample, trouble] = [sample, await take(), undefined];
    } catch (cause) {
      trouble = formatError(toBquerydError(cause)).slice(0, Math.max(0, output.columns - 1));
    }
  }
}

async function takeSample(rpc: Rpc, { timeoutMs }: Config): Promise<Sample> {
  const options = { timeout: Math.min(timeoutMs, answerMs) / 1_000 };
  const [info, tables, downloads] = await Promise.all([rpc.info(options), rpc.files(options), listTickets(rpc, options)]);
  return { atMs: monotonicMs(), info, tables, downloads };
}

/** Tickets are in the registry alone: while that is away the cluster works on, and is shown. */
function listTickets(rpc: Rpc, options: { readonly timeout: number }): Promise<readonly DownloadInfo[]> {
  return rpc.downloads({ ...options, verbose: "nodes" }).catch((cause: unknown) => {
    if (cause instanceof BquerydError && cause.code === "REGISTRY_UNAVAILABLE") return [];
    throw cause;
  });
}
