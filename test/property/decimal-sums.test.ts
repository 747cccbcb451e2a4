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
  /** Whole numbers of the last of `placesMax` decimal places; null where a row is. */
  readonly keys: readonly (bigint | null)[];
  readonly groups: readonly number[];
}

/** Decimal places of the finest values. */
const placesMax = 9;

/** Decimals of up to 2^50 of the last place, or smaller ones of which stretches of rows have places of their own. */
function draw(random: Random): Drawn {
  const [rows, groupCount] = [oneOf(random, [40, 3_000, 70_000, 131_072]), oneOf(random, [1, 7, 600, 20_000])];
  const isMixed = chance(random, 0.5);
  const stretch = isMixed ? oneOf(random, [10, 1_000, 65_536]) : rows;
  const places = Array.from({ length: Math.ceil(rows / stretch) }, () => oneOf(random, isMixed ? [0, 1, 2, 4] : [0, 1, 2, 3, 6, placesMax]));
  // Codes of decimals have 4 bytes, so that is what a range may hold of steps.
  const [most, nullShare, coarse] = [oneOf(random, isMixed ? [10, 1e5] : [100, 1e6, 2 ** 30]), oneOf(random, [0, 0.1]), isMixed ? 1n : oneOf(random, [1n, 10n, 1_000n, 2n ** 20n])];
  const steps = Array.from({ length: rows }, () => (chance(random, nullShare) ? null : BigInt(whole(random, -most, most)) * coarse));
  const groups = steps.map(() => whole(random, 0, groupCount - 1));
  const values = steps.map((step, row) => (step === null ? null : Number(step) / 10 ** places[Math.floor(row / stretch)]!));
  const keys = steps.map((step, row) => (step === null ? null : step * 10n ** BigInt(placesMax - places[Math.floor(row / stretch)]!)));
  return { keys, groups, columns: [{ name: "v", dtype: "float64", values }, { name: "k", dtype: "int32", values: groups.map(BigInt) }] };
}

async function ask(engine: Engine, dataDir: string, name: string, shardCount: number, { columns }: Drawn, keys: readonly string[]): Promise<unknown[][]> {
  const names = Array.from({ length: shardCount }, (_, shard) => `${name}-${shard}.bcolzs`);
  const generations = await writeShards(names.map((shard) => join(dataDir, shard)), columns);
  const measures = [["v", "sum", "s"], ["v", "mean", "m"]];
  const { partial } = await askEngine(engine, names.map((shard, ordinal) => ({ ordinal, name: shard, generation: generations[ordinal]! })), { keys, measures });
  return rowsOf(finishQuery(parseQuery({ keys, measures }), partial));
}

/** The key of each group, and what its sum and mean are exactly, as fractions; null where there is none. */
function expectedRows({ keys, groups }: Drawn, isGrouped: boolean): { key: bigint[]; sum: Fraction | null; mean: Fraction | null }[] {
  const sums = new Map<number, { sum: bigint; count: number }>();
  keys.forEach((key, row) => {
    const group = isGrouped ? groups[row]! : 0;
    const { sum, count } = sums.get(group) ?? { sum: 0n, count: 0 };
    sums.set(group, { sum: sum + (key ?? 0n), count: count + (key === null ? 0 : 1) });
  });
  return [...sums].sort(([a], [b]) => a - b).map(([group, { sum, count }]) => {
    const scale = 10n ** BigInt(placesMax);
    return { key: isGrouped ? [BigInt(group)] : [], sum: count === 0 ? null : [sum, scale], mean: count === 0 ? null : [sum, scale * BigInt(count)] };
  });
}

type Fraction = readonly [numerator: bigint, denominator: bigint];

/** Tells whether no other float64 is nearer to a fraction than this one. */
function isNearest(value: unknown, exact: Fraction | null): boolean {
  if (exact === null || typeof value !== "number") return value === exact;
  if (value === 0) return exact[0] === 0n;
  const bits = new BigInt64Array(Float64Array.of(value).buffer)[0]!;
  const distances = [bits, bits - 1n, bits + 1n].map((near) => distance(new Float64Array(BigInt64Array.of(near).buffer)[0]!, exact));
  return distances[0]! <= distances[1]! && distances[0]! <= distances[2]!;
}

/** How far a float64 is from a fraction, in an unreal unit that the fraction alone decides. */
function distance(value: number, [numerator, denominator]: Fraction): bigint {
  const size = BigInt(value * 2 ** 200) * denominator - numerator * 2n ** 200n;
  return size < 0n ? -size : size;
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
          const { key, sum, mean } = expected[at]!;
          expect(row.slice(0, -2), `${what}, row ${at}`).to.deep.equal(key);
          expect(isNearest(row.at(-2), sum), `${what}, row ${at}: the sum is ${String(row.at(-2))}, exactly ${String(sum)}`).to.equal(true);
          expect(isNearest(row.at(-1), mean), `${what}, row ${at}: the mean is ${String(row.at(-1))}, exactly ${String(mean)}`).to.equal(true);
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
