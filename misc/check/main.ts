/**
 * `npm run check -- NAME --count N --seed S`: the long runs. The seed comes first, the last line is JSON, a miss exits 1.
 * `random --seed S --only N` runs the one query of that number.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { freshSeed } from "../../lib/base/clock.js";
import { fuzzBcolz } from "../../test/support/bcolz-fuzz.js";
import { checkCrashes } from "./crash.js";
import { checkDistributions } from "./distribute.js";
import { checkFaults } from "./fault.js";
import { checkFiles } from "./files.js";
import { checkFlips } from "./flip.js";
import { checkKillPoints } from "./killpoints.js";
import { checkRandomQueries } from "./random.js";
import { checkRoundtrips } from "./roundtrip.js";
import { checkSoak } from "./soak.js";
import { sendMalformed } from "../../test/support/hostile/malformed.js";
import { askOneWorker } from "../../test/support/memory-runs.js";
import { runS3 } from "../../test/support/s3/runs.js";
import { switchUnderLoad } from "../../test/support/switch-runs.js";
import { runSimulation } from "../../test/simulation/simulator.js";
import { runTicketSimulation } from "../../test/simulation/tickets/ticket-simulator.js";

/** What a check found: figures, and the first miss. */
interface Outcome {
  readonly figures: Readonly<Record<string, unknown>>;
  readonly miss: string | undefined;
}

interface Check {
  readonly about: string;
  /** Runs when --count is not given. */
  readonly count: number;
  /** Whether it runs without a turn in which a signal could be heard: it starts nobody, and a signal ends it at once. */
  readonly isOneTurn?: true;
  /** `only` is the number of the one thing to run, where a check numbers them. */
  run(count: number, seed: number, only: number | undefined): Promise<Outcome>;
}

const checks: ReadonlyMap<string, Check> = new Map([
  ["random", { about: "random queries against DuckDB, one in ten through a cluster, of these one in ten over Redis", count: 2_000, run: checkRandomQueries }],
  ["simulate", { about: "simulated clusters with faults, each from a seed of its own, one in six of downloads", count: 2_000, isOneTurn: true, run: checkSimulations }],
  ["fuzz", { about: "mutated files of bcolz tables, each read or refused", count: 10_000, isOneTurn: true, run: checkFuzz }],
  ["crash", { about: "power cuts at any operation of create, replace, append, compact and collect", count: 600, run: checkCrashes }],
  ["flip", { about: "tables of which every byte is flipped and every file cut at every length", count: 20, run: checkFlips }],
  ["roundtrip", { about: "random tables exported to each format and imported again", count: 200, run: checkRoundtrips }],
  ["files", { about: "imports and exports of large files: their memory, and what they leave, ended at any moment", count: 37, run: checkFiles }],
  ["s3", { about: "random operations on objects in an S3 server with faults, compared with a model", count: 10_000, run: checkS3 }],
  ["memory", { about: "mixed queries to one worker, whose memory must not grow", count: 10_000, run: checkMemory }],
  ["malformed", { about: "malformed messages to controller, worker and client, half of them with keys, while an honest client asks", count: 100_000, run: checkMalformed }],
  ["soak", { about: "mixed load for so many minutes while processes are killed: no wrong answer, no leak", count: 30, run: checkSoak }],
  ["switch", { about: "versions of a set that take each other's place on two nodes under load: every answer of one of them", count: 200, run: checkSwitches }],
  ["distribute", { about: "versions distributed to two nodes under load while any process is killed, and one to a node whose disk is full", count: 200, run: checkDistributions }],
  ["killpoints", { about: "distributions of which a controller, a downloader, a mover, a node's power or the registry dies at an operation; as many as there are, or so many drawn", count: 5_000, run: checkKillPoints }],
  ["fault", { about: "faults of processes and connections under load; with an odd seed, of the Redis server with the registry too", count: 20, run: checkFaults }],
]);

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { positionals, values } = parseArgs({ args: [...args], allowPositionals: true, options: { count: { type: "string" }, seed: { type: "string" }, only: { type: "string" } } });
  const [name = ""] = positionals;
  const check = checks.get(name);
  const count = readWhole(values.count, check?.count);
  const seed = readWhole(values.seed, freshSeed());
  const only = readWhole(values.only, undefined);
  if (check === undefined || positionals.length !== 1 || count === undefined || seed === undefined || (values.only !== undefined && only === undefined)) {
    process.stderr.write(`usage: npm run check -- NAME --count N --seed S\n${[...checks].map(([known, { about }]) => `  ${known.padEnd(10)} ${about}\n`).join("")}`);
    return 64;
  }
  if (check.isOneTurn !== true) takeOwnFolder();
  process.stdout.write(`seed ${seed}\n`);
  const { figures, miss } = await check.run(count, seed, only);
  if (miss !== undefined) process.stdout.write(`${miss}\n`);
  process.stdout.write(`${JSON.stringify({ check: name, count, seed, ...figures, ok: miss === undefined })}\n`);
  return miss === undefined ? 0 : 1;
}

