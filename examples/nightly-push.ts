/**
 * New data every night, to two nodes: `node dist/examples/nightly-push.js`. Makes two nodes in a temporary folder, each with
 * a directory, a worker, a downloader and a mover of its own, and pushes three nights to them: each is imported beside the
 * tables in use, distributed, and then looked at by a query. The second night is bad, so it is rolled back: whoever asks goes
 * on with the first until the third is there. `--rows N` makes nights of another length; `--redis-url URL` lets the processes
 * find each other by way of a Redis server, in place of a folder.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BquerydError } from "../lib/base/errors.js";
import { evaluate, formatValue } from "../lib/cli/repl.js";
import type { Rpc } from "../lib/index.js";
import { runInFolder } from "../misc/support/interruption.js";
import { runBqueryd } from "../misc/support/process.js";
import { connectWhenUp, createProcesses, type Processes } from "./shared/cluster.js";
import { print, type } from "./shared/print.js";
import { writeTrips } from "./shared/trips.js";

const rowsDefault = 200_000;
const nodes = ["alpha", "beta"];

/** What each night brings; the fares of the second are below 0. */
const nights = [{ seed: 1, isSpoiled: false }, { seed: 2, isSpoiled: true }, { seed: 3, isSpoiled: false }];

/** What is asked after each push. */
const question = "rpc.groupby('trips', [], [['*', 'count', 'trips'], ['fare_amount', 'min', 'least_fare'], ['fare_amount', 'sum', 'fares']])";

interface Push {
  readonly rows: number;
  readonly registry: Readonly<Record<string, string>>;
  /** Holds everything that is made. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

function main(argv: readonly string[]): Promise<number> {
  return runInFolder("bqueryd-nightly-push-", async (folder, { signal }) => {
    const { rows, redisUrl } = parseFlags(argv);
    const registry = redisUrl === undefined ? { registry_dir: join(folder, "registry") } : { redis_url: redisUrl, cluster: `nightly-push-${process.pid}` };
    await pushAll({ rows, registry, folder, signal });
    return 0;
  });
}

function parseFlags(argv: readonly string[]): { rows: number; redisUrl: string | undefined } {
  try {
    const { rows = String(rowsDefault), "redis-url": redisUrl } = parseArgs({ args: [...argv], options: { rows: { type: "string" }, "redis-url": { type: "string" } } }).values;
    if (/^[1-9]\d{0,7}$/.test(rows)) return { rows: Number(rows), redisUrl };
  } catch (cause) {
    throw new BquerydError("USAGE", `cannot read ${argv.join(" ")}; give --rows N and --redis-url URL, or neither`, { cause });
  }
  throw new BquerydError("USAGE", "--rows takes a whole number from 1 to 99999999, such as 200000");
}

async function pushAll(push: Push): Promise<void> {
  const { registry, folder, signal } = push;
  for (const name of ["staging", "bucket", ...nodes]) await mkdir(join(folder, name));
  const flags = Object.entries({ ...registry, log_level: "error" }).map(([name, value]) => `--${name}=${value}`);
  const processes = createProcesses(folder, flags);
  try {
    await startNodes(processes);
    const rpc = await connectWhenUp(registry, { signal, isUp: ({ workers, downloaders, movers }) => [workers, downloaders, movers].every(({ length }) => length === nodes.length) });
    try {
      for (const [index, night] of nights.entries()) await pushNight(push, rpc, index + 1, night, flags);
    } finally {
      await rpc.close();
    }
  } finally {
    await processes.stop();
  }
  print("\nEverything has ended.");
}

async function startNodes(processes: Processes): Promise<void> {
  const commands = [["controller"], ...nodes.flatMap((node) => ["worker", "downloader", "movebcolz"].map((role) => [role, `--node=${node}`, `--data_dir=${node}`]))];
  for (const args of commands) {
    type("$ bqueryd", [...args, "&"]);
    await processes.start(args);
  }
}

/** Import, distribute, look; and back if it is bad. What is in use meanwhile is what was in use before. */
async function pushNight({ rows, folder, signal }: Push, rpc: Rpc, number: number, night: { seed: number; isSpoiled: boolean }, flags: readonly string[]): Promise<void> {
  print(`\n=== night ${number}`);
  await writeTrips(join(folder, "trips.csv"), rows, night);
  for (const args of [
    ["import", "trips.csv", "staging/trips", "--shards", "4", "--replace"],
    ["distribute", ...[0, 1, 2, 3].map((shard) => `staging/trips-${shard}.bcolzs`), join(folder, "bucket")],
  ]) {
    type("$ bqueryd", args);
    print(await runBqueryd(args[0] === "distribute" ? [...args, ...flags] : args, { cwd: folder, signal }));
  }
  const problem = await look(rpc, rows);
  if (problem === undefined) return;
  print(`night ${number} is bad: ${problem}`);
  await answer("rpc.rollback('trips')", rpc);
  const still = await look(rpc, rows);
  if (still !== undefined) throw new BquerydError("INTERNAL", `after the rollback ${still}`);
  await answer("rpc.generations('trips')", rpc);
}

/** What a night is judged by: all its trips are there, and no fare is below 0. */
async function look(rpc: Rpc, rows: number): Promise<string | undefined> {
  await answer(question, rpc);
  const [first] = (await rpc.groupby("trips", [], [["*", "count", "trips"], ["fare_amount", "min", "least_fare"]])).rows();
  if (Number(first?.["trips"]) !== rows) return `it has ${String(first?.["trips"])} trips, not ${rows}`;
  return Number(first?.["least_fare"]) < 0 ? "a fare is below 0" : undefined;
}

async function answer(line: string, rpc: Rpc): Promise<void> {
  print(`\nbqueryd> ${line}`);
  print(formatValue(await evaluate(line, rpc)));
}

process.exitCode = await main(process.argv.slice(2));
