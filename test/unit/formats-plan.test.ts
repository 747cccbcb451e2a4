import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { isBitSet } from "../../lib/columns/dtypes.js";
import type { Batch } from "../../lib/columns/dtypes.js";
import { sliceBatch } from "../../lib/formats/batches.js";
import { agreeOnColumns } from "../../lib/formats/schema.js";
import type { Schema } from "../../lib/formats/schema.js";
import { planOutput, shardBounds } from "../../lib/formats/shards.js";
import { failureOf } from "../support/failure.js";

describe("the output of an import", () => {
  it("without shards is one table", () => {
    expect(planOutput({ output: "data/taxi.bcolz", rows: 5 })).to.deep.equal({ paths: ["data/taxi.bcolz"], set: false, bounds: [0, 5] });
  });

  it("with shards is a set, numbered from 0", () => {
    const plan = planOutput({ output: "data/taxi", rows: 5, shards: 2 });
    expect(plan).to.deep.equal({ paths: ["data/taxi-0.bcolzs", "data/taxi-1.bcolzs"], set: true, bounds: [0, 3, 5] });
  });

  it("by rows of a shard has the fewest shards that hold no more", () => {
    expect(planOutput({ output: "t", rows: 100, shardRows: 50 }).bounds).to.deep.equal([0, 50, 100]);
    expect(planOutput({ output: "t", rows: 101, shardRows: 50 }).bounds).to.deep.equal([0, 34, 68, 101]);
    expect(planOutput({ output: "t", rows: 0, shardRows: 50 }).bounds).to.deep.equal([0, 0]);
  });

  it("has contiguous shards equal within one row", () => {
    fc.assert(
      fc.property(fc.nat(10_000_000_000), fc.integer({ min: 1, max: 1000 }), (rows, count) => {
        const bounds = shardBounds(rows, count);
        const sizes = bounds.slice(1).map((end, shard) => end - bounds[shard]!);
        expect([bounds[0], bounds.at(-1), sizes.length]).to.deep.equal([0, rows, count]);
        expect(Math.max(...sizes) - Math.min(...sizes)).to.be.at.most(1);
      }),
    );
  });

  const wrong: readonly (readonly [string, Parameters<typeof planOutput>[0], string])[] = [
    ["a name without ending", { output: "d/taxi", rows: 1 }, "--shards"],
    ["an ending and shards", { output: "d/taxi.bcolz", rows: 1, shards: 2 }, "leave off .bcolz"],
    ["the name of a shard", { output: "d/taxi-0.bcolzs", rows: 1 }, "one shard"],
    ["both kinds of shards", { output: "taxi", rows: 1, shards: 2, shardRows: 3 }, "--shard-rows"],
    ["half a shard", { output: "taxi", rows: 1, shards: 0.5 }, "whole number"],
    ["no rows a shard", { output: "taxi", rows: 1, shardRows: 0 }, "whole number"],
    ["too many shards", { output: "taxi", rows: 1, shards: 100_001 }, "fewer"],
    ["a name outside the grammar", { output: "d/täxi.bcolz", rows: 1 }, "täxi"],
    ["a set name outside the grammar", { output: "d/a b", rows: 1, shards: 2 }, "a b"],
    ["a hidden name", { output: "d/.bcolz", rows: 1 }, ".bcolz"],
  ];
  for (const [what, request, words] of wrong) {
    it(`refuses ${what}`, async () => {
      const error = await failureOf(() => planOutput(request));
      expect(error.code).to.equal("USAGE");
      expect(error.message).to.include(words);
    });
  }
});

describe("the columns of an import", () => {
  const first: Schema = { path: "1.parquet", columns: [{ name: "origin", dtype: "string" }, { name: "delay", dtype: "int64" }, { name: "day", refused: "DATE" }] };
  const held = (path: string, ...columns: Schema["columns"]): Schema => ({ path, columns });

  it("are those named, in the order named", () => {
    expect(agreeOnColumns([first], ["delay", "origin"])).to.deep.equal([{ name: "delay", dtype: "int64" }, { name: "origin", dtype: "string" }]);
  });

  it("may stand in another order in a later input", () => {
    const a = held("1", { name: "x", dtype: "int64" }, { name: "y", dtype: "bool" });
    const b = held("2", { name: "y", dtype: "bool" }, { name: "x", dtype: "int64" });
    expect(agreeOnColumns([a, b], undefined).map(({ name }) => name)).to.deep.equal(["x", "y"]);
  });

  it("refuse a type that is not held and say which columns to take", async () => {
    const error = await failureOf(() => agreeOnColumns([first], undefined));
    expect(error.code).to.equal("UNSUPPORTED_DTYPE");
    expect(error.message).to.equal("column 'day' of 1.parquet is DATE, which no dtype holds exactly; leave it out with --columns origin,delay");
  });

  const cases: readonly (readonly [string, readonly Schema[], readonly string[] | undefined, string, string])[] = [
    ["an unknown name with the nearest", [first], ["orgin"], "UNKNOWN_COLUMN", "'origin'"],
    ["a name far from all with the list", [first], ["zzzzzzzz"], "UNKNOWN_COLUMN", "origin, delay, day"],
    ["a name given twice", [first], ["delay", "delay"], "USAGE", "'delay'"],
    ["no names", [first], [], "USAGE", "empty"],
    ["no inputs", [], undefined, "USAGE", "at least one file"],
    ["a column that a later input lacks", [held("1", { name: "x", dtype: "int64" }), held("2", { name: "y", dtype: "int64" })], undefined, "SCHEMA_MISMATCH", "'x' of 2"],
    ["a column of another dtype", [held("1", { name: "x", dtype: "int64" }), held("2", { name: "x", dtype: "string" })], undefined, "SCHEMA_MISMATCH", "is string, and int64 in 1"],
    ["a column that only a later input has", [held("1", { name: "x", dtype: "int64" }), held("2", { name: "x", dtype: "int64" }, { name: "y", dtype: "bool" })], undefined, "SCHEMA_MISMATCH", "'y' of 2"],
  ];
  for (const [what, schemas, names, code, words] of cases) {
    it(`refuse ${what}`, async () => {
      const error = await failureOf(() => agreeOnColumns(schemas, names));
      expect(error.code).to.equal(code);
      expect(error.message).to.include(words);
    });
  }

  it("may be missing or more in a later input where they are not chosen", () => {
    const other = held("2", { name: "delay", dtype: "int64" }, { name: "extra", refused: "nested" });
    expect(agreeOnColumns([first, other], ["delay"])).to.deep.equal([{ name: "delay", dtype: "int64" }]);
  });
});

describe("cutting a batch", () => {
  it("keeps every value and null at its row", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.bigInt({ min: 0n, max: 9n })), { minLength: 1, maxLength: 40 }), fc.nat(40), fc.nat(40), (values, a, b) => {
        const [start, end] = [Math.min(a, b, values.length), Math.min(Math.max(a, b), values.length)];
        const nulls = new Uint8Array(5);
        for (const [row, value] of values.entries()) if (value === null) nulls[row >> 3]! |= 1 << (row & 7);
        const batch: Batch = { dtype: "int64", rows: values.length, values: BigInt64Array.from(values.map((value) => value ?? 0n)), nulls };
        const slice = sliceBatch(batch, start, end);
        const found = Array.from({ length: slice.rows }, (_, row) => (isBitSet(slice.nulls, row) ? null : slice.values[row]));
        expect(found).to.deep.equal(values.slice(start, end));
      }),
    );
  });
});
