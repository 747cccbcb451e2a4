import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RecordBatchReader, tableFromIPC } from "apache-arrow";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { dtypes } from "../../lib/columns/dtypes.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { exportTables } from "../../lib/formats/export/export.js";
import { valuesOf } from "../support/typed-values.js";
import { writeTable } from "../support/write-table.js";

const typeNames: Readonly<Record<Dtype, string>> = {
  bool: "Bool", int8: "Int8", int16: "Int16", int32: "Int32", int64: "Int64", uint8: "Uint8", uint16: "Uint16", uint32: "Uint32", uint64: "Uint64", float32: "Float32", float64: "Float64",
  string: "Utf8", bytes: "Binary", timestamp: "Timestamp<NANOSECOND, UTC>", date: "Date32<DAY>",
};

describe("writing Arrow", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-arrow-write-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** A value as Apache's library gives it, in the form that tables are read in. */
  function plain(dtype: Dtype, value: unknown): unknown {
    if (value === null || value === undefined) return null;
    if (value instanceof Uint8Array) return Uint8Array.from(value);
    return typeof value === "number" && !dtype.startsWith("float") ? BigInt(value) : value;
  }

  for (const rows of [0, 1, 70_000]) {
    it(`Apache's library reads back ${rows} rows of every dtype, as a file and as a stream`, async () => {
      const columns = dtypes.map((dtype) => ({ name: dtype, dtype, values: valuesOf(dtype, rows) }));
      await writeTable(file("t.bcolz"), columns);
      await exportTables({ tables: [file("t.bcolz")], output: file("t.arrow") });
      const bytes = readFileSync(file("t.arrow"));
      const streamed = [...RecordBatchReader.from(bytes.subarray(8, bytes.length - 10 - bytes.readInt32LE(bytes.length - 10)))];
      expect(streamed.map(({ numRows }) => numRows)).to.deep.equal(rows > 65_536 ? [65_536, rows - 65_536] : [rows]);
      const table = tableFromIPC(bytes);
      expect(table.schema.fields.map((field) => [field.name, String(field.type as unknown as string)])).to.deep.equal(dtypes.map((dtype) => [dtype, typeNames[dtype]]));
      for (const { name, dtype, values } of columns) {
        const vector = table.getChild(name)!;
        expect(vector.nullCount, name).to.equal(values.filter((value) => value === null).length);
        if (dtype === "timestamp" || dtype === "date") {
          // The library gives milliseconds as numbers, which cannot hold them all.
          const kept = vector.data.flatMap(({ values: words }) => Array.from(words as BigInt64Array | Int32Array, BigInt));
          expect(values.map((value, row) => (value === null ? null : kept[row])), name).to.deep.equal(values);
        } else {
          expect(Array.from(vector as Iterable<unknown>, (value) => plain(dtype, value)), name).to.deep.equal(values);
        }
      }
    });
  }

  it("odd names and texts that begin anywhere in their column survive", async () => {
    const names = ["__proto__", "a.b", "😀", "n".repeat(255), " "];
    await writeTable(file("t.bcolz"), names.map((name) => ({ name, dtype: "string" as const, values: ["", null, name, "z"] })));
    await exportTables({ tables: [file("t.bcolz")], output: file("t.arrow"), select: () => Uint8Array.of(0, 1, 1, 0) });
    const table = tableFromIPC(readFileSync(file("t.arrow")));
    expect(table.schema.names).to.deep.equal(names);
    for (const [at, name] of names.entries()) expect([...table.getChildAt(at)! as Iterable<unknown>]).to.deep.equal([null, name]);
  });
});
