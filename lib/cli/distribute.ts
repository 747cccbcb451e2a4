/** `bqueryd distribute TABLE... BUCKET`: tables of this machine on every node, all at once or not at all. */
import type { Command } from "commander";
import { monotonicMs } from "../base/clock.js";
import type { Config } from "../base/config.js";
import { BquerydError } from "../base/errors.js";
import { formatBytes, formatCounted, formatSeconds } from "../base/quantities.js";
import { connectWith } from "../client/connect.js";
import type { TransferProgress } from "../client/transfer-progress.js";
import { whileUninterrupted } from "./interruption.js";
import { readConfig } from "./options.js";
import { startProgress } from "./progress.js";
import { reportWarning } from "./report.js";
import { stateOfTransfer } from "./transfer-text.js";

interface DistributeFlags {
  readonly replicas?: number;
  readonly wait: boolean;
  readonly json?: boolean;
}

/** What came of it. */
interface Distributed {
  readonly ticket: string;
  readonly bytes: number;
  readonly bytesSent: number;
  readonly nodes: readonly string[];
  readonly warnings: readonly string[];
  readonly ms: number;
}

/** Adds `distribute` to the program. */
export function addDistributeCommand(program: Command): void {
  program
    .command("distribute")
    .description("send tables to a bucket, have nodes download them, and wait until all of them are in use everywhere")
    .usage("[options] TABLE... BUCKET")
    .argument("<names...>", "tables, shards, sets or patterns in data_dir, or paths with a slash; and last the bucket: NAME or s3://NAME/PREFIX, or the absolute path of a directory that all nodes see")
    .option("--replicas <N>", "bring each table to N nodes (default: to all)", parseReplicas)
    .option("--no-wait", "end as soon as the tables are sent; the ticket that is printed goes on by itself")
    .option("--json", "print one JSON object when done, and no progress")
    .action(runDistribute);
}

async function runDistribute(names: readonly string[], flags: DistributeFlags, command: Command): Promise<void> {
  const config = readConfig(command);
  if (config === undefined) return;
  const [tables, bucket] = [names.slice(0, -1), names.at(-1)];
  if (bucket === undefined || tables.length === 0) throw new BquerydError("USAGE", "distribute needs tables and a bucket, as in bqueryd distribute taxi s3://shop/tables; see bqueryd distribute --help");
  const done = await whileUninterrupted((signal) => distribute(config, { tables, bucket, flags, signal }));
  process.stdout.write(flags.json === true ? `${JSON.stringify(toJson(done, flags))}\n` : formatDone(done, flags));
}

async function distribute(config: Config, { tables, bucket, flags, signal }: { tables: readonly string[]; bucket: string; flags: DistributeFlags; signal: AbortSignal }): Promise<Distributed> {
  const startMs = monotonicMs();
  const rpc = await connectWith(config);
  const display = flags.json === true ? undefined : startProgress(process.stderr);
  const seen: { bytes: number; bytesSent: number; last?: TransferProgress } = { bytes: 0, bytesSent: 0 };
  const warnings = new Set<string>();
  try {
    const ticket = await rpc.distribute(tables, bucket, {
      replicas: flags.replicas ?? null, wait: flags.wait, signal,
      onProgress: (progress) => {
        // What the bucket had counts as done from the first word on.
        if (seen.last === undefined && progress.phase === "upload") Object.assign(seen, { bytes: progress.bytesTotal, bytesSent: (progress.bytesTotal ?? 0) - progress.bytesDone });
        seen.last = progress;
        for (const warning of progress.warnings) warnings.add(warning);
        display?.update(stateOfTransfer(progress));
      },
    });
    return { ticket, bytes: seen.bytes, bytesSent: seen.bytesSent, nodes: seen.last?.nodes.map(({ node }) => node) ?? [], warnings: [...warnings], ms: monotonicMs() - startMs };
  } finally {
    display?.stop();
    for (const warning of warnings) reportWarning(warning);
    await rpc.close();
  }
}

function formatDone({ ticket, bytes, bytesSent, nodes, ms }: Distributed, { wait }: DistributeFlags): string {
  const sent = bytesSent === bytes ? `${formatBytes(bytes)} sent` : `${formatBytes(bytes)}, of which ${formatBytes(bytesSent)} had to be sent`;
  const far = wait ? `in use on ${formatCounted(nodes.length, "node")}` : "under way, see bqueryd downloads";
  return `${ticket}: ${far}; ${sent} (${formatSeconds(ms / 1_000)})\n`;
}

function toJson({ ticket, bytes, bytesSent, nodes, warnings, ms }: Distributed, { wait }: DistributeFlags): object {
  return { ticket, in_use: wait, bytes, bytes_sent: bytesSent, nodes, warnings, seconds: Math.round(ms) / 1_000 };
}

function parseReplicas(text: string): number {
  const count = Number(text);
  if (/^[0-9]+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new BquerydError("USAGE", `--replicas takes a whole number above 0, not '${text}'; leave it out for all nodes`);
}
