import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { freshSeed, seededRandom, type Random } from "../../lib/base/clock.js";
import { dtypes, isTextDtype, type Dtype } from "../../lib/columns/dtypes.js";
import type { EncodedChunk } from "../../lib/columns/encode/input.js";
import { extremeBytesMax } from "../../lib/columns/text-order.js";
import { createHeap } from "../../lib/kernels/heap.js";
import { loadKernels } from "../../lib/kernels/kernels.js";
import { columnOf, encodeValues, keptValue, readValues } from "../support/chunks.js";
import type { StoredValue } from "../support/read-table.js";
import { comesBackAs, valuesOf } from "../support/values.js";

const heap = createHeap(loadKernels(16 * 1024 * 1024), 16 * 1024 * 1024);

function isSame(a: StoredValue, b: StoredValue): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : Object.is(a, b);
}

/** Fails unless the values read are those written, and the statistics are theirs. */
function expectChunk(dtype: Dtype, values: readonly StoredValue[], chunk: EncodedChunk, dictionary: readonly (string | Uint8Array)[] | undefined, note: string): void {
  const expected = values.map(comesBackAs);
  const read = readValues(columnOf(dtype, values.length, chunk, { dictionary }));
  const wrong = expected.findIndex((value, row) => !isSame(value, read[row]!));
  expect(wrong === -1 && read.length === values.length, `${dtype} row ${wrong}: ${String(expected[wrong])} read as ${String(read[wrong])}, ${note}`).to.equal(true);
  const kept = expected.filter((value) => value !== null).map((value) => keptValue(dtype, value));
  const { minimum, maximum, nullCount, truncated } = chunk.record;
  expect(nullCount).to.equal(values.length - kept.length);
  if (kept.length === 0) return expect([minimum, maximum]).to.deep.equal([null, null]) && undefined;
  const [least, greatest] = kept.reduce(([low, high], value) => [order(value, low) < 0 ? value : low, order(value, high) > 0 ? value : high], [kept[0]!, kept[0]!]);
  if (!truncated) return expect([order(minimum!, least), order(maximum!, greatest)], note).to.deep.equal([0, 0]) && undefined;
  expect(isTextDtype(dtype) && order(minimum!, least) <= 0 && (maximum === null || order(maximum, greatest) > 0 || order(maximum, greatest) === 0), note).to.equal(true);
  for (const extreme of [minimum, maximum]) expect((extreme as Uint8Array | null)?.length ?? 0).to.be.at.most(extremeBytesMax);
}

