import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import fc from "fast-check";
import { seededRandom } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { createArena, createSpace } from "../../lib/engine/memory.js";
import { finishQuery } from "../../lib/engine/finish.js";
import { mergePartials } from "../../lib/engine/merge.js";
import { decodePartial, encodePartial } from "../../lib/engine/partial-bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import type { ChunkInput, Run, ScanColumn } from "../../lib/engine/scan-column.js";
import { hyperloglogState } from "../../lib/engine/states/hyperloglog.js";
import { createPairSet } from "../../lib/engine/states/lists/pair-set.js";
import { openSelector, type Neighbours } from "../../lib/engine/states/lists/select.js";
import { createRowCounter } from "../../lib/engine/states/rows.js";
import type { AccumulatorContext } from "../../lib/engine/states/slab.js";
import { createShardStrings } from "../../lib/engine/strings.js";
import { cutRows, openMeasuring, type Measuring } from "../support/measuring.js";
import type { PlainColumn } from "../support/write-table.js";

function openArena(): ReturnType<typeof createArena> {
  return createArena(createSpace(64 * 2 ** 20), 64 * 2 ** 20, "the test");
}

describe("states of lists", () => {
  it("a set of pairs goes over from cells to a hash table with all it holds", () => {
    for (const isCounted of [false, true]) {
      const arena = openArena();
      const { kernels } = arena;
      const random = seededRandom(8);
      const set = createPairSet({ codeBits: 6, isCounted, cellBytesMax: 4_096 }, arena);
      const expected = new Map<string, number>();
      const rows = 1_000;
      const [slots, values] = [arena.allocate(rows * 4), arena.allocate(rows * 4)];
      for (const slotCount of [3, 8, 100, 30_000]) {
        set.grow(slotCount);
        const [slotOf, codeOf] = [new Uint32Array(kernels.memory.buffer, slots, rows), new Uint32Array(kernels.memory.buffer, values, rows)];
        for (let row = 0; row < rows; row++) {
          slotOf[row] = Math.floor(random() * Math.min(slotCount, 50));
          codeOf[row] = Math.floor(random() * 64);
          const pair = `${slotOf[row]} ${codeOf[row]}`;
          expected.set(pair, (expected.get(pair) ?? 0) + 1);
        }
        set.add({ rows, slots, values });
      }
      const order = Uint32Array.from({ length: 50 }, (_, group) => 49 - group);
      const { offsets, codes, counts } = set.take(order);
      const found = new Map<string, number>();
      for (let group = 0; group < 50; group++) {
        for (let at = offsets[group]!; at < offsets[group + 1]!; at++) {
          expect(at === offsets[group] || codes[at]! > codes[at - 1]!).to.equal(true);
          found.set(`${order[group]} ${codes[at]}`, counts === null ? 1 : counts[at]!);
        }
      }
      expect(counts === null).to.equal(!isCounted);
      expect([...found].sort()).to.deep.equal([...expected].map(([pair, count]) => [pair, isCounted ? count : 1]).sort());
      arena.release();
    }
  });

  it("registers go over to a hash table when groups become many", () => {
    const arena = openArena();
    const { kernels } = arena;
    const rows = 2_000;
    const column: ScanColumn = { name: "v", dtype: "int64", nullable: false, rows, chunkCount: 0, statistics: () => { throw new Error("not asked"); }, dictionary: () => null, compute: () => { throw new Error("not asked"); }, mayFail: () => false };
    const context: AccumulatorContext = { arena, strings: createShardStrings(arena), isGrouped: true, zeroSlots: () => 0, rows: createRowCounter(arena, true), slotCount: null, isSpanning: false };
    const [once, twice] = [hyperloglogState.accumulate({}, [column], context), hyperloglogState.accumulate({}, [column], context)];
    const [slots, values] = [arena.allocate(rows * 4), arena.allocate(rows * 8)];
    const run: Run = { kind: "int", rows, width: 8, values, base: 0n, step: 1n, nulls: 0, nullValue: 0n };
    const input: ChunkInput = { rows, chunk: 0, run: () => run };
    once.grow(5_000);
    for (const groups of [4, 5_000]) {
      twice.grow(groups);
      new Uint32Array(kernels.memory.buffer, slots, rows).forEach((_, row, array) => (array[row] = row % 4));
      new BigInt64Array(kernels.memory.buffer, values, rows).forEach((_, row, array) => (array[row] = BigInt(row * groups)));
      for (const accumulator of [once, twice]) accumulator.add(input, slots);
    }
    const order = Uint32Array.of(3, 1, 0, 2);
    expect(twice.take(order)).to.deep.equal(once.take(order));
    arena.release();
  });

  it("neighbours at a place are those that sorting gives", () => {
    const numbers = fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: -3, max: 3 }), fc.double({ min: 0, max: 1, noNaN: true }));
    fc.assert(fc.property(fc.array(numbers, { minLength: 1, maxLength: 2_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
      const sorted = Float64Array.from(list, (value) => value + 0).sort();
      const place = Math.floor((list.length - 1) * share);
      const { low, high } = selectFrom(Float64Array.from(list, (value) => value + 0), place);
      expect([low, high]).to.deep.equal([sorted[place], sorted[place + 1] ?? sorted[place]]);
    }), { numRuns: 500 });
  });

  it("neighbours are found in many numbers, equal ones and steep ones too, and where samples tell nothing", () => {
    const random = seededRandom(3);
    const draws = [
      (): number => random(), (): number => 10 ** (300 * random()), (): number => Math.floor(random() * 3), (): number => 1,
      // Every sample is one of the few that are not where the others are.
      (at: number): number => (at % 100 === 50 ? 1e9 + at : random()), (at: number): number => at, (at: number): number => -at,
      (): number => [-Infinity, 0, Infinity][Math.floor(random() * 3)]!,
    ];
    for (const [which, draw] of draws.entries()) {
      for (const count of [1, 24, 25, 511, 512, 3_200, 100_000]) {
        const list = Float64Array.from({ length: count }, (_, at) => draw(at));
        const sorted = list.slice().sort();
        for (const place of [0, 1, count >> 1, count - 2, count - 1]) {
          if (place < 0 || place >= count) continue;
          expect(selectFrom(list, place), `draw ${which}, place ${place} of ${count}`).to.deep.equal({ low: sorted[place], high: sorted[Math.min(place + 1, count - 1)] });
        }
      }
    }
  });
});

