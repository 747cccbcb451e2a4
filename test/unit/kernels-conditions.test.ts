import { expect } from "chai";
import { describe, it } from "mocha";
import { isBitSet } from "../../lib/columns/bits.js";
import { compileLike } from "../../lib/engine/where/like.js";
import { anyInt64, below, codeKinds, eachCase, expectSame, generate, openArena, randomBitmap, type Arena } from "./kernels-arena.js";
import { isLike } from "../support/like.js";

const encoder = new TextEncoder();

function putTexts(arena: Arena, texts: readonly string[]): { offsets: number; bytes: number } {
  const encoded = texts.map((text) => encoder.encode(text));
  const offsets = new Uint32Array(texts.length + 1);
  encoded.forEach((text, k) => (offsets[k + 1] = offsets[k]! + text.length));
  return { offsets: arena.put(offsets), bytes: arena.put(Uint8Array.from(encoded.flatMap((text) => [...text]))) };
}

function likeMask(arena: Arena, pattern: string, texts: readonly string[], negate = 0): number[] {
  const { offsets, bytes } = putTexts(arena, texts);
  const { tokens, borders, tables, ends } = compileLike(pattern);
  const mask = arena.reserve(texts.length);
  const pointers = tables.map((table) => (table === null ? 0 : arena.put(BigUint64Array.from([...table, ...Array.from({ length: table.length / 257 }, () => 0n)]))));
  arena.kernels.maskLike(offsets, bytes, texts.length, arena.put(tokens), arena.put(borders), arena.put(ends), ends.length - 1, arena.put(Uint32Array.from(pointers)), negate, mask);
  return [...arena.read(Uint8Array, mask, texts.length)];
}

const accepts = [0, 1, 2, 3, 4, 5, 6, 7];

function expectRelation(arena: Arena, n: number, order: (row: number) => number, write: (accept: number, mask: number) => void): void {
  const mask = arena.reserve(n);
  for (const accept of accepts) {
    write(accept, mask);
    expectSame(arena.read(Uint8Array, mask, n), generate(Uint8Array, n, (row) => (accept >> (Math.sign(order(row)) + 1)) & 1));
  }
}

