import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Binary, BinaryView, Bool, DateDay, DateMillisecond, Decimal, Dictionary, DurationMicrosecond, DurationMillisecond, DurationNanosecond, DurationSecond, FixedSizeBinary,
  Float16, Float32, Float64, Int16, Int32, Int64, Int8, IntervalYearMonth, LargeBinary, LargeUtf8, List, Field, makeData, Map_, Null, RecordBatch, Schema, Struct, Table,
  TimeMillisecond, TimestampMicrosecond, TimestampMillisecond, TimestampNanosecond, TimestampSecond, Uint16, Uint32, Uint64, Uint8, Utf8, Utf8View, makeVector, RecordBatchStreamWriter, vectorFromArray,
} from "apache-arrow";
import type { DataType, Vector } from "apache-arrow";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { openArrow } from "../../lib/formats/arrow/read.js";
import { encodeArrow } from "../support/arrow.js";
import { failureOf } from "../support/failure.js";
import type { StoredValue } from "../support/read-table.js";
import { heldColumns, plainOptions, readSource } from "../support/source-values.js";
import type { SourceValues } from "../support/source-values.js";

const text = new TextEncoder();
const long = "é🚕".repeat(30);
const bytesOf = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** A type of Arrow, the values given to its library, the dtype here, and what they are read as where that differs. */
interface Typed {
  readonly type: DataType;
  readonly given: readonly unknown[];
  readonly dtype: Dtype;
  readonly read?: readonly StoredValue[];
  readonly unit?: string;
}

const wholes = (type: DataType, dtype: Dtype, least: bigint, greatest: bigint): Typed => {
  const given = [least, null, greatest, 0n, 7n];
  return { type, dtype, given: greatest > 2n ** 40n ? given : given.map((value) => (value === null ? null : Number(value))), read: given };
};
const times = (type: DataType, nsPerUnit: bigint): Typed => {
  const units = [981_173_106n, null, -1n, 0n];
  const data = makeData({ type: type as TimestampSecond, length: 4, nullCount: 1, nullBitmap: bytesOf(0b1101), data: BigInt64Array.from(units, (unit) => unit ?? 99n) });
  return { type, dtype: "timestamp", given: [data], read: units.map((unit) => (unit === null ? null : unit * nsPerUnit)) };
};
const durations = (type: DataType, unit: string): Typed => {
  const data = makeData({ type: type as DurationSecond, length: 3, nullCount: 1, nullBitmap: bytesOf(0b101), data: BigInt64Array.of(2n ** 62n, 5n, -3n) });
  return { type, dtype: "int64", given: [data], read: [2n ** 62n, null, -3n], unit };
};
const strings = ["", "a", null, long, "twelve bytes", "thirteen byte", "\u0000"];
const blobs = strings.map((value) => (value === null ? null : text.encode(value)));

const types: readonly Typed[] = [
  { type: new Bool(), dtype: "bool", given: [true, null, false, true, true, false, true, false, true] },
  wholes(new Int8(), "int8", -128n, 127n), wholes(new Int16(), "int16", -32_768n, 32_767n), wholes(new Int32(), "int32", -(2n ** 31n), 2n ** 31n - 1n), wholes(new Int64(), "int64", -(2n ** 63n), 2n ** 63n - 1n),
  wholes(new Uint8(), "uint8", 0n, 255n), wholes(new Uint16(), "uint16", 0n, 65_535n), wholes(new Uint32(), "uint32", 0n, 2n ** 32n - 1n), wholes(new Uint64(), "uint64", 0n, 2n ** 64n - 1n),
  { type: new Float16(), dtype: "float32", given: [makeData({ type: new Float16(), length: 6, nullCount: 1, nullBitmap: bytesOf(0b110111), data: Uint16Array.of(0x3c00, 0xc100, 0x7bff, 0, 1, 0x7c00) })], read: [1, -2.5, 65_504, null, 2 ** -24, Infinity] },
  { type: new Float32(), dtype: "float32", given: [0.5, null, -Infinity, 2 ** -149] },
  { type: new Float64(), dtype: "float64", given: [0.1, null, Infinity, 5e-324] },
  { type: new Utf8(), dtype: "string", given: strings }, { type: new LargeUtf8(), dtype: "string", given: strings }, { type: new Utf8View(), dtype: "string", given: strings },
  { type: new Binary(), dtype: "bytes", given: blobs }, { type: new LargeBinary(), dtype: "bytes", given: blobs }, { type: new BinaryView(), dtype: "bytes", given: blobs },
  { type: new FixedSizeBinary(3), dtype: "bytes", given: [bytesOf(1, 2, 3), null, bytesOf(0, 0, 0)] },
  { type: new DateDay(), dtype: "date", given: [makeData({ type: new DateDay(), length: 3, nullCount: 1, nullBitmap: bytesOf(0b101), data: Int32Array.of(-719_528, 9, 20_000) })], read: [-719_528n, null, 20_000n] },
  { type: new DateMillisecond(), dtype: "date", given: [makeData({ type: new DateMillisecond(), length: 3, nullCount: 1, nullBitmap: bytesOf(0b101), data: BigInt64Array.of(-86_400_000n, 9n, 86_400_000n) })], read: [-1n, null, 1n] },
  times(new TimestampSecond(), 1_000_000_000n), times(new TimestampMillisecond("UTC"), 1_000_000n), times(new TimestampMicrosecond("Europe/Amsterdam"), 1_000n), times(new TimestampNanosecond(), 1n),
  durations(new DurationSecond(), "s"), durations(new DurationMillisecond(), "ms"), durations(new DurationMicrosecond(), "us"), durations(new DurationNanosecond(), "ns"),
  { type: new Dictionary(new Utf8(), new Int8()), dtype: "string", given: ["a", "b", null, "a", long] },
  { type: new Dictionary(new Utf8(), new Uint16()), dtype: "string", given: ["a", "b", null, "a", long] },
  { type: new Dictionary(new Int64(), new Int32()), dtype: "int64", given: [7n, 2n ** 62n, null, 7n] },
  { type: new Dictionary(new Binary(), new Int32()), dtype: "bytes", given: [bytesOf(255), null, bytesOf(255), bytesOf()] },
  { type: new Null(), dtype: "string", given: [null, null, null] },
];

