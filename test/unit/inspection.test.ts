import { expect } from "chai";
import { describe, it } from "mocha";
import { displayWidth } from "../../lib/base/text-width.js";
import { formatInspection, joinInspections } from "../../lib/cli/inspection.js";
import type { ColumnInspection, Shown, TableInspection } from "../../lib/columns/inspect.js";
import type { Dtype } from "../../lib/columns/dtypes.js";

function shard(index: number, columns: readonly Partial<ColumnInspection>[]): TableInspection {
  const whole = columns.map((column): ColumnInspection => ({
    name: "c", dtype: "int64", nullable: false, chunks: 1, encodings: { plain: 1 }, filters: { none: 1 }, codecs: { raw: 1 },
    storedBytes: 10, rawBytes: 20, nulls: 0, minimum: null, maximum: null, distinct: null, ...column,
  }));
  return { name: `t-${index}.bcolzs`, generation: "0".repeat(64), rows: 100, bytes: 50, changedMs: 0, set: { id: "0".repeat(32), index, count: 2 }, sort: null, columns: whole };
}

describe("joining inspections", () => {
  const extremes: readonly (readonly [Dtype, Shown, Shown, Shown, Shown])[] = [
    ["int64", 9, "9007199254740993", 9, "9007199254740993"],
    ["int64", "9007199254740994", "9007199254740993", "9007199254740993", "9007199254740994"],
    ["int64", -5, "-9223372036854775808", "-9223372036854775808", -5],
    ["float64", "Infinity", 1e300, 1e300, "Infinity"],
    ["float64", 0.5, "-Infinity", "-Infinity", 0.5],
    ["bool", true, false, false, true],
    ["string", "b", "B", "B", "b"],
    ["string", "\uffff", "😀", "\uffff", "😀"],
    ["timestamp", "2001-01-01T00:00:00.5Z", "2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z", "2001-01-01T00:00:00.5Z"],
    ["int64", null, 3, 3, 3],
    ["string", null, null, null, null],
  ];
  for (const [dtype, a, b, least, greatest] of extremes) {
    it(`the extremes of ${dtype} ${a} and ${b} are ${least} and ${greatest}, in either order`, () => {
      for (const [first, second] of [[a, b], [b, a]] as const) {
        const shards = [first, second].map((value, index) => shard(index, [{ dtype, minimum: value, maximum: value }]));
        const [column] = joinInspections("t", shards).columns;
        expect([column!.minimum, column!.maximum]).to.deep.equal([least, greatest]);
      }
    });
  }

  it("rows, bytes, nulls and chunks add up, dictionaries are shared", () => {
    const shards = [shard(0, [{ nulls: 1, distinct: 7, encodings: { plain: 1, constant: 2 } }]), shard(1, [{ nulls: 2, distinct: 7, encodings: { plain: 1 }, nullable: true }])];
    const joined = joinInspections("t", shards);
    expect([joined.name, joined.rows, joined.bytes]).to.deep.equal(["t", 200, 100]);
    expect(joined.columns[0]).to.deep.include({ nulls: 3, distinct: 7, chunks: 2, storedBytes: 20, rawBytes: 40, nullable: true, encodings: { plain: 2, constant: 2 } });
  });
});

describe("the text of an inspection", () => {
  it("stays within 80 cells whatever the names, counts and values", () => {
    const wild = { name: "列".repeat(40), nulls: 123_456_789_012, distinct: 1_048_576, minimum: "x\u001b[2J".repeat(20), maximum: "東".repeat(64), storedBytes: 1e15, rawBytes: 1e19, encodings: { constant: 1, narrowed: 1, dictionary: 1, plain: 1 } };
    const text = formatInspection(joinInspections("t", [shard(0, [wild, { storedBytes: 0, rawBytes: 0 }])]));
    for (const line of text.split("\n")) expect(displayWidth(line), line).to.be.at.most(80);
    expect(text).not.to.include("\u001b");
  });
});
