import { expect } from "chai";
import { describe, it } from "mocha";
import { isBitSet } from "../../lib/columns/bits.js";
import { anyInt64, below, codeKinds, eachCase, expectSame, generate, randomBitmap } from "./kernels-arena.js";

const groups = 64;

/** Distances of values from a number, added up exactly enough: whole numbers to 2^53. */
interface Sums {
  count: number;
  mean: number;
  squares: number;
}

function momentsOf(values: readonly number[]): Sums {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + (value - values[0]!), 0) / count + values[0]!;
  return { count, mean, squares: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) };
}

/** What a cell of moments says. */
function momentsIn(cell: Float64Array, count: number): Sums {
  const [, shift, sum, squares, settled] = cell;
  return { count, mean: shift! + sum! / count, squares: settled! + squares! - sum! * (sum! / count) };
}

function expectNear(found: number, wanted: number, scale = Math.abs(wanted)): void {
  expect(Math.abs(found - wanted), `${found} for ${wanted}`).to.be.at.most(1e-11 * scale);
}

describe("kernels: moments by slot", function () {
  this.timeout(60_000);

  it("momentsSlots and comomentsSlots give count, mean, squares and products, whatever the first value", eachCase((arena, n, random) => {
    for (const share of [0, 0.3, 1]) {
      const slots = generate(Uint32Array, n, (row) => (share === 0.3 ? below(random, groups) : row % 3));
      const nulls = share === 0 ? null : randomBitmap(random, n, share);
      const first = share === 0 ? 1e9 : 1_000;
      const x = generate(Float64Array, n, (row) => (row === 0 ? first : 1_000 + random() - 0.5));
      const y = generate(Float64Array, n, (row) => 3 * x[row]! + random());
      const [slotsAt, nullsAt, xAt, yAt] = [arena.put(slots), nulls === null ? 0 : arena.put(nulls), arena.put(x), arena.put(y)];
      const [cells, pairs] = [arena.put(new Float64Array(groups * 5)), arena.put(new Float64Array(groups * 11))];
      arena.kernels.momentsSlots(slotsAt, xAt, nullsAt, n, cells);
      arena.kernels.comomentsSlots(slotsAt, xAt, yAt, nullsAt, n, pairs);
      const [words, pairWords] = [arena.read(Uint32Array, cells, groups * 10), arena.read(Uint32Array, pairs, groups * 22)];
      const [floats, pairFloats] = [arena.read(Float64Array, cells, groups * 5), arena.read(Float64Array, pairs, groups * 11)];
      const rowsOf = Array.from({ length: groups }, (): number[] => []);
      slots.forEach((slot, row) => { if (!isBitSet(nulls, row)) rowsOf[slot]!.push(row); });
      for (const [slot, rows] of rowsOf.entries()) {
        expect([words[slot * 10], pairWords[slot * 22]]).to.deep.equal([rows.length, rows.length]);
        if (rows.length === 0) continue;
        const [wanted, wantedY] = [momentsOf(rows.map((row) => x[row]!)), momentsOf(rows.map((row) => y[row]!))];
        const found = momentsIn(floats.subarray(slot * 5), rows.length);
        expectNear(found.mean, wanted.mean, Math.max(first, 1_001));
        expectNear(found.squares, wanted.squares);
        const [, shiftX, shiftY, sumX, sumY, squaresX, squaresY, products, settledX, settledY, settledXY] = pairFloats.subarray(slot * 11);
        const foundX = momentsIn(Float64Array.of(0, shiftX!, sumX!, squaresX!, settledX!), rows.length);
        const foundY = momentsIn(Float64Array.of(0, shiftY!, sumY!, squaresY!, settledY!), rows.length);
        expectNear(foundX.squares, wanted.squares);
        expectNear(foundY.mean, wantedY.mean, 3 * Math.max(first, 1_001));
        expectNear(foundY.squares, wantedY.squares);
        const wantedXY = rows.reduce((sum, row) => sum + (x[row]! - wanted.mean) * (y[row]! - wantedY.mean), 0);
        expectNear(settledXY! + products! - sumX! * (sumY! / rows.length), wantedXY, Math.sqrt(wanted.squares * wantedY.squares));
      }
    }
  }));

  it("wholeMoments and wholeComoments add up numbers, squares and products exactly", eachCase((arena, n, random) => {
    for (const share of [0, 0.3, 1]) {
      const slots = generate(Uint32Array, n, (row) => (share === 0.3 ? below(random, groups) : row % 3));
      const nulls = share === 0 ? null : randomBitmap(random, n, share);
      const end = share === 0 ? 2 ** 16 : 2 ** 23;
      const [x, y] = [generate(Uint32Array, n, () => below(random, end)), generate(Uint32Array, n, () => below(random, end))];
      const [slotsAt, nullsAt, xAt, yAt] = [arena.put(slots), nulls === null ? 0 : arena.put(nulls), arena.put(x), arena.put(y)];
      const [cells, pairs] = [arena.put(new BigInt64Array(groups * 3).fill(1n)), arena.put(new BigInt64Array(groups * 6).fill(1n))];
      arena.kernels.wholeMoments(slotsAt, xAt, nullsAt, n, cells);
      arena.kernels.wholeComoments(slotsAt, xAt, yAt, nullsAt, n, pairs);
      const [ofX, ofBoth] = [new BigInt64Array(groups * 3).fill(1n), new BigInt64Array(groups * 6).fill(1n)];
      slots.forEach((slot, row) => {
        if (isBitSet(nulls, row)) return;
        const [a, b] = [BigInt(x[row]!), BigInt(y[row]!)];
        [1n, a, a * a].forEach((value, at) => { ofX[slot * 3 + at]! += value; });
        [1n, a * b, a, b, a * a, b * b].forEach((value, at) => { ofBoth[slot * 6 + at]! += value; });
      });
      expectSame(arena.read(BigInt64Array, cells, groups * 3), ofX);
      expectSame(arena.read(BigInt64Array, pairs, groups * 6), ofBoth);
    }
  }));

  it("firstSlots and lastSlots keep the value of the first and last row that is not null", eachCase((arena, n, random) => {
    for (const share of [0, 0.6, 1]) {
      const slots = generate(Uint32Array, n, () => below(random, groups));
      const nulls = share === 0 ? null : randomBitmap(random, n, share);
      const [slotsAt, nullsAt] = [arena.put(slots), nulls === null ? 0 : arena.put(nulls)];
      const runs: { name: "U8" | "U16" | "U32" | "I64"; at: number; base: bigint; step: bigint; valueOf: (row: number) => bigint }[] = codeKinds.map(({ width, type, end }) => {
        const codes = generate(type, n, () => below(random, end));
        const [base, step] = [anyInt64(random) >> 8n, 3n];
        return { name: width, at: arena.put(codes), base, step, valueOf: (row) => base + step * BigInt(codes[row]!) };
      });
      const wide = generate(BigInt64Array, n, () => anyInt64(random));
      runs.push({ name: "I64", at: arena.put(wide), base: 0n, step: 1n, valueOf: (row) => wide[row]! });
      for (const { name, at, base, step, valueOf } of runs) {
        for (const end of ["first", "last"] as const) {
          const [seen, kept] = [arena.put(new Uint8Array(groups)), arena.put(new BigInt64Array(groups))];
          arena.kernels[`${end}Slots${name}`](slotsAt, at, nullsAt, n, base, step, seen, kept);
          const [flags, values] = [new Uint8Array(groups), new BigInt64Array(groups)];
          slots.forEach((slot, row) => {
            if (isBitSet(nulls, row) || (end === "first" && flags[slot] === 1)) return;
            flags[slot] = 1;
            values[slot] = valueOf(row);
          });
          expectSame(arena.read(Uint8Array, seen, groups), flags);
          expectSame(arena.read(BigInt64Array, kept, groups), values);
        }
      }
    }
  }));

  it("floatsOf gives the float64 nearest to the value of a code, uint64 too", eachCase((arena, n, random) => {
    for (const { width, type, end } of codeKinds) {
      const codes = generate(type, n, () => below(random, end));
      const at = arena.put(codes);
      for (const [base, step] of [[-(2n ** 63n), 2n ** 20n], [2n ** 62n, 12_345n]] as const) {
        const target = arena.reserve(n * 8);
        for (const biased of [0, 1]) {
          arena.kernels[`floatsOf${width}`](at, n, base, step, biased, target);
          const wanted = generate(Float64Array, n, (row) => Number(base + step * BigInt(codes[row]!) + (biased === 1 ? 2n ** 63n : 0n)));
          expectSame(arena.read(Float64Array, target, n), wanted);
        }
      }
    }
  }));
});

