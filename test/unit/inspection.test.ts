import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { displayWidth } from "../../lib/base/text-width.js";
import { formatInspection, inspectionToJson, joinInspections } from "../../lib/cli/inspection.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import type { Extreme } from "../../lib/columns/files/index.js";
import { inspectTable, joinExtremes, showExtreme, type ColumnInspection, type Shown, type TableInspection } from "../../lib/columns/read/inspect.js";
import { writeTable } from "../support/write-table.js";

function shard(index: number, columns: readonly Partial<ColumnInspection>[]): TableInspection {
  const whole = columns.map((column): ColumnInspection => ({
    name: "c", dtype: "int64", unit: null, nullable: false, rows: 100, chunks: 1, encodings: { plain: 1 }, filters: { none: 1 }, codecs: { raw: 1 },
    storedBytes: 10, rawBytes: 20, isRawEstimated: false, nulls: 0, minimum: 0n, isMinimumCut: false, maximum: 0n, isMaximumCut: false, distinct: null, ...column,
  }));
  const generation = String(index).repeat(64);
  return { name: `t-${index}.bcolzs`, generation, generations: [{ id: generation, changedMs: 0 }], rows: 100, bytes: 50, changedMs: 0, set: { id: "0".repeat(32), index, count: 2 }, sort: null, columns: whole, refused: [] };
}

const text = (value: string): Uint8Array => Buffer.from(value);

describe("joining inspections", () => {
  const extremes: readonly (readonly [Dtype, Extreme | null, Extreme | null, Extreme | null, Extreme | null])[] = [
    ["int64", 2n ** 53n + 2n, 2n ** 53n + 1n, 2n ** 53n + 1n, 2n ** 53n + 2n],
    ["uint64", -(2n ** 63n), 5n, -(2n ** 63n), 5n],
    ["float64", Infinity, 1e300, 1e300, Infinity],
    ["bool", 1n, 0n, 0n, 1n],
    ["string", text("\uffff"), text("😀"), text("\uffff"), text("😀")],
    ["timestamp", 5n, -5n, -5n, 5n],
  ];
  for (const [dtype, a, b, least, greatest] of extremes) {
    it(`the extremes of ${dtype} ${String(a)} and ${String(b)} are ${String(least)} and ${String(greatest)}, in either order`, () => {
      for (const [first, second] of [[a, b], [b, a]] as const) {
        const shards = [first, second].map((value, index) => shard(index, [{ dtype, minimum: value, maximum: value }]));
        const [column] = joinInspections("t", shards).columns;
        expect([column!.minimum, column!.maximum]).to.deep.equal([least, greatest]);
      }
    });
  }

  it("a shard of nulls alone has no say in the extremes, one that does not know its own leaves them unknown", () => {
    const known = shard(0, [{ minimum: 3n, maximum: 4n }]);
    const nulls = shard(1, [{ minimum: null, maximum: null, nulls: 100 }]);
    expect(joinInspections("t", [nulls, known]).columns[0]).to.include({ minimum: 3n, maximum: 4n });
    expect(joinInspections("t", [known, shard(1, [{ minimum: 1n, maximum: null }])]).columns[0]).to.include({ minimum: 1n, maximum: null });
  });

  it("shards of different columns are not joined", () => {
    for (const [first, second] of [[[{}], [{}, { name: "d" }]], [[{}, { name: "d" }], [{}]], [[{}], [{ dtype: "float64" }]]] as const) {
      expect(() => joinInspections("t", [shard(0, first), shard(1, second)])).to.throw("t-1.bcolzs has other columns than t-0.bcolzs; inspect them apart").with.property("code", "SCHEMA_MISMATCH");
    }
  });

  it("rows, bytes, nulls and chunks add up, dictionaries are shared", () => {
    const shards = [shard(0, [{ nulls: 1, distinct: 7, encodings: { plain: 1, constant: 2 } }]), shard(1, [{ nulls: 2, distinct: 7, encodings: { plain: 1 }, nullable: true }])];
    const joined = joinInspections("t", shards);
    expect([joined.name, joined.rows, joined.bytes]).to.deep.equal(["t", 200, 100]);
    expect(joined.columns[0]).to.deep.include({ rows: 200, nulls: 3, distinct: 7, chunks: 2, storedBytes: 20, rawBytes: 40, nullable: true, encodings: { plain: 2, constant: 2 } });
  });
});

