import { expect } from "chai";
import { describe, it } from "mocha";
import { isBitSet } from "../../lib/columns/bits.js";
import { anyInt64, below, codeKinds, eachCase, expectSame, generate, openArena, places, randomBitmap, type Arena } from "./kernels-arena.js";

/** Groups rows of keys of k words from a tiny table on, which is rebuilt twice as large whenever it is full. */
function groupAll(arena: Arena, columns: readonly BigUint64Array[], useOneWord: boolean): { slots: Uint32Array; groupKeys: BigUint64Array; stops: number } {
  const { kernels } = arena;
  const k = columns.length, n = columns[0]!.length;
  const pointers = columns.map((column) => arena.put(column));
  const words = arena.put(Uint32Array.from(pointers));
  const groupKeys = arena.reserve((n + 1) * k * 8), state = arena.put(Uint32Array.of(0)), slots = arena.reserve(n * 4);
  let capacity = 8;
  let table = arena.reserve(capacity * 16, 0);
  let stops = 0;
  for (let row = 0; row < n;) {
    const limit = (capacity * 5) / 8;
    row = useOneWord
      ? kernels.hashGroup1(pointers[0]!, n, row, table, capacity, groupKeys, limit, state, slots)
      : kernels.hashGroupN(words, k, n, row, table, capacity, groupKeys, limit, state, slots);
    const [count] = arena.read(Uint32Array, state, 1);
    expect(count).to.be.at.most(limit);
    if (row === n) break;
    stops++;
    capacity *= 2;
    table = arena.reserve(capacity * 16, 0);
    if (useOneWord) kernels.hashRebuild1(groupKeys, count!, table, capacity);
    else kernels.hashRebuildN(groupKeys, k, count!, table, capacity);
  }
  const [count] = arena.read(Uint32Array, state, 1);
  return { slots: arena.read(Uint32Array, slots, n), groupKeys: arena.read(BigUint64Array, groupKeys, count! * k), stops };
}

function expectGroups(columns: readonly BigUint64Array[], result: { slots: Uint32Array; groupKeys: BigUint64Array }): void {
  const groups = new Map<string, number>();
  const keys: bigint[] = [];
  const slots = generate(Uint32Array, columns[0]!.length, (row) => {
    const key = columns.map((column) => column[row]!);
    const name = key.join();
    if (!groups.has(name)) {
      groups.set(name, groups.size);
      keys.push(...key);
    }
    return groups.get(name)!;
  });
  expectSame(result.slots, slots);
  expectSame(result.groupKeys, BigUint64Array.from(keys));
}

describe("kernels: dense slots and packed keys", function () {
  this.timeout(60_000);

  it("slots of codes set and add, modulo 2^32", eachCase((arena, n, random) => {
    for (const { width, type, end } of codeKinds) {
      const values = generate(type, n, () => below(random, end));
      const pointer = arena.put(values), slots = arena.reserve(n * 4);
      const [first, second, offset] = [below(random, 2 ** 32), 7, 2 ** 32 - 3];
      arena.kernels[`slotsSet${width}`](pointer, n, first, 11, slots);
      arena.kernels[`slotsAdd${width}`](pointer, n, second, offset, slots);
      expectSame(arena.read(Uint32Array, slots, n), generate(Uint32Array, n, (row) => Math.imul(values[row]!, first + second) + 11 + offset));
    }
  }));

  it("slots of int64 set and add, modulo 2^32", eachCase((arena, n, random) => {
    const values = generate(BigInt64Array, n, () => anyInt64(random));
    const pointer = arena.put(values), slots = arena.reserve(n * 4);
    arena.kernels.slotsSetI64(pointer, n, 3n, -(2n ** 62n) + 5n, slots);
    arena.kernels.slotsAddI64(pointer, n, -1n, 9n, slots);
    expectSame(arena.read(Uint32Array, slots, n), generate(Uint32Array, n, (row) => Number(BigInt.asUintN(32, 2n * values[row]! + 14n))));
  }));

  it("packed keys of codes and int64 set and add, modulo 2^64", eachCase((arena, n, random) => {
    const keys = arena.reserve(n * 8);
    for (const { width, type, end } of codeKinds) {
      const values = generate(type, n, () => below(random, end));
      const pointer = arena.put(values);
      arena.kernels[`packSet${width}`](pointer, n, 1_000_003n, -1n, keys);
      arena.kernels[`packAdd${width}`](pointer, n, 2n ** 40n, 5n, keys);
      expectSame(arena.read(BigUint64Array, keys, n), generate(BigUint64Array, n, (row) => BigInt.asUintN(64, BigInt(values[row]!) * (1_000_003n + 2n ** 40n) + 4n)));
    }
    const values = generate(BigInt64Array, n, () => anyInt64(random));
    const pointer = arena.put(values);
    arena.kernels.packSetI64(pointer, n, 3n, 2n ** 63n - 1n, keys);
    arena.kernels.packAddI64(pointer, n, -5n, 1n, keys);
    expectSame(arena.read(BigUint64Array, keys, n), generate(BigUint64Array, n, (row) => BigInt.asUintN(64, -2n * values[row]! + 2n ** 63n)));
  }));

  it("null rows gain the delta, other rows nothing", eachCase((arena, n, random) => {
    for (const share of [0, 0.2, 1]) {
      const bitmap = randomBitmap(random, n, share);
      const slots = arena.put(new Uint32Array(n).fill(2 ** 32 - 1)), keys = arena.put(new BigUint64Array(n).fill(1n)), nulls = arena.put(bitmap);
      arena.kernels.slotsNulls(nulls, n, 3, slots);
      arena.kernels.packNulls(nulls, n, -1n, keys);
      arena.kernels.slotsNulls(0, n, 9, slots);
      arena.kernels.packNulls(0, n, 9n, keys);
      expectSame(arena.read(Uint32Array, slots, n), generate(Uint32Array, n, (row) => (isBitSet(bitmap, row) ? 2 : 2 ** 32 - 1)));
      expectSame(arena.read(BigUint64Array, keys, n), generate(BigUint64Array, n, (row) => (isBitSet(bitmap, row) ? 0n : 1n)));
    }
  }));
});

