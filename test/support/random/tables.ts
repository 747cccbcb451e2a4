/** Random tables: every dtype in many shapes, row counts around the borders of chunks. */
import type { Random } from "../../../lib/base/clock.js";
import type { Dtype } from "../../../lib/columns/dtypes.js";
import { anyInt64, chance, oneOf, whole } from "./draw.js";

/** A value of a random table; timestamps as int64 ns. */
export type Value = bigint | number | string | boolean | null;

/** A column of a random table, all rows. */
export interface RandomColumn {
  readonly name: string;
  readonly dtype: Dtype;
  /** How its values were drawn, for the log of a failing seed. */
  readonly shape: string;
  readonly values: readonly Value[];
}

/** A random table, and how its rows are cut into shards: `cuts` are the first rows of all shards but the first. */
export interface RandomTable {
  readonly name: string;
  readonly rows: number;
  readonly columns: readonly RandomColumn[];
  readonly cuts: readonly number[];
}

type Draw = (random: Random, row: number) => Value;

const words = ["", "a", "b", "ab", "Ab", "zürich", "東京", "🚕", "tip", "fare amount", "it's", 'say "x"', "line\nbreak", "a".repeat(300), "\u{10ffff}", "é", "e\u0301"];

/** Shapes of values by dtype; each maker draws the parameters of one column. */
const shapes: Record<Dtype, Record<string, (random: Random) => Draw>> = {
  bool: { coin: () => (random) => chance(random, 0.5), always: () => () => true },
  int64: {
    few: () => (random) => BigInt(whole(random, 0, 9)),
    bytes: () => (random) => BigInt(whole(random, -100, 155)),
    shorts: () => (random) => BigInt(whole(random, -30_000, 30_000)),
    stepped: () => (random) => 1_000_003n * BigInt(whole(random, 0, 5_000)) - 7n,
    wide: () => (random) => BigInt(whole(random, -2_000_000_000, 2_000_000_000)),
    any: () => anyInt64,
    constant: (random) => { const value = anyInt64(random); return () => value; },
    row: () => (_random, row) => BigInt(row),
    extremes: () => (random) => oneOf(random, [-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n, 2n ** 53n + 1n]),
  },
  float64: {
    cents: () => (random) => whole(random, 0, 20_000) / 100,
    unit: () => (random) => random(),
    signed: () => (random) => (random() - 0.5) * 1e6,
    few: () => (random) => oneOf(random, [0, -0, 0.1, 0.7, -2.5, 1e-300]),
    infinite: () => (random) => oneOf(random, [Infinity, -Infinity, 1.5, -3, 0]),
    tiny: () => (random) => random() * 1e-12,
    constant: (random) => { const value = random() * 100; return () => value; },
  },
  string: {
    words: () => (random) => oneOf(random, words),
    codes: () => (random) => `id${String(whole(random, 1, 120)).padStart(3, "0")}`,
    many: () => (random) => `value ${whole(random, 0, 40_000)}`,
    constant: () => () => "same",
  },
  timestamp: {
    days: () => (random) => BigInt(whole(random, 16_801, 16_831)) * 86_400_000_000_000n,
    seconds: () => (random) => BigInt(whole(random, 1_450_000_000, 1_460_000_000)) * 1_000_000_000n,
    any: () => (random) => BigInt.asIntN(63, anyInt64(random)),
    early: () => (random) => -BigInt(whole(random, 0, 2_000_000_000)) * 1_000_000_001n,
  },
};

const rowCounts = [0, 1, 2, 7, 100, 1_000, 5_000, 20_000, 65_534, 65_535, 65_536, 65_537, 65_538, 131_071, 131_072, 131_073];

/** A table with every shape of a dtype at most once, two columns of each dtype, cut into 1 to `shardsMax` shards. */
export function drawTable(random: Random, name: string, shardsMax: number): RandomTable {
  const rows = oneOf(random, rowCounts);
  const columns = (Object.keys(shapes) as Dtype[]).flatMap((dtype) => [drawColumn(random, `${dtype}_a`, dtype, rows), drawColumn(random, `${dtype}_b`, dtype, rows)]);
  const shards = whole(random, 1, shardsMax);
  return { name, rows, columns, cuts: chance(random, 0.5) ? evenCuts(rows, shards) : drawCuts(random, rows, shards) };
}

function drawColumn(random: Random, name: string, dtype: Dtype, rows: number): RandomColumn {
  const shape = oneOf(random, Object.keys(shapes[dtype]));
  const draw = shapes[dtype][shape]!(random);
  const nullShare = oneOf(random, [0, 0, 0.02, 0.5, 1]);
  const values = Array.from({ length: rows }, (_, row) => (chance(random, nullShare) ? null : draw(random, row)));
  return { name, dtype, shape: nullShare === 0 ? shape : `${shape}, ${nullShare * 100} % null`, values };
}

function evenCuts(rows: number, shards: number): number[] {
  return Array.from({ length: shards - 1 }, (_, k) => Math.floor(((k + 1) * rows) / shards));
}

/** Cuts anywhere, at times leaving a shard empty. */
function drawCuts(random: Random, rows: number, shards: number): number[] {
  return Array.from({ length: shards - 1 }, () => whole(random, 0, rows)).sort((a, b) => a - b);
}
