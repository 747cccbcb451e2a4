/**
 * The first steps: `node dist/examples/getting-started.js`. Makes a CSV file of a million taxi trips, imports it as one
 * table and as ten shards, starts a controller, two workers, a downloader and a mover, types at the prompt what one would try
 * first, prints what it is answered, and ends everything. `--rows N` makes a file of another length; `--redis-url URL` lets the processes find
 * each other by way of a Redis server, in place of a folder.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BquerydError } from "../lib/base/errors.js";
import { evaluate, formatValue } from "../lib/cli/repl.js";
import type { Rpc } from "../lib/index.js";
import { runInFolder } from "../misc/support/interruption.js";
import { runBqueryd } from "../misc/support/process.js";
import { connectWhenUp, createProcesses } from "./shared/cluster.js";
import { print, type } from "./shared/print.js";
import { writeTrips } from "./shared/trips.js";

const rowsDefault = 1_000_000;

/** What is typed at the prompt, in this order, with a directory for a bucket. */
const linesWith = (bucket: string): string[] => [
  "rpc.info()",
  "rpc.ping()",
  "rpc.files()",
  "rpc.sleep(1)",
  "rpc.loglevel('warn')",
  "rpc.groupby(['tripdata_2016-01.bcolz'], ['payment_type'], ['fare_amount'], [])",
  "rpc.groupby(Array.from({length: 10}, (_, n) => `tripdata_2016-01-${n}.bcolzs`), ['payment_type'], [['fare_amount', 'sum', 'fare_amount']], [], {aggregate: true})",
  "rpc.last_call_duration",
  "rpc.groupby('tripdata_2016-01-*.bcolzs', ['passengers'], [['*', 'count', 'trips'], ['tip_amount', 'mean', 'tip']], [['distance', '>', 5]])",
  "rpc.execute_code({function: 'fs.readdirSync', args: ['.'], wait: true})",
  `rpc.distribute(['tripdata_2016-01-1.bcolzs'], '${bucket}', {wait: true})`,
  "rpc.downloads()",
  `rpc.download({filenames: ['tripdata_2016-01-1.bcolzs'], bucket: '${bucket}', wait: false})`,
  "rpc.downloads().then((tickets) => rpc.delete_download(tickets.at(-1)[0]))",
  "rpc.killworkers()",
  "rpc.killall()",
];

function main(argv: readonly string[]): Promise<number> {
  return runInFolder("bqueryd-getting-started-", async (folder, { signal }) => {
    await walkThrough({ ...parseFlags(argv), folder, signal });
    return 0;
  });
}

interface Walk {
  readonly rows: number;
  readonly redisUrl: string | undefined;
  /** Holds everything that is made. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

function parseFlags(argv: readonly string[]): Pick<Walk, "rows" | "redisUrl"> {
  try {
    const { rows = String(rowsDefault), "redis-url": redisUrl } = parseArgs({ args: [...argv], options: { rows: { type: "string" }, "redis-url": { type: "string" } } }).values;
    if (/^[1-9]\d{0,8}$/.test(rows)) return { rows: Number(rows), redisUrl };
  } catch (cause) {
    throw new BquerydError("USAGE", `cannot read ${argv.join(" ")}; give --rows N and --redis-url URL, or neither`, { cause });
  }
  throw new BquerydError("USAGE", "--rows takes a whole number from 1 to 999999999, such as 1000000");
}

async function walkThrough({ rows, redisUrl, folder, signal }: Walk): Promise<void> {
  const data = join(folder, "data");
  const bucket = join(folder, "bucket");
  for (const path of [data, bucket]) await mkdir(path);
  print(`A CSV file of ${rows.toLocaleString("en-US")} taxi trips`);
  await writeTrips(join(folder, "trips.csv"), rows);
  for (const args of [["import", "../trips.csv", "tripdata_2016-01.bcolz"], ["import", "../trips.csv", "tripdata_2016-01", "--shards", "10"]]) {
    type("$ bqueryd", args);
    print(await runBqueryd(args, { cwd: data, signal }));
  }
  const registry = redisUrl === undefined ? { registry_dir: join(folder, "registry") } : { redis_url: redisUrl, cluster: `getting-started-${process.pid}` };
  const flags = Object.entries({ ...registry, code_modules: "fs", log_level: "error" }).map(([name, value]) => `--${name}=${value}`);
  const processes = createProcesses(data, flags);
  try {
    for (const args of [["controller"], ["worker", "--data_dir=."], ["worker", "--data_dir=."], ["downloader", "--data_dir=."], ["movebcolz", "--data_dir=."]]) {
      type("$ bqueryd", [...args, "&"]);
      await processes.start(args);
    }
    const rpc = await connectWhenUp({ ...registry, data_dir: data }, {
      signal, isUp: ({ workers, downloaders, movers }) => workers.filter(({ shards }) => shards === 11).length === 2 && downloaders.length + movers.length === 2,
    });
    try {
      await atPrompt(rpc, linesWith(bucket), signal);
    } finally {
      await rpc.close();
    }
    await processes.allEnded();
    print("\nEverything has ended.");
  } finally {
    await processes.stop();
  }
}

async function atPrompt(rpc: Rpc, lines: readonly string[], signal: AbortSignal): Promise<void> {
  for (const line of lines) {
    signal.throwIfAborted();
    print(`\nbqueryd> ${line}`);
    print(formatValue(await evaluate(line, rpc)));
  }
}

process.exitCode = await main(process.argv.slice(2));
