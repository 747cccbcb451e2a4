import { expect } from "chai";
import { describe, it } from "mocha";
import { isBitSet } from "../../lib/columns/bits.js";
import type { Random } from "../../lib/base/clock.js";
import { anyInt64, below, codeKinds, eachCase, expectSame, generate, openArena, places, randomBitmap, type Arena } from "./kernels-arena.js";

/** Slot patterns: one group, few near 0, few far from it, many, and runs as in a sorted column. */
const slotPatterns: readonly ((row: number, random: Random) => number)[] = [
  () => 0,
  (_, random) => below(random, 100),
  (_, random) => 3_000 + below(random, 5),
  (_, random) => below(random, 3_500),
  (row) => Math.floor(row / 100),
];
const groups = 4_000;
const nullShares = [0, 0.3, 1];

interface Rows {
  readonly slots: Uint32Array;
  readonly slotsAt: number;
  /** Null bitmap, and where it is: 0 when no row is null. */
  readonly nulls: Uint8Array | null;
  readonly nullsAt: number;
}

/** Runs a body over every pattern of slots and nulls. */
function eachPattern(arena: Arena, n: number, random: Random, body: (rows: Rows) => void): void {
  for (const pattern of slotPatterns) {
    for (const share of nullShares) {
      const slots = generate(Uint32Array, n, (row) => pattern(row, random));
      const nulls = share === 0 ? null : randomBitmap(random, n, share);
      body({ slots, slotsAt: arena.put(slots), nulls, nullsAt: nulls === null ? 0 : arena.put(nulls) });
    }
  }
}

/** Folds the values of the rows that are not null into an entry a group. */
function foldSlots<T>(rows: Rows, start: readonly T[], fold: (kept: T, row: number) => T): T[] {
  const result = [...start];
  rows.slots.forEach((slot, row) => { if (!isBitSet(rows.nulls, row)) result[slot] = fold(result[slot]!, row); });
  return result;
}

function filled<T>(value: T): T[] {
  return new Array<T>(groups).fill(value);
}

/** The 128-bit integers of accumulators. */
function wideOf(words: BigUint64Array): bigint[] {
  return Array.from({ length: words.length / 2 }, (_, slot) => BigInt.asIntN(128, words[slot * 2]! | (words[slot * 2 + 1]! << 64n)));
}

