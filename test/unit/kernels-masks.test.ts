import { expect } from "chai";
import { describe, it } from "mocha";
import { isBitSet } from "../../lib/columns/bits.js";
import { anyInt64, below, codeKinds, eachCase, expectSame, generate, openArena, places, randomBitmap, type Arena } from "./kernels-arena.js";

function maskOf(n: number, isSelected: (row: number) => boolean): Uint8Array {
  return generate(Uint8Array, n, (row) => (isSelected(row) ? 1 : 0));
}

function buildSet(arena: Arena, members: bigint[], capacity: number): number {
  const set = arena.reserve(capacity * 16, 0);
  arena.kernels.setBuild(arena.put(BigInt64Array.from(members)), members.length, set, capacity);
  return set;
}

describe("kernels: masks", function () {
  this.timeout(60_000);

  it("maskRange of codes selects both ends and turns round with negate", eachCase((arena, n, random) => {
    for (const { width, type, end } of codeKinds) {
      const values = generate(type, n, () => below(random, end));
      const pointer = arena.put(values), mask = arena.reserve(n);
      const ranges = [[0, end - 1], [below(random, end), end - 1], [0, below(random, end)], [end >> 2, end / 2], [5, 4], [end - 1, 0], [values[0] ?? 0, values[0] ?? 0]] as const;
      for (const [low, high] of ranges) {
        for (const negate of [0, 1]) {
          arena.kernels[`maskRange${width}`](pointer, n, low, high, negate, mask);
          expectSame(arena.read(Uint8Array, mask, n), maskOf(n, (row) => (values[row]! >= low && values[row]! <= high) !== (negate === 1)));
        }
      }
    }
  }));

  it("maskRange takes a high end past the width of the codes as no limit", () => {
    const arena = openArena("low");
    const mask = arena.reserve(20);
    arena.kernels.maskRangeU8(arena.put(new Uint8Array(20).fill(255)), 20, 1, 1_000, 0, mask);
    expectSame(arena.read(Uint8Array, mask, 20), new Uint8Array(20).fill(1));
    arena.kernels.maskRangeU16(arena.put(new Uint16Array(20).fill(65_535)), 20, 65_536, 70_000, 0, mask);
    expectSame(arena.read(Uint8Array, mask, 20), new Uint8Array(20));
  });

  it("maskRange of int64 is signed and exact", eachCase((arena, n, random) => {
    const values = generate(BigInt64Array, n, (row) => (row % 2 === 0 ? anyInt64(random) : BigInt(below(random, 9)) - 4n));
    const pointer = arena.put(values), mask = arena.reserve(n);
    const ranges = [[-(2n ** 63n), 2n ** 63n - 1n], [-2n, 2n], [0n, 2n ** 62n], [1n, 0n], [2n ** 63n - 1n, -(2n ** 63n)]] as const;
    for (const [low, high] of ranges) {
      for (const negate of [0, 1]) {
        arena.kernels.maskRangeI64(pointer, n, low, high, negate, mask);
        expectSame(arena.read(Uint8Array, mask, n), maskOf(n, (row) => (values[row]! >= low && values[row]! <= high) !== (negate === 1)));
      }
    }
  }));

  it("maskRange of float64 knows infinities", eachCase((arena, n, random) => {
    const values = generate(Float64Array, n, (row) => (row % 10 === 3 ? -Infinity : row % 10 === 4 ? Infinity : random() - 0.5));
    const pointer = arena.put(values), mask = arena.reserve(n);
    for (const [low, high] of [[-Infinity, Infinity], [-0.25, 0.25], [0, Infinity], [Infinity, Infinity], [0.1, -0.1]] as const) {
      for (const negate of [0, 1]) {
        arena.kernels.maskRangeF64(pointer, n, low, high, negate, mask);
        expectSame(arena.read(Uint8Array, mask, n), maskOf(n, (row) => (values[row]! >= low && values[row]! <= high) !== (negate === 1)));
      }
    }
  }));

  it("maskLut looks every code up", eachCase((arena, n, random) => {
    for (const { width, type, end } of codeKinds) {
      const codes = Math.min(end, 100_000);
      const lut = generate(Uint8Array, codes, () => below(random, 2));
      const values = generate(type, n, () => below(random, codes));
      const mask = arena.reserve(n);
      arena.kernels[`maskLut${width}`](arena.put(values), n, arena.put(lut), mask);
      expectSame(arena.read(Uint8Array, mask, n), maskOf(n, (row) => lut[values[row]!] === 1));
    }
  }));

  it("sets find every member and nothing else, also as codes and as a look-up table", eachCase((arena, n, random) => {
    const base = -7n, step = 3n;
    const values = generate(BigInt64Array, n, (row) => (row % 5 === 0 ? anyInt64(random) : base + step * BigInt(below(random, 4_000))));
    const codes = generate(Uint32Array, n, () => below(random, 5_000));
    const chosen = [0n, -7n, ...Array.from(values.filter((_, row) => row % 3 === 0)), -1n, 2n ** 63n - 1n, -(2n ** 63n)];
    const members = new Set(chosen);
    const capacity = 2 ** Math.ceil(Math.log2(2 * chosen.length));
    const set = buildSet(arena, chosen, capacity);
    const valuesAt = arena.put(values), codesAt = arena.put(codes), mask = arena.reserve(n), lut = arena.reserve(5_000);
    for (const negate of [0, 1]) {
      arena.kernels.maskSetI64(valuesAt, n, set, capacity, negate, mask);
      expectSame(arena.read(Uint8Array, mask, n), maskOf(n, (row) => members.has(values[row]!) !== (negate === 1)));
      arena.kernels.maskSetU32(codesAt, n, base, step, set, capacity, negate, mask);
      expectSame(arena.read(Uint8Array, mask, n), maskOf(n, (row) => members.has(base + step * BigInt(codes[row]!)) !== (negate === 1)));
      arena.kernels.lutFromSet(base, step, 5_000, set, capacity, negate, lut);
      expectSame(arena.read(Uint8Array, lut, 5_000), maskOf(5_000, (code) => members.has(base + step * BigInt(code)) !== (negate === 1)));
    }
  }));

  it("an empty set holds nothing, not even 0", () => {
    const arena = openArena("low");
    const set = buildSet(arena, [], 16), mask = arena.reserve(3);
    arena.kernels.maskSetI64(arena.put(BigInt64Array.of(0n, 1n, -1n)), 3, set, 16, 0, mask);
    expectSame(arena.read(Uint8Array, mask, 3), Uint8Array.of(0, 0, 0));
  });

  it("maskNulls clears null rows, whatever the bits past the end", eachCase((arena, n, random) => {
    for (const share of [0, 0.2, 1]) {
      const before = generate(Uint8Array, n, () => below(random, 2));
      const bitmap = randomBitmap(random, n, share);
      const mask = arena.put(before);
      arena.kernels.maskNulls(0, n, mask);
      expectSame(arena.read(Uint8Array, mask, n), before);
      arena.kernels.maskNulls(arena.put(bitmap), n, mask);
      expectSame(arena.read(Uint8Array, mask, n), maskOf(n, (row) => before[row] === 1 && !isBitSet(bitmap, row)));
    }
  }));

  it("maskAnd, maskCount and maskIndex agree with plain loops at any density", eachCase((arena, n, random) => {
    for (const share of [0, 0.01, 0.5, 0.97, 1]) {
      const one = maskOf(n, () => random() < share), other = maskOf(n, () => random() < 0.9 || share === 1);
      const both = one.map((bit, row) => bit & other[row]!);
      const mask = arena.put(one);
      arena.kernels.maskAnd(mask, arena.put(other), n);
      expectSame(arena.read(Uint8Array, mask, n), both);
      const rows = Uint16Array.from([...both.keys()].filter((row) => both[row] === 1));
      expect(arena.kernels.maskCount(mask, n)).to.equal(rows.length);
      const index = arena.reserve(rows.length * 2);
      expect(arena.kernels.maskIndex(mask, n, index)).to.equal(rows.length);
      expectSame(arena.read(Uint16Array, index, rows.length), rows);
    }
  }));

  it("placeMask writes bytes to the rows of an index and to no others", eachCase((arena, n, random) => {
    const before = maskOf(n, () => random() < 0.5);
    const index = Uint16Array.from([...before.keys()].filter(() => random() < 0.3));
    const source = maskOf(index.length, () => random() < 0.5);
    const after = before.slice();
    index.forEach((row, place) => (after[row] = source[place]!));
    const mask = arena.put(before);
    arena.kernels.placeMask(arena.put(source), arena.put(index), index.length, mask);
    expectSame(arena.read(Uint8Array, mask, n), after);
  }));
});