describe("kernels: hash groups", function () {
  this.timeout(60_000);

  it("hashGroup1 numbers groups by first appearance, through stops and rebuilds", eachCase((arena, n, random) => {
    for (const distinct of [3, 1_000, 2 ** 32]) {
      const keys = generate(BigUint64Array, n, () => BigInt(below(random, distinct)) << BigInt(distinct === 3 ? 62 : 0));
      const result = groupAll(arena, [keys], true);
      expectGroups([keys], result);
      if (distinct > 3 && n >= 1_000) expect(result.stops).to.be.at.least(5);
    }
  }));

  it("hashGroupN does the same for keys of one to four words", eachCase((arena, n, random) => {
    for (const k of [1, 2, 4]) {
      const columns = Array.from({ length: k }, () => generate(BigUint64Array, n, () => BigInt(below(random, 9)) * 0x1_0000_0001n));
      expectGroups(columns, groupAll(arena, columns, false));
    }
  }));

  it("keys that differ in one word or in word order are different groups", () => {
    for (const place of places) {
      const columns = [BigUint64Array.of(1n, 2n, 1n, 0n, 0n), BigUint64Array.of(2n, 1n, 2n, 0n, 1n)];
      expectSame(groupAll(openArena(place), columns, false).slots, Uint32Array.of(0, 1, 0, 2, 3));
    }
  });

  it("equal hashes do not make equal keys", () => {
    const arena = openArena("low");
    const columns = [BigUint64Array.of(5n, 6n), BigUint64Array.of(7n, 8n)];
    const words = arena.put(Uint32Array.from(columns.map((column) => arena.put(column))));
    const groupKeys = arena.reserve(64), slots = arena.reserve(8), state = arena.put(Uint32Array.of(0)), table = arena.reserve(256, 0);
    arena.kernels.hashGroupN(words, 2, 1, 0, table, 16, groupKeys, 10, state, slots);
    // The table now says that the first key's hash is group 0; the key stored for group 0 is made another one.
    arena.kernels.bytes.set(new Uint8Array(BigUint64Array.of(50n, 70n).buffer), groupKeys);
    arena.kernels.hashGroupN(words, 2, 2, 0, table, 16, groupKeys, 10, state, slots);
    expectSame(arena.read(Uint32Array, slots, 2), Uint32Array.of(1, 2));
    expectSame(arena.read(BigUint64Array, groupKeys, 6), BigUint64Array.of(50n, 70n, 5n, 7n, 6n, 8n));
  });

  it("sequences, strides and high bits spread over the table", () => {
    const n = 32_768, capacity = 65_536;
    const patterns: ((row: bigint) => bigint)[] = [(row) => row, (row) => row * 1_000n, (row) => row << 16n, (row) => row << 48n, (row) => row * 0x1_0000_0001n];
    for (const pattern of patterns) {
      const arena = openArena("low");
      const keys = generate(BigUint64Array, n, (row) => pattern(BigInt(row)));
      const table = arena.reserve(capacity * 16, 0);
      arena.kernels.hashGroup1(arena.put(keys), n, 0, table, capacity, arena.reserve(n * 8), n, arena.put(Uint32Array.of(0)), arena.reserve(n * 4));
      const entries = arena.read(Uint32Array, table, capacity * 4);
      let longest = 0, run = 0;
      for (let entry = 0; entry < capacity; entry++) {
        run = entries[entry * 4 + 2] === 0 ? 0 : run + 1;
        longest = Math.max(longest, run);
      }
      expect(longest, String(pattern)).to.be.below(150);
    }
  });
});

