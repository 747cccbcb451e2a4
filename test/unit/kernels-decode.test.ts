import { expect } from "chai";
import { compressSync } from "lz4-napi";
import { describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { isBitSet } from "../../lib/columns/bits.js";
import { packBytes } from "../../lib/columns/texts.js";
import { anyInt64, below, codeKinds, eachCase, expectSame, generate, openArena, places, randomBitmap, type Arena } from "./kernels-arena.js";
import { referenceLz4Decode, referenceXxh64 } from "./kernels-references.js";

function decode(arena: Arena, block: Uint8Array, targetBytes: number): Uint8Array | undefined {
  const target = arena.reserve(targetBytes);
  const result = arena.kernels.lz4Decode(arena.put(block), block.length, target, targetBytes);
  arena.check();
  return result === -1 ? undefined : arena.read(Uint8Array, target, result);
}

describe("kernels: decoding", function () {
  this.timeout(60_000);

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

  it("lz4Encode writes blocks that decode to what it took in, within the room it is given", eachCase((arena, n, random) => {
    const word = generate(Uint8Array, 300, () => below(random, 256));
    const sources = [
      generate(Uint8Array, n, () => below(random, 256)), generate(Uint8Array, n, () => below(random, 3)), generate(Uint8Array, n, (row) => (row >> 9) & 255),
      generate(Uint8Array, n, (row) => (row % 97 < 40 ? below(random, 2) : row % 7)), new Uint8Array(n), generate(Uint8Array, n, (row) => word[row % 300]!),
    ];
    for (const raw of sources) {
      const room = n + Math.ceil(n / 255) + 16;
      const source = arena.put(raw), target = arena.reserve(room);
      const length = arena.kernels.lz4Encode(source, n, target, room);
      expect(length).to.be.within(1, room);
      const block = arena.read(Uint8Array, target, length);
      expectSame(referenceLz4Decode(block, n) ?? Uint8Array.of(), raw);
      expectSame(decode(arena, block, n) ?? Uint8Array.of(), raw);
      const tight = arena.reserve(length - 1);
      expect(arena.kernels.lz4Encode(source, n, tight, length - 1)).to.be.below(length);
      expect(arena.kernels.lz4Encode(source, n, tight, 0)).to.equal(-1);
      arena.check();
    }
  }));

  it("lz4Encode may write over what it has read, 64 KiB and a 255th of the source before it", eachCase((arena, n, random) => {
    const count = 4 * n;
    const margin = 65_536 + Math.ceil(count / 255) + 64;
    const word = generate(Uint8Array, 60_000, () => below(random, 256));
    const sources = [
      generate(Uint8Array, count, () => below(random, 256)), generate(Uint8Array, count, (row) => word[row % 60_000]!), generate(Uint8Array, count, (row) => (row < count / 2 ? below(random, 256) : row % 7)),
      generate(Uint8Array, count, (row) => (row % 20 < 4 ? 65 : below(random, 256))), new Uint8Array(count),
    ];
    for (const raw of sources) {
      const room = count + Math.ceil(count / 255) + 16;
      const apart = arena.reserve(room);
      const length = arena.kernels.lz4Encode(arena.put(raw), count, apart, room);
      const target = arena.reserve(margin + count);
      arena.kernels.bytes.set(raw, target + margin);
      expect(arena.kernels.lz4Encode(target + margin, count, target, room)).to.equal(length);
      expectSame(arena.read(Uint8Array, target, length), arena.read(Uint8Array, apart, length));
      arena.check();
    }
  }));

  it("lz4Encode makes blocks about as small as the library does", () => {
    const random = seededRandom(5);
    const arena = openArena("low");
    const sources = [generate(Uint32Array, 65_536, () => below(random, 1_000)), generate(BigInt64Array, 20_000, (row) => BigInt(row * 17)), Buffer.from(Array.from({ length: 9_000 }, (_, row) => `http://example.com/${below(random, 1e6)}/item?id=${row}`).join(""))];
    for (const values of sources) {
      const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      const length = arena.kernels.lz4Encode(arena.put(raw), raw.length, arena.reserve(raw.length), raw.length);
      expect(length).to.be.within(1, compressSync(Buffer.from(raw)).length * 1.05);
    }
    arena.check();
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
      const codes = generate(Uint32Array, n, () => below(random, 2 ** 32));
      const codesAt = arena.put(codes);
      arena.kernels.fillNullsU32(codesAt, nulls, n, 2 ** 32 - 1);
      expectSame(arena.read(Uint32Array, codesAt, n), codes.map((value, row) => (isBitSet(bitmap, row) ? 2 ** 32 - 1 : value)));
    }
  }));

  it("cleanF64 makes NaN null and -0.0 0.0, and counts all nulls", eachCase((arena, n, random) => {
    const bitmap = randomBitmap(random, n, 0.2);
    if (n % 8 !== 0) bitmap[n >> 3]! &= (1 << (n & 7)) - 1;
    const values = generate(Float64Array, n, () => [NaN, -0, 0, 1.5, -Infinity, random()][below(random, 6)]!);
    const valuesAt = arena.put(values), nulls = arena.put(bitmap);
    const count = arena.kernels.cleanF64(valuesAt, n, nulls);
    const expected = bitmap.map((byte, at) => [0, 1, 2, 3, 4, 5, 6, 7].reduce((bits, bit) => bits | (Number.isNaN(values[at * 8 + bit]) ? 1 << bit : 0), byte));
    expectSame(arena.read(Uint8Array, nulls, bitmap.length), expected);
    expect(count).to.equal([...Array(n).keys()].filter((row) => isBitSet(expected, row)).length);
    expect(arena.read(Float64Array, valuesAt, n)).to.deep.equal(values.map((value) => value + 0));
  }));
});