function orderOf(a: bigint | number, b: bigint | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const dayNs = 86_400_000_000_000n;

describe("kernels: conditions", function () {
  this.timeout(60_000);

  it("masks of bits and bits of masks agree with the bitmap, padded with zeros", eachCase((arena, n, random) => {
    const bitmap = randomBitmap(random, n, 0.3);
    const bits = arena.put(bitmap), mask = arena.reserve(n), target = arena.reserve((n + 7) >> 3, 0xff);
    for (const negate of [0, 1]) {
      arena.kernels.maskFromBits(bits, n, negate, mask);
      expectSame(arena.read(Uint8Array, mask, n), generate(Uint8Array, n, (row) => (isBitSet(bitmap, row) !== (negate === 1) ? 1 : 0)));
      arena.kernels.bitsFromMask(mask, n, target);
      const read = arena.read(Uint8Array, target, (n + 7) >> 3);
      expectSame(generate(Uint8Array, n, (row) => (isBitSet(read, row) ? 1 : 0)), arena.read(Uint8Array, mask, n));
      if (n % 8 !== 0) expect(read.at(-1)! >> (n % 8)).to.equal(0);
      arena.kernels.maskFromBits(0, n, negate, mask);
      expectSame(arena.read(Uint8Array, mask, n), new Uint8Array(n).fill(negate));
    }
  }));

  it("maskOr selects what either mask does", eachCase((arena, n, random) => {
    const [a, b] = [generate(Uint8Array, n, () => below(random, 2)), generate(Uint8Array, n, () => below(random, 2))];
    const mask = arena.put(a);
    arena.kernels.maskOr(mask, arena.put(b), n);
    expectSame(arena.read(Uint8Array, mask, n), generate(Uint8Array, n, (row) => a[row]! | b[row]!));
  }));

  it("relations of int64, uint64 and float64 are exact", eachCase((arena, n, random) => {
    const near = (): bigint => [0n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 62n][below(random, 5)]!;
    const clamp = (value: bigint): bigint => BigInt.asIntN(64, value);
    const ints = generate(BigInt64Array, n, (row) => (row % 3 === 0 ? anyInt64(random) : clamp(near() + BigInt(below(random, 5)) - 2n)));
    const others = generate(BigInt64Array, n, (row) => (row % 4 === 0 ? ints[row]! : clamp(near() + BigInt(below(random, 5)) - 2n)));
    const floats = generate(Float64Array, n, (row) => [Number(ints[row]!), Number(others[row]!), Infinity, -Infinity, Number(ints[row]!) + 0.5, -0.5, 2 ** 64, -1e300, Number(others[row]! + 2n ** 63n), 0.5][below(random, 10)]!);
    const [a, b, f] = [arena.put(ints), arena.put(others), arena.put(floats)];
    const half = 2n ** 63n;
    const { kernels } = arena;
    expectRelation(arena, n, (row) => orderOf(ints[row]!, others[row]!), (accept, mask) => kernels.maskRelateI64(a, b, n, accept, mask));
    expectRelation(arena, n, (row) => orderOf(ints[row]!, others[row]! + half), (accept, mask) => kernels.maskRelateI64U64(a, b, n, accept, mask));
    expectRelation(arena, n, (row) => orderOf(ints[row]!, floats[row]!), (accept, mask) => kernels.maskRelateI64F64(a, f, n, accept, mask));
    expectRelation(arena, n, (row) => orderOf(ints[row]! + half, floats[row]!), (accept, mask) => kernels.maskRelateU64F64(a, f, n, accept, mask));
    expectRelation(arena, n, (row) => orderOf(floats[row]!, floats[n - 1 - row]!), (accept, mask) => kernels.maskRelateF64(f, arena.put(floats.toReversed()), n, accept, mask));
  }));

  it("days are their first instants, also where an int64 does not hold those", eachCase((arena, n, random) => {
    const instants = generate(BigInt64Array, n, (row) => [anyInt64(random), 0n, -1n, dayNs, -dayNs, 1n - dayNs, 2n ** 63n - 1n, -(2n ** 63n)][row % 8]!);
    const days = generate(BigInt64Array, n, (row) => (row % 5 === 0 ? BigInt(below(random, 2 ** 31)) * (row % 2 === 0 ? 1n : -1n) : instants[row]! / dayNs + BigInt(below(random, 3)) - 1n));
    const [d, i] = [arena.put(days), arena.put(instants)];
    expectRelation(arena, n, (row) => orderOf(days[row]! * dayNs, instants[row]!), (accept, mask) => arena.kernels.maskRelateDays(d, i, n, accept, mask));
  }));

  it("relations of texts order by unsigned bytes, plain or by code", () => {
    const arena = openArena("low");
    const texts = ["", "a", "aa", "aaaaaaaaa", "aaaaaaaab", "b", "é", "\u{10ffff}", "\uffff"];
    const pairs = texts.flatMap((left) => texts.map((right) => [left, right] as const));
    const order = (row: number): number => Buffer.compare(Buffer.from(pairs[row]![0]), Buffer.from(pairs[row]![1]));
    const [lefts, rights, pool] = [putTexts(arena, pairs.map(([left]) => left)), putTexts(arena, pairs.map(([, right]) => right)), putTexts(arena, texts)];
    const codes = arena.put(Uint32Array.from(pairs, ([, right]) => texts.indexOf(right)));
    expectRelation(arena, pairs.length, order, (accept, mask) => arena.kernels.maskRelateTexts(0, lefts.offsets, lefts.bytes, 0, rights.offsets, rights.bytes, pairs.length, accept, mask));
    expectRelation(arena, pairs.length, order, (accept, mask) => arena.kernels.maskRelateTexts(0, lefts.offsets, lefts.bytes, codes, pool.offsets, pool.bytes, pairs.length, accept, mask));
  });

  it("one selected row selects its whole basket, and the first and last are told", eachCase((arena, n, random) => {
    if (n === 0) return;
    for (const longest of [1, 3, 200, 2 * n]) {
      const groups = generate(Uint32Array, n, () => 0);
      for (let row = 1; row < n; row++) groups[row] = groups[row - 1]! + (below(random, longest) === 0 ? 1 : 0);
      const isNull = (row: number): boolean => groups[row]! % 4 === 3;
      const bitmap = generate(Uint8Array, (n + 7) >> 3, () => 0);
      for (let row = 0; row < n; row++) if (isNull(row)) bitmap[row >> 3]! |= 1 << (row & 7);
      const chosen = generate(Uint8Array, n, () => (below(random, 10) === 0 ? 1 : 0));
      const hit = new Set([...chosen.keys()].filter((row) => chosen[row] === 1).map((row) => groups[row]!));
      const expected = generate(Uint8Array, n, (row) => (hit.has(groups[row]!) ? 1 : 0));
      const nulls = arena.put(bitmap), state = arena.reserve(8);
      for (const { width, type } of codeKinds) {
        // A null row holds 0, as another basket may.
        const mask = arena.put(chosen);
        arena.kernels[`expandBaskets${width}`](arena.put(generate(type, n, (row) => (isNull(row) ? 0 : groups[row]! % 4))), nulls, n, mask, state);
        expectSame(arena.read(Uint8Array, mask, n), expected);
        expect([...arena.read(Uint32Array, state, 2)]).to.deep.equal([groups.lastIndexOf(0) + 1, groups.indexOf(groups[n - 1]!)]);
      }
      const mask = arena.put(chosen);
      arena.kernels.expandBasketsI64(arena.put(generate(BigInt64Array, n, (row) => (isNull(row) ? 0n : BigInt(groups[row]! % 4) << 40n))), nulls, n, mask, state);
      expectSame(arena.read(Uint8Array, mask, n), expected);
    }
  }));

  it("like takes % for any characters, _ for one code point, and what follows a backslash as it is", () => {
    const texts = ["", "a", "ab", "abc", "aXc", "é", "aéc", "日本語", "%", "a%c", "_", "\\", "\n", "abcabc", "ABC", "\u{1f600}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaab", "b".repeat(40) + "needle" + "c".repeat(40)];
    const patterns = ["", "%", "%%", "_", "__", "%_", "_%", "%_%", "a%", "%c", "a%c", "a_c", "%b%", "%bc%abc", "abc%abc", "%abc", "a\\%c", "\\_", "\\\\", "\\a", "é", "_本_", "%語", "日%", "%a%a%a%b", "%needle%", "%needlec%c", "%_needle_%", "b%", "%%a%%", "ABC", "%é%", "_é_"];
    for (const place of ["low", "top"] as const) {
      for (const pattern of patterns) {
        const arena = openArena(place);
        expect(likeMask(arena, pattern, texts), pattern).to.deep.equal(texts.map((text) => (isLike(text, pattern) ? 1 : 0)));
        expect(likeMask(arena, pattern, texts, 1), pattern).to.deep.equal(texts.map((text) => (isLike(text, pattern) ? 0 : 1)));
        arena.check();
      }
    }
  });

  it("like agrees with a reference over random texts and patterns", () => {
    const arena = openArena("low");
    const { kernels } = arena;
    const random = ((state) => () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647)(7);
    const draw = (letters: string, most: number): string => Array.from({ length: Math.floor(random() * most) }, () => [...letters][Math.floor(random() * [...letters].length)]!).join("");
    const texts = Array.from({ length: 300 }, () => draw("abé日", 30));
    const { offsets, bytes } = putTexts(arena, texts);
    const [tokensAt, bordersAt, endsAt, mask, tablesAt] = [arena.reserve(256), arena.reserve(512), arena.reserve(256), arena.reserve(texts.length), arena.reserve(256, 0)];
    for (let turn = 0; turn < 1_000; turn++) {
      const pattern = draw("abé日%%__", 12);
      const { tokens, borders, ends } = compileLike(pattern);
      new Uint32Array(kernels.memory.buffer, bordersAt, borders.length).set(borders);
      new Uint16Array(kernels.memory.buffer, tokensAt, tokens.length).set(tokens);
      new Uint32Array(kernels.memory.buffer, endsAt, ends.length).set(ends);
      kernels.maskLike(offsets, bytes, texts.length, tokensAt, bordersAt, endsAt, ends.length - 1, tablesAt, 0, mask);
      expectSame(arena.read(Uint8Array, mask, texts.length), Uint8Array.from(texts, (text) => (isLike(text, pattern) ? 1 : 0)));
    }
  });

  it("like finds long parts that repeat themselves", () => {
    const random = ((state) => () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647)(11);
    const draw = (letters: string, count: number): string => Array.from({ length: count }, () => [...letters][Math.floor(random() * [...letters].length)]!).join("");
    for (let turn = 0; turn < 200; turn++) {
      const arena = openArena("low");
      const [unit, part] = [draw("abé", 1 + turn % 5), draw("aé", 16 + turn % 9)];
      const long = `${unit.repeat(12)}${part.slice(0, turn % 4)}`;
      const texts = [unit.repeat(30), `${unit.repeat(11)}x${long}`, `${long.slice(1)}${long}`, draw("aé", 400), `${draw("aé", 300)}${part}${draw("aé", 9)}`];
      for (const pattern of [`%${long}%`, `%${part}%`, `a%${part}%${unit}`, `%${long}%${part}%`]) expect(likeMask(arena, pattern, texts), pattern).to.deep.equal(texts.map((text) => (isLike(text, pattern) ? 1 : 0)));
      arena.check();
    }
  });

  it("like finds long parts in which some characters are any", () => {
    const random = ((state) => () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647)(13);
    const draw = (letters: string, count: number): string => Array.from({ length: count }, () => [...letters][Math.floor(random() * [...letters].length)]!).join("");
    let found = 0;
    for (let turn = 0; turn < 60; turn++) {
      const arena = openArena(turn % 2 === 0 ? "low" : "top");
      const part = draw("aé日_", 8 + (turn * 17) % 150);
      const inside = [...part].map((letter) => (letter === "_" ? draw("aé日\u{1f600}", 1) : letter)).join("");
      const texts = [inside, `x${inside}y`, `${draw("aé日", 300)}${inside}${draw("aé", 9)}`, inside.slice(1), `${inside.slice(0, -1)}x${inside}`, draw("aé日", 500), ""];
      for (const pattern of [`%${part}%`, `a%${part}%`, `%${part}%a`, `%${part}%${part.slice(0, 5)}%`, `%_${part}_%`]) {
        const expected = texts.map((text) => (isLike(text, pattern) ? 1 : 0));
        expect(likeMask(arena, pattern, texts), pattern).to.deep.equal(expected);
        found += expected.filter((flag) => flag === 1).length;
      }
      arena.check();
    }
    expect(found).to.be.greaterThan(200);
  });

  // Trying every way to share a text out among the % signs would take longer than there is time.
  it("hostile patterns cost no more than the length of the text times that of the pattern", () => {
    const arena = openArena("low");
    const text = "a".repeat(100_000);
    expect(likeMask(arena, `${"%a".repeat(500)}%b`, [text])).to.deep.equal([0]);
    expect(likeMask(arena, `${"%a".repeat(500)}%b%`, [text])).to.deep.equal([0]);
    expect(likeMask(arena, `${"%a_".repeat(300)}%b%`, [text])).to.deep.equal([0]);
    expect(likeMask(arena, `${"%aa_aa".repeat(50)}%b%`, [`${text}b`])).to.deep.equal([1]);
    expect(likeMask(arena, `%${"a".repeat(9_000)}b%`, [text.repeat(4)])).to.deep.equal([0]);
    expect(likeMask(arena, `%${"_".repeat(500)}b%`, [text])).to.deep.equal([0]);
    expect(likeMask(arena, `%${"a_".repeat(4_500)}b%`, [text.repeat(10), `${text.repeat(4)}b`])).to.deep.equal([0, 1]);
  });
});