function selectFrom(list: Float64Array, place: number): Neighbours {
  const selector = openSelector();
  selector.list(list.length).set(list);
  try {
    return selector.select(place);
  } finally {
    selector.close();
  }
}

describe("bytes of partials with lists", () => {
  let measuring: Measuring;

  before(async () => { measuring = await openMeasuring(); });

  after(async () => { await measuring.close(); });

  const measures = (of: string): unknown[] => [[of, "count_distinct", "d"], [of, "mode", "m"], [of, "topk", "t", { k: 2 }], [of, "sorted_count_distinct", "s"], [of, "approx_count_distinct", "a"]];

  function draw(dtype: "int16" | "int64" | "float32" | "float64" | "string", seed: number): PlainColumn[] {
    const random = seededRandom(seed);
    const rows = Array.from({ length: 60 }, () => Math.floor(random() * 9));
    const values = rows.map((row) => (row === 0 ? null : dtype === "string" ? `text ${row}` : dtype.startsWith("int") ? BigInt(row) * 3n : row / 4));
    return [{ name: "k", dtype: "int64", values: rows.map((_, row) => BigInt(row % 4)) }, { name: "v", dtype, values }];
  }

  it("come back as they were", async () => {
    for (const dtype of ["int16", "int64", "float32", "float64", "string"] as const) {
      const asked = { keys: ["k"], measures: [...measures("v"), ...(dtype === "string" ? [] : [["v", "median", "q"], ["v", "approx_quantile", "p", { p: 0.5 }]])] };
      for (const bytes of await measuring.partialBytes(cutRows(seededRandom(1), draw(dtype, 6), 2), asked)) {
        expect(Buffer.compare(encodePartial(decodePartial(bytes)), bytes), dtype).to.equal(0);
      }
    }
  });

  it("of several dtypes widen, or are SCHEMA_MISMATCH", async () => {
    const asked = { keys: ["k"], measures: [...measures("v"), ["v", "median", "q"], ["v", "approx_quantile", "p", { p: 0.5 }]] };
    const answer = await measuring.ask([draw("int16", 1), draw("int64", 2)], asked);
    const [wide, rest] = [draw("int16", 1), draw("int64", 2)];
    expect(answer).to.deep.equal(await measuring.ask([[wide[0]!, { ...wide[1]!, dtype: "int64" }], rest], asked));
    const floats = await measuring.ask([draw("int16", 1), draw("float64", 2)], asked);
    const [whole, real] = [draw("int16", 1), draw("float64", 2)];
    expect(floats).to.deep.equal(await measuring.ask([[whole[0]!, { ...whole[1]!, dtype: "float64", values: whole[1]!.values.map((value) => (value === null ? null : Number(value))) }], real], asked));
    const failure = await measuring.ask([draw("int16", 1), draw("string", 2)], { measures: measures("v") }).catch((cause: unknown) => cause);
    expect(failure).to.have.property("code", "SCHEMA_MISMATCH");
  });

  it("that were changed are refused, or at worst another answer", async () => {
    const random = seededRandom(12);
    for (const dtype of ["int64", "float64", "string"] as const) {
      const asked = { keys: ["k"], measures: [...measures("v"), ...(dtype === "string" ? [] : [["v", "median", "q"], ["v", "approx_quantile", "p", { p: 0.5 }]])] };
      const query = parseQuery({ where: [], ...asked });
      const [bytes, good] = await measuring.partialBytes([draw(dtype, 3), draw(dtype, 4)], asked);
      let refused = 0;
      for (let round = 0; round < 2_000; round++) {
        const changed = bytes!.slice(0, round % 50 === 0 ? Math.floor(random() * bytes!.length) : bytes!.length);
        for (let change = 0; change < 1 + round % 3; change++) changed[Math.floor(random() * changed.length)] = Math.floor(random() * 256);
        try {
          finishQuery(query, mergePartials(decodePartial(changed), decodePartial(good!)));
        } catch (cause) {
          if (!(cause instanceof BquerydError)) throw new Error(`round ${round} of ${dtype}`, { cause });
          refused += 1;
        }
      }
      expect(refused).to.be.above(200);
    }
  });
});