describe("kernels: accumulators by slot", function () {
  this.timeout(60_000);

  it("countSlots counts rows, countSlotsNonNull those that are not null", eachCase((arena, n, random) => {
    eachPattern(arena, n, random, (rows) => {
      const counts = arena.put(new BigInt64Array(groups).fill(5n)), nonNulls = arena.put(new BigInt64Array(groups).fill(7n));
      arena.kernels.countSlots(rows.slotsAt, n, counts);
      arena.kernels.countSlotsNonNull(rows.slotsAt, rows.nullsAt, n, nonNulls);
      expectSame(arena.read(BigInt64Array, counts, groups), BigInt64Array.from(foldSlots({ ...rows, nulls: null }, filled(5n), (count) => count + 1n)));
      expectSame(arena.read(BigInt64Array, nonNulls, groups), BigInt64Array.from(foldSlots(rows, filled(7n), (count) => count + 1n)));
    });
  }));

  it("tallySlots counts rows and adds up codes at once, whether slots are few or many", eachCase((arena, n, random) => {
    for (const { width, type, end } of codeKinds) {
      if (width !== "U8" && width !== "U16") continue;
      // The largest code in every other row: what a half of a tally must hold.
      const codes = generate(type, n, (row) => (row % 2 === 0 ? end - 1 : below(random, end)));
      const codesAt = arena.put(codes), [base, step] = [-1_000n, 7n];
      eachPattern(arena, n, random, (rows) => {
        const counts = arena.put(new BigInt64Array(groups).fill(5n)), sums = arena.put(new BigInt64Array(groups).fill(-3n));
        arena.kernels[`tallySlots${width}`](rows.slotsAt, codesAt, n, base, step, counts, sums);
        const all = { ...rows, nulls: null };
        expectSame(arena.read(BigInt64Array, counts, groups), BigInt64Array.from(foldSlots(all, filled(5n), (count) => count + 1n)));
        expectSame(arena.read(BigInt64Array, sums, groups), BigInt64Array.from(foldSlots(all, filled(-3n), (sum, row) => sum + base + step * BigInt(codes[row]!))));
      });
    }
  }));

  it("sums, minima and maxima of codes stand for base + step * code", eachCase((arena, chunkRows, random) => {
    const n = Math.min(chunkRows, 5_000);
    for (const { width, type, end } of codeKinds) {
      const codes = generate(type, n, () => below(random, end));
      const codesAt = arena.put(codes), [base, step] = [-1_000n, 7n];
      const valueOf = (row: number) => base + step * BigInt(codes[row]!);
      eachPattern(arena, n, random, (rows) => {
        const sums = arena.put(new BigInt64Array(groups).fill(-3n)), wide = arena.put(new BigUint64Array(groups * 2));
        const least = arena.put(new BigInt64Array(groups).fill(2n ** 63n - 1n)), greatest = arena.put(new BigInt64Array(groups).fill(-(2n ** 63n)));
        arena.kernels[`sumSlots${width}`](rows.slotsAt, codesAt, rows.nullsAt, n, base, step, sums);
        arena.kernels[`sumWideSlots${width}`](rows.slotsAt, codesAt, rows.nullsAt, n, base, step, wide);
        arena.kernels[`minSlots${width}`](rows.slotsAt, codesAt, rows.nullsAt, n, base, step, least);
        arena.kernels[`maxSlots${width}`](rows.slotsAt, codesAt, rows.nullsAt, n, base, step, greatest);
        const expected = foldSlots(rows, filled(0n), (sum, row) => sum + valueOf(row));
        expectSame(arena.read(BigInt64Array, sums, groups), BigInt64Array.from(expected, (sum) => sum - 3n));
        expect(wideOf(arena.read(BigUint64Array, wide, groups * 2))).to.deep.equal(expected);
        expectSame(arena.read(BigInt64Array, least, groups), BigInt64Array.from(foldSlots(rows, filled(2n ** 63n - 1n), (kept, row) => (valueOf(row) < kept ? valueOf(row) : kept))));
        expectSame(arena.read(BigInt64Array, greatest, groups), BigInt64Array.from(foldSlots(rows, filled(-(2n ** 63n)), (kept, row) => (valueOf(row) > kept ? valueOf(row) : kept))));
      });
    }
  }));

  it("minima and maxima of values close to each other are distances of 2 bytes", eachCase((arena, n, random) => {
    for (const { width, type, end } of [...codeKinds, { width: "I64", type: BigInt64Array, end: 2 ** 32 }] as const) {
      // Code * step + offset modulo 2^32: offsets of large codes are below zero.
      const [lowest, step] = [Math.max(0, end - 3_000), 7];
      const distances = Uint32Array.from({ length: n }, () => below(random, Math.min(3_000, end)) * step + 5);
      const codeOf = (row: number): number => lowest + (distances[row]! - 5) / step;
      const codesAt = arena.put(type === BigInt64Array ? BigInt64Array.from({ length: n }, (_, row) => BigInt(codeOf(row))) : type.from({ length: n }, (_, row) => codeOf(row)));
      eachPattern(arena, n, random, (rows) => {
        const least = arena.put(new Uint16Array(groups).fill(0xffff)), greatest = arena.put(new Uint16Array(groups));
        arena.kernels[`minNarrow${width}`](rows.slotsAt, codesAt, rows.nullsAt, n, step, 5 - lowest * step, least);
        arena.kernels[`maxNarrow${width}`](rows.slotsAt, codesAt, rows.nullsAt, n, step, 5 - lowest * step, greatest);
        expectSame(arena.read(Uint16Array, least, groups), Uint16Array.from(foldSlots(rows, filled(0xffff), (kept, row) => Math.min(kept, distances[row]!))));
        expectSame(arena.read(Uint16Array, greatest, groups), Uint16Array.from(foldSlots(rows, filled(0), (kept, row) => Math.max(kept, distances[row]! + 1))));
      });
    }
  }));

  it("int64 sums are 64 bits wide or 128, minima and maxima signed", eachCase((arena, n, random) => {
    const values = generate(BigInt64Array, n, (row) => (row % 11 === 0 ? 2n ** 63n - 1n : row % 11 === 1 ? -(2n ** 63n) : anyInt64(random)));
    const valuesAt = arena.put(values);
    eachPattern(arena, n, random, (rows) => {
      const sums = arena.put(new BigInt64Array(groups)), wide = arena.put(new BigUint64Array(groups * 2));
      const least = arena.put(new BigInt64Array(groups).fill(2n ** 63n - 1n)), greatest = arena.put(new BigInt64Array(groups).fill(-(2n ** 63n)));
      arena.kernels.sumSlotsI64(rows.slotsAt, valuesAt, rows.nullsAt, n, 0n, 1n, sums);
      arena.kernels.sumWideSlotsI64(rows.slotsAt, valuesAt, rows.nullsAt, n, 0n, 1n, wide);
      arena.kernels.minSlotsI64(rows.slotsAt, valuesAt, rows.nullsAt, n, 0n, 1n, least);
      arena.kernels.maxSlotsI64(rows.slotsAt, valuesAt, rows.nullsAt, n, 0n, 1n, greatest);
      const expected = foldSlots(rows, filled(0n), (sum, row) => sum + values[row]!);
      expectSame(arena.read(BigInt64Array, sums, groups), BigInt64Array.from(expected, (sum) => BigInt.asIntN(64, sum)));
      expect(wideOf(arena.read(BigUint64Array, wide, groups * 2))).to.deep.equal(expected);
      expectSame(arena.read(BigInt64Array, least, groups), BigInt64Array.from(foldSlots(rows, filled(2n ** 63n - 1n), (kept, row) => (values[row]! < kept ? values[row]! : kept))));
      expectSame(arena.read(BigInt64Array, greatest, groups), BigInt64Array.from(foldSlots(rows, filled(-(2n ** 63n)), (kept, row) => (values[row]! > kept ? values[row]! : kept))));
    });
  }));

  it("float64 minima and maxima leave nulls out", eachCase((arena, n, random) => {
    const values = generate(Float64Array, n, (row) => (row % 50 === 49 ? -Infinity : random() - 0.5));
    const valuesAt = arena.put(values);
    eachPattern(arena, n, random, (rows) => {
      const least = arena.put(new Float64Array(groups).fill(Infinity)), greatest = arena.put(new Float64Array(groups).fill(-Infinity));
      arena.kernels.minSlotsF64(rows.slotsAt, valuesAt, rows.nullsAt, n, least);
      arena.kernels.maxSlotsF64(rows.slotsAt, valuesAt, rows.nullsAt, n, greatest);
      expectSame(arena.read(Float64Array, least, groups), Float64Array.from(foldSlots(rows, filled(Infinity), (kept, row) => Math.min(kept, values[row]!))));
      expectSame(arena.read(Float64Array, greatest, groups), Float64Array.from(foldSlots(rows, filled(-Infinity), (kept, row) => Math.max(kept, values[row]!))));
    });
  }));

  it("text minima and maxima order by unsigned bytes, 0 where a group has none", eachCase((arena, n, random) => {
    const pool = ["", "a", "aa", "abcdefghi", "abcdefgh", "é", "z", "\u{10ffff}", "abcdefgz"].map((text) => Buffer.from(text));
    const ends = new Uint32Array(pool.length + 1);
    pool.forEach((text, code) => { ends[code + 1] = ends[code]! + text.length; });
    const codes = generate(Uint32Array, n, () => below(random, pool.length));
    const [codesAt, offsets, bytes] = [arena.put(codes), arena.put(ends), arena.put(new Uint8Array(Buffer.concat(pool)))];
    eachPattern(arena, n, random, (rows) => {
      const least = arena.put(new Uint32Array(groups)), greatest = arena.put(new Uint32Array(groups));
      arena.kernels.minSlotsText(rows.slotsAt, codesAt, rows.nullsAt, n, offsets, bytes, least);
      arena.kernels.maxSlotsText(rows.slotsAt, codesAt, rows.nullsAt, n, offsets, bytes, greatest);
      const keep = (sign: number) => foldSlots(rows, filled(0), (kept, row) => {
        const code = codes[row]!;
        return kept === 0 || sign * Buffer.compare(pool[code]!, pool[kept - 1]!) > 0 ? code + 1 : kept;
      });
      expectSame(arena.read(Uint32Array, least, groups), Uint32Array.from(keep(-1)));
      expectSame(arena.read(Uint32Array, greatest, groups), Uint32Array.from(keep(1)));
    });
  }));
});

