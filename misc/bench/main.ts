/**
 * `npm run bench -- groupby|import|cluster|transfer --rows N --json`: measures, and prints a table or a line of JSON a result. What is
 * wrong with an answer ends it with exit code 1. `npm run bench -- clean` removes the data that earlier runs have kept.
 */
import { parseArgs } from "node:util";
import { BquerydError } from "../../lib/base/errors.js";
import { reportError } from "../../lib/cli/report.js";
import { listenForInterruption } from "../support/interruption.js";
import { formatJson, formatResults, type Result } from "./report.js";

interface Flags {
  readonly bench: string;
  /** Undefined: as many as the bench likes. */
  readonly rows: number | undefined;
  /** Undefined: as many as the bench likes. */
  readonly runs: number | undefined;
  readonly seed: number;
  readonly json: boolean;
  readonly fresh: boolean;
  /** Of groupby, cluster and transfer: names of cases, undefined for all; of groupby whether to print where their time goes. */
  readonly only: readonly string[] | undefined;
  readonly profile: boolean;
  /** Of cluster: how long each load lasts. */
  readonly seconds: number;
}

const usage = "use npm run bench -- groupby|import|cluster|transfer [--rows N] [--runs N] [--seed N] [--json] [--fresh], with all but import [--only q1,q2], with groupby [--profile], with cluster [--seconds N], or npm run bench -- clean";
const failedExitCode = 1;
/** Rows without --rows; of transfer they have 72 bytes each. */
const [defaultRows, transferRows] = [1_000_000, 14_000_000];
/** Timed runs of a query, and of work on files, without --runs. */
const [queryRuns, fileRuns] = [7, 3];

async function main(argv: readonly string[]): Promise<number> {
  const interruption = listenForInterruption();
  try {
    await run(parseFlags(argv), interruption.signal);
    return 0;
  } catch (error) {
    if (error instanceof BquerydError) return reportError(error);
    note(error instanceof Error ? error.message : String(error));
    return failedExitCode;
  } finally {
    interruption.close();
  }
}

/** Each bench is loaded when it is asked for: DuckDB and all else would take longer than to refuse a flag. */
async function run({ bench, json, runs, ...flags }: Flags, signal: AbortSignal): Promise<void> {
  const request = { ...flags, rows: flags.rows ?? (bench === "transfer" ? transferRows : defaultRows) };
  const results: Result[] = [];
  const report = (result: Result): void => {
    if (json) print(formatJson(result));
    else results.push(result);
  };
  switch (bench) {
    case "groupby":
      await (await import("./groupby.js")).benchGroupby({ ...request, runs: runs ?? queryRuns, signal, note, report });
      break;
    case "import":
      await (await import("./import.js")).benchImport({ ...request, runs: runs ?? fileRuns, signal, note, report });
      break;
    case "cluster":
      await (await import("./cluster/main.js")).benchCluster({ ...request, signal, note, report });
      break;
    case "transfer":
      await (await import("./transfer/main.js")).benchTransfer({ ...request, runs: runs ?? fileRuns, signal, note, report });
      break;
    case "clean":
      print(`removed ${await (await import("./data.js")).removeData()}`);
      return;
    default:
      throw new BquerydError("USAGE", `there is no bench '${bench}'; ${usage}`);
  }
  if (!json) print(formatResults(results));
}

function parseFlags(argv: readonly string[]): Flags {
  const options = {
    rows: { type: "string" }, runs: { type: "string" }, seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false }, fresh: { type: "boolean", default: false },
    seconds: { type: "string", default: "5" },
    only: { type: "string" }, profile: { type: "boolean", default: false },
  } as const;
  try {
    const { values: { rows, runs, seed, seconds, only, ...switches }, positionals: [bench = ""] } = parseArgs({ args: [...argv], options, allowPositionals: true });
    const counts = { rows: rows === undefined ? undefined : parseCount("rows", rows, 1e9), runs: runs === undefined ? undefined : parseCount("runs", runs, 1e6), seed: parseCount("seed", seed, 1e6), seconds: parseCount("seconds", seconds, 86_400) };
    return { bench, ...counts, only: only?.split(","), ...switches };
  } catch (cause) {
    if (cause instanceof BquerydError) throw cause;
    throw new BquerydError("USAGE", `the bench cannot read ${argv.join(" ")}; ${usage}`, { cause });
  }
}

/** A whole number from 1; `1e7` is one. */
function parseCount(flag: string, text: string, max: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= max) return count;
  throw new BquerydError("USAGE", `--${flag} takes a whole number from 1 to ${max}, not '${text}'; ${usage}`);
}

function note(sentence: string): void {
  process.stderr.write(`bench: ${sentence}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.exitCode = await main(process.argv.slice(2));
