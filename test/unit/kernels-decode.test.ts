import { expect } from "chai";
import { compressSync } from "lz4-napi";
import { describe, it } from "mocha";
import { isBitSet } from "../../lib/columns/dtypes.js";
import { anyInt64, below, codeKinds, eachCase, expectSame, generate, openArena, places, randomBitmap, type Arena } from "./kernels-arena.js";
import { referenceXxh64 } from "./kernels-references.js";

function decode(arena: Arena, block: Uint8Array, targetBytes: number): Uint8Array | undefined {
  const target = arena.reserve(targetBytes);
  const result = arena.kernels.lz4Decode(arena.put(block), block.length, target, targetBytes);
  arena.check();
  return result === -1 ? undefined : arena.read(Uint8Array, target, result);
}

describe("kernels: decoding", function () {
  this.timeout(30_000);

  it("lz4Decode gives back what a compressor took in", eachCase((arena, n, random) => {
    for (const kinds of [1, 3, 256]) {
      const raw = Buffer.from(generate(Uint8Array, n, (row) => (row % 97 < 40 ? below(random, kinds) : row % 7)));
      const decoded = decode(arena, compressSync(raw).subarray(4), n);
      expectSame(decoded ?? Uint8Array.of(), raw);
    }
  }));

  it("lz4Decode refuses a target of another size, a cut block and no block at all", () => {
    const raw = Buffer.from("abcabcabcabcabcabcabcabcabcabc and the rest of it");
    const block = compressSync(raw).subarray(4);
    for (const place of places) {
      expect(decode(openArena(place), block, raw.length)).to.deep.equal(new Uint8Array(raw));
      expect(decode(openArena(place), block, raw.length - 1)).to.equal(undefined);
      expect(decode(openArena(place), block, raw.length + 1)).to.equal(undefined);
      for (let cut = 0; cut < block.length; cut++) expect(decode(openArena(place), block.subarray(0, cut), raw.length)).to.equal(undefined);
      expect(decode(openArena(place), new Uint8Array(0), 0)).to.equal(undefined);
      expect(decode(openArena(place), Uint8Array.of(0), 0)).to.deep.equal(new Uint8Array(0));
    }
  });

  for (const width of [2, 4, 8]) {
    it(`shuffle and unshuffle move the bytes of ${width}-byte values to planes and back`, eachCase((arena, n, random) => {
      const values = generate(Uint8Array, n * width, () => below(random, 256));
      const planes = generate(Uint8Array, n * width, (at) => values[(at % n) * width + Math.floor(at / n)]!);
      const source = arena.put(values), shuffled = arena.reserve(n * width), back = arena.reserve(n * width);
      arena.kernels.shuffle(source, shuffled, n, width);
      arena.kernels.unshuffle(shuffled, back, n, width);
      expectSame(arena.read(Uint8Array, shuffled, n * width), planes);
      expectSame(arena.read(Uint8Array, back, n * width), values);
    }));
  }

  it("xxh64 gives the published hashes", () => {
    const hashes = {
      "": 0xef46db3751d8e999n,
      "a": 0xd24ec4f1a98c6e5bn,
      "abc": 0x44bc2cf5ad770999n,
      "123456789": 0x8cb841db40e6ae83n,
      "Nobody inspects the spammish repetition": 0xfbcea83c8a378bf1n,
    };
    for (const [text, hash] of Object.entries(hashes)) {
      const bytes = new TextEncoder().encode(text);
      const arena = openArena("top");
      expect(referenceXxh64(bytes), text).to.equal(hash);
      expect(arena.kernels.xxh64(arena.put(bytes), bytes.length), text).to.equal(hash);
    }
  });

  it("xxh64 equals its reference at every length up to 200 and at a whole chunk", () => {
    const bytes = generate(Uint8Array, 65_537, (at) => (at * 131 + (at >> 5)) & 255);
    const arena = openArena("low");
    const pointer = arena.put(bytes);
    for (const length of [...Array(200).keys(), 65_537]) {
      expect(arena.kernels.xxh64(pointer, length)).to.equal(referenceXxh64(bytes.subarray(0, length)));
    }
  });

  it("fillF64 fills all and nothing more", eachCase((arena, n) => {
    const target = arena.reserve(n * 8);
    arena.kernels.fillF64(target, n, -1.5);
    expectSame(arena.read(Float64Array, target, n), new Float64Array(n).fill(-1.5));
  }));

  it("countBits counts the first n bits only", eachCase((arena, n, random) => {
    const bitmap = randomBitmap(random, n, 0.4);
    const expected = [...Array(n).keys()].filter((row) => isBitSet(bitmap, row)).length;
    expect(arena.kernels.countBits(arena.put(bitmap), n)).to.equal(expected);
  }));

  it("fillNulls overwrites null rows and leaves the others", eachCase((arena, n, random) => {
    for (const share of [0, 0.3, 1]) {
      const bitmap = randomBitmap(random, n, share);
      const integers = generate(BigInt64Array, n, () => anyInt64(random));
      const floats = generate(Float64Array, n, () => random());
      const nulls = arena.put(bitmap), integersAt = arena.put(integers), floatsAt = arena.put(floats);
      arena.kernels.fillNullsI64(integersAt, nulls, n, -7n);
      arena.kernels.fillNullsF64(floatsAt, nulls, n, 0.25);
      expectSame(arena.read(BigInt64Array, integersAt, n), integers.map((value, row) => (isBitSet(bitmap, row) ? -7n : value)));
      expectSame(arena.read(Float64Array, floatsAt, n), floats.map((value, row) => (isBitSet(bitmap, row) ? 0.25 : value)));
      arena.kernels.fillNullsI64(integersAt, 0, n, 5n);
      expectSame(arena.read(BigInt64Array, integersAt, n), integers.map((value, row) => (isBitSet(bitmap, row) ? -7n : value)));
    }
  }));
});

