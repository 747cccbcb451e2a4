/** How soon the work of a worker that dies or stops goes on elsewhere, and how soon a cancelled call is over. */
import { monotonicMs, wallMs } from "../../../lib/base/clock.js";
import { BquerydError } from "../../../lib/base/errors.js";
import type { Rpc } from "../../../lib/index.js";
import { until } from "../../../test/support/until.js";
import { withCluster, type Cluster } from "../../support/cluster.js";
import type { CaseInput, Figure } from "./main.js";
import type { BenchTables } from "./tables.js";

/** A question that takes long on any table. */
const longQuery = { keys: [], measures: [["a", "median"], ["b", "median"], ["c", "count_distinct"], ["d", "count_distinct"]], where: [], cache: false } as const;

/** Kills one worker, then stops one, in the middle of a query that the other can answer as well. */
export async function measureDeaths({ tables }: CaseInput): Promise<Figure[]> {
  const killed = await withWideCluster(tables, async (cluster) => {
    const answer = askLong(cluster.rpc);
    const { pid } = await findBusy(cluster.rpc);
    const victim = cluster.workers.find((worker) => worker.pid === pid)!;
    const atMs = wallMs();
    victim.signal("SIGKILL");
    await answer;
    return timeOfRetry(cluster) - atMs;
  });
  const stopped = await withWideCluster(tables, async (cluster) => {
    const aloneMs = await timeOf(() => askLong(cluster.rpc));
    const answer = timeOf(() => askLong(cluster.rpc));
    const { pid } = await findBusy(cluster.rpc);
    const victim = cluster.workers.find((worker) => worker.pid === pid)!;
    victim.signal("SIGSTOP");
    try {
      return await answer - aloneMs;
    } finally {
      victim.signal("SIGCONT");
    }
  });
  return [
    { figure: "killed, given to another after", value: killed, unit: "ms", limit: 100 },
    { figure: "stopped, answered later by", value: stopped, unit: "ms", limit: 6_000 },
  ];
}

/** From the abort of a call until no worker is at work. */
export function measureCancel({ tables }: CaseInput): Promise<Figure[]> {
  return withWideCluster(tables, async ({ rpc }) => {
    const abort = new AbortController();
    const asked = askLong(rpc, abort.signal).then(() => "answered", (error: unknown) => (error instanceof BquerydError ? error.code : String(error)));
    await findBusy(rpc);
    const startMs = monotonicMs();
    abort.abort();
    await until("no worker is busy", async () => (await rpc.info()).workers.every(({ busy }) => !busy));
    const tookMs = monotonicMs() - startMs;
    const outcome = await asked;
    if (outcome !== "CANCELLED") throw new Error(`the cancelled call ended with ${outcome}`);
    return [{ figure: "idle after", value: tookMs, unit: "ms", limit: 100 }];
  });
}

function withWideCluster<T>({ wideDir }: BenchTables, use: (cluster: Cluster) => Promise<T>): Promise<T> {
  return withCluster({ dataDir: wideDir, workers: 2 }, async (cluster) => {
    await until("both workers hold the table", async () => (await cluster.rpc.files())[0]?.holders === 2);
    return use(cluster);
  });
}

async function askLong(rpc: Rpc, signal?: AbortSignal): Promise<void> {
  await rpc.groupby({ tables: "wide", ...longQuery, ...(signal === undefined ? {} : { signal }) });
}

async function timeOf(work: () => Promise<void>): Promise<number> {
  const startMs = monotonicMs();
  await work();
  return monotonicMs() - startMs;
}

async function findBusy(rpc: Rpc): Promise<{ readonly pid: number }> {
  let busy: { readonly pid: number } | undefined;
  await until("a worker is busy", async () => {
    busy = (await rpc.info()).workers.find((worker) => worker.busy);
    return busy !== undefined;
  });
  return busy!;
}

/** When the controller wrote that a task goes elsewhere, in milliseconds since 1970. */
function timeOfRetry({ controllers }: Cluster): number {
  const line = controllers[0]!.stderr().split("\n").find((text) => text.includes('"task.retried"'));
  if (line === undefined) throw new Error("the controller did not log that a task was given to another worker");
  return Date.parse((JSON.parse(line) as { time: string }).time);
}
