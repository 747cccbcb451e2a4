import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed, seededRandom, type Random } from "../../lib/base/clock.js";
import { createMerger } from "../../lib/client/merger.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { finishQuery } from "../../lib/engine/finish.js";
import { encodePartial } from "../../lib/engine/partial-bytes.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { askEngine } from "../support/ask-engine.js";
import { chance, oneOf, whole } from "../support/random/draw.js";
import { rowsOf } from "../support/random/local.js";
import { writeShards, type PlainColumn } from "../support/write-table.js";

const seed = freshSeed();
const tables = 12;

interface Drawn {
  readonly columns: readonly PlainColumn[];
  readonly places: number;
  /** The whole numbers of which the values are so many decimal places; null where a row is. */
  readonly keys: readonly (bigint | null)[];
  readonly groups: readonly number[];
}

/** Decimals of so many places, some of which need fewer, of up to 2^50 of the last place. */
function draw(random: Random): Drawn {
  const [rows, places, groupCount] = [oneOf(random, [40, 3_000, 70_000, 131_072]), oneOf(random, [0, 1, 2, 3, 6, 9]), oneOf(random, [1, 7, 600, 20_000])];
  // Codes of decimals have 4 bytes, so that is what a range may hold of steps.
  const [most, nullShare, coarse] = [oneOf(random, [100, 1e6, 2 ** 30]), oneOf(random, [0, 0.1]), oneOf(random, [1n, 10n, 1_000n, 2n ** 20n])];
  const keys = Array.from({ length: rows }, () => (chance(random, nullShare) ? null : BigInt(whole(random, -most, most)) * coarse));
  const groups = keys.map(() => whole(random, 0, groupCount - 1));
  const values = keys.map((key) => (key === null ? null : Number(key) / 10 ** places));
  return { places, keys, groups, columns: [{ name: "v", dtype: "float64", values }, { name: "k", dtype: "int32", values: groups.map(BigInt) }] };
}

async function ask(engine: Engine, dataDir: string, name: string, shardCount: number, { columns }: Drawn, keys: readonly string[]): Promise<unknown[][]> {
  const names = Array.from({ length: shardCount }, (_, shard) => `${name}-${shard}.bcolzs`);
  const generations = await writeShards(names.map((shard) => join(dataDir, shard)), columns);
  const measures = [["v", "sum", "s"], ["v", "mean", "m"]];
  const { partial } = await askEngine(engine, names.map((shard, ordinal) => ({ ordinal, name: shard, generation: generations[ordinal]! })), { keys, measures });
  return rowsOf(finishQuery(parseQuery({ keys, measures }), partial));
}

/** Sum and mean of a group, each rounded once from the whole number, or twice where that is beyond 2^53. */
function expectedRows({ keys, groups, places }: Drawn, isGrouped: boolean): unknown[][] {
  const sums = new Map<number, { sum: bigint; count: number }>();
  keys.forEach((key, row) => {
    const group = isGrouped ? groups[row]! : 0;
    const { sum, count } = sums.get(group) ?? { sum: 0n, count: 0 };
    sums.set(group, { sum: sum + (key ?? 0n), count: count + (key === null ? 0 : 1) });
  });
  return [...sums].sort(([a], [b]) => a - b).map(([group, { sum, count }]) => {
    const total = Number(sum) / 10 ** places;
    return [...(isGrouped ? [BigInt(group)] : []), count === 0 ? null : total, count === 0 ? null : total / count];
  });
}

describe("sums of decimals", function () {
  this.timeout(120_000);

  it("are exact, and the same however rows are cut into shards", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-decimals-"));
    const random = seededRandom(seed);
    const engine = createEngine({ dataDir, cacheBytes: 32 * 2 ** 20, queryBytes: 256 * 2 ** 20 });
    try {
      for (let number = 0; number < tables; number++) {
        const drawn = draw(random);
        const keys = oneOf(random, [[], ["k"], ["k"]]);
        const what = `table ${number} of ${drawn.keys.length} rows, seed ${seed}`;
        const one = await ask(engine, dataDir, `a${number}`, 1, drawn, keys);
        const several = await ask(engine, dataDir, `b${number}`, whole(random, 2, 9), drawn, keys);
        expect(several, what).to.deep.equal(one);
        const expected = expectedRows(drawn, keys.length > 0);
        expect(one.length, what).to.equal(expected.length);
        one.forEach((row, at) => {
          row.forEach((value, place) => {
            const wanted = expected[at]![place];
            // Beyond 2^53 the reference itself is rounded twice.
            if (typeof value === "number" && typeof wanted === "number") expect(Math.abs(value - wanted), `${what}, row ${at}`).to.be.at.most(Math.abs(wanted) * 2 ** -52);
            else expect(value, `${what}, row ${at}`).to.equal(wanted);
          });
        });
      }
    } finally {
      engine.close();
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it("stand beside sums of other floats, and give the same bytes however shards are dealt to tasks", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-decimals-"));
    const random = seededRandom(seed);
    const engine = createEngine({ dataDir, cacheBytes: 32 * 2 ** 20, queryBytes: 256 * 2 ** 20, blockGroupsMin: 0 });
    try {
      const [rows, shardCount, groupCount] = [24_000, 8, 700];
      const isPlain = Array.from({ length: shardCount }, () => chance(random, 0.4));
      const values = Array.from({ length: rows }, (_, row) => (isPlain[Math.floor(row * shardCount / rows)]! ? random() * 10 ** whole(random, 0, 9) : whole(random, 0, 10_000) / 100));
      const columns: PlainColumn[] = [{ name: "v", dtype: "float64", values }, { name: "k", dtype: "int32", values: values.map(() => BigInt(whole(random, 0, groupCount - 1))) }];
      const names = Array.from({ length: shardCount }, (_, shard) => `mixed-${shard}.bcolzs`);
      const generations = await writeShards(names.map((name) => join(dataDir, name)), columns);
      const shards = names.map((name, ordinal) => ({ ordinal, name, generation: generations[ordinal]! }));
      const query = parseQuery({ keys: ["k"], measures: [["v", "sum", "s"], ["v", "mean", "m"]] });
      const dealt = (tasks: number): string => {
        const merger = createMerger(query, shardCount, { bytesMax: Infinity });
        const owners = shards.map(() => whole(random, 0, tasks - 1));
        for (let task = 0; task < tasks; task++) {
          const own = shards.filter((_, ordinal) => owners[ordinal] === task);
          if (own.length > 0) engine.run({ query: encodeQuery(query), shards: own, shouldStop: () => false, onBlock: (block, bytes) => { merger.add(block, bytes); } });
        }
        return Buffer.from(encodePartial(merger.partial())).toString("latin1");
      };
      const expected = dealt(1);
      for (const tasks of [1, 2, 2, 2, 3, 3, 5, 8, 8]) expect(dealt(tasks) === expected, `${tasks} tasks, seed ${seed}`).to.equal(true);
    } finally {
      engine.close();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