describe("an extreme as people and JSON see it", () => {
  const cases: readonly (readonly [Dtype, Extreme | null, Shown])[] = [
    ["bool", 1n, true], ["int8", -128n, -128], ["int64", 2n ** 53n, "9007199254740992"], ["uint64", 3n - 2n ** 63n, 3], ["uint64", 2n ** 63n - 1n, "18446744073709551615"],
    ["float64", Infinity, "Infinity"], ["float32", 0.5, 0.5], ["timestamp", 1n, "1970-01-01T00:00:00.000000001Z"], ["date", -1n, "1969-12-31"],
    ["string", text("é"), "é"], ["string", text(`${"x".repeat(62)}é`), `${"x".repeat(62)}é`], ["bytes", Uint8Array.of(0, 255), "\\x00ff"],
    ["bytes", new Uint8Array(64), `\\x${"00".repeat(64)}`], ["string", null, null],
  ];
  it("is the value, whatever its length", () => {
    for (const [dtype, value, shown] of cases) expect(showExtreme(value, dtype, false), dtype).to.equal(shown);
  });

  it("that is cut is what is certain of it, whatever its length", () => {
    expect(showExtreme(text(`${"x".repeat(62)}é`), "string", true)).to.equal(`${"x".repeat(62)}…`);
    expect(showExtreme(new Uint8Array(64), "bytes", true)).to.equal(`\\x${"00".repeat(63)}…`);
    expect(showExtreme(Uint8Array.of(1, 3), "bytes", true)).to.equal("\\x01…");
  });

  it("of several parts is cut only where the part that has it says so", () => {
    const cut = { minimum: text("a"), isMinimumCut: true, maximum: text("b"), isMaximumCut: true, rows: 1, nulls: 0 };
    const exact = { minimum: text("a"), isMinimumCut: false, maximum: text("c"), isMaximumCut: false, rows: 1, nulls: 0 };
    const unknown = { minimum: text("0"), isMinimumCut: false, maximum: null, isMaximumCut: true, rows: 1, nulls: 0 };
    for (const parts of [[cut, exact], [exact, cut]]) expect(joinExtremes(parts)).to.deep.equal({ minimum: text("a"), isMinimumCut: false, maximum: text("c"), isMaximumCut: false });
    expect(joinExtremes([cut])).to.include({ isMinimumCut: true, isMaximumCut: true });
    expect(joinExtremes([exact, unknown])).to.deep.equal({ minimum: text("0"), isMinimumCut: false, maximum: null, isMaximumCut: true });
  });
});

