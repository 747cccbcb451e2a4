import { expect } from "chai";
import fc from "fast-check";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { freshSeed, seededRandom, type Random } from "../../lib/base/clock.js";
import { dtypes, type Dtype } from "../../lib/columns/dtypes.js";
import { openTable } from "../../lib/columns/read/open.js";
import { readBatches } from "../../lib/columns/read/batches.js";
import { createTables } from "../../lib/columns/write/writer.js";
import { valuesOf as plainValues } from "../support/chunks.js";
import { createReadHeap, readTable, type StoredValue } from "../support/read-table.js";
import { comesBackAs, texts, valuesOf } from "../support/values.js";
import { batchOf, unsyncedFiles, writeTable, type PlainColumn } from "../support/write-table.js";

const columnName = fc.oneof(texts({ maxLength: 20 }), fc.constantFrom("__proto__", "constructor", "../x", "/etc/passwd", "🚕", "", "a\nb", "x".repeat(1_024)));

/** Columns of equal rows under different names. */
const table = fc.record({ rows: fc.integer({ min: 0, max: 40 }), names: fc.uniqueArray(columnName, { minLength: 1, maxLength: 5 }) })
  .chain(({ rows, names }) => fc.tuple(...names.map((name) => fc.constantFrom(...dtypes).chain((dtype) => fc.record({
    name: fc.constant(name), dtype: fc.constant(dtype),
    values: fc.array(fc.option(valuesOf(dtype), { freq: 3 }), { minLength: rows, maxLength: rows }),
  })))));

/** Shapes of long columns, one value a row. */
const longShapes: Record<string, { dtype: Dtype; draw: (random: Random, row: number) => StoredValue }> = {
  codes: { dtype: "int64", draw: (random) => BigInt(Math.floor(random() * 200)) },
  stepped: { dtype: "timestamp", draw: (_, row) => BigInt(row) * 60_000_000_000n - 5n },
  sparse: { dtype: "int64", draw: (random, row) => (random() < 0.9 ? null : BigInt(row)) },
  nullTail: { dtype: "float64", draw: (_, row) => (row < 65_536 ? row / 8 : null) },
  flags: { dtype: "bool", draw: (random) => random() < 0.01 },
  words: { dtype: "string", draw: (random) => (random() < 0.1 ? null : `w${Math.floor(random() * 300)}`) },
  distinct: { dtype: "string", draw: (_, row) => `value ${row * 7919 % 1_000_003}` },
  small: { dtype: "int16", draw: (random) => BigInt(Math.floor(random() * 65_536) - 32_768) },
  high: { dtype: "uint64", draw: (random) => 2n ** 63n + BigInt(Math.floor(random() * 1_000)) },
  days: { dtype: "date", draw: (_, row) => BigInt(row >> 3) },
  prices: { dtype: "float64", draw: (random) => Math.floor(random() * 1e5) / 100 },
  singles: { dtype: "float32", draw: (random) => Math.fround(random()) },
  blobs: { dtype: "bytes", draw: (random, row) => Uint8Array.from({ length: row % 4 }, () => Math.floor(random() * 256)) },
};

describe("tables, written and read", () => {
  it("hold any values under any names", async function () {
    this.timeout(60_000);
    const heap = createReadHeap();
    const folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    let written = 0;
    try {
      await fc.assert(fc.asyncProperty(table, fc.constantFrom(2, 1_000), fc.constantFrom("lz4" as const, "zstd" as const), async (columns: PlainColumn[], dictionaryValuesMax, codec) => {
        const path = join(folder, `t${written++}.bcolz`);
        await writeTable(path, columns, { dictionaryValuesMax, codec });
        const read = readTable(path, heap);
        for (const { name, values } of columns) expect(read.get(name), JSON.stringify(name)).to.deep.equal(values.map(comesBackAs));
        expect(openTable(path).columns.map(({ name, dtype }) => [name, dtype])).to.deep.equal(columns.map(({ name, dtype }) => [name, dtype]));
        expect(await readdir(folder)).to.have.length(1);
        await rm(path, { recursive: true });
      }), { numRuns: 40 });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  for (const rows of [65_535, 65_536, 65_537, 131_073]) {
    it(`hold ${rows} rows that arrive in batches of any size`, async () => {
      const seed = freshSeed();
      const random = seededRandom(seed);
      const folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
      try {
        const columns = Object.entries(longShapes).map(([name, { dtype, draw }]): PlainColumn => ({ name, dtype, values: Array.from({ length: rows }, (_, row) => draw(random, row)) }));
        const writer = await createTables({ paths: [join(folder, "t.bcolz")], columns: columns.map(({ name, dtype }) => ({ name, dtype })), set: false, replace: false, sort: null, files: unsyncedFiles, dictionaryValuesMax: 70_000 });
        for (let start = 0; start < rows;) {
          const end = Math.min(rows, start + 1 + Math.floor(random() * 90_000));
          await writer.append(0, columns.map(({ dtype, values }) => batchOf(dtype, values.slice(start, end))));
          start = end;
        }
        await writer.commit();
        const read = readTable(join(folder, "t.bcolz"));
        for (const { name, values } of columns) expect(isEqual(read.get(name)!, values), `${name}, seed ${seed}`).to.equal(true);
        expectBatches(join(folder, "t.bcolz"), columns, { from: Math.floor(random() * rows), to: rows + Math.floor((random() - 0.5) * 70_000) }, seed);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});

/** Fails unless `readBatches` gives the same rows of a range. */
function expectBatches(path: string, columns: readonly PlainColumn[], { from, to }: { from: number; to: number }, seed: number): void {
  const opened = openTable(path);
  try {
    const batches = [...readBatches(opened, columns.map(({ name }) => name), { from, to })];
    columns.forEach(({ name, values }, at) => {
      const read = batches.flatMap((batch) => plainValues(batch[at]!));
      expect(isEqual(read, values.slice(from, Math.max(from, to))), `${name} from ${from} to ${to}, seed ${seed}`).to.equal(true);
    });
  } finally {
    opened.close();
  }
}

function isEqual(a: readonly StoredValue[], b: readonly StoredValue[]): boolean {
  return a.length === b.length && a.every((value, row) => isSameValue(value, b[row]!));
}

function isSameValue(a: StoredValue, b: StoredValue): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : Object.is(a, b);
}
