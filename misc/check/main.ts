/** `npm run check -- NAME --count N --seed S`: the long runs. The seed comes first, the last line is JSON, a miss exits 1. */
import { parseArgs } from "node:util";
import { freshSeed } from "../../lib/base/clock.js";
import { fuzzBcolz } from "../../test/support/bcolz-fuzz.js";
import { checkCrashes } from "./crash.js";
import { checkFlips } from "./flip.js";
import { checkRoundtrips } from "./roundtrip.js";
import { runRandomQueries } from "../../test/support/random/run.js";
import { askThroughCluster } from "../../test/support/random/through-cluster.js";
import { killWorkersUnderLoad } from "../../test/support/worker-deaths.js";
import { runSimulation } from "../../test/simulation/simulator.js";

/** What a check found: figures, and the first miss. */
interface Outcome {
  readonly figures: Readonly<Record<string, number>>;
  readonly miss: string | undefined;
}

interface Check {
  readonly about: string;
  /** Runs when --count is not given. */
  readonly count: number;
  run(count: number, seed: number): Promise<Outcome>;
}

const checks: ReadonlyMap<string, Check> = new Map([
  ["random", { about: "random queries against DuckDB, one in ten through a cluster", count: 500, run: checkRandom }],
  ["simulate", { about: "simulated clusters with faults, each from a seed of its own", count: 2_000, run: checkSimulations }],
  ["fuzz", { about: "mutated files of bcolz tables, each read or refused", count: 10_000, run: checkFuzz }],
  ["crash", { about: "power cuts at any operation of create, replace, append, compact and collect", count: 600, run: checkCrashes }],
  ["flip", { about: "tables of which every byte is flipped and every file cut at every length", count: 20, run: checkFlips }],
  ["roundtrip", { about: "random tables exported to each format and imported again", count: 200, run: checkRoundtrips }],
  ["fault", { about: "kill -9 of workers under load", count: 20, run: checkFaults }],
]);

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { positionals, values } = parseArgs({ args: [...args], allowPositionals: true, options: { count: { type: "string" }, seed: { type: "string" } } });
  const [name = ""] = positionals;
  const check = checks.get(name);
  const count = readWhole(values.count, check?.count);
  const seed = readWhole(values.seed, freshSeed());
  if (check === undefined || positionals.length !== 1 || count === undefined || seed === undefined) {
    process.stderr.write(`usage: npm run check -- NAME --count N --seed S\n${[...checks].map(([known, { about }]) => `  ${known.padEnd(10)} ${about}\n`).join("")}`);
    return 64;
  }
  process.stdout.write(`seed ${seed}\n`);
  const { figures, miss } = await check.run(count, seed);
  if (miss !== undefined) process.stdout.write(`${miss}\n`);
  process.stdout.write(`${JSON.stringify({ check: name, count, seed, ...figures, ok: miss === undefined })}\n`);
  return miss === undefined ? 0 : 1;
}

/** The whole number of a flag, its default without one, undefined when it is no number. */
function readWhole(text: string | undefined, otherwise: number | undefined): number | undefined {
  if (text === undefined) return otherwise;
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

async function checkRandom(count: number, seed: number): Promise<Outcome> {
  const { failure, ...figures } = await runRandomQueries({ count, seed, withCluster: askThroughCluster });
  return { figures, miss: failure };
}

function checkSimulations(count: number, seed: number): Promise<Outcome> {
  let steps = 0;
  for (let k = 0; k < count; k++) {
    const report = runSimulation((seed + k) >>> 0);
    steps += report.steps;
    if (report.problems.length === 0) continue;
    const { trace } = runSimulation(report.seed, { trace: true });
    const miss = [`seed ${report.seed}`, ...report.problems, ...trace.slice(-200)].join("\n");
    return Promise.resolve({ figures: { simulations: k + 1, steps }, miss });
  }
  return Promise.resolve({ figures: { simulations: count, steps }, miss: undefined });
}

function checkFuzz(count: number, seed: number): Promise<Outcome> {
  const { failure, ...figures } = fuzzBcolz({ count, seed });
  return Promise.resolve({ figures: { ...figures }, miss: failure });
}

async function checkFaults(count: number, seed: number): Promise<Outcome> {
  const { answers, kills, retries, wrong, failed } = await killWorkersUnderLoad({ kills: count, seed });
  return { figures: { answers, kills, retries, wrong: wrong.length, failed: failed.length }, miss: wrong[0] ?? failed[0] };
}