describe("the inspection of a table", () => {
  it("tells extremes that statistics cut from those of the same length that they did not", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bqueryd-inspect-"));
    try {
      const raised = new Uint8Array(70).fill(0x61).fill(0xff, 63);
      const path = join(folder, "t.bcolz");
      await writeTable(path, [
        { name: "b", dtype: "bytes", values: [Uint8Array.of(1), raised] },
        { name: "s", dtype: "string", values: ["x".repeat(64), "y".repeat(64)] },
        { name: "long", dtype: "string", values: ["x".repeat(65), "z"] },
      ]);
      const columns = inspectTable(path).columns.map(({ isMinimumCut, isMaximumCut }) => [isMinimumCut, isMaximumCut]);
      expect(columns).to.deep.equal([[false, true], [false, false], [true, false]]);
      const json = inspectionToJson(joinInspections("t", [inspectTable(path)])) as { columns: Record<string, unknown>[] };
      expect(json.columns[0]).to.include({ min: "\\x01", min_truncated: false, max: `\\x${"61".repeat(62)}…`, max_truncated: true });
      expect(json.columns[1]).to.include({ min: "x".repeat(64), max: "y".repeat(64), max_truncated: false });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("counts raw bytes by the width of the dtype and the lengths of texts, whatever is stored", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bqueryd-inspect-"));
    try {
      const path = join(folder, "t.bcolz");
      const rows = 1_000;
      const generation = await writeTable(path, [
        { name: "i8", dtype: "int8", values: Array.from({ length: rows }, (_, row) => BigInt(row % 9)) },
        { name: "u64", dtype: "uint64", values: Array.from({ length: rows }, () => 2n ** 64n - 1n) },
        { name: "f32", dtype: "float32", values: Array.from({ length: rows }, (_, row) => (row === 0 ? null : row / 4)) },
        { name: "day", dtype: "date", values: Array.from({ length: rows }, () => 0n) },
        { name: "coded", dtype: "string", values: Array.from({ length: rows }, (_, row) => (row % 2 === 0 ? "abc" : "defgh")) },
        { name: "none", dtype: "bytes", values: Array.from({ length: rows }, () => null) },
      ]);
      const inspected = inspectTable(path);
      expect(inspected.columns.map(({ rawBytes, isRawEstimated }) => [rawBytes, isRawEstimated])).to.deep.equal([[1_000, false], [8_000, false], [4_000, false], [4_000, false], [4_000, true], [0, false]]);
      expect(inspected.columns.map(({ nulls, distinct }) => [nulls, distinct])).to.deep.equal([[0, null], [0, null], [1, null], [0, null], [0, 2], [1_000, null]]);
      expect(inspected.generations.map(({ id }) => id)).to.deep.equal([generation]);
      expect(inspected.generations[0]!.changedMs).to.be.a("number");
      const json: unknown = JSON.parse(JSON.stringify(inspectionToJson(joinInspections("t", [inspected]))));
      expect(json).to.have.nested.property("columns[1]").that.includes({ dtype: "uint64", min: "18446744073709551615", max: "18446744073709551615", raw_bytes: 8_000, raw_estimated: false, unit: null });
      expect(json).to.have.nested.property("tables[0].generations").with.length(1);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("counts the bytes of plain texts without their offsets", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bqueryd-inspect-"));
    try {
      const values = Array.from({ length: 70_000 }, (_, row) => (row % 5 === 0 ? null : `value ${row % 10_000}`));
      await writeTable(join(folder, "t.bcolz"), [{ name: "s", dtype: "string", values }], { dictionaryValuesMax: 8 });
      const [column] = inspectTable(join(folder, "t.bcolz")).columns;
      expect(column).to.include({ rawBytes: values.reduce((sum, value) => sum + (value?.length ?? 0), 0), isRawEstimated: false, distinct: null });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("the text of an inspection", () => {
  const wild: Partial<ColumnInspection> & { name: string } = {
    name: "列".repeat(40), dtype: "timestamp", unit: "nanoseconds", nulls: 123_456_789_012, distinct: 1_048_576, minimum: text("x\u001b[2J".repeat(12)), maximum: text("東".repeat(21)),
    storedBytes: 1e15, rawBytes: 1e19, isRawEstimated: true, encodings: { constant: 1, narrowed: 1, decimal: 2, dictionary: 1, plain: 1 }, codecs: { raw: 1, lz4: 1, zstd: 1 },
  };

  it("stays within the width of the terminal whatever the names, counts and values", () => {
    for (const width of [0, 80, 97, 120, 200]) {
      for (const dtype of ["string", "bytes"] as const) {
        const printed = formatInspection(joinInspections("t", [shard(0, [{ ...wild, dtype }, { storedBytes: 0, rawBytes: 0 }]), shard(1, [{ name: wild.name, dtype }, {}])]), width);
        for (const line of printed.split("\n")) expect(displayWidth(line), `${width}: ${line}`).to.be.at.most(Math.max(80, width));
        expect(printed).not.to.include("\u001b");
      }
    }
  });

  it("shows names and values whole where there is room, and the bytes of each column as a bar", () => {
    const columns = [{ name: "a".repeat(30), storedBytes: 800 }, { name: "b", storedBytes: 400, minimum: 2n ** 62n, maximum: 2n ** 63n - 1n }];
    const printed = formatInspection(joinInspections("t", [shard(0, columns)]), 160);
    const lines = printed.split("\n");
    expect(lines.find((line) => line.startsWith("a".repeat(30)))).to.match(/ █{40}$/);
    expect(lines.find((line) => line.startsWith("b"))).to.match(/ █{20}$/);
    expect(printed).to.include("9223372036854775807");
    expect(lines.find((line) => line.startsWith("b")), "the codec of what is stored as it is").to.match(/^b +int64 +plain +none +400 B/);
    expect(formatInspection(joinInspections("t", [shard(0, [wild])]), 80)).not.to.include("█");
  });

  it("names the columns that cannot be read, and leaves out what is not known", () => {
    const table = { ...shard(0, [{ rawBytes: null, encodings: {}, codecs: {} }]), refused: [{ name: "thing", reason: "of Python objects" }] };
    const printed = formatInspection(joinInspections("t", [table]), 80);
    expect(printed).to.match(/\nthing is of Python objects, which no dtype holds\n$/).and.to.match(/\ncolumn +dtype +stored +share\n[- ]+\nc +int64 +10 B +█+\n/);
  });

  it("tells a set by its shards, and marks counts of distinct values as bounds", () => {
    const printed = formatInspection(joinInspections("t", [shard(0, [{ distinct: 12 }]), shard(1, [{ distinct: 12 }])]), 80);
    expect(printed).to.match(/^t: 200 rows in 2 shards, 1 column, 100 B\nchanged 1970-01-01 00:00:00Z\n/);
    expect(printed).to.include("≤ 12");
  });

  it("tells the generations a table keeps, the one in use first", () => {
    const table = { ...shard(0, [{}]), set: null, sort: "c", generations: [{ id: "ab".repeat(32), changedMs: 86_400_000 }, { id: "cd".repeat(32), changedMs: null }] };
    expect(formatInspection(joinInspections("t", [table]), 80)).to.include("\nsorted by c\ngeneration abababababab of 1970-01-02 00:00:00Z\nkept before: cdcdcdcdcdcd\n");
  });
});
