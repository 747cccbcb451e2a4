/** Random tables exported to a format and imported again: what comes back has to be what went out. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { dtypes, type Dtype } from "../../lib/columns/dtypes.js";
import { exportTables } from "../../lib/formats/export/export.js";
import { importFiles } from "../../lib/formats/import/import.js";
import type { Heap } from "../../lib/kernels/heap.js";
import { createReadHeap, readTable } from "./read-table.js";
import { comesBackAs, valuesOf } from "./values.js";
import { writeTable, type PlainColumn } from "./write-table.js";

/** The formats that hold every dtype. */
export const roundtripFormats = ["csv", "tsv", "ndjson", "parquet", "arrow"] as const;

const oddNames = ["", "__proto__", "constructor", "a,b", "a.b", 'say "x"', "two\nlines", "tab\there", " ", "😀", "Ünï", "n".repeat(255), "../x", "'"];

/** A schema of a few columns, of any names and dtypes, with rows of values and nulls. */
const tables: fc.Arbitrary<PlainColumn[]> = fc.tuple(fc.uniqueArray(fc.constantFrom(...oddNames), { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 40 }))
  .chain(([names, rows]) => fc.tuple(...names.map((name) => fc.constantFrom(...dtypes).chain((dtype) => columnOf(name, dtype, rows)))));

function columnOf(name: string, dtype: Dtype, rows: number): fc.Arbitrary<PlainColumn> {
  const values = fc.oneof({ weight: 4, arbitrary: valuesOf(dtype) }, { weight: 1, arbitrary: fc.constant(null) });
  return fc.array(values, { minLength: rows, maxLength: rows }).map((list) => ({ name, dtype, values: list }));
}

/** Sends so many random tables through a format. Throws the smallest failure found, with its seed. */
export async function runRoundtrips(format: (typeof roundtripFormats)[number], { count, seed }: { readonly count: number; readonly seed: number }): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-roundtrip-"));
  const heap = createReadHeap();
  try {
    await fc.assert(fc.asyncProperty(tables, (columns) => sendThrough(format, columns, { folder, heap })), { numRuns: count, seed });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function sendThrough(format: string, columns: readonly PlainColumn[], { folder, heap }: { readonly folder: string; readonly heap: Heap }): Promise<void> {
  const place = await mkdtemp(join(folder, `${format}-`));
  const [first, file, second] = [join(place, "a.bcolz"), join(place, `a.${format}`), join(place, "b.bcolz")];
  await writeTable(first, columns);
  const { rows } = await exportTables({ tables: [first], output: file });
  expect(rows).to.equal(columns[0]!.values.length);
  const types = new Map(columns.map(({ name, dtype }) => [name, dtype]));
  const summary = await importFiles({ inputs: [file], output: second, types, strict: true });
  expect(summary.rowsStored).to.equal(rows);
  const found = readTable(second, heap);
  for (const { name, values } of columns) expect(found.get(name), name).to.deep.equal(values.map(comesBackAs));
  expect(await readdir(place)).to.have.members(["a.bcolz", `a.${format}`, "b.bcolz"]);
  await rm(place, { recursive: true });
}
