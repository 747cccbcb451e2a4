import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { after, before, describe, it } from "mocha";
import { dtypes } from "../../lib/columns/dtypes.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { exportTables } from "../../lib/formats/export/export.js";
import { importFiles } from "../../lib/formats/import/import.js";
import { createReadHeap, readTable } from "../support/read-table.js";
import { comesBackAs, valuesOf } from "../support/values.js";
import { writeTable } from "../support/write-table.js";
import type { PlainColumn } from "../support/write-table.js";

const oddNames = ["__proto__", "constructor", "a,b", "a.b", 'say "x"', "two\nlines", "tab\there", " ", "😀", "Ünï", "n".repeat(255), "../x", "'"];

/** A schema of a few columns, of any names and dtypes, with rows of values and nulls. */
const tables: fc.Arbitrary<PlainColumn[]> = fc.tuple(fc.uniqueArray(fc.constantFrom(...oddNames), { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 40 }))
  .chain(([names, rows]) => fc.tuple(...names.map((name) => fc.constantFrom(...dtypes).chain((dtype) => columnOf(name, dtype, rows)))));

function columnOf(name: string, dtype: Dtype, rows: number): fc.Arbitrary<PlainColumn> {
  const values = fc.oneof({ weight: 4, arbitrary: storable(dtype) }, { weight: 1, arbitrary: fc.constant(null) });
  return fc.array(values, { minLength: rows, maxLength: rows }).map((list) => ({ name, dtype, values: list }));
}

/** Text formats read dates in four digits of a year: 0000-01-01 to 9999-12-31. */
const firstDay = -719_528n;
const lastDay = 2_932_896n;

function storable(dtype: Dtype): fc.Arbitrary<PlainColumn["values"][number]> {
  return dtype === "date" ? fc.bigInt({ min: firstDay, max: lastDay }) : valuesOf(dtype);
}

describe("a table exported and imported again is the same", () => {
  let folder = "";
  const heap = createReadHeap();
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-roundtrip-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  for (const format of ["csv", "tsv", "ndjson", "parquet", "arrow"] as const) {
    it(`through ${format}: every dtype, nulls, odd names and values`, async function () {
      this.timeout(120_000);
      await fc.assert(fc.asyncProperty(tables, async (columns) => {
        const place = mkdtempSync(join(folder, `${format}-`));
        const [first, file, second] = [join(place, "a.bcolz"), join(place, `a.${format}`), join(place, "b.bcolz")];
        await writeTable(first, columns);
        const { rows } = await exportTables({ tables: [first], output: file });
        expect(rows).to.equal(columns[0]!.values.length);
        const types = new Map(columns.map(({ name, dtype }) => [name, dtype]));
        const summary = await importFiles({ inputs: [file], output: second, types, strict: true });
        expect(summary.rowsStored).to.equal(rows);
        const found = readTable(second, heap);
        for (const { name, values } of columns) expect(found.get(name), name).to.deep.equal(values.map(comesBackAs));
        expect(readdirSync(place)).to.have.members(["a.bcolz", `a.${format}`, "b.bcolz"]);
        rmSync(place, { recursive: true });
      }), { numRuns: 60 });
    });
  }
});