function order(a: bigint | number | Uint8Array, b: bigint | number | Uint8Array): number {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Shapes of long columns that meet each encoding and width. */
const shapes: Record<string, { dtype: Dtype; draw: (random: Random, row: number) => StoredValue }> = {
  "bytes of flags": { dtype: "bool", draw: (random) => random() < 0.01 },
  "codes of one byte": { dtype: "int64", draw: (random) => BigInt(Math.floor(random() * 200)) },
  "codes of two": { dtype: "uint32", draw: (random) => BigInt(Math.floor(random() * 60_000)) },
  "codes of four": { dtype: "uint64", draw: (random) => 2n ** 63n + BigInt(Math.floor(random() * 2 ** 31)) },
  "no codes": { dtype: "int64", draw: (random) => BigInt(Math.floor(random() * 2 ** 50)) * 8_191n },
  "steps": { dtype: "timestamp", draw: (_, row) => BigInt(row) * 60_000_000_000n - 5n },
  "days": { dtype: "date", draw: (_, row) => BigInt(row - 30_000) },
  "noise in two bytes": { dtype: "int16", draw: (random) => BigInt(Math.floor(random() * 65_536) - 32_768) },
  "few values": { dtype: "int64", draw: (random) => (random() < 0.9 ? null : 5n) },
  "prices": { dtype: "float64", draw: (random) => Math.floor(random() * 100_000) / 100 },
  "six places": { dtype: "float64", draw: (random) => (random() < 0.1 ? null : Math.round(random() * 1e8) / 1e6) },
  "places that come late": { dtype: "float64", draw: (_, row) => (row < 65_000 ? row : row / 8) },
  "noise": { dtype: "float64", draw: (random) => random() },
  "single prices": { dtype: "float32", draw: (random) => Math.fround(Math.floor(random() * 10_000) / 100) },
  "single noise": { dtype: "float32", draw: (random) => Math.fround(random()) },
  "texts": { dtype: "string", draw: (random, row) => (random() < 0.1 ? null : `value ${row * 7_919 % 1_000_003}`) },
  "all bytes": { dtype: "bytes", draw: (random, row) => Uint8Array.from({ length: row % 5 }, () => Math.floor(random() * 256)) },
};

describe("chunks, encoded and decoded", function () {
  this.timeout(60_000);

  for (const dtype of dtypes) {
    it(`give back any ${dtype} bit for bit, with statistics that are true`, async () => {
      const rows = fc.array(fc.option(valuesOf(dtype), { freq: 5 }), { minLength: 1, maxLength: 300 });
      const few = fc.array(valuesOf(dtype), { minLength: 1, maxLength: 3 }).chain((some) => fc.array(fc.constantFrom(...some, null), { minLength: 1, maxLength: 300 }));
      await fc.assert(fc.asyncProperty(fc.oneof(rows, few), fc.constantFrom("lz4" as const, "zstd" as const), fc.constantFrom(1, 7, 64, 300), fc.boolean(), async (values, codec, rowsAtOnce, hasDictionary) => {
        const dictionary = hasDictionary && isTextDtype(dtype) ? distinct(values) : undefined;
        const chunk = await encodeValues(dtype, values, { codec, rowsAtOnce, dictionary });
        expectChunk(dtype, values, chunk, dictionary, chunk.record.encoding);
      }), { numRuns: 60 });
    });
  }

  for (const rows of [1, 65_535, 65_536]) {
    it(`hold ${rows} rows in every encoding`, async () => {
      const seed = freshSeed();
      const random = seededRandom(seed);
      for (const [name, { dtype, draw }] of Object.entries(shapes)) {
        const values = Array.from({ length: rows }, (_, row) => draw(random, row));
        for (const codec of ["lz4", "zstd"] as const) {
          const chunk = await encodeValues(dtype, values, { codec, rowsAtOnce: 10_001 });
          expectChunk(dtype, values, chunk, undefined, `${name}, ${codec}, seed ${seed}`);
        }
      }
    });
  }

  it("that are damaged, but for their checksum, give no value outside their statistics", async () => {
    const seed = freshSeed();
    const random = seededRandom(seed);
    let found = 0;
    for (const [name, { dtype, draw }] of Object.entries(shapes)) {
      const values = Array.from({ length: 200 }, (_, row) => (row % 50 === 7 ? null : draw(random, row)));
      for (const codec of ["lz4", "zstd"] as const) {
        const chunk = await encodeValues(dtype, values, { codec });
        for (let mutation = 0; mutation < 150; mutation++) found += damage(dtype, values.length, chunk, random, `${name}, ${codec}, seed ${seed}`) ? 1 : 0;
      }
    }
    expect(found, `seed ${seed}`).to.be.greaterThan(1_000);
    expect(heap.usedBytes, `seed ${seed}`).to.be.lessThan(128 * 1024);
  });

  /** Changes a few bytes; gives whether that was found out, and fails when a value lies outside the statistics. */
  function damage(dtype: Dtype, rows: number, chunk: EncodedChunk, random: Random, note: string): boolean {
    const stored = Uint8Array.from(chunk.stored);
    for (let flips = 1 + Math.floor(random() * 3); flips > 0; flips--) stored[Math.floor(random() * stored.length)] = Math.floor(random() * 256);
    const column = columnOf(dtype, rows, { ...chunk, stored }, { lies: { checksum: checksumOf(stored) } });
    const { minimum, maximum, nullCount } = chunk.record;
    let read: StoredValue[];
    try {
      read = readValues(column);
    } catch (cause) {
      if (cause instanceof BquerydError && cause.code === "CORRUPT_CHUNK") return true;
      throw cause;
    }
    const kept = read.filter((value) => value !== null);
    expect(rows - kept.length, note).to.equal(nullCount);
    if (!isTextDtype(dtype)) for (const value of kept) expect(order(keptValue(dtype, value), minimum!) >= 0 && order(keptValue(dtype, value), maximum!) <= 0, note).to.equal(true);
    return false;
  }
});

function distinct(values: readonly StoredValue[]): (string | Uint8Array)[] {
  const texts = values.filter((value) => typeof value === "string" || value instanceof Uint8Array);
  const unique = [...new Map(texts.map((text) => [Buffer.from(text).toString("hex"), text])).values()];
  return unique.length === 0 ? [""] : unique;
}

function checksumOf(bytes: Uint8Array): bigint {
  const pointer = heap.find(bytes.length)!;
  heap.kernels.bytes.set(bytes, pointer);
  heap.release(pointer);
  return heap.kernels.xxh64(pointer, bytes.length);
}