/** Values that cancel, as exact multiples of 2^-20, with their exact sums in such units. */
function cancellingValues(n: number, random: Random): { values: Float64Array; units: bigint[] } {
  const units = Array.from({ length: n }, (_, row) => {
    const large = BigInt(below(random, 2 ** 32)) << BigInt(below(random, 20));
    return row % 3 === 0 ? large : row % 3 === 1 ? -large : BigInt(below(random, 100)) - 50n;
  });
  return { values: Float64Array.from(units, (unit) => Number(unit) / 2 ** 20), units };
}

/** Tells whether a compensated sum is the exact one, but for the last bit or so and 2^-41 of the sum of magnitudes. */
function isClose(sum: number, compensation: number, units: bigint, magnitude: bigint): boolean {
  const exact = Number(units) / 2 ** 20;
  return Math.abs(sum + compensation - exact) <= Math.abs(exact) * 2 ** -51 + (Number(magnitude) / 2 ** 20) * 2 ** -41;
}

function magnitudeOf(value: bigint): bigint {
  return value < 0n ? -value : value;
}

describe("kernels: tallies in words", function () {
  this.timeout(60_000);

  it("settle to the counts and sums that passes of their own give, and begin anew", eachCase((arena, n, random) => {
    const codes = generate(Uint8Array, n, () => below(random, 256));
    const values = arena.put(codes);
    for (const pattern of slotPatterns) {
      const slots = arena.put(generate(Uint32Array, n, (row) => pattern(row, random)));
      const [words, ...targets] = Array.from({ length: 5 }, () => arena.put(new BigInt64Array(groups)));
      const [counts, sums, countsApart, sumsApart] = targets as [number, number, number, number];
      for (const [base, step] of [[5n, 3n], [-(2n ** 40n), 1n]] as const) {
        for (let turn = 0; turn < 2; turn++) {
          arena.kernels.tallyWordsU8(slots, values, n, words!);
          arena.kernels.countSlots(slots, n, countsApart);
          arena.kernels.sumSlotsU8(slots, values, 0, n, base, step, sumsApart);
        }
        arena.kernels.settleTallies(words!, groups, base, step, counts, sums);
      }
      expectSame(arena.read(BigInt64Array, counts, groups), arena.read(BigInt64Array, countsApart, groups));
      expectSame(arena.read(BigInt64Array, sums, groups), arena.read(BigInt64Array, sumsApart, groups));
      expectSame(arena.read(BigInt64Array, words!, groups), new BigInt64Array(groups));
    }
  }));
});