const vectorOf = ({ type, given }: Typed): Vector => (typeof given[0] === "object" && given[0] !== null && "typeId" in given[0] ? makeVector(given[0] as never) : vectorFromArray(given, type));

describe("reading Arrow", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-arrow-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function readWhole(path: string, named: ReadonlyMap<string, Dtype> = new Map()): Promise<SourceValues & { columns: readonly object[]; claimedRows: number | null }> {
    const source = await openArrow(path, { ...plainOptions, types: named });
    try {
      return { ...await readSource(source, heldColumns(source).map((column) => ({ ...column, fixed: named.has(column.name) }))), columns: source.columns, claimedRows: source.rows };
    } finally {
      await source.close();
    }
  }

  for (const kind of ["file", "stream"] as const) {
    for (const codec of [undefined, "lz4", "zstd"] as const) {
      for (const typed of types) {
        it(`${typed.type as unknown as string} from a ${kind}${codec === undefined ? "" : ` compressed with ${codec}`}`, async () => {
          writeFileSync(file("t"), await encodeArrow(new Table({ v: vectorOf(typed) }), kind, codec));
          const { values, columns, rows, claimedRows } = await readWhole(file("t"));
          const expected = typed.read ?? typed.given;
          expect(columns).to.deep.equal([{ name: "v", dtype: typed.dtype, ...(typed.unit === undefined ? {} : { unit: typed.unit }) }]);
          expect(values.get("v")).to.deep.equal(expected);
          expect([rows, claimedRows]).to.deep.equal([expected.length, expected.length]);
        });
      }

      it(`several batches and columns of ${kind === "file" ? "a file" : "a stream"}, ${codec ?? "not compressed"}, with texts enough to be cut into parts`, async () => {
        const rows = 70_000;
        const words = Array.from({ length: rows }, (_, row) => (row % 9 === 4 ? null : `word ${row % 1_000}`));
        const table = new Table({
          n: makeVector(Int32Array.from({ length: rows }, (_, row) => row)), word: vectorFromArray(words, new Dictionary(new Utf8(), new Int32())), text: vectorFromArray(words, new Utf8()),
          view: vectorFromArray(words.map((word) => word && `${word} and more`), new Utf8View()), flag: vectorFromArray(words.map((word) => word && word.endsWith("7")), new Bool()), last: vectorFromArray(words, new Utf8View()),
        });
        writeFileSync(file("t"), await encodeArrow(table.concat(table), kind, codec));
        const { values, rows: found } = await readWhole(file("t"));
        expect(found).to.equal(2 * rows);
        const twice = <T>(list: readonly T[]): T[] => [...list, ...list];
        expect(values.get("n")).to.deep.equal(twice(words.map((_, row) => BigInt(row))));
        for (const name of ["word", "text", "last"]) expect(values.get(name), name).to.deep.equal(twice(words));
        expect(values.get("view")).to.deep.equal(twice(words.map((word) => word && `${word} and more`)));
        expect(values.get("flag")).to.deep.equal(twice(words.map((word) => word && word.endsWith("7"))));
      }).timeout(30_000);
    }
  }

  it("dictionaries that a stream replaces or adds to, of equal or other code widths", async () => {
    const [first, second] = [["a", "b", null, "a"], ["c", "b", "d", null]].map((words) => new Table({ v: vectorFromArray(words, new Dictionary(new Utf8(), new Int8(), 7)) }));
    writeFileSync(file("s"), await encodeArrow(first!.concat(second!), "stream"));
    expect((await readWhole(file("s"))).values.get("v")).to.deep.equal(["a", "b", null, "a", "c", "b", "d", null]);
    const grown = ["a", "b", "c"].map((_, at) => vectorFromArray(["a", "b", "c"].slice(0, at + 1), new Utf8()));
    const batches = grown.map((dictionary, at) => new Table({ v: makeVector(makeData({ type: new Dictionary(new Utf8(), new Int8(), 7), length: 1, data: Int8Array.of(at), dictionary })) }));
    writeFileSync(file("g"), await encodeArrow(batches[0]!.concat(batches[1]!, batches[2]!), "stream"));
    expect((await readWhole(file("g"))).values.get("v")).to.deep.equal(["a", "b", "c"]);
  });

  it("a stream as it was before version 0.15", async () => {
    const writer = RecordBatchStreamWriter.writeAll(new Table({ v: vectorFromArray(["x", null, "y"], new Utf8()) }), { writeLegacyIpcFormat: true, autoDestroy: true });
    writeFileSync(file("legacy"), await writer.toUint8Array());
    expect((await readWhole(file("legacy"))).values.get("v")).to.deep.equal(["x", null, "y"]);
  });

  it("columns between nested ones are found, which are refused by name", async () => {
    const item = new Field("item", new Int32(), true);
    const table = new Table({
      list: vectorFromArray([[1, 2], null, []], new List(item)), a: vectorFromArray([1, 2, 3], new Int8()), struct: vectorFromArray([{ item: 1 }, null, { item: 3 }], new Struct([item])),
      b: vectorFromArray(["x", null, "z"], new Utf8View()), map: vectorFromArray([{ k: 1 }, null, {}], new Map_<Utf8, Int32>(new Field("entries", new Struct<{ key: Utf8; value: Int32 }>([new Field("key", new Utf8(), false), item as never]), false))),
      time: vectorFromArray([1, 2, 3], new TimeMillisecond()), months: vectorFromArray([bytesOf(), bytesOf(), bytesOf()].map(() => Int32Array.of(1)), new IntervalYearMonth()), c: vectorFromArray(["last", null, ""], new Utf8()),
    });
    writeFileSync(file("t"), await encodeArrow(table, "file"));
    const { values, columns } = await readWhole(file("t"));
    expect(columns).to.deep.equal([
      { name: "list", refused: "nested" }, { name: "a", dtype: "int8" }, { name: "struct", refused: "nested" }, { name: "b", dtype: "string" }, { name: "map", refused: "nested" },
      { name: "time", refused: "time" }, { name: "months", refused: "interval" }, { name: "c", dtype: "string" },
    ]);
    expect([...values]).to.deep.equal([["a", [1n, 2n, 3n]], ["b", ["x", null, "z"]], ["c", ["last", null, ""]]]);
  });

  it("decimals are refused in words, and are what --types asks for", async () => {
    const words = Uint32Array.of(150, 0, 0, 0, 0xffff_ffe7, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 30_000, 0, 0, 0);
    writeFileSync(file("d"), await encodeArrow(new Table({ d: makeVector(makeData({ type: new Decimal(2, 10, 128), length: 3, data: words })) }), "file"));
    expect((await readWhole(file("d"))).columns).to.deep.equal([{ name: "d", refused: "decimal(10, 2)", isDecimal: true }]);
    const as = async (dtype: Dtype): Promise<SourceValues> => readWhole(file("d"), new Map([["d", dtype]]));
    expect((await as("float64")).values.get("d")).to.deep.equal([1.5, -0.25, 300]);
    expect((await as("string")).values.get("d")).to.deep.equal(["1.50", "-0.25", "300.00"]);
    const { values, rejects } = await as("int64");
    expect(values.get("d")).to.deep.equal([300n]);
    expect(rejects.map(({ line, reason }) => [line, reason])).to.deep.equal([[1, "column 'd' holds 1.50, which is no int64"], [2, "column 'd' holds -0.25, which is no int64"]]);
  });

  it("a column and a dictionary are read as another dtype, and rows that do not fit are rejected", async () => {
    const table = new Table({ i: vectorFromArray([1, 300, null], new Int32()), s: vectorFromArray(["7", "x", "-9"], new Dictionary(new Utf8(), new Int8())) });
    writeFileSync(file("w"), await encodeArrow(table, "stream"));
    const { values, rejects } = await readWhole(file("w"), new Map<string, Dtype>([["i", "string"], ["s", "int8"]]));
    expect([...values]).to.deep.equal([["i", ["1", null]], ["s", [7n, -9n]]]);
    expect(rejects).to.deep.equal([{ line: 2, reason: "column 's' holds x, which is no int8", text: "300,x" }]);
  });

  it("dates of milliseconds that are no whole days are an error that names the way out, and it is one", async () => {
    writeFileSync(file("m"), await encodeArrow(new Table({ m: makeVector(makeData({ type: new DateMillisecond(), length: 1, data: BigInt64Array.of(1n) })) }), "file"));
    const error = await failureOf(() => readWhole(file("m")));
    expect(error.message).to.include("'m'").and.include("--types");
    expect((await readWhole(file("m"), new Map([["m", "timestamp"]]))).values.get("m")).to.deep.equal([1_000_000n]);
  });

  it("a time beyond the nanoseconds of an int64 overflows by name", async () => {
    writeFileSync(file("far"), await encodeArrow(new Table({ far: makeVector(makeData({ type: new TimestampSecond(), length: 1, data: BigInt64Array.of(9_223_372_037n) })) }), "file"));
    const error = await failureOf(() => readWhole(file("far")));
    expect([error.code, error.message]).to.deep.equal(["OVERFLOW", `column 'far' of ${file("far")} holds a time outside 1677-09-22 to 2262-04-11; leave it out with --columns`]);
  });

  it("text that is not UTF-8 and codes past their dictionary are errors", async () => {
    const latin = makeData({ type: new Utf8(), length: 1, valueOffsets: Int32Array.of(0, 1), data: bytesOf(0xe9) });
    writeFileSync(file("latin"), await encodeArrow(new Table({ v: makeVector(latin) }), "file"));
    const code = makeData({ type: new Dictionary(new Utf8(), new Int8()), length: 1, data: Int8Array.of(1), dictionary: vectorFromArray(["only"], new Utf8()) });
    writeFileSync(file("code"), await encodeArrow(new Table({ v: makeVector(code) }), "file"));
    for (const [name, words] of [["latin", "not UTF-8"], ["code", "code 1 into a dictionary of 1 values"]] as const) {
      const error = await failureOf(() => readWhole(file(name)));
      expect([error.code, error.message], name).to.deep.equal(["BAD_INPUT", `cannot read column 'v' of ${file(name)} (it holds ${name === "latin" ? "text that is " : ""}${words}); write or copy the file again`]);
    }
  });

  it("no rows, no batches, odd names and twins", async () => {
    const names = ["__proto__", "a.b", "", "😀", "n".repeat(300)];
    const schema = new Schema(names.map((name) => new Field(name, new Int8(), true)));
    const fields = names.map((_, at) => makeData({ type: new Int8(), length: 1, data: Int8Array.of(at) }));
    writeFileSync(file("odd"), await encodeArrow(new Table(schema, [new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: 1, children: fields }))]), "file"));
    expect([...(await readWhole(file("odd"))).values]).to.deep.equal(names.map((name, at) => [name, [BigInt(at)]]));
    for (const kind of ["file", "stream"] as const) {
      writeFileSync(file("none"), await encodeArrow(new Table(schema, []), kind));
      expect((await readWhole(file("none"))).rows).to.equal(0);
    }
    const twins = new Schema(["v", "v"].map((name) => new Field(name, new Int8(), true)));
    writeFileSync(file("twins"), await encodeArrow(new Table(twins, []), "file"));
    expect((await failureOf(() => readWhole(file("twins")))).message).to.include("two columns of one name");
  });

  it("what is no Arrow file says what it is", async () => {
    writeFileSync(file("x.csv"), "a,b\n1,2\n");
    writeFileSync(file("empty"), "");
    writeFileSync(file("old"), "FEA1....FEA1");
    const whole = await encodeArrow(new Table({ a: vectorFromArray([1], new Int8()) }), "file");
    writeFileSync(file("cut"), whole.subarray(0, whole.length - 9));
    const cases = [["missing", "NOT_FOUND", "missing"], [".", "BAD_INPUT", "not a regular file"], ["x.csv", "BAD_INPUT", "x.csv"], ["empty", "BAD_INPUT", "empty"], ["old", "BAD_INPUT", "version 1"], ["cut", "BAD_INPUT", "without its end"]] as const;
    for (const [name, code, words] of cases) {
      const error = await failureOf(() => readWhole(file(name)));
      expect(error.code, name).to.equal(code);
      expect(error.message, name).to.include(words);
    }
  });

  it("an aborted read ends with CANCELLED", async () => {
    writeFileSync(file("a"), await encodeArrow(new Table({ a: vectorFromArray([1], new Int8()) }), "file"));
    const source = await openArrow(file("a"), plainOptions);
    const error = await failureOf(() => source.read(heldColumns(source), AbortSignal.abort()).next());
    await source.close();
    expect(error.code).to.equal("CANCELLED");
  });
});