describe("kernels: gathers", function () {
  this.timeout(60_000);

  it("gather picks values of every width and bits by index", eachCase((arena, n, random) => {
    const rows = 65_536;
    const index = generate(Uint16Array, n, () => below(random, rows));
    const indexAt = arena.put(index);
    const sources = [
      ["gather1", generate(Uint8Array, rows, () => below(random, 256)), Uint8Array],
      ["gather2", generate(Uint16Array, rows, () => below(random, 65_536)), Uint16Array],
      ["gather4", generate(Uint32Array, rows, () => below(random, 2 ** 32)), Uint32Array],
      ["gather8", generate(Float64Array, rows, () => random()), Float64Array],
    ] as const;
    for (const [name, values, type] of sources) {
      const target = arena.reserve(n * values.BYTES_PER_ELEMENT);
      arena.kernels[name](arena.put(values), indexAt, n, target);
      expectSame(arena.read<Uint8Array | Uint16Array | Uint32Array | Float64Array>(type, target, n), generate<typeof values, number>(type, n, (i) => values[index[i]!]!));
    }
    const bitmap = randomBitmap(random, rows, 0.3);
    const gathered = new Uint8Array(Math.ceil(n / 8));
    index.forEach((row, i) => { if (isBitSet(bitmap, row)) gathered[i >> 3]! |= 1 << (i & 7); });
    const target = arena.reserve(gathered.length);
    const count = arena.kernels.gatherBits(arena.put(bitmap), indexAt, n, target);
    expectSame(arena.read(Uint8Array, target, gathered.length), gathered);
    expect(count).to.equal(Array.from(index).filter((row) => isBitSet(bitmap, row)).length);
  }));

  it("translate maps codes through a table, in place too", eachCase((arena, n, random) => {
    for (const { width, type, end } of codeKinds) {
      const table = generate(Uint32Array, Math.min(end, 70_000), () => below(random, 2 ** 32));
      const codes = generate(type, n, () => below(random, table.length));
      const codesAt = arena.put(codes), tableAt = arena.put(table);
      const target = width === "U32" ? codesAt : arena.reserve(n * 4);
      arena.kernels[`translate${width}`](codesAt, n, tableAt, target);
      expectSame(arena.read(Uint32Array, target, n), generate(Uint32Array, n, (row) => table[codes[row]!]!));
    }
  }));

  it("strings compare with a literal by unsigned bytes, and are found in a pool", () => {
    const texts = ["", "a", "ab", "abcdefgh", "abcdefghi", "abcdefgi", "é", "zebra", "\u{10ffff}", "abcdefgh0123456789", "abcdefgh0123456788"];
    for (const place of places) {
      const arena = openArena(place);
      const encoded = texts.map((text) => Buffer.from(text));
      const { offsets, bytes } = putTexts(arena, encoded);
      const mask = arena.reserve(texts.length);
      for (const literal of encoded) {
        for (let accept = 0; accept < 8; accept++) {
          arena.kernels.maskTextCompare(offsets, bytes, texts.length, arena.put(literal), literal.length, accept, mask);
          expectSame(arena.read(Uint8Array, mask, texts.length), maskOf(texts.length, (row) => ((accept >> (Buffer.compare(encoded[row]!, literal) + 1)) & 1) === 1));
        }
      }
      const pool = putTexts(arena, encoded.filter((_, row) => row % 2 === 1));
      const table = arena.reserve(16 * 16, 0);
      arena.kernels.internRebuild(pool.offsets, pool.bytes, 5, table, 16);
      for (const negate of [0, 1]) {
        arena.kernels.maskTextSet(offsets, bytes, texts.length, table, 16, pool.offsets, pool.bytes, negate, mask);
        expectSame(arena.read(Uint8Array, mask, texts.length), maskOf(texts.length, (row) => (row % 2 === 1) !== (negate === 1)));
      }
      arena.check();
    }
  });
});

function putTexts(arena: Arena, texts: readonly Buffer[]): { offsets: number; bytes: number } {
  const ends = new Uint32Array(texts.length + 1);
  texts.forEach((text, row) => { ends[row + 1] = ends[row]! + text.length; });
  return { offsets: arena.put(ends), bytes: arena.put(new Uint8Array(Buffer.concat(texts))) };
}