describe("kernels: float64 sums", function () {
  this.timeout(60_000);

  it("sumSlotsF64 loses nothing to cancellation over a few rows, and at most 2^-41 of the magnitudes over many", eachCase((arena, n, random) => {
    const { values, units } = cancellingValues(n, random);
    const valuesAt = arena.put(values);
    eachPattern(arena, n, random, (rows) => {
      const sums = arena.put(new Float64Array(groups * 2));
      arena.kernels.sumSlotsF64(rows.slotsAt, valuesAt, rows.nullsAt, n, sums);
      const result = arena.read(Float64Array, sums, groups * 2);
      const expected = foldSlots(rows, filled(0n), (sum, row) => sum + units[row]!);
      const magnitudes = foldSlots(rows, filled(0n), (sum, row) => (n < 2_048 ? 0n : sum + magnitudeOf(units[row]!)));
      const wrong = [...expected.keys()].filter((slot) => !isClose(result[slot * 2]!, result[slot * 2 + 1]!, expected[slot]!, magnitudes[slot]!));
      expect(wrong, "slots with a wrong sum").to.deep.equal([]);
    });
  }));

  it("sumManySlotsF64 depends on which rows share a slot and not on its number", eachCase((arena, n, random) => {
    const values = arena.put(generate(Float64Array, n, () => (random() - 0.5) * 10 ** below(random, 30)));
    eachPattern(arena, n, random, ({ slots, slotsAt, nullsAt }) => {
      const [sums, others] = [arena.put(new Float64Array(groups * 2)), arena.put(new Float64Array(groups * 2))];
      arena.kernels.sumManySlotsF64(slotsAt, values, nullsAt, n, sums);
      arena.kernels.sumManySlotsF64(arena.put(slots.map((slot) => groups - 1 - slot)), values, nullsAt, n, others);
      const renumbered = arena.read(Float64Array, others, groups * 2);
      expectSame(arena.read(Float64Array, sums, groups * 2), generate(Float64Array, groups * 2, (k) => renumbered[2 * (groups - 1 - (k >> 1)) + (k & 1)]!));
    });
  }));

  it("mergeSumsF64 adds sums with what rounding took from them, none where a sum is not finite", () => {
    for (const place of places) {
      const arena = openArena(place);
      const left = [0, 0, 1, 2 ** -60, 2 ** 60, 3, Infinity, 0, Infinity, 0, 1e308, 5, -7, 0.25];
      const right = [0, 0, 2 ** -55, 0, 1, 4, 1, 0.5, -Infinity, 0, 1e308, 1, 7, 0.5];
      const at = arena.put(Float64Array.from(left));
      arena.kernels.mergeSumsF64(at, arena.put(Float64Array.from(right)), left.length / 2);
      expect([...arena.read(Float64Array, at, left.length)]).to.deep.equal([0, 0, 1, 2 ** -60 + 2 ** -55, 2 ** 60, 8, Infinity, 0, NaN, 0, Infinity, 0, 0, 0.75]);
      arena.check();
    }
  });

  it("totalF64 loses at most 2^-41 of the magnitudes to cancellation and goes on from what it has", eachCase((arena, n, random) => {
    const { values, units } = cancellingValues(n, random);
    for (const share of nullShares) {
      const nulls = share === 0 ? null : randomBitmap(random, n, share);
      const sum = arena.put(Float64Array.of(2 ** 60, 0.5));
      arena.kernels.totalF64(arena.put(values), nulls === null ? 0 : arena.put(nulls), n, sum);
      const exact = units.reduce((total, unit, row) => (isBitSet(nulls, row) ? total : total + unit), (2n ** 80n) + (2n ** 19n));
      const magnitude = units.reduce((total, unit, row) => (isBitSet(nulls, row) ? total : total + magnitudeOf(unit)), 0n);
      const result = arena.read(Float64Array, sum, 2);
      expect(isClose(result[0]!, result[1]!, exact, magnitude), `${result.join()} for ${exact}`).to.equal(true);
    }
  }));

  it("an infinite sum stays infinite, and both infinities make NaN", () => {
    const cases: [number[], number][] = [
      [[Infinity, 1], Infinity],
      [[1, -Infinity, 5], -Infinity],
      [[Infinity, Infinity], Infinity],
      [[Infinity, -Infinity], NaN],
      [[1e308, 1e308, 1e308], Infinity],
      [[0.1, 0.2], 0.1 + 0.2],
    ];
    for (const place of places) {
      for (const [special, expected] of cases) {
        for (const n of [special.length, 40, 2_000]) {
          for (const spread of [1, 500]) {
            const arena = openArena(place);
            const values = generate(Float64Array, n, (row) => special[row] ?? 0);
            const slots = generate(Uint32Array, n, (row) => (row < special.length ? 0 : row % spread));
            const sums = arena.put(new Float64Array(1_000)), total = arena.put(new Float64Array(2)), valuesAt = arena.put(values);
            arena.kernels.sumSlotsF64(arena.put(slots), valuesAt, 0, n, sums);
            arena.kernels.totalF64(valuesAt, 0, n, total);
            for (const pointer of [sums, total]) {
              const [sum, compensation] = arena.read(Float64Array, pointer, 2);
              expect(sum! + compensation!, `${special.join()} in ${n}`).to.deep.equal(expected);
            }
          }
        }
      }
    }
  });

  it("a null infinity is left out", () => {
    const arena = openArena("low");
    const values = arena.put(generate(Float64Array, 2_000, (row) => (row % 2 === 0 ? Infinity : 1)));
    const nulls = arena.put(new Uint8Array(250).fill(0x55)), slots = arena.put(new Uint32Array(2_000));
    const sums = arena.put(new Float64Array(2)), total = arena.put(new Float64Array(2));
    arena.kernels.sumSlotsF64(slots, values, nulls, 2_000, sums);
    arena.kernels.totalF64(values, nulls, 2_000, total);
    expectSame(arena.read(Float64Array, sums, 2), Float64Array.of(1_000, 0));
    expectSame(arena.read(Float64Array, total, 2), Float64Array.of(1_000, 0));
  });
});