describe("kernels: histograms", function () {
  this.timeout(60_000);

  it("values are in the bin whose edges say so, the last one closed, and under or over outside", eachCase((arena, n, random) => {
    for (const [low, high, bins] of [[0, 1, 10], [-5, 12.5, 7], [0.1, 0.7, 3], [1e15, 1e15 + 1, 50]] as const) {
      const edges = generate(Float64Array, bins + 1, (edge) => (edge === bins ? high : low + edge * ((high - low) / bins)));
      const spread = high - low;
      const values = generate(Float64Array, n, (row) => (row % 3 === 0 ? edges[below(random, bins + 1)]! : low + (random() * 1.4 - 0.2) * spread));
      const [at, edgesAt, target] = [arena.put(values), arena.put(edges), arena.reserve(n * 4)];
      const wanted = generate(Uint32Array, n, (row) => binOf(values[row]!, edges));
      for (const even of low === 1e15 ? [0] : [0, 1]) {
        arena.kernels.histogramBinsF64(at, n, edgesAt, bins, bins / spread, even, target);
        expectSame(arena.read(Uint32Array, target, n), wanted);
      }
      const counted = new BigInt64Array(bins + 2);
      for (const bin of wanted) counted[bin]! += 1n;
      const [counts, countsOfEven] = [arena.put(new BigInt64Array(bins + 2)), arena.put(new BigInt64Array(bins + 2))];
      arena.kernels.histogramAdd(target, n, counts);
      expectSame(arena.read(BigInt64Array, counts, bins + 2), counted);
      if (low === 1e15) continue;
      const tallies = arena.put(new Uint32Array(4 * (bins + 2)));
      arena.kernels.histogramAddF64(at, n, edgesAt, bins, bins / spread, tallies, countsOfEven);
      expectSame(arena.read(Uint32Array, tallies, 4 * (bins + 2)), new Uint32Array(4 * (bins + 2)));
      expectSame(arena.read(BigInt64Array, countsOfEven, bins + 2), counted);
    }
  }));

  it("whole numbers are too, as far apart as int64 goes", eachCase((arena, n, random) => {
    for (const [edges, offset, inverse, even] of [
      [BigInt64Array.of(0n, 3n, 5n, 8n, 10n), 0, 4 / 10, 1],
      [BigInt64Array.of(1n, 2n, 2n, 3n, 3n), 0.5, 4 / 2.5, 1],
      [BigInt64Array.of(1n, 1n, 2n, 2n, 3n), 0, 4 / 2, 0],
      [BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n), 0, 2 / 2 ** 64, 0],
      [BigInt64Array.of(5n, 2n ** 62n), 0, 2 ** -62, 1],
    ] as const) {
      const values = generate(BigInt64Array, n, (row) => (row % 2 === 0 ? anyInt64(random) : BigInt(below(random, 14) - 2)));
      const bins = edges.length - 1;
      const [at, target] = [arena.put(values), arena.reserve(n * 4)];
      arena.kernels.histogramBinsI64(at, n, arena.put(edges), bins, offset, inverse, even, target);
      expectSame(arena.read(Uint32Array, target, n), generate(Uint32Array, n, (row) => binOf(values[row]!, edges)));
    }
  }));

  it("bins of two columns join row-major, and count by slot", eachCase((arena, n, random) => {
    const [binsX, binsY] = [3, 4];
    const cells = binsX * binsY + 2;
    const x = generate(Uint32Array, n, () => below(random, binsX + 2)), y = generate(Uint32Array, n, () => below(random, binsY + 2));
    const target = arena.reserve(n * 4);
    arena.kernels.histogramJoin(arena.put(x), arena.put(y), n, binsX, binsY, target);
    const joined = generate(Uint32Array, n, (row) => {
      if (x[row]! >= binsX) return cells - 2 + (x[row]! - binsX);
      return y[row]! >= binsY ? cells - 2 + (y[row]! - binsY) : x[row]! * binsY + y[row]!;
    });
    expectSame(arena.read(Uint32Array, target, n), joined);
    const slots = generate(Uint32Array, n, () => below(random, 5));
    const nulls = randomBitmap(random, n, 0.3);
    const counts = arena.put(new BigInt64Array(5 * cells));
    arena.kernels.histogramCount(arena.put(slots), target, arena.put(nulls), n, cells, counts);
    const wanted = new BigInt64Array(5 * cells);
    slots.forEach((slot, row) => { if (!isBitSet(nulls, row)) wanted[slot * cells + joined[row]!]! += 1n; });
    expectSame(arena.read(BigInt64Array, counts, 5 * cells), wanted);
  }));
});

function binOf<T extends number | bigint>(value: T, edges: { readonly length: number; readonly [edge: number]: T }): number {
  const bins = edges.length - 1;
  if (value < edges[0]!) return bins;
  if (value > edges[bins]!) return bins + 1;
  let bin = bins - 1;
  while (value < edges[bin]!) bin--;
  return bin;
}