/** Whatever signal ends a check, nothing of it stays: its files are in a folder of its own, and that and who it started go with it. */
function takeOwnFolder(): void {
  const folder = process.env["TMPDIR"] = mkdtempSync(join(tmpdir(), "bqueryd-check-"));
  process.once("exit", () => {
    const started = descendantsOf(process.pid);
    for (const pid of started.filter(isRunning)) process.kill(pid, "SIGKILL");
    // Whoever still writes would make the folder anew.
    for (let waits = 0; waits < 100 && started.some(isRunning); waits++) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

/** The processes that a process started, and those that these did. */
function descendantsOf(pid: number): number[] {
  const children = readProc(pid, `task/${pid}/children`).split(" ").filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function isRunning(pid: number): boolean {
  return !["", "Z"].includes(/\) (\w)/.exec(readProc(pid, "stat"))?.[1] ?? "");
}

/** Empty where that process is gone. */
function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

/** The whole number of a flag, its default without one, undefined when it is no number. */
function readWhole(text: string | undefined, otherwise: number | undefined): number | undefined {
  if (text === undefined) return otherwise;
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function checkSimulations(count: number, seed: number): Promise<Outcome> {
  let steps = 0;
  for (let k = 0; k < count; k++) {
    const run = (seed + k) % 6 === 5 ? runTicketSimulation : runSimulation;
    const report = run((seed + k) >>> 0);
    steps += report.steps;
    if (report.problems.length === 0) continue;
    const { trace } = run(report.seed, { trace: true });
    const miss = [`npm run check -- simulate --count 1 --seed ${report.seed}`, ...report.problems, ...trace.slice(-200)].join("\n");
    return Promise.resolve({ figures: { simulations: k + 1, steps }, miss });
  }
  return Promise.resolve({ figures: { simulations: count, steps }, miss: undefined });
}

function checkFuzz(count: number, seed: number): Promise<Outcome> {
  const { failure, ...figures } = fuzzBcolz({ count, seed });
  return Promise.resolve({ figures: { ...figures }, miss: failure });
}

async function checkS3(count: number, seed: number): Promise<Outcome> {
  const { failure, ...figures } = await runS3({ count, seed });
  return { figures, miss: failure };
}

async function checkMemory(count: number, seed: number): Promise<Outcome> {
  const { failure, ...figures } = await askOneWorker({ count, seed });
  return { figures, miss: failure };
}

async function checkSwitches(count: number, seed: number): Promise<Outcome> {
  const { failure, ...figures } = await switchUnderLoad({ count, seed });
  return { figures, miss: failure };
}

async function checkMalformed(count: number, seed: number): Promise<Outcome> {
  const { failure, ...open } = await sendMalformed({ count: Math.ceil(count / 2), seed, withKeys: false });
  if (failure !== undefined) return { figures: { open }, miss: failure };
  const { failure: miss, ...guarded } = await sendMalformed({ count: Math.floor(count / 2), seed, withKeys: true });
  return { figures: { open, guarded }, miss };
}
