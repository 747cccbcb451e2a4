import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { connect, type Rpc, type Table } from "../../lib/index.js";
import { withCluster } from "../../misc/support/cluster.js";
import { everyMeasure } from "../support/every-measure.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";

const shards = 7;

/** Floats whose sums depend on the order of additions, with nulls and a skewed key. */
async function writeFloats(dataDir: string, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const rows = Array.from({ length: 4_000 }, () => ({ key: `k${Math.floor(random() ** 3 * 50)}`, part: BigInt(Math.floor(random() * 1e9)), value: random() < 0.1 ? null : (random() - 0.5) * 10 ** Math.floor(random() * 12) }));
  await writeShards(Array.from({ length: shards }, (_, shard) => join(dataDir, `floats-${shard}.bcolzs`)), [
    { name: "key", dtype: "string", values: rows.map(({ key }) => key) },
    { name: "part", dtype: "int64", values: rows.map(({ part }) => part) },
    { name: "value", dtype: "float64", values: rows.map(({ value }) => value) },
  ]);
}

async function askAll(rpc: Rpc): Promise<string[]> {
  const measures = everyMeasure("value", "part");
  const texts = [["key", "max", "last key"], ["key", "mode", "often"], ["key", "topk", "top", { k: 3, by: "count" }], ["key", "count_distinct", "kinds"]];
  const tables: Table[] = [];
  for (const cache of [false, true, true, "columns"] as const) {
    tables.push(await rpc.groupby("floats", ["key"], measures, [], { cache }));
    tables.push(await rpc.groupby("floats", [], [...measures, ...texts], [["part", ">", 5e8]], { cache }));
    tables.push(await rpc.groupby("floats", ["part", "key"], [["value", "sum", "s"]], [["value", "<", 0]], { cache }));
    tables.push(await rpc.groupby("floats", [{ expr: "bin(value, 1000.0)", as: "bin" }], [["value", "mean", "m"], ["part", "std", "d"]], ["part % 3 = 0"], { cache, order: [["m", "desc"]], limit: 20 }));
  }
  return tables.map(bytesOf);
}

/** The bits of every column, not their rounding to text. */
function bytesOf(table: Table): string {
  const columns = table.columns.map(({ name }) => {
    const { values } = table.column(name);
    const isNull = Array.from({ length: table.numRows }, (_, row) => table.column(name).isNull(row));
    return [name, ArrayBuffer.isView(values) ? bitsOf(values) : values.map((value: unknown) => (ArrayBuffer.isView(value) ? bitsOf(value) : value)), isNull];
  });
  return JSON.stringify([columns, table.toCSV(), bitsOf(table.toArrow())]);
}

function bitsOf(values: ArrayBufferView): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
}

describe("the same query", function sameBytes() {
  this.timeout(120_000);

  it("gives the same bytes of every measure with 1, 3 and 5 workers, caches bypassed, cold and warm, and while workers are killed", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-same-"));
    const seed = freshSeed();
    try {
      await writeFloats(dataDir, seed);
      await withCluster({ dataDir, workers: 1, flags: ["--cache-memory=32MB", "--query-memory=96MB"] }, async ({ registryDir, rpc, workers, startWorker }) => {
        await until("the set is whole", async () => (await rpc.files()).length === 1);
        const expected = await askAll(rpc);
        const compare = async (what: string, asking = rpc): Promise<void> => {
          (await askAll(asking)).forEach((answer, k) => { expect(answer === expected[k], `query ${k} with ${what}, seed ${seed}`).to.equal(true); });
        };
        for (const count of [3, 5]) {
          await Promise.all(Array.from({ length: count - workers.length }, startWorker));
          await compare(`${count} workers`);
        }
        const keeping = await connect({ registry_dir: registryDir });
        try {
          for (const what of ["a client that keeps answers", "answers that were kept"]) await compare(what, keeping);
          expect((await keeping.groupby("floats", ["key"], everyMeasure("value", "part"))).summary.unchanged).to.equal(true);
        } finally {
          await keeping.close();
        }
        // What they were doing is done again by others.
        const asked = compare("workers killed");
        for (const killed of workers.slice(3)) {
          killed.signal("SIGKILL");
          await killed.ended;
        }
        await asked;
      });
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
