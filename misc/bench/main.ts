/**
 * `npm run bench -- groupby --rows N --json`: measures, and prints a table or a line of JSON a result. What is wrong
 * with an answer ends it with exit code 1. `npm run bench -- clean` removes the data that earlier runs have kept.
 */
import { parseArgs } from "node:util";
import { BquerydError } from "../../lib/base/errors.js";
import { reportError } from "../../lib/cli/report.js";
import { listenForInterruption } from "../support/interruption.js";
import { removeData } from "./data.js";
import { benchGroupby } from "./groupby.js";
import { formatJson, formatResults, type Result } from "./report.js";

interface Flags {
  readonly bench: string;
  readonly rows: number;
  readonly runs: number;
  readonly seed: number;
  readonly json: boolean;
  readonly fresh: boolean;
}

const usage = "use npm run bench -- groupby [--rows N] [--runs N] [--seed N] [--json] [--fresh], or npm run bench -- clean";
const failedExitCode = 1;

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

async function run({ bench, json, ...request }: Flags, signal: AbortSignal): Promise<void> {
  switch (bench) {
    case "groupby": {
      const results: Result[] = [];
      const report = (result: Result): void => {
        if (json) print(formatJson(result));
        else results.push(result);
      };
      await benchGroupby({ ...request, signal, note, report });
      if (!json) print(formatResults(results));
      return;
    }
    case "clean":
      print(`removed ${await removeData()}`);
      return;
    default:
      throw new BquerydError("USAGE", `there is no bench '${bench}'; ${usage}`);
  }
}

function parseFlags(argv: readonly string[]): Flags {
  const options = {
    rows: { type: "string", default: "1000000" }, runs: { type: "string", default: "7" }, seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false }, fresh: { type: "boolean", default: false },
  } as const;
  try {
    const { values: { rows, runs, seed, json, fresh }, positionals: [bench = ""] } = parseArgs({ args: [...argv], options, allowPositionals: true });
    return { bench, rows: parseCount("rows", rows, 1e9), runs: parseCount("runs", runs, 1e6), seed: parseCount("seed", seed, 1e6), json, fresh };
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
