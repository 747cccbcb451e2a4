/** Questions one after the other, many at once, beside a large one, and ten times too many. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "../../../lib/base/clock.js";
import { connect, type Rpc } from "../../../lib/index.js";
import { withCluster, type Cluster } from "../../support/cluster.js";
import { askInto, askSmall, createTally, failures, percentile, type Tally } from "./asked.js";
import { startLargeAsker } from "./large-asker.js";
import type { CaseInput, Figure } from "./main.js";
import { processorSeconds } from "./processes.js";

const workers = 2;
const clients = 16;
/** Code that is called some thousand times is compiled for good: daemons are measured as they are all day. */
const emptyRuns = 2_000;
/** Clients that are measured beside a large query, and how long each rests between two questions. */
const besideClients = 4;
const besideRestMs = 5;
/** Calls that a controller queues in the overload: what comes beyond is BUSY. */
const overloadQueue = 200;
const overloadFactor = 10;

/** One client, one worker's least work. */
export function measureEmpty({ tables, signal }: CaseInput): Promise<Figure[]> {
  return withCluster({ dataDir: tables.smallDir, workers }, async ({ rpc }) => {
    const ask = async (): Promise<void> => { await rpc.groupby("small.bcolz", [], [["*", "count", "rows"]], [], { cache: "columns" }); };
    const askAll = async (): Promise<Tally> => {
      const tally = createTally();
      for (let run = 0; run < emptyRuns; run++) {
        signal.throwIfAborted();
        await askInto(tally, ask);
      }
      return tally;
    };
    await askAll();
    const tally = await askAll();
    return [
      { figure: "median", value: percentile(tally, 0.5), unit: "ms", limit: 1 }, { figure: "p99", value: percentile(tally, 0.99), unit: "ms", limit: 3 },
      { figure: "errors", value: failures(tally), unit: "", limit: 0 },
    ];
  });
}

/** As many small group-bys as 16 clients, one question at a time each, get answered. */
export function measureSmall({ tables, seconds, signal }: CaseInput): Promise<Figure[]> {
  return withCluster({ dataDir: tables.smallDir, workers }, (cluster) => withClients(cluster.registryDir, clients, async (rpcs) => {
    await askAlong(rpcs, seconds, signal);
    const before = takeTimes(cluster);
    const tally = await askAlong(rpcs, seconds, signal);
    const [own, controller, worker] = takeTimes(cluster).map((time, index) => 1_000 * (time - before[index]!) / tally.takenMs.length) as [number, number, number];
    return [
      { figure: "clients (this bench), processor a call", value: own, unit: "ms", limit: null }, { figure: "controller, processor a call", value: controller, unit: "ms", limit: null },
      { figure: "workers, processor a call", value: worker, unit: "ms", limit: null }, { figure: "share of the bench itself", value: 100 * own / (own + controller + worker), unit: "%", limit: null },
      { figure: "rate", value: tally.takenMs.length / seconds, unit: "1/s", limit: 2_000, isFloor: true },
      { figure: "p99", value: percentile(tally, 0.99), unit: "ms", limit: null }, { figure: "errors", value: failures(tally), unit: "", limit: 0 },
    ];
  }));
}

/** What a query over very many shards, asked again and again, adds to the time of small ones. */
export function measureBeside({ tables, seconds, signal }: CaseInput): Promise<Figure[]> {
  return withCluster({ dataDir: tables.manyDir, workers }, ({ registryDir }) => withClients(registryDir, besideClients, async (rpcs) => {
    await askAlong(rpcs, seconds, signal, besideRestMs);
    const alone = await askAlong(rpcs, seconds, signal, besideRestMs);
    const asker = await startLargeAsker(registryDir, tables.manyShards);
    let large = 0;
    const beside = await askAlong(rpcs, seconds, signal, besideRestMs).finally(async () => { large = await asker.stop(); });
    return [
      { figure: "p99 alone", value: percentile(alone, 0.99), unit: "ms", limit: null },
      { figure: "growth of p99", value: Math.max(0, percentile(beside, 0.99) - percentile(alone, 0.99)), unit: "ms", limit: 15 },
      { figure: `queries over ${tables.manyShards} shards`, value: large, unit: "", limit: null }, { figure: "errors", value: failures(alone) + failures(beside), unit: "", limit: 0 },
    ];
  }));
}