describe("kernels: totals and order", function () {
  this.timeout(60_000);

  it("totals of codes leave nulls out and do not overflow", eachCase((arena, n, random) => {
    for (const { width, type, end } of codeKinds) {
      for (const share of nullShares) {
        const codes = generate(type, n, (row) => (row % 2 === 0 ? end - 1 : below(random, end)));
        const nulls = share === 0 ? null : randomBitmap(random, n, share);
        const expected = Array.from(codes).reduce((sum, code, row) => (isBitSet(nulls, row) ? sum : sum + code), 0);
        expect(arena.kernels[`total${width}`](arena.put(codes), nulls === null ? 0 : arena.put(nulls), n)).to.equal(BigInt(expected));
      }
    }
  }));

  it("totalWideI64 adds up in 128 bits", eachCase((arena, n, random) => {
    for (const make of [() => anyInt64(random), () => -(2n ** 63n), () => 2n ** 63n - 1n, () => -1n]) {
      for (const share of nullShares) {
        const values = generate(BigInt64Array, n, make);
        const nulls = share === 0 ? null : randomBitmap(random, n, share);
        const start = -(2n ** 64n) + 3n;
        const sum = arena.put(BigUint64Array.of(BigInt.asUintN(64, start), BigInt.asUintN(64, start >> 64n)));
        arena.kernels.totalWideI64(arena.put(values), nulls === null ? 0 : arena.put(nulls), n, sum);
        expect(wideOf(arena.read(BigUint64Array, sum, 2))).to.deep.equal([values.reduce((total, value, row) => (isBitSet(nulls, row) ? total : total + value), start)]);
      }
    }
  }));

  it("radixSort is stable, ascending and unsigned", eachCase((arena, n, random) => {
    for (const make of [() => BigInt.asUintN(64, anyInt64(random)), () => BigInt(below(random, 5)), () => BigInt(below(random, 70_000)) << 40n, () => 9n]) {
      const keys = generate(BigUint64Array, n, make);
      const payload = generate(Uint32Array, n, (row) => row);
      const [keysAt, payloadAt] = [arena.put(keys), arena.put(payload)];
      arena.kernels.radixSort(keysAt, payloadAt, arena.reserve(n * 8), arena.reserve(n * 4), n);
      const order = payload.slice().sort((a, b) => (keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : a - b));
      expectSame(arena.read(Uint32Array, payloadAt, n), order);
      expectSame(arena.read(BigUint64Array, keysAt, n), generate(BigUint64Array, n, (row) => keys[order[row]!]!));
    }
  }));
});
