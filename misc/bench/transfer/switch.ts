/** A set of many shards that takes the place of an earlier version while questions are asked: how soon, and what they notice of it. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "../../../lib/base/clock.js";
import { BquerydError } from "../../../lib/base/errors.js";
import type { Rpc } from "../../../lib/index.js";
import { openRegistry } from "../../../lib/registry/open.js";
import type { TicketHead } from "../../../lib/registry/tickets.js";
import { until } from "../../../test/support/until.js";
import { writeShards, writeTable } from "../../../test/support/write-table.js";
import { askInto, createTally, failures, percentile, type Tally } from "../cluster/asked.js";
import { withCluster, type Cluster } from "../../support/cluster.js";
import { withDaemons } from "./daemons.js";
import type { CaseInput, CaseResult } from "./main.js";

/** Shards at most, of so many rows each. */
const [shardsMax, shardRows] = [1_000, 100];
const [clients, restMs] = [4, 5];
/** Asked for so long before the switch, of few shards less. */
const [aloneMsMax, aloneMsPerShard] = [5_000, 50];
const [lookEveryMs, withinSeconds] = [5, 600];

/** Distributes two versions to one node and measures the second, a thousandth of the rows of shards at most. */
export async function measureSwitch({ rows, scratch, signal }: CaseInput): Promise<CaseResult[]> {
  const shards = Math.max(2, Math.min(shardsMax, Math.floor(rows / 1_000)));
  const [dataDir, bucket] = [join(scratch, "data"), join(scratch, "bucket")];
  for (const folder of [dataDir, bucket]) await mkdir(folder);
  await writeTable(join(dataDir, "small.bcolz"), [{ name: "v", dtype: "int64", values: [1n, 2n, 3n] }]);
  const versions = await Promise.all([1, 2].map((version) => writeVersion(join(scratch, `version ${version}`), shards, BigInt(version))));
  return withCluster({ dataDir, workers: 1 }, (cluster) => withDaemons(cluster, { dataDir }, async () => {
    const firstMs = monotonicMs();
    await cluster.rpc.distribute(versions[0]!, bucket, { wait: true, timeout: withinSeconds });
    const tookMs = monotonicMs() - firstMs;
    const figures = await measureSecond(cluster, { paths: versions[1]!, bucket, shards, signal });
    return [{ figure: "shards", value: shards, unit: "", limit: null }, { figure: "shards distributed", value: shards / tookMs * 1_000, unit: "1/s", limit: null }, ...figures];
  }));
}

interface Second {
  readonly paths: readonly string[];
  readonly bucket: string;
  readonly shards: number;
  readonly signal: AbortSignal;
}

async function measureSecond({ rpc, registryDir }: Cluster, { paths, bucket, shards, signal }: Second): Promise<CaseResult[]> {
  const [alone, during] = [createTally(), createTally()];
  let tally: Tally | undefined = alone;
  let newMs: number | undefined;
  const over = new AbortController();
  const asking = Promise.all([
    ...Array.from({ length: clients }, () => askOn(over.signal, restMs, () => tally, () => askSmall(rpc))),
    // Pointers move all at once, and a query over 1,000 shards would be what the others wait for.
    askOn(over.signal, restMs, () => createTally(), async () => { if (await askVersion(rpc, "switched-0.bcolzs", shardRows) === 2) newMs ??= monotonicMs(); }),
  ]);
  // A wrong answer is thrown in the end.
  asking.catch(() => undefined);
  try {
    await delay(Math.min(aloneMsMax, aloneMsPerShard * shards), undefined, { signal });
    // What is fetched and prepared takes the cores as well: only the switch is measured.
    tally = undefined;
    const watching = watchTicket(registryDir, shards, () => { tally = during; });
    await rpc.distribute(paths, bucket, { wait: true, timeout: withinSeconds });
    const { preparedMs, committedMs, doneMs } = await watching;
    tally = undefined;
    await until("the new version is seen", () => newMs !== undefined, 60_000);
    const version = await askVersion(rpc, "switched", shards * shardRows);
    if (version !== 2) throw new Error(`all is switched, and an answer is of version ${version}`);
    return [
      { figure: "last prepared to commit", value: committedMs - preparedMs, unit: "ms", limit: null },
      { figure: "last prepared to first new answer", value: newMs! - preparedMs, unit: "ms", limit: 2_000 }, { figure: "last prepared to all current", value: doneMs - preparedMs, unit: "ms", limit: null },
      { figure: "p99 before", value: percentile(alone, 0.99), unit: "ms", limit: null }, { figure: "p99 during", value: percentile(during, 0.99), unit: "ms", limit: 2 * percentile(alone, 0.99) },
      { figure: "errors", value: failures(alone) + failures(during), unit: "", limit: 0 },
    ];
  } finally {
    over.abort();
    await asking;
  }
}

/** Asks again and again, with a rest between two, until it is over. */
async function askOn(signal: AbortSignal, restMs: number, tallyNow: () => Tally | undefined, ask: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await askInto(tallyNow() ?? createTally(), ask);
    await delay(restMs);
  }
}

/** When all slots were prepared, and when the ticket was done, as far as a look every few milliseconds tells. */
async function watchTicket(registryDir: string, shards: number, onPrepared: () => void): Promise<Readonly<Record<"preparedMs" | "committedMs" | "doneMs", number>>> {
  const registry = await openRegistry({ registryDir, cluster: "default" });
  const find = async (): Promise<TicketHead | undefined> => (await registry.tickets.list()).heads[1];
  try {
    let [preparedMs, committedMs]: [number | undefined, number | undefined] = [undefined, undefined];
    for (;;) {
      const head = await find();
      if (head?.state === "failed" || head?.state === "cancelled") throw new BquerydError("TICKET_FAILED", String(head.reason));
      if (head !== undefined && preparedMs === undefined && head.counts.prepared + head.counts.switched === shards) {
        preparedMs = monotonicMs();
        onPrepared();
      }
      if (head?.state === "committed" || head?.state === "done") committedMs ??= monotonicMs();
      if (head?.state === "done") return { preparedMs: preparedMs!, committedMs: committedMs!, doneMs: monotonicMs() };
      await delay(lookEveryMs);
    }
  } finally {
    await registry.close();
  }
}

async function askSmall(rpc: Rpc): Promise<void> {
  const [row] = (await rpc.groupby("small.bcolz", [], [["v", "sum", "sum"]])).rows();
  if (row!["sum"] !== 6n && row!["sum"] !== 6) throw new Error(`the sum is ${String(row!["sum"])}`);
}

/** The version of an answer over so many rows. Throws where it is of two. */
async function askVersion(rpc: Rpc, table: string, rows: number): Promise<number> {
  const [row] = (await rpc.groupby(table, [], [["v", "min", "low"], ["v", "max", "high"], ["*", "count", "rows"]])).rows();
  const [low, high, count] = [row!["low"], row!["high"], row!["rows"]].map(Number);
  if (low !== high || count !== rows) throw new Error(`an answer has versions ${low} to ${high} in ${count} rows`);
  return low!;
}

async function writeVersion(folder: string, shards: number, version: bigint): Promise<string[]> {
  await mkdir(folder);
  const paths = Array.from({ length: shards }, (_, shard) => join(folder, `switched-${shard}.bcolzs`));
  await writeShards(paths, [{ name: "v", dtype: "int64", values: new Array<bigint>(shards * shardRows).fill(version) }]);
  return paths;
}