describe("kernels: extremes and narrowing", function () {
  this.timeout(60_000);

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

  it("areWithin tells of any value outside, wherever it lies, and of NaN", eachCase((arena, n, random) => {
    const integers = generate(BigInt64Array, n, () => BigInt(below(random, 100)));
    const floats = generate(Float64Array, n, () => random());
    const { kernels } = arena;
    expect([kernels.areWithinI64(arena.put(integers), n, 0n, 99n), kernels.areWithinF64(arena.put(floats), n, 0, 1)]).to.deep.equal([1, 1]);
    for (const row of n === 0 ? [] : [0, n >> 1, n - 1]) {
      for (const value of [100n, -1n, -(2n ** 63n)]) expect(kernels.areWithinI64(arena.put(integers.with(row, value)), n, 0n, 99n)).to.equal(0);
      for (const value of [NaN, 1.5, -Infinity]) expect(kernels.areWithinF64(arena.put(floats.with(row, value)), n, 0, 1)).to.equal(0);
    }
  }));

  it("leastText and greatestText find the first of the extremes by unsigned bytes, nulls left out", eachCase((arena, n, random) => {
    const texts = Array.from({ length: n }, () => generate(Uint8Array, below(random, 12), () => [0, 0x61, 0xff][below(random, 3)]!));
    const { offsets, bytes } = packBytes(texts);
    const offsetsAt = arena.put(offsets), bytesAt = arena.put(bytes);
    for (const bitmap of [null, randomBitmap(random, n, 0.5)]) {
      const rows = [...texts.keys()].filter((row) => !isBitSet(bitmap, row));
      if (rows.length === 0) continue;
      const nulls = bitmap === null ? 0 : arena.put(bitmap);
      const least = rows.reduce((a, b) => (Buffer.compare(texts[b]!, texts[a]!) < 0 ? b : a));
      const greatest = rows.reduce((a, b) => (Buffer.compare(texts[b]!, texts[a]!) > 0 ? b : a));
      expect(arena.kernels.leastText(offsetsAt, bytesAt, nulls, n)).to.equal(least);
      expect(arena.kernels.greatestText(offsetsAt, bytesAt, nulls, n)).to.equal(greatest);
    }
  }));

  it("isAscendingU32 finds any fall", eachCase((arena, n) => {
    const values = generate(Uint32Array, n, (row) => 2 ** 31 - 9 + (row >> 1));
    expect(arena.kernels.isAscendingU32(arena.put(values), n)).to.equal(1);
    for (const row of [2, n >> 1, n - 1].filter((row) => row > 1 && row < n)) {
      expect(arena.kernels.isAscendingU32(arena.put(values.with(row, values[row - 2]! - 1)), n), String(row)).to.equal(0);
    }
  }));

  const widened = [
    ["widenI8", Int8Array, 8], ["widenI16", Int16Array, 16], ["widenI32", Int32Array, 32],
    ["widenU8", Uint8Array, 8], ["widenU16", Uint16Array, 16], ["widenU32", Uint32Array, 32],
  ] as const;
  for (const [kernel, type, bits] of widened) {
    it(`${kernel} gives the same numbers as int64`, eachCase((arena, n, random) => {
      const values = new type(generate(Uint8Array, n * bits / 8, () => below(random, 256)).buffer);
      const target = arena.reserve(8 * n);
      arena.kernels[kernel](arena.put(values), n, target);
      expectSame(arena.read(BigInt64Array, target, n), generate(BigInt64Array, n, (row) => BigInt(values[row]!)));
    }));
  }

  it("flipSigns, widenF32 and narrowF32 give what JavaScript does", eachCase((arena, n, random) => {
    const unsigned = generate(BigUint64Array, n, () => BigInt.asUintN(64, anyInt64(random)));
    const unsignedAt = arena.put(unsigned);
    arena.kernels.flipSigns(unsignedAt, n);
    expectSame(arena.read(BigInt64Array, unsignedAt, n), generate(BigInt64Array, n, (row) => unsigned[row]! - 2n ** 63n));
    const singles = generate(Float32Array, n, () => (random() - 0.5) * 2 ** below(random, 130));
    const wide = arena.reserve(8 * n), narrow = arena.reserve(4 * n);
    arena.kernels.widenF32(arena.put(singles), n, wide);
    expectSame(arena.read(Float64Array, wide, n), Float64Array.from(singles));
    const doubles = generate(Float64Array, n, () => random() * 1e6);
    arena.kernels.narrowF32(arena.put(doubles), n, narrow);
    expectSame(arena.read(Float32Array, narrow, n), Float32Array.from(doubles));
  }));

  it("packCodes keeps the low bytes of codes", eachCase((arena, n, random) => {
    const codes = generate(Uint32Array, n, () => below(random, 2 ** 32));
    const codesAt = arena.put(codes), bytes = arena.reserve(n), pairs = arena.reserve(2 * n);
    arena.kernels.packCodesU8(codesAt, n, bytes);
    arena.kernels.packCodesU16(codesAt, n, pairs);
    expectSame(arena.read(Uint8Array, bytes, n), Uint8Array.from(codes));
    expectSame(arena.read(Uint16Array, pairs, n), Uint16Array.from(codes));
  }));

  it("rebase and expand are inverse to each other in every width", eachCase((arena, n, random) => {
    for (const { width, type, end } of codeKinds) {
      const values = generate(type, n, () => below(random, end));
      const least = below(random, end);
      const valuesAt = arena.put(values);
      arena.kernels[`rebase${width}`](valuesAt, n, least);
      const codes = arena.read(type, valuesAt, n);
      expectSame(codes, generate(type, n, (row) => values[row]! - least));
      for (const wide of [1, 2, 4, 8]) {
        const target = arena.reserve(n * wide);
        arena.kernels[`expand${width}`](valuesAt, n, -7n, 2n ** 40n + 3n, wide, target);
        const expected = generate(BigInt64Array, n, (row) => BigInt.asIntN(64, (2n ** 40n + 3n) * BigInt(codes[row]!) - 7n));
        expectSame(arena.read(Uint8Array, target, n * wide), new Uint8Array(expected.buffer).filter((_, at) => at % 8 < wide));
      }
    }
  }));

  it("expandI64 adds the base, wrapping round", eachCase((arena, n, random) => {
    const values = generate(BigInt64Array, n, () => anyInt64(random));
    const target = arena.reserve(8 * n);
    arena.kernels.expandI64(arena.put(values), n, -(2n ** 63n), 1n, 8, target);
    expectSame(arena.read(BigUint64Array, target, n), generate(BigUint64Array, n, (row) => BigInt.asUintN(64, values[row]! + 2n ** 63n)));
  }));

  for (const single of [0, 1] as const) {
    it(`decimalKeys finds the places of ${single === 0 ? "float64" : "float32"}, and decimal gives back every bit`, eachCase((arena, n, random) => {
      const rounded = single === 1 ? Math.fround : Number;
      for (const { width, type, end } of codeKinds) {
        for (const exponent of [0, 1, 2, 6, 18]) {
          const codes = generate(type, n, () => below(random, single === 1 ? Math.min(end, 2 ** 20) : end));
          const values = generate(Float64Array, n, (row) => rounded((codes[row]! - 100) / 10 ** exponent));
          const keys = arena.reserve(8 * n), decoded = arena.reserve(8 * n);
          const found = arena.kernels.decimalKeys(arena.put(values), n, single, keys);
          expect(found).to.be.within(0, exponent);
          const dividends = arena.read(BigInt64Array, keys, n);
          expectSame(generate(Float64Array, n, (row) => rounded(Number(dividends[row]!) / 10 ** found)), values);
          arena.kernels[`decimal${width}`](arena.put(codes), n, -100n, 1n, exponent, single, decoded);
          expectSame(arena.read(Float64Array, decoded, n), values);
        }
      }
    }));
  }

  it("decimalKeys refuses what no place brings back, wherever it lies", () => {
    for (const place of places) {
      for (const value of [1 / 3, NaN, Infinity, -Infinity, 2 ** 53, 1e-19, 5e-324, -5e-324, 0.1 + 0.2, 1e17 / 3]) {
        for (const row of [0, 50, 99]) {
          const arena = openArena(place);
          const values = generate(Float64Array, 100, (at) => (at === row ? value : at / 4));
          expect(arena.kernels.decimalKeys(arena.put(values), 100, 0, arena.reserve(800)), String(value)).to.equal(-1);
          arena.check();
        }
      }
      const arena = openArena(place);
      expect(arena.kernels.decimalKeys(arena.put(Float64Array.of(2 ** 52, -(2 ** 52))), 2, 0, arena.reserve(16))).to.equal(0);
      expect(arena.kernels.decimalKeys(arena.put(Float64Array.of(Math.fround(0.1))), 1, 0, arena.reserve(8))).to.equal(-1);
      expect(arena.kernels.decimalKeys(arena.put(Float64Array.of(Math.fround(0.1))), 1, 1, arena.reserve(8))).to.equal(1);
    }
  });

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