describe("kernels: extremes and narrowing", function () {
  this.timeout(30_000);

  it("max of codes is unsigned, wherever it lies", eachCase((arena, n, random) => {
    if (n === 0) return;
    for (const { width, type, end } of codeKinds) {
      const values = generate(type, n, () => below(random, end));
      expect(arena.kernels[`max${width}`](arena.put(values), n)).to.equal(Array.from(values).reduce((a, b) => Math.max(a, b)));
      values[n - 1] = end - 1;
      expect(arena.kernels[`max${width}`](arena.put(values), n)).to.equal(end - 1);
    }
  }));

  it("extremes of int64 and float64 equal those of a plain loop", eachCase((arena, n, random) => {
    if (n === 0) return;
    const integers = generate(BigInt64Array, n, () => anyInt64(random));
    const integersAt = arena.put(integers);
    expect(arena.kernels.minI64(integersAt, n)).to.equal(integers.reduce((a, b) => (a < b ? a : b)));
    expect(arena.kernels.maxI64(integersAt, n)).to.equal(integers.reduce((a, b) => (a > b ? a : b)));
    const floats = generate(Float64Array, n, (row) => (row % 700 === 699 ? -Infinity : random() - 0.5));
    const floatsAt = arena.put(floats);
    expect(arena.kernels.minF64(floatsAt, n)).to.equal(floats.reduce((a, b) => Math.min(a, b)));
    expect(arena.kernels.maxF64(floatsAt, n)).to.equal(floats.reduce((a, b) => Math.max(a, b)));
  }));

  it("gcdI64 finds the common step of values", () => {
    const least = -(2n ** 63n), greatest = 2n ** 63n - 1n;
    const cases: [bigint[], bigint, bigint][] = [
      [[], 0n, 0n],
      [[5n, 5n, 5n], 5n, 0n],
      [[5n, 5n, 25n, 35n, 15n], 5n, 10n],
      [[0n, 6n, 10n, 15n], 0n, 1n],
      [[1_000_000_000n, 61_000_000_000n, 3_001_000_000_000n], 1_000_000_000n, 60_000_000_000n],
      [[least, greatest], least, 2n ** 64n - 1n],
      [[least, 0n, 2n ** 62n], least, 2n ** 62n],
      [[least, 0n], least, 2n ** 63n],
      [[least, greatest, greatest - 1n], least, 1n],
    ];
    for (const place of places) {
      for (const [values, base, step] of cases) {
        const arena = openArena(place);
        expect(arena.kernels.gcdI64(arena.put(BigInt64Array.from(values)), values.length, base), String(values)).to.equal(step);
      }
    }
  });

  it("narrow divides exactly for any step and base", eachCase((arena, n, random) => {
    for (const { width, type, end } of codeKinds) {
      for (const [base, step] of [[0n, 1n], [-9n, 3n], [-(2n ** 63n), 2n ** 31n], [-(2n ** 40n), 1_000_000n], [-(2n ** 63n), 2n ** 32n + 1n]] as const) {
        const codes = generate(type, n, () => below(random, end));
        const values = generate(BigInt64Array, n, (row) => base + step * BigInt(codes[row]!));
        const target = arena.reserve(codes.byteLength);
        arena.kernels[`narrow${width}`](arena.put(values), n, base, step, target);
        expect(arena.read(type, target, n)).to.deep.equal(codes);
      }
    }
  }));
});
