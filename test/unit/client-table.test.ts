import { inspect } from "node:util";
import { expect } from "chai";
import { describe, it } from "mocha";
import type { SharedStrings } from "../../lib/client/column-values.js";
import type { ResultColumn } from "../../lib/engine/finish.js";
import type { Lists, Values } from "../../lib/engine/values.js";
import type { Table } from "../../lib/client/table.js";
import { tableOf as tableOfRows } from "../support/result-columns.js";

function tableOf(...columns: ResultColumn[]): Table {
  return tableOfRows(columns, 2);
}

const int64 = (...values: bigint[]): BigInt64Array => BigInt64Array.from(values);
const texts = { offsets: Uint32Array.of(0, 2, 3), bytes: Uint8Array.of(0xc3, 0xa9, 0x61) };
const bias = 2n ** 63n;

/** Two values of each dtype as the engine holds them, the array a program gets, and the two cells. */
const cases: [Values, unknown, unknown[]][] = [
  [{ dtype: "bool", array: Uint8Array.of(1, 0) }, Uint8Array.of(1, 0), [true, false]],
  [{ dtype: "int8", array: int64(-128n, 127n) }, Int8Array.of(-128, 127), [-128, 127]],
  [{ dtype: "int16", array: int64(-32_768n, 32_767n) }, Int16Array.of(-32_768, 32_767), [-32_768, 32_767]],
  [{ dtype: "int32", array: int64(-(2n ** 31n), 5n) }, Int32Array.of(-(2 ** 31), 5), [-(2 ** 31), 5]],
  [{ dtype: "int64", array: int64(-bias, 2n ** 53n - 1n) }, int64(-bias, 2n ** 53n - 1n), [-bias, 2 ** 53 - 1]],
  [{ dtype: "uint8", array: int64(0n, 255n) }, Uint8Array.of(0, 255), [0, 255]],
  [{ dtype: "uint16", array: int64(1n, 65_535n) }, Uint16Array.of(1, 65_535), [1, 65_535]],
  [{ dtype: "uint32", array: int64(7n, 2n ** 32n - 1n) }, Uint32Array.of(7, 2 ** 32 - 1), [7, 2 ** 32 - 1]],
  [{ dtype: "uint64", array: int64(3n - bias, bias - 1n) }, BigUint64Array.of(3n, 2n ** 64n - 1n), [3, 2n ** 64n - 1n]],
  [{ dtype: "float32", array: Float64Array.of(Math.fround(0.1), -Infinity) }, Float32Array.of(0.1, -Infinity), [Math.fround(0.1), -Infinity]],
  [{ dtype: "float64", array: Float64Array.of(0.1, 2) }, Float64Array.of(0.1, 2), [0.1, 2]],
  [{ dtype: "string", ...texts }, ["é", "a"], ["é", "a"]],
  [{ dtype: "timestamp", array: int64(0n, -1n) }, int64(0n, -1n), ["1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999999999Z"]],
  [{ dtype: "date", array: int64(-1n, 16_860n) }, Int32Array.of(-1, 16_860), ["1969-12-31", "2016-02-29"]],
  [{ dtype: "bytes", ...texts }, [Uint8Array.of(0xc3, 0xa9), Uint8Array.of(0x61)], [Uint8Array.of(0xc3, 0xa9), Uint8Array.of(0x61)]],
];