describe("kernels: parts of groups", () => {
  it("partRows lists each row in one part, in order, and rows of equal words in the same", eachCase((arena, n, random) => {
    if (n > 65_536) return;
    const columns = [0, 1].map(() => generate(BigUint64Array, n, () => BigInt(below(random, 40)) << 40n));
    const words = arena.put(Uint32Array.from(columns.map((column) => arena.put(column))));
    const index = arena.reserve(n * 2);
    for (const parts of [1, 8, 256]) {
      const partOf = new Map<string, number>();
      let total = 0;
      for (let part = 0; part < parts; part++) {
        const count = arena.kernels.partRows(words, 2, n, parts, part, index);
        const rows = arena.read(Uint16Array, index, count);
        total += count;
        for (let k = 0; k < count; k++) {
          if (k > 0) expect(rows[k]).to.be.above(rows[k - 1]!);
          const key = columns.map((column) => column[rows[k]!]).join();
          if (partOf.get(key) === undefined) partOf.set(key, part);
          expect(partOf.get(key)).to.equal(part);
        }
      }
      expect(total).to.equal(n);
      if (n > 1_000 && parts > 1) expect(new Set(partOf.values()).size).to.be.above(parts / 2);
    }
  }));
});

describe("kernels: interned strings", function () {
  this.timeout(60_000);

  it("internText codes strings by first appearance, through stops for room and for codes", eachCase((arena, n, random) => {
    const { kernels } = arena;
    const texts = Array.from({ length: n }, () => Buffer.from("xyzé".repeat(5).slice(0, below(random, 12)) + below(random, 300)));
    texts.forEach((_, row) => { if (row % 17 === 0) texts[row] = Buffer.alloc(0); });
    const ends = new Uint32Array(n + 1);
    texts.forEach((text, row) => { ends[row + 1] = ends[row]! + text.length; });
    const offsets = arena.put(ends), bytes = arena.put(new Uint8Array(Buffer.concat(texts)));
    const order = generate(Uint16Array, n, (row) => n - 1 - row);
    for (const index of [0, arena.put(order)]) {
      const rows = index === 0 ? texts : [...texts].reverse();
      const pool = [...new Map(rows.map((text) => [text.toString("latin1"), text])).values()];
      const numbers = new Map(pool.map((text, code) => [text.toString("latin1"), code]));
      const poolTotal = pool.reduce((sum, text) => sum + text.length, 0);
      const poolOffsets = arena.reserve(4 * (pool.length + 1)), poolBytes = arena.reserve(poolTotal);
      const state = arena.put(Uint32Array.of(0)), codes = arena.reserve(4 * n);
      let capacity = 8, poolMax = Math.min(10, poolTotal);
      let table = arena.reserve(capacity * 16, 0);
      for (let row = 0; row < n;) {
        const limit = (capacity * 5) / 8;
        row = kernels.internText(offsets, bytes, index, n, row, table, capacity, poolOffsets, poolBytes, poolMax, limit, state, codes);
        const [count] = arena.read(Uint32Array, state, 1);
        if (row === n) break;
        if (count === limit) {
          capacity *= 2;
          table = arena.reserve(capacity * 16, 0);
          kernels.internRebuild(poolOffsets, poolBytes, count, table, capacity);
        } else {
          poolMax = Math.min(poolMax + 30, poolTotal);
        }
      }
      if (n === 0) continue;
      expectSame(arena.read(Uint32Array, codes, n), generate(Uint32Array, n, (row) => numbers.get(rows[row]!.toString("latin1"))!));
      expect(arena.read(Uint32Array, state, 1)[0]).to.equal(pool.length);
      expectSame(arena.read(Uint8Array, poolBytes, poolTotal), new Uint8Array(Buffer.concat(pool)));
      const poolEnds = arena.read(Uint32Array, poolOffsets, pool.length + 1);
      pool.forEach((text, code) => { expect(poolEnds[code + 1]! - poolEnds[code]!).to.equal(text.length); });
    }
  }));
});
