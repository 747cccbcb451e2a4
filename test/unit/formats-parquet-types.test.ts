import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { Encoding, SchemaElement } from "hyparquet";
import { parquetMetadataAsync } from "hyparquet";
import { parquetWriteBuffer, schemaFromColumnData } from "hyparquet-writer";
import { afterEach, beforeEach, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { openParquetFile } from "../../lib/formats/parquet/file.js";
import { openParquet } from "../../lib/formats/parquet/read.js";
import { readByDuckDb, writeHandmadeParquet, writeParquet } from "../support/parquet.js";
import { oneOf, someOf } from "../support/random/draw.js";
import type { StoredValue } from "../support/read-table.js";
import { heldColumns, plainOptions, readSource } from "../support/source-values.js";
import type { SourceValues } from "../support/source-values.js";

interface Column {
  readonly name: string;
  readonly dtype: Dtype;
}

/** Columns of DuckDB: a name, its dtype here, and an expression over the row number i. */
type Expression = readonly [string, Dtype, string];

const wholes: readonly Expression[] = [
  ["TINYINT", "int8", "-128", "127"], ["SMALLINT", "int16", "-32768", "32767"], ["INTEGER", "int32", "-2147483648", "2147483647"],
  ["BIGINT", "int64", "-9223372036854775808", "9223372036854775807"], ["UTINYINT", "uint8", "0", "255"], ["USMALLINT", "uint16", "0", "65535"],
  ["UINTEGER", "uint32", "0", "4294967295"], ["UBIGINT", "uint64", "0", "18446744073709551615"],
].map(([type, dtype, least, greatest]) => [type!, dtype as Dtype, `CASE i % 5 WHEN 0 THEN ${least} WHEN 1 THEN ${greatest} WHEN 2 THEN NULL ELSE i % 100 END::${type}`]);

const expressions: readonly Expression[] = [
  ...wholes,
  ["flag", "bool", "nullif(i % 3, 1) = 0"],
  ["x", "float64", "CASE i % 50 WHEN 7 THEN 'inf'::DOUBLE WHEN 8 THEN NULL ELSE i / 7 END"],
  ["f", "float32", "CASE i % 50 WHEN 7 THEN '-inf'::FLOAT WHEN 8 THEN NULL ELSE (i / 7)::FLOAT END"],
  ["few", "string", "CASE WHEN i % 5 = 0 THEN NULL ELSE 'wört-' || (i % 100) || '-😀' END"],
  ["many", "string", "CASE WHEN i % 5 = 0 THEN NULL ELSE md5(i::VARCHAR) || repeat('x', (i % 40)::INTEGER) END"],
  ["few bytes", "bytes", "CASE WHEN i % 5 = 0 THEN NULL ELSE encode('é' || (i % 9)) END"],
  ["many bytes", "bytes", "CASE WHEN i % 5 = 0 THEN NULL ELSE encode(md5(i::VARCHAR)) END"],
  ["day", "date", "CASE WHEN i % 5 = 0 THEN NULL ELSE DATE '1969-12-01' + (i % 90)::INTEGER END"],
  ["us", "timestamp", "CASE WHEN i % 11 = 0 THEN NULL ELSE TIMESTAMP '1969-12-31 23:59:59.999' + INTERVAL (i) MICROSECOND END"],
  ["ns", "timestamp", "make_timestamp_ns(i * 1000003)"],
  ["steps", "int64", "i * 1000 - 5000000"],
  ["one", "int32", "42"],
];

describe("the types of Parquet", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-parquet-types-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function readWhole(path: string, types: ReadonlyMap<string, Dtype> = new Map()): Promise<SourceValues & { columns: Column[] }> {
    const source = await openParquet(path, { ...plainOptions, types });
    try {
      const wanted = heldColumns(source).map((column) => ({ ...column, fixed: types.has(column.name) }));
      return { ...await readSource(source, wanted), columns: wanted.map(({ name, dtype }) => ({ name, dtype })) };
    } finally {
      await source.close();
    }
  }

  async function encodingsOf(path: string): Promise<Set<string>> {
    const opened = await openParquetFile(path);
    try {
      const { row_groups: groups } = await parquetMetadataAsync(opened);
      return new Set(groups.flatMap(({ columns }) => columns.flatMap((column) => column.meta_data!.encodings)));
    } finally {
      await opened.close();
    }
  }

  // Each run of the tests takes a codec of the first version, and two of the second.
  const random = seededRandom(freshSeed());
  for (const [version, codec] of [["V1", oneOf(random, ["snappy", "brotli"])], ...someOf(random, ["zstd", "lz4_raw", "gzip", "uncompressed"], 2).map((codec) => ["V2", codec] as const)] as const) {
    it(`all of them equal what DuckDB reads, over several row groups, written as ${version} with ${codec}`, async () => {
      const select = `SELECT ${expressions.map(([name, , expression]) => `${expression} AS "${name}"`).join(", ")} FROM range(6000) t(i)`;
      await writeParquet(file("all.parquet"), select, `PARQUET_VERSION ${version}, COMPRESSION ${codec}, ROW_GROUP_SIZE 2048`);
      const expected = expressions.map(([name, dtype]) => ({ name, dtype }));
      const { values, columns } = await readWhole(file("all.parquet"));
      expect(columns).to.deep.equal(expected);
      const found = await readByDuckDb(`'${file("all.parquet")}'`, expected);
      for (const { name } of expected) expect(values.get(name), name).to.deep.equal(found.get(name));
      const encodings = await encodingsOf(file("all.parquet"));
      for (const encoding of version === "V1" ? ["PLAIN", "PLAIN_DICTIONARY"] : ["RLE_DICTIONARY", "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "BYTE_STREAM_SPLIT"]) {
        expect([...encodings]).to.include(encoding);
      }
    });
  }

  const rows = 1_500;
  const numbers = (valueAt: (row: number) => number | bigint | boolean | null): (number | bigint | boolean | null)[] => Array.from({ length: rows }, (_, row) => (row % 7 === 3 ? null : valueAt(row)));
  const texts = Array.from({ length: rows }, (_, row) => (row % 7 === 3 ? null : `prefix ${row % 50 === 0 ? "" : `é ${row}`}`));
  const written: readonly { readonly element: SchemaElement; readonly encodings: readonly Encoding[]; readonly dtype: Dtype; readonly data: readonly unknown[] }[] = [
    { element: { name: "v", type: "BOOLEAN" }, encodings: ["PLAIN", "RLE"], dtype: "bool", data: numbers((row) => row % 3 === 0) },
    { element: { name: "v", type: "INT32" }, encodings: ["PLAIN", "RLE_DICTIONARY", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"], dtype: "int32", data: numbers((row) => (row % 2 === 0 ? -(2 ** 31) + row : 2 ** 31 - 1 - row)) },
    { element: { name: "v", type: "INT64" }, encodings: ["PLAIN", "RLE_DICTIONARY", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"], dtype: "int64", data: numbers((row) => (row % 2 === 0 ? -(2n ** 63n) + BigInt(row) : 2n ** 63n - 1n - BigInt(row))) },
    { element: { name: "v", type: "FLOAT" }, encodings: ["PLAIN", "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"], dtype: "float32", data: numbers((row) => Math.fround(row / 7)) },
    { element: { name: "v", type: "DOUBLE" }, encodings: ["PLAIN", "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"], dtype: "float64", data: numbers((row) => row / 7) },
    { element: { name: "v", type: "BYTE_ARRAY", converted_type: "UTF8" }, encodings: ["PLAIN", "RLE_DICTIONARY", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"], dtype: "string", data: texts },
    { element: { name: "v", type: "BYTE_ARRAY" }, encodings: ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"], dtype: "bytes", data: texts.map((text) => (text === null ? null : Uint8Array.from(Buffer.from(text)))) },
    { element: { name: "v", type: "FIXED_LEN_BYTE_ARRAY", type_length: 4 }, encodings: ["PLAIN", "BYTE_STREAM_SPLIT"], dtype: "bytes", data: texts.map((text, row) => (text === null ? null : Uint8Array.of(row >> 8, row, 0, 255))) },
  ];
  for (const { element, encodings, dtype, data } of written) {
    for (const repetition of ["OPTIONAL", "REQUIRED"] as const) {
      it(`${dtype} from ${element.type} as ${encodings.join(", ")}, ${repetition.toLowerCase()}, in many pages of version 2`, async () => {
        const present = repetition === "REQUIRED" ? data.filter((value) => value !== null) : [...data];
        const columnData = encodings.map((encoding) => ({ name: encoding, data: present, encoding }));
        const schemaOverrides = Object.fromEntries(encodings.map((encoding) => [encoding, { ...element, name: encoding, repetition_type: repetition }]));
        writeFileSync(file("h.parquet"), Buffer.from(parquetWriteBuffer({ columnData, schema: schemaFromColumnData({ columnData, schemaOverrides }), rowGroupSize: 650, pageSize: 700 })));
        const { values, columns } = await readWhole(file("h.parquet"));
        expect(columns).to.deep.equal(encodings.map((name) => ({ name, dtype })));
        const expected = present.map((value) => (typeof value === "number" && element.type === "INT32" ? BigInt(value) : value));
        for (const encoding of encodings) expect(values.get(encoding), encoding).to.deep.equal(expected);
        // DuckDB reads that encoding of floats alone.
        const known = columns.filter(({ name }) => name !== "BYTE_STREAM_SPLIT" || dtype.startsWith("float"));
        for (const [name, found] of await readByDuckDb(`'${file("h.parquet")}'`, known)) expect(values.get(name), `${name} by DuckDB`).to.deep.equal(found);
      });
    }
  }

  it("half floats, UUIDs, ENUM and JSON are read as what they mean, and a UUID as bytes too", async () => {
    const halves = [0, 1, -2.5, 65_504, 2 ** -24, Infinity, null];
    const uuids = halves.map((_, row) => (row === 2 ? null : `0123456${row}-89ab-cdef-0123-456789abcdef`));
    const columnData = [{ name: "half", data: halves, type: "FLOAT16" as const }, { name: "uuid", data: uuids, type: "UUID" as const }, { name: "json", data: uuids.map((_, row) => ({ row })), type: "JSON" as const }];
    writeFileSync(file("l.parquet"), Buffer.from(parquetWriteBuffer({ columnData })));
    const { values, columns } = await readWhole(file("l.parquet"));
    expect(columns).to.deep.equal([{ name: "half", dtype: "float32" }, { name: "uuid", dtype: "string" }, { name: "json", dtype: "string" }]);
    expect([...values.values()]).to.deep.equal([halves, uuids, halves.map((_, row) => `{"row":${row}}`)]);
    const asBytes = await readWhole(file("l.parquet"), new Map([["uuid", "bytes"]]));
    expect(asBytes.values.get("uuid")).to.deep.equal(uuids.map((uuid) => (uuid === null ? null : Uint8Array.from(Buffer.from(uuid.replaceAll("-", ""), "hex")))));
    await writeParquet(file("e.parquet"), "SELECT 'b'::ENUM('a', 'b') AS e");
    expect((await readWhole(file("e.parquet"))).values.get("e")).to.deep.equal(["b"]);
  });

  it("timestamps of seconds, milliseconds, microseconds and with a zone become the same nanoseconds", async () => {
    const text = "TIMESTAMP '2001-02-03 04:05:06'";
    await writeParquet(file("t.parquet"), `SELECT ${text}::TIMESTAMP_S AS s, ${text}::TIMESTAMP_MS AS ms, ${text} AS us, ${text}::TIMESTAMP_NS AS ns, '2001-02-03 04:05:06+00'::TIMESTAMPTZ AS z`);
    const { values } = await readWhole(file("t.parquet"));
    for (const [name, found] of values) expect(found, name).to.deep.equal([981_173_106_000_000_000n]);
    expect(values.size).to.equal(5);
  });

  it("converted types of writers before logical ones are understood", async () => {
    const one = Buffer.from(BigInt64Array.of(1_000_001n).buffer);
    writeHandmadeParquet(file("c.parquet"), 1, [
      { name: "ms", type: 2, convertedType: 9, values: one }, { name: "us", type: 2, convertedType: 10, values: one }, { name: "u", type: 2, convertedType: 14, values: Buffer.alloc(8, 0xff) },
      { name: "i8", type: 1, convertedType: 15, values: Buffer.from([0xff, 0xff, 0xff, 0xff]) }, { name: "u8", type: 1, convertedType: 11, values: Buffer.from([0xff, 0, 0, 0]) },
    ]);
    const { values, columns } = await readWhole(file("c.parquet"));
    expect(columns.map(({ dtype }) => dtype)).to.deep.equal(["timestamp", "timestamp", "uint64", "int8", "uint8"]);
    expect([...values.values()].flat()).to.deep.equal([1_000_001_000_000n, 1_000_001_000n, 2n ** 64n - 1n, -1n, 255n]);
  });

  it("those that no dtype holds exactly are described in words", async () => {
    await writeParquet(file("no.parquet"), "SELECT 1.5::DECIMAL(9, 2) AS n, [1] AS l, {'a': 1} AS s, TIME '01:02:03' AS t, INTERVAL 1 DAY AS i, MAP {'a': 1} AS m, 1 AS ok");
    const source = await openParquet(file("no.parquet"), plainOptions);
    await source.close();
    const refused = source.columns.map((column) => ("refused" in column ? `${column.name} ${column.refused}` : column.name));
    expect(refused).to.deep.equal(["n DECIMAL(9, 2)", "l nested", "s nested", "t TIME", "i INTERVAL", "m nested", "ok"]);
  });

  it("decimals of every width are what --types asks for: exact, or the nearest float, or a reject", async () => {
    const literals = ["1.50", "-0.25", "12345.67", "0.00", "NULL", "300.00"];
    const select = literals.map((text) => `SELECT ${[4, 9, 18, 38].map((digits) => `try_cast(${text} AS DECIMAL(${digits}, 2)) AS d${digits}`).join(", ")}`).join(" UNION ALL ");
    await writeParquet(file("d.parquet"), select);
    const as = async (dtype: Dtype): Promise<StoredValue[]> => (await readWhole(file("d.parquet"), new Map([["d38", dtype]]))).values.get("d38")!;
    expect(await as("float64")).to.deep.equal([1.5, -0.25, 12_345.67, 0, null, 300]);
    expect(await as("string")).to.deep.equal(["1.50", "-0.25", "12345.67", "0.00", null, "300.00"]);
    for (const name of ["d9", "d18", "d38"]) {
      const { values, rejects } = await readWhole(file("d.parquet"), new Map([[name, "int16"]]));
      expect(values.get(name), name).to.deep.equal([0n, null, 300n]);
      expect(rejects.map(({ line }) => line), name).to.deep.equal([1, 2, 3]);
      expect(rejects[2]).to.deep.equal({ line: 3, reason: `column '${name}' holds 12345.67, which is no int16`, text: "12345.67" });
    }
    const small = await readWhole(file("d.parquet"), new Map([["d4", "float32"]]));
    expect(small.values.get("d4")).to.deep.equal([1.5, -0.25, null, 0, null, null]);
  });

  it("a column is read as another dtype where --types says so, and rows that do not fit are rejected", async () => {
    await writeParquet(file("w.parquet"), "SELECT * FROM (VALUES (1, '7', 1.0), (300, 'x', 2.5), (NULL, '-9', 'nan'::DOUBLE)) t(i, s, x)");
    const { values, rejects } = await readWhole(file("w.parquet"), new Map<string, Dtype>([["i", "string"], ["s", "int8"], ["x", "int64"]]));
    expect([...values]).to.deep.equal([["i", ["1", null]], ["s", [7n, -9n]], ["x", [1n, null]]]);
    expect(rejects.map(({ line }) => line)).to.deep.equal([2]);
  });
});