describe("a result", () => {
  for (const [values, array, cells] of cases) {
    it(`has ${values.dtype} as an array of that dtype, and in rows as what is exact`, () => {
      const table = tableOf({ name: "v", values, isNull: null });
      const column = table.column("v");
      expect(column.dtype).to.equal(values.dtype);
      expect(column.values).to.deep.equal(array);
      expect(column.values).to.equal(column.values);
      expect(table.rows().map((row) => row["v"])).to.deep.equal(cells);
    });
  }

  it("has null where the value is missing, whatever its array holds there", () => {
    for (const [values] of cases) {
      const column = tableOf({ name: "v", values, isNull: Uint8Array.of(1, 0) }).column("v");
      expect([column.get(0), column.isNull(0), column.isNull(1)]).to.deep.equal([null, true, false]);
      expect(column.values).to.have.length(2);
    }
  });

  it("gives every reader arrays of its own where several tables have the same columns", () => {
    const made = new Map<string, readonly string[]>();
    const shared: SharedStrings = (column, make) => {
      made.set(column, made.get(column) ?? make());
      return made.get(column)!;
    };
    for (const [values, array] of cases) {
      const list: Lists = { dtype: "list", item: values, offsets: Uint32Array.of(0, 2, 2) };
      for (let k = 0; k < 3; k++) {
        const table = tableOfRows([{ name: values.dtype, values, isNull: null }, { name: `list of ${values.dtype}`, values: list, isNull: null }], 2, shared);
        const [own, lists] = table.columns.map(({ name }) => table.column(name).values as unknown[]);
        expect([own, lists![0]]).to.deep.equal([array, array]);
        for (const spoiled of [own!, lists![0] as unknown[]]) {
          for (const item of spoiled) if (item instanceof Uint8Array) item.fill(7);
          spoiled.copyWithin(0, 1);
        }
        lists!.reverse();
      }
    }
  });

  it("gives bytes that are the reader's own", () => {
    const column = tableOf({ name: "v", values: { dtype: "bytes", ...texts }, isNull: null }).column("v");
    const cell = column.get(0);
    if (cell instanceof Uint8Array) cell.fill(0);
    expect(column.get(0)).to.deep.equal(Uint8Array.of(0xc3, 0xa9));
  });

  it("has lists as arrays of the arrays of their items, and in rows as lists of cells", () => {
    for (const [item, array, cells] of cases) {
      const values: Lists = { dtype: "list", item, offsets: Uint32Array.of(0, 0, 2) };
      const table = tableOf({ name: "v", values, isNull: null });
      expect(table.columns).to.deep.equal([{ name: "v", dtype: "list", item: item.dtype }]);
      const column = table.column("v");
      expect([column.dtype, column.item]).to.deep.equal(["list", item.dtype]);
      expect(column.values).to.have.length(2);
      expect(column.values[0]).to.have.length(0);
      expect(column.values[1]).to.deep.equal(array);
      expect(table.rows().map((row) => row["v"])).to.deep.equal([[], cells]);
      expect(tableOf({ name: "v", values, isNull: Uint8Array.of(0, 1) }).rows().map((row) => row["v"])).to.deep.equal([[], null]);
    }
  });

  it("has the edges of a histogram, and how many values lie under and over", () => {
    const counts: Values = { dtype: "int64", array: int64(1n, 2n, 3n, 4n) };
    const bins = { edges: [{ dtype: "date" as const, array: int64(0n, 1n, 3n) }], under: { dtype: "int64" as const, array: int64(5n, 6n) }, over: { dtype: "int64" as const, array: int64(0n, 7n) } };
    const column = tableOf({ name: "h", values: { dtype: "list", item: counts, offsets: Uint32Array.of(0, 2, 4) }, isNull: null, bins }).column("h");
    expect(column.bins).to.deep.equal({ edges: [Int32Array.of(0, 1, 3)], under: int64(5n, 6n), over: int64(0n, 7n) });
    expect(column.get(1)).to.deep.equal([3, 4]);
  });

  it("prints lists, of long ones the first and last items", () => {
    const item: Values = { dtype: "int64", array: BigInt64Array.from({ length: 22 }, (_, at) => BigInt(at)) };
    expect(tableOf({ name: "v", values: { dtype: "list", item, offsets: Uint32Array.of(0, 2, 22) }, isNull: null }).toString().split("\n").slice(2)).to.deep.equal([
      "[0, 1]", "[2, 3, 4, 5, ..., 18, 19, 20, 21]",
    ]);
  });

  it("prints numbers to the right, dates as text and bytes in hexadecimal", () => {
    const columns = cases.filter(([{ dtype }]) => ["uint64", "float32", "date", "bytes"].includes(dtype)).map(([values]) => ({ name: values.dtype, values, isNull: null }));
    expect(tableOf(...columns).toString()).to.equal([
      "              uint64    float32  date        bytes",
      "--------------------  ---------  ----------  ------",
      "                   3        0.1  1969-12-31  \\xc3a9",
      "18446744073709551615  -Infinity  2016-02-29  \\x61",
    ].join("\n"));
  });

  it("is shown by console.log as that table, and a column with its values", () => {
    const table = tableOf({ name: "n", values: { dtype: "int64", array: int64(1n, 2n) }, isNull: null });
    expect(inspect(table)).to.equal(table.toString());
    expect(inspect(table.column("n"))).to.equal("{ dtype: 'int64', values: BigInt64Array(2) [ 1n, 2n ] }");
  });
});
