/** How the values of random columns are drawn: for every dtype several shapes, its extremes among them. */
import type { Random } from "../../../lib/base/clock.js";
import { wholeRange, type Dtype, type IntegerDtype } from "../../../lib/columns/dtypes.js";
import { anyInt64, chance, oneOf, whole } from "./draw.js";
import type { StoredValue } from "../read-table.js";

/** Draws the value of a row. */
export type Draw = (random: Random, row: number) => StoredValue;

/** Draws the parameters of one column. */
export type Shape = (random: Random) => Draw;

const words = ["", "a", "b", "ab", "Ab", "zürich", "東京", "🚕", "tip", "fare amount", "it's", 'say "x"', "line\nbreak", "a".repeat(300), "\u{10ffff}", "é", "e\u0301"];
const dayNs = 86_400_000_000_000n;

/** Instants at which clocks were changed, in seconds: those of New York, Paris and Lord Howe, by an hour, an hour and half of one. */
const clockChanges = ["2015-10-25T01:00Z", "2016-03-13T07:00Z", "2016-11-06T06:00Z", "2016-03-27T01:00Z", "2016-10-30T01:00Z", "2016-04-02T15:00Z", "2016-10-01T15:30Z"].map((text) => Date.parse(text) / 1_000);

/** DuckDB keeps the days beyond for infinite dates. */
const daysMax = 2n ** 31n - 2n;

const floats: Record<string, Shape> = {
  cents: () => (random) => whole(random, 0, 20_000) / 100,
  prices: () => (random) => whole(random, -5_000_000, 5_000_000) / 100,
  unit: () => (random) => random(),
  signed: () => (random) => (random() - 0.5) * 1e6,
  few: () => (random) => oneOf(random, [0, -0, 0.1, 0.7, -2.5, 1e-300]),
  infinite: () => (random) => oneOf(random, [Infinity, -Infinity, NaN, 1.5, -3, 0]),
  tiny: () => (random) => random() * 1e-12,
  constant: (random) => { const value = random() * 100; return () => value; },
};

/** The shapes of each dtype by name. */
export const shapes: Record<Dtype, Record<string, Shape>> = {
  bool: { coin: () => (random) => chance(random, 0.5), always: () => () => true },
  int8: integers("int8"),
  int16: integers("int16"),
  int32: integers("int32"),
  int64: {
    ...integers("int64"),
    shorts: () => (random) => BigInt(whole(random, -30_000, 30_000)),
    stepped: () => (random) => 1_000_003n * BigInt(whole(random, 0, 5_000)) - 7n,
    wide: () => (random) => BigInt(whole(random, -2_000_000_000, 2_000_000_000)),
    row: () => (_random, row) => BigInt(row),
    past_doubles: () => (random) => 2n ** 53n + BigInt(whole(random, -3, 3)),
  },
  uint8: integers("uint8"),
  uint16: integers("uint16"),
  uint32: integers("uint32"),
  uint64: {
    ...integers("uint64"),
    middle: () => (random) => 2n ** 63n + BigInt(whole(random, -300, 300)),
  },
  float32: Object.fromEntries(Object.entries(floats).map(([name, shape]) => [name, rounded(shape)])),
  float64: floats,
  string: {
    words: () => (random) => oneOf(random, words),
    codes: () => (random) => `id${String(whole(random, 1, 120)).padStart(3, "0")}`,
    many: () => (random) => `value ${whole(random, 0, 40_000)}`,
    constant: () => () => "same",
  },
  timestamp: {
    days: () => (random) => BigInt(whole(random, 16_801, 16_831)) * dayNs,
    seconds: () => (random) => BigInt(whole(random, 1_450_000_000, 1_460_000_000)) * 1_000_000_000n,
    changes: () => (random) => BigInt(oneOf(random, clockChanges) + secondsBeside(random)) * 1_000_000_000n + oneOf(random, [0n, 0n, -1n, 999_999_999n]),
    any: () => (random) => BigInt.asIntN(63, anyInt64(random)),
    early: () => (random) => -BigInt(whole(random, 0, 2_000_000_000)) * 1_000_000_001n,
  },
  date: {
    month: () => (random) => BigInt(whole(random, 16_801, 16_831)),
    century: () => (random) => BigInt(whole(random, -25_567, 10_957)),
    any: () => (random) => BigInt(whole(random, -90_000_000, 90_000_000)),
    extremes: () => (random) => oneOf(random, [-daysMax, daysMax, 0n, -1n]),
  },
  bytes: {
    one: () => (random) => Uint8Array.of(whole(random, 0, 255)),
    short: () => (random) => drawBytes(random, whole(random, 0, 3)),
    long: () => (random) => drawBytes(random, whole(random, 60, 300)),
    texts: () => (random) => Buffer.from(oneOf(random, words)),
    constant: () => () => Uint8Array.of(0, 0xff, 0),
  },
};

/** Seconds before or after a change: none at times, else those of half a day, many of them whole half hours. */
function secondsBeside(random: Random): number {
  return oneOf(random, [0, 1_800 * whole(random, -24, 24), whole(random, -43_200, 43_200)]);
}

function integers(dtype: IntegerDtype): Record<string, Shape> {
  const { least, greatest } = wholeRange(dtype);
  const any: Draw = (random) => least + BigInt.asUintN(64, anyInt64(random)) % (greatest - least + 1n);
  return {
    few: () => (random) => BigInt(whole(random, 0, 9)),
    top: () => (random) => greatest - BigInt(whole(random, 0, 90)),
    any: () => any,
    constant: (random) => { const value = any(random, 0); return () => value; },
    extremes: () => (random) => oneOf(random, [least, least + 1n, 0n, 1n, greatest - 1n, greatest]),
  };
}

function rounded(shape: Shape): Shape {
  return (random) => {
    const draw = shape(random);
    return (again, row) => Math.fround(Number(draw(again, row)));
  };
}

function drawBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => whole(random, 0, 255));
}
