import { expect } from "chai";
import fc from "fast-check";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { dtypes, isFloatDtype, wholeRange, type Dtype } from "../../lib/columns/dtypes.js";
import { openTable } from "../../lib/columns/read/open.js";
import { writeBcolz } from "../../lib/formats/bcolz/write.js";
import { readRawColumn, readRawNames } from "../support/bcolz-decoder.js";
import { bytesAsStored } from "../support/bcolz-fixtures.js";
import { createReadHeap, readTable, type StoredValue } from "../support/read-table.js";
import { texts } from "../support/values.js";
import { unsyncedFiles, writeTable, type PlainColumn } from "../support/write-table.js";

const withoutNul = (text: string): string => text.replace(/\0+$/, "");

function valueOf(dtype: Dtype): fc.Arbitrary<StoredValue> {
  switch (dtype) {
    case "bool": return fc.boolean();
    case "float32": return fc.float({ noNaN: true }).map((value) => value + 0);
    case "float64": return fc.double({ noNaN: true }).map((value) => value + 0);
    case "string": return texts({ maxLength: 20 }).map(withoutNul);
    case "bytes": return fc.uint8Array({ maxLength: 20 }).map((bytes) => bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1));
    case "timestamp": return fc.bigInt({ min: wholeRange(dtype).least + 1n, max: wholeRange(dtype).greatest });
    default: return fc.bigInt({ min: wholeRange(dtype).least, max: wholeRange(dtype).greatest });
  }
}

const canBeNull = (dtype: Dtype): boolean => isFloatDtype(dtype) || dtype === "timestamp" || dtype === "date";
const name = fc.string({ unit: fc.constantFrom(..."abcXYZ_é東ß09"), minLength: 1, maxLength: 12 }).map((text) => `c${text}`);

const table = fc.record({ rows: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(128, 5_000)), names: fc.uniqueArray(name, { minLength: 1, maxLength: 6 }) })
  .chain(({ rows, names }) => fc.tuple(...names.map((columnName) => fc.constantFrom(...dtypes).chain((dtype) => fc.record({
    name: fc.constant(columnName), dtype: fc.constant(dtype),
    // A few values over and over are enough for many rows.
    values: fc.array(canBeNull(dtype) ? fc.option(valueOf(dtype), { freq: 4 }) : valueOf(dtype), { minLength: Math.min(rows, 40), maxLength: Math.min(rows, 40) })
      .map((some) => Array.from({ length: rows }, (_, row) => some[(row * row + row) % some.length]!)),
  })))));

describe("tables written for bcolz", () => {
  it("hold the bytes of every value, and read as what they were", async function roundTrips() {
    this.timeout(120_000);
    const heap = createReadHeap();
    const folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    try {
      await fc.assert(fc.asyncProperty(table, async (columns: PlainColumn[]) => {
        const [own, output] = [join(folder, "own.bcolz"), join(folder, "out.bcolz")];
        await writeTable(own, columns);
        const open = openTable(own);
        await writeBcolz({ tables: [open], output, files: unsyncedFiles });
        open.close();
        expect(readRawNames(output)).to.deep.equal(columns.map((column) => column.name));
        const read = readTable(output, heap);
        for (const { name: column, dtype, values } of columns) {
          const storage = readRawColumn(output, column, 1);
          const itemBytes = itemBytesOf(storage.dtype);
          const raw = readRawColumn(output, column, itemBytes);
          expect(Buffer.compare(raw.bytes, expectedBytes(dtype, values, raw.dtype, itemBytes)), `${column} as ${raw.dtype}`).to.equal(0);
          if (dtype !== "bytes") expect(read.get(column), column).to.deep.equal(values);
        }
        await rm(own, { recursive: true });
        await rm(output, { recursive: true });
      }), { numRuns: 12 });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

function itemBytesOf(stored: string): number {
  const width = Number(/^(?:\|S|<U)(\d+)$/.exec(stored)?.[1] ?? 0);
  if (width > 0) return stored.startsWith("<U") ? 4 * width : width;
  return stored === "bool" || stored.endsWith("8") ? 1 : stored.endsWith("16") ? 2 : stored.endsWith("32") ? 4 : 8;
}

function expectedBytes(dtype: Dtype, values: readonly StoredValue[], stored: string, itemBytes: number): Buffer {
  if (dtype !== "bytes") return bytesAsStored(values, { name: "", dtype: stored, shape: [], itemsize: itemBytes });
  return Buffer.concat(values.map((value) => Buffer.concat([value as Uint8Array, Buffer.alloc(itemBytes)]).subarray(0, itemBytes)));
}
