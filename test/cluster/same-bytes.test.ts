import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import type { Rpc, Table } from "../../lib/index.js";
import { withCluster } from "../../misc/support/cluster.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";

const shards = 7;

/** Floats whose sums depend on the order of additions, with nulls and a skewed key. */
async function writeFloats(dataDir: string, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const rows = Array.from({ length: 150_000 }, () => ({ key: `k${Math.floor(random() ** 3 * 50)}`, part: BigInt(Math.floor(random() * 1e9)), value: random() < 0.1 ? null : (random() - 0.5) * 10 ** Math.floor(random() * 12) }));
  await writeShards(Array.from({ length: shards }, (_, shard) => join(dataDir, `floats-${shard}.bcolzs`)), [
    { name: "key", dtype: "string", values: rows.map(({ key }) => key) },
    { name: "part", dtype: "int64", values: rows.map(({ part }) => part) },
    { name: "value", dtype: "float64", values: rows.map(({ value }) => value) },
  ]);
}

async function askAll(rpc: Rpc): Promise<string[]> {
  const measures = [["value", "sum", "s"], ["value", "mean", "m"], ["part", "sum", "p"], ["value", "min", "least"], ["key", "max", "last"], ["value", "count", "n"]];
  const tables: Table[] = [];
  for (const cache of [false, true, true] as const) {
    tables.push(await rpc.groupby("floats", ["key"], measures, [], { cache }));
    tables.push(await rpc.groupby("floats", [], measures, [["part", ">", 5e8]], { cache }));
    tables.push(await rpc.groupby("floats", ["part", "key"], [["value", "sum", "s"]], [["value", "<", 0]], { cache }));
  }
  return tables.map(bytesOf);
}

/** The bits of every column, not their rounding to text. */
function bytesOf(table: Table): string {
  const columns = table.columns.map(({ name }) => {
    const { values } = table.column(name);
    const isNull = Array.from({ length: table.numRows }, (_, row) => table.column(name).isNull(row));
    return [name, ArrayBuffer.isView(values) ? Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64") : values, isNull];
  });
  return JSON.stringify(columns);
}

describe("the same query", function sameBytes() {
  this.timeout(120_000);

  it("gives the same bytes with 1, 2 and 3 workers, caches bypassed, cold and warm", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-same-"));
    const seed = freshSeed();
    try {
      await writeFloats(dataDir, seed);
      await withCluster({ dataDir, workers: 1 }, async ({ rpc, startWorker }) => {
        await until("the set is whole", async () => (await rpc.files()).length === 1);
        const expected = await askAll(rpc);
        for (let workers = 2; workers <= 3; workers++) {
          await startWorker();
          for (let round = 0; round < 3; round++) {
            const answers = await askAll(rpc);
            answers.forEach((answer, k) => { expect(answer === expected[k], `query ${k} with ${workers} workers, seed ${seed}`).to.equal(true); });
          }
        }
      });
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
