import { expect } from "chai";
import { describe, it } from "mocha";
import { anyInt64, below, eachCase, expectSame, generate, openArena, randomBitmap } from "./kernels-arena.js";

const slotCount = 7;

/** Every k entries in descending order, in place. */
function descending<A extends BigInt64Array | Float64Array>(heaps: A, k: number): A {
  for (let from = 0; from < heaps.length; from += k) heaps.subarray(from, from + k).sort().reverse();
  return heaps;
}

describe("kernels of sets, lists and sketches", () => {
  it("dropNulls moves the entries of non-null rows together, in place too", eachCase((arena, n, random) => {
    const values = generate(BigInt64Array, n, () => anyInt64(random));
    const nulls = randomBitmap(random, n, 0.3);
    const kept = values.filter((_, row) => ((nulls[row >> 3]! >> (row & 7)) & 1) === 0);
    const [at, bits, target] = [arena.put(values), arena.put(nulls), arena.reserve(n * 8)];
    expect(arena.kernels.dropNulls8(at, bits, n, target)).to.equal(kept.length);
    expectSame(arena.read(BigInt64Array, target, kept.length), kept);
    expect(arena.kernels.dropNulls8(at, bits, n, at)).to.equal(kept.length);
    expectSame(arena.read(BigInt64Array, at, kept.length), kept);
    const slots = generate(Uint32Array, n, () => below(random, 2 ** 32));
    const slotsAt = arena.put(slots);
    expect(arena.kernels.dropNulls4(slotsAt, bits, n, slotsAt)).to.equal(kept.length);
    expectSame(arena.read(Uint32Array, slotsAt, kept.length), slots.filter((_, row) => ((nulls[row >> 3]! >> (row & 7)) & 1) === 0));
  }));

  it("markCells sets the bit of each pair", eachCase((arena, n, random) => {
    const [slots, codes] = [generate(Uint32Array, n, () => below(random, slotCount)), generate(Uint32Array, n, () => below(random, 64))];
    const bits = arena.reserve(slotCount * 8, 0);
    arena.kernels.markCells(arena.put(slots), arena.put(codes), n, 64, bits);
    const expected = new Uint8Array(slotCount * 8);
    for (let row = 0; row < n; row++) expected[slots[row]! * 8 + (codes[row]! >> 3)]! |= 1 << (codes[row]! & 7);
    expectSame(arena.read(Uint8Array, bits, slotCount * 8), expected);
  }));

  it("scatterSlots sorts by slot and keeps the order of rows", eachCase((arena, n, random) => {
    const slots = generate(Uint32Array, n, () => below(random, slotCount));
    const values = generate(BigInt64Array, n, () => anyInt64(random));
    const expected: bigint[] = [];
    const places = new Uint32Array(slotCount);
    for (let slot = 0; slot < slotCount; slot++) {
      places[slot] = expected.length;
      for (let row = 0; row < n; row++) if (slots[row] === slot) expected.push(values[row]!);
    }
    const slotsAt = arena.put(slots), target = arena.reserve(n * 8), narrow = arena.reserve(n * 4);
    arena.kernels.scatterSlots8(slotsAt, arena.put(values), n, arena.put(places), target);
    expectSame(arena.read(BigInt64Array, target, n), BigInt64Array.from(expected));
    arena.kernels.scatterSlots4(slotsAt, arena.put(generate(Int32Array, n, (row) => Number(BigInt.asIntN(32, values[row]!)))), n, arena.put(places), narrow);
    expectSame(arena.read(Int32Array, narrow, n), Int32Array.from(expected, (value) => Number(BigInt.asIntN(32, value))));
  }));

  it("narrowDecimals finds the codes of decimals, and what is none wherever it is", eachCase((arena, n, random) => {
    const target = arena.reserve(n * 4), back = arena.reserve(n * 8);
    for (const exponent of [0, 2, 9]) {
      const codes = generate(Int32Array, n, (row) => (row === 0 ? -(2 ** 31) : row === 1 ? 2 ** 31 - 1 : below(random, 2 ** 32) - 2 ** 31));
      const values = generate(Float64Array, n, (row) => codes[row]! / 10 ** exponent);
      const valuesAt = arena.put(values);
      expect(arena.kernels.narrowDecimals(valuesAt, n, exponent, target)).to.equal(1);
      expectSame(arena.read(Int32Array, target, n), codes);
      arena.kernels.widenDecimals(target, n, exponent, back);
      expectSame(arena.read(Float64Array, back, n), values);
      for (const wrong of n === 0 ? [] : [2 ** 31 / 10 ** exponent, -(2 ** 31) / 10 ** exponent - 1, 1 / 3, Infinity, -Infinity, NaN, 5e-324]) {
        const row = below(random, n);
        new Float64Array(arena.kernels.memory.buffer, valuesAt, n)[row] = wrong;
        expect(arena.kernels.narrowDecimals(valuesAt, n, exponent, target), `${wrong} in row ${row}`).to.equal(0);
        new Float64Array(arena.kernels.memory.buffer, valuesAt, n)[row] = values[row]!;
      }
    }
  }));

  it("keepLargest keeps the k largest of each slot, equal ones apart", eachCase((arena, n, random) => {
    const slots = generate(Uint32Array, n, () => below(random, slotCount));
    for (const k of [1, 2, 3, 16]) {
      const whole = generate(BigInt64Array, n, () => (random() < 0.5 ? BigInt(below(random, 5)) : anyInt64(random)));
      const real = generate(Float64Array, n, () => (random() < 0.1 ? (random() < 0.5 ? -Infinity : random() < 0.5 ? -0 : Infinity) : random() - 0.5));
      const heaps = arena.put(new BigInt64Array(slotCount * k).fill(-(2n ** 63n))), realHeaps = arena.put(new Float64Array(slotCount * k).fill(-Infinity));
      const [slotsAt, wholeAt, realAt] = [arena.put(slots), arena.put(whole), arena.put(real)];
      arena.kernels.keepLargestI64(slotsAt, wholeAt, n, k, heaps);
      arena.kernels.keepLargestF64(slotsAt, realAt, n, k, realHeaps);
      const [expected, realExpected] = [new BigInt64Array(slotCount * k).fill(-(2n ** 63n)), new Float64Array(slotCount * k).fill(-Infinity)];
      for (let slot = 0; slot < slotCount; slot++) {
        expected.set(whole.filter((_, row) => slots[row] === slot).sort().toReversed().slice(0, k), slot * k);
        realExpected.set(real.filter((_, row) => slots[row] === slot).map((value) => value + 0).sort().toReversed().slice(0, k), slot * k);
      }
      expectSame(descending(arena.read(BigInt64Array, heaps, slotCount * k), k), expected);
      expectSame(descending(arena.read(Float64Array, realHeaps, slotCount * k), k), realExpected);
      if (k !== 2) continue;
      const pairs = arena.put(new BigInt64Array(slotCount * 2).fill(-(2n ** 63n))), realPairs = arena.put(new Float64Array(slotCount * 2).fill(-Infinity));
      arena.kernels.keepPairsI64(slotsAt, wholeAt, n, pairs);
      arena.kernels.keepPairsF64(slotsAt, realAt, n, realPairs);
      expectSame(descending(arena.read(BigInt64Array, pairs, slotCount * 2), 2), expected);
      expectSame(descending(arena.read(Float64Array, realPairs, slotCount * 2), 2), realExpected);
    }
  }));

  it("countRuns counts each slot once a run, over as many calls as it takes", eachCase((arena, n, random) => {
    let word = 0n;
    const words = generate(BigInt64Array, n, () => (random() < 0.4 ? (word = BigInt(below(random, 3))) : word));
    const slots = generate(Uint32Array, n, () => below(random, slotCount));
    const [state, lastRuns, inFirst, counts] = [arena.reserve(24, 0), arena.reserve(slotCount * 4, 0), arena.reserve(slotCount, 0), arena.reserve(slotCount * 8, 0)];
    const half = n >> 1;
    const [wordsAt, slotsAt] = [arena.put(words), arena.put(slots)];
    arena.kernels.countRuns(wordsAt, slotsAt, half, state, lastRuns, inFirst, counts);
    arena.kernels.countRuns(wordsAt + half * 8, slotsAt + half * 4, n - half, state, lastRuns, inFirst, counts);
    const [lasts, firsts, totals] = [new Uint32Array(slotCount), new Uint8Array(slotCount), new BigInt64Array(slotCount)];
    let run = 0;
    for (let row = 0; row < n; row++) {
      if (row === 0 || words[row] !== words[row - 1]) run += 1;
      if (lasts[slots[row]!] !== run) totals[slots[row]!]! += 1n;
      lasts[slots[row]!] = run;
      if (run === 1) firsts[slots[row]!] = 1;
    }
    expectSame(arena.read(Uint32Array, lastRuns, slotCount), lasts);
    expectSame(arena.read(Uint8Array, inFirst, slotCount), firsts);
    expectSame(arena.read(BigInt64Array, counts, slotCount), totals);
    expectSame(arena.read(BigInt64Array, state, 2), n === 0 ? new BigInt64Array(2) : BigInt64Array.of(words[0]!, words[n - 1]!));
    expect(arena.read(Uint32Array, state + 16, 1)[0]).to.equal(run);
  }));

  it("hashes are those of SplitMix64 and XXH64, and of whole floats those of the integers", eachCase((arena, n, random) => {
    const words = generate(BigInt64Array, n, () => anyInt64(random));
    const target = arena.reserve(n * 8);
    arena.kernels.hashWords(arena.put(words), n, 3n, -(2n ** 63n), target);
    expectSame(arena.read(BigUint64Array, target, n), BigUint64Array.from(words, (word) => mixWell(BigInt.asUintN(64, word * 3n) ^ (1n << 63n))));
    const floats = generate(Float64Array, n, () => [below(random, 100) - 50, random(), 2 ** 63 + 2 ** 20, Infinity, -(2 ** 63)][below(random, 5)]!);
    arena.kernels.hashFloats(arena.put(floats), n, target);
    const bits = (value: number): bigint => new BigUint64Array(Float64Array.of(value).buffer)[0]!;
    expectSame(arena.read(BigUint64Array, target, n), BigUint64Array.from(floats, (value) => mixWell(Number.isInteger(value) && value < 2 ** 64 ? BigInt.asUintN(64, BigInt(value)) : bits(value))));
    const texts = Uint8Array.from({ length: n + 9 }, () => below(random, 256));
    const offsets = Uint32Array.of(0, 0, n >> 1, n + 9);
    const [textsAt, three] = [arena.put(texts), arena.reserve(24)];
    arena.kernels.hashTexts(arena.put(offsets), textsAt, 3, three);
    expectSame(arena.read(BigUint64Array, three, 3), BigUint64Array.of(arena.kernels.xxh64(textsAt, 0), arena.kernels.xxh64(textsAt, n >> 1), arena.kernels.xxh64(textsAt + (n >> 1), n + 9 - (n >> 1))));
    const codes = generate(Uint32Array, n, () => below(random, 3));
    const hashes = arena.read(BigUint64Array, three, 3);
    arena.kernels.translateWords(arena.put(codes), n, three, target);
    expectSame(arena.read(BigUint64Array, target, n), BigUint64Array.from(codes, (code) => hashes[code]!));
  }));

  it("registers hold the greatest rank of a hash", eachCase((arena, n, random) => {
    const hashes = generate(BigInt64Array, n, () => (random() < 0.05 ? anyInt64(random) >> 55n << 50n : anyInt64(random)));
    const slots = generate(Uint32Array, n, () => below(random, 2));
    const [registers, codes] = [arena.reserve(2 ** 15, 0), arena.reserve(n * 4)];
    const hashesAt = arena.put(hashes);
    arena.kernels.raiseRegisters(arena.put(slots), hashesAt, n, registers);
    arena.kernels.registerCodes(hashesAt, n, codes);
    const expected = new Uint8Array(2 ** 15);
    const expectedCodes = Uint32Array.from(hashes, (signed, row) => {
      const hash = BigInt.asUintN(64, signed);
      const [register, rest] = [Number(hash >> 50n), hash & ((1n << 50n) - 1n)];
      const rank = rest === 0n ? 51 : 51 - rest.toString(2).length;
      const at = slots[row]! * 2 ** 14 + register;
      expected[at] = Math.max(expected[at]!, rank);
      return (register << 6) | rank;
    });
    expectSame(arena.read(Uint8Array, registers, 2 ** 15), expected);
    expectSame(arena.read(Uint32Array, codes, n), expectedCodes);
  }));

  it("bins ascend with their numbers, none wider than it may be", () => {
    for (const place of ["low", "top"] as const) {
      const arena = openArena(place);
      const edges = [5e-324, 1e-320, 2.2250738585072014e-308, 1e-300, 0.1, 0.999, 1, 1.5, 2, 3, 1e10, 1e300, Number.MAX_VALUE, Infinity];
      const values = Float64Array.of(...edges.map((edge) => -edge).toReversed(), 0, ...edges);
      const [perDoubling, least, centre] = [50, -53_700, 200_000];
      const bins = arena.reserve(values.length * 4);
      arena.kernels.binsF64(arena.put(values), values.length, perDoubling, least, centre, bins);
      const found = arena.read(Int32Array, bins, values.length);
      const distance = (value: number): number => {
        if (value === Infinity) return 1_024 * perDoubling - least + 2;
        let [exponent, mantissa] = [0, value];
        while (mantissa >= 2) [mantissa, exponent] = [mantissa / 2, exponent + 1];
        while (mantissa < 1) [mantissa, exponent] = [mantissa * 2, exponent - 1];
        return Math.floor((exponent + (mantissa - 1)) * perDoubling) - least + 1;
      };
      expectSame(found, Int32Array.from(values, (value) => (value === 0 ? centre : centre + Math.sign(value) * distance(Math.abs(value)))));
      arena.check();
    }
  });

  it("whole numbers become the nearest floats, uint64 less its bias", eachCase((arena, n, random) => {
    const values = generate(BigInt64Array, n, () => anyInt64(random));
    const [at, target] = [arena.put(values), arena.reserve(n * 8)];
    arena.kernels.floatsOfI64(at, n, target);
    expectSame(arena.read(Float64Array, target, n), Float64Array.from(values, Number));
    arena.kernels.floatsOfU64(at, n, target);
    expectSame(arena.read(Float64Array, target, n), Float64Array.from(values, (value) => Number(value + 2n ** 63n)));
  }));
});

function mixWell(word: bigint): bigint {
  const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
  let hash = wrap(word + 0x9e3779b97f4a7c15n);
  hash = wrap((hash ^ (hash >> 30n)) * 0xbf58476d1ce4e5b9n);
  hash = wrap((hash ^ (hash >> 27n)) * 0x94d049bb133111ebn);
  return hash ^ (hash >> 31n);
}