/** Ten times as many questions as are answered, sent whether or not earlier ones have been. */
export function measureOverload({ tables, seconds, signal }: CaseInput): Promise<Figure[]> {
  const flags = [`--queue-tasks-max=${overloadQueue}`];
  return withCluster({ dataDir: tables.wideDir, workers, flags }, ({ registryDir, rpc: quiet }) => withClients(registryDir, clients, async (rpcs) => {
    // Of some milliseconds, so that it is the workers that cannot carry more, and not who asks.
    const sum = async (rpc: Rpc): Promise<unknown> => (await rpc.groupby("wide-0.bcolzs", [], [["a", "sum"]], [], { cache: false, timeout: 60 })).rows()[0]?.["a"];
    const expected = await sum(quiet);
    const ask = async (rpc: Rpc): Promise<void> => {
      const found = await sum(rpc);
      if (found !== expected) throw new Error(`the sum is ${String(found)}, and was ${String(expected)}`);
    };
    const carried = createTally();
    const startMs = monotonicMs();
    await Promise.all(rpcs.map(async (rpc) => { do await askInto(carried, () => ask(rpc)); while (monotonicMs() - startMs < 2_000); }));
    const perSecond = overloadFactor * carried.takenMs.length / ((monotonicMs() - startMs) / 1_000);
    const tally = createTally();
    const [asked, wrong]: [Promise<void>[], unknown[]] = [[], []];
    const beginMs = monotonicMs();
    for (let sent = 0; monotonicMs() - beginMs < seconds * 1_000; ) {
      signal.throwIfAborted();
      for (const due = Math.ceil((monotonicMs() - beginMs) / 1_000 * perSecond); sent < due; sent++) {
        asked.push(askInto(tally, () => ask(rpcs[sent % rpcs.length]!)).catch((error: unknown) => { wrong.push(error); }));
      }
      await delay(1);
    }
    await Promise.all(asked);
    if (wrong.length > 0) throw new Error(`${wrong.length} answers under overload are wrong, the first: ${String(wrong[0])}`);
    return [
      { figure: "asked", value: asked.length / seconds, unit: "1/s", limit: null }, { figure: "answered", value: tally.takenMs.length / seconds, unit: "1/s", limit: null },
      { figure: "busy", value: (tally.failed.get("BUSY") ?? 0) / seconds, unit: "1/s", limit: null }, { figure: "other errors", value: failures(tally, "BUSY"), unit: "", limit: 0 },
    ];
  }));
}

/** Processor time that this process, the controllers and the workers have used, in seconds. */
function takeTimes({ controllers, workers: started }: Cluster): [number, number, number] {
  const { user, system } = process.cpuUsage();
  const sumOf = (processes: Cluster["workers"]): number => processes.reduce((sum, { pid }) => sum + processorSeconds(pid), 0);
  return [(user + system) / 1e6, sumOf(controllers), sumOf(started)];
}

/** All clients ask for so many seconds, each one question at a time, with a rest between two. */
async function askAlong(rpcs: readonly Rpc[], seconds: number, signal: AbortSignal, restMs = 0): Promise<Tally> {
  const tally = createTally();
  const startMs = monotonicMs();
  await Promise.all(rpcs.map(async (rpc) => {
    while (monotonicMs() - startMs < seconds * 1_000) {
      signal.throwIfAborted();
      await askInto(tally, () => askSmall(rpc));
      if (restMs > 0) await delay(restMs);
    }
  }));
  return tally;
}

/** Calls `use` with so many connections, each of its own. */
async function withClients<T>(registryDir: string, count: number, use: (rpcs: readonly Rpc[]) => Promise<T>): Promise<T> {
  const rpcs = await Promise.all(Array.from({ length: count }, () => connect({ registry_dir: registryDir })));
  try {
    return await use(rpcs);
  } finally {
    await Promise.all(rpcs.map((rpc) => rpc.close()));
  }
}
