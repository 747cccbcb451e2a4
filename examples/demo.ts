/**
 * `npm run demo`: imports three million real flights into ten shards, starts a cluster, asks it six questions, checks
 * the answers against DuckDB and leaves nothing behind. `-- --json` prints a line of JSON for each question, and
 * `-- --stay` offers a prompt on the cluster before it ends.
 */
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { monotonicMs } from "../lib/base/clock.js";
import { loadConfig } from "../lib/base/config.js";
import { BquerydError } from "../lib/base/errors.js";
import { formatReady, startUp, type Up } from "../lib/cli/up.js";
import { connect } from "../lib/index.js";
import { findDifference } from "../misc/support/difference.js";
import { openDuckDb } from "../misc/support/duckdb.js";
import { runInFolder, type Interruption } from "../misc/support/interruption.js";
import { runBqueryd, startBqueryd } from "../misc/support/process.js";
import { questions } from "./demo/questions.js";
import { jsonReport, textReport, type Answer, type Report } from "./demo/report.js";

const flights = fileURLToPath(new URL("../data/flights-3m.parquet", import.meta.resolve("vega-datasets")));
const differentExitCode = 1;

interface Flags {
  readonly json: boolean;
  readonly stay: boolean;
}

interface Demo extends Flags {
  /** Holds everything that the demo makes. */
  readonly folder: string;
  readonly report: Report;
  readonly interruption: Interruption;
}

function main(argv: readonly string[]): Promise<number> {
  return runInFolder("bqueryd-demo-", (folder, interruption) => {
    const flags = parseFlags(argv);
    return run({ ...flags, folder, interruption, report: flags.json ? jsonReport : textReport });
  });
}

function parseFlags(argv: readonly string[]): Flags {
  const usage = "use npm run demo, or npm run demo -- with --json or --stay";
  try {
    const { json, stay } = parseArgs({ args: [...argv], options: { json: { type: "boolean" }, stay: { type: "boolean" } } }).values;
    if (json !== true || stay !== true) return { json: json === true, stay: stay === true };
  } catch (cause) {
    throw new BquerydError("USAGE", `the demo cannot read ${argv.join(" ")}; ${usage}`, { cause });
  }
  throw new BquerydError("USAGE", `--json and --stay exclude each other; ${usage}`);
}

async function run(demo: Demo): Promise<number> {
  const { report, folder, interruption: { signal } } = demo;
  const startMs = monotonicMs();
  report.begin();
  await importFlights(demo);
  const flags = { data_dir: join(folder, "data"), registry_dir: join(folder, "registry"), workers: "2", log_level: "error" };
  report.command("bqueryd up --data-dir data --workers 2");
  const up = await startUp(loadConfig({ flags }));
  try {
    signal.throwIfAborted();
    report.output(formatReady(up));
    const answers = await ask(up, signal, report);
    const ok = await check(answers, signal, report);
    report.end({ ok, questions: answers.length, seconds: (monotonicMs() - startMs) / 1_000 });
    if (demo.stay) await offerPrompt(up, demo.interruption);
    return ok ? 0 : differentExitCode;
  } finally {
    await up.stop("the demo is over");
  }
}

async function importFlights({ folder, json, report, interruption: { signal } }: Demo): Promise<void> {
  await mkdir(join(folder, "data"));
  await symlink(flights, join(folder, "flights-3m.parquet"));
  const args = ["import", "flights-3m.parquet", "data/flights", "--shards", "10"];
  report.command(`bqueryd ${args.join(" ")}`);
  // Progress is for people who watch.
  const inherit = process.stderr.isTTY && !json ? { inherit: "stderr" as const } : {};
  report.output(await runBqueryd(args, { cwd: folder, signal, ...inherit }));
}

async function ask({ address }: Up, signal: AbortSignal, report: Report): Promise<Answer[]> {
  const rpc = await connect({ controllers: [address] });
  try {
    const answers: Answer[] = [];
    for (const question of questions) {
      const table = await rpc.groupby({ ...question.query, signal });
      const answer = { question, table, seconds: rpc.last_call_duration };
      report.answered(answer);
      answers.push(answer);
    }
    return answers;
  } finally {
    await rpc.close();
  }
}

/** Tells whether DuckDB, which reads the file itself, gives the same answers. */
async function check(answers: readonly Answer[], signal: AbortSignal, report: Report): Promise<boolean> {
  const duckDb = await openDuckDb({ threads: 2 });
  try {
    await duckDb.run(`CREATE VIEW flights AS FROM read_parquet('${flights.replaceAll("'", "''")}')`);
    report.checking(duckDb.version);
    let ok = true;
    for (const answer of answers) {
      signal.throwIfAborted();
      const difference = findDifference(answer.table, await duckDb.read(answer.question.sql));
      report.checked(answer, difference);
      ok &&= difference === undefined;
    }
    return ok;
  } finally {
    duckDb.close();
  }
}

async function offerPrompt({ address }: Up, interruption: Interruption): Promise<void> {
  process.stdout.write(`\nThe cluster stays up until this prompt is left with Ctrl-D or .exit:\nbqueryd ${address}\n`);
  interruption.leaveCtrlC();
  const prompt = await startBqueryd([address], { inherit: "all" });
  const end = (): void => { prompt.signal("SIGTERM"); };
  interruption.signal.addEventListener("abort", end);
  await prompt.ended;
  interruption.signal.throwIfAborted();
}

process.exitCode = await main(process.argv.slice(2));
