import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { dtypes } from "../../lib/columns/dtypes.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { agreeOnColumns, widenColumns } from "../../lib/formats/import/schema.js";
import type { ColumnChoice, Schema } from "../../lib/formats/import/schema.js";
import { planOutput, shardBounds } from "../../lib/formats/import/shards.js";
import { inferColumn, kinds } from "../../lib/formats/values/infer.js";
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
  const choose = (...columns: readonly string[]): ColumnChoice => ({ columns, types: new Map() });
  const typed = (name: string, dtype: Dtype): ColumnChoice => ({ columns: undefined, types: new Map([[name, dtype]]) });
  const all: ColumnChoice = { columns: undefined, types: new Map() };
  const first: Schema = { path: "1.parquet", nature: "described", columns: [{ name: "origin", dtype: "string" }, { name: "delay", dtype: "int64" }, { name: "day", refused: "a list" }] };
  const held = (path: string, ...columns: Schema["columns"]): Schema => ({ path, columns, nature: "described" });
  const text = (path: string, ...columns: Schema["columns"]): Schema => ({ path, columns, nature: "inferred" });
  const open = (path: string, ...columns: Schema["columns"]): Schema => ({ path, columns, nature: "open" });
  const dtypesOf = (schemas: readonly Schema[], choice = all): string[] => agreeOnColumns(schemas, choice).map(({ name, dtype, fixed, describedBy }) => `${name} ${dtype}${fixed ? " fixed" : ""}${describedBy === null ? "" : ` by ${describedBy}`}`);

  it("are those named, in the order named", () => {
    expect(dtypesOf([first], choose("delay", "origin"))).to.deep.equal(["delay int64 by 1.parquet", "origin string by 1.parquet"]);
  });

  it("may stand in another order in a later input", () => {
    const a = held("1", { name: "x", dtype: "int64" }, { name: "y", dtype: "bool" });
    const b = held("2", { name: "y", dtype: "bool" }, { name: "x", dtype: "int64" });
    expect(agreeOnColumns([a, b], all).map(({ name }) => name)).to.deep.equal(["x", "y"]);
  });

  it("have the dtype that holds what the samples of all texts hold", () => {
    const found: readonly Dtype[] = ["int64", "uint64", "float64", "date"];
    const texts = found.map((dtype, index) => text(`${index}.csv`, { name: "x", dtype }));
    expect(dtypesOf(texts.slice(0, 2))).to.deep.equal(["x uint64"]);
    expect(dtypesOf([texts[0]!, texts[2]!])).to.deep.equal(["x float64"]);
    expect(dtypesOf(texts)).to.deep.equal(["x string"]);
  });

  it("have the dtype of an input that has its own where text may be of it", () => {
    expect(dtypesOf([text("1.csv", { name: "x", dtype: "int64" }), held("2.parquet", { name: "x", dtype: "int16" })])).to.deep.equal(["x int16 by 2.parquet"]);
    expect(dtypesOf([text("1.csv", { name: "x", dtype: "int64" }), held("2.parquet", { name: "x", dtype: "float32" })])).to.deep.equal(["x float32 by 2.parquet"]);
    expect(dtypesOf([text("1.csv", { name: "x", dtype: "date" }), held("2.parquet", { name: "x", dtype: "timestamp" })])).to.deep.equal(["x timestamp by 2.parquet"]);
    expect(dtypesOf([text("1.csv", { name: "x", dtype: "bool" }), held("2.parquet", { name: "x", dtype: "string" })])).to.deep.equal(["x string by 2.parquet"]);
  });

  it("are of anything else where a text has no values of them, and strings where none has", () => {
    const empty = text("1.csv", inferColumn("x", 0));
    expect(dtypesOf([empty, empty])).to.deep.equal(["x string"]);
    for (const seen of [kinds.bool, kinds.whole, kinds.big, kinds.float, kinds.date, kinds.text]) {
      const { dtype } = inferColumn("x", seen);
      expect([dtypesOf([empty, text("2.csv", inferColumn("x", seen))]), dtypesOf([text("2.csv", inferColumn("x", seen)), empty])]).to.deep.equal([[`x ${dtype}`], [`x ${dtype}`]]);
    }
    for (const dtype of dtypes) expect(dtypesOf([empty, held("2.parquet", { name: "x", dtype })])).to.deep.equal([`x ${dtype} by 2.parquet`]);
  });

  it("have the dtype that the user names, whatever the texts look like", () => {
    expect(dtypesOf([text("1.csv", { name: "x", dtype: "string" }), text("2.csv", { name: "x", dtype: "int64" })], typed("x", "uint8"))).to.deep.equal(["x uint8 fixed"]);
  });

  it("of inputs without a list of columns are those of all of them", () => {
    expect(dtypesOf([open("1", { name: "x", dtype: "int64" }), open("2", { name: "y", dtype: "bool" })])).to.deep.equal(["x int64", "y bool"]);
    expect(dtypesOf([held("t.bcolz", { name: "x", dtype: "int8" }, { name: "y", dtype: "bool" }), open("2", { name: "y", dtype: "bool" })])).to.deep.equal(["x int8 by t.bcolz", "y bool by t.bcolz"]);
    expect(dtypesOf([open("1", { name: "x", dtype: "int64" })], { columns: ["late"], types: new Map([["late", "date"]]) })).to.deep.equal(["late date fixed"]);
  });

  it("keep the unit of what they count", () => {
    const counted = (path: string, unit: string): Schema => held(path, { name: "x", dtype: "int64", unit });
    expect(agreeOnColumns([counted("1", "ns"), counted("2", "ns")], all)[0]).to.include({ name: "x", dtype: "int64", unit: "ns" });
    expect(() => agreeOnColumns([counted("1", "ns"), counted("2", "ms")], all)).to.throw("column 'x' of 2 is int64 in ms, and int64 in ns in 1");
  });

  it("refuse a type that is not held and say which columns to take", async () => {
    const error = await failureOf(() => agreeOnColumns([first], all));
    expect(error.code).to.equal("UNSUPPORTED_DTYPE");
    expect(error.message).to.equal("1.parquet has columns that no dtype holds exactly: 'day' is a list; leave them out with --columns origin,delay");
  });

  const cases: readonly (readonly [string, readonly Schema[], ColumnChoice, string, string])[] = [
    ["an unknown name with the nearest", [first], choose("orgin"), "UNKNOWN_COLUMN", "'origin'"],
    ["a name far from all with the list", [first], choose("zzzzzzzz"), "UNKNOWN_COLUMN", "origin, delay, day"],
    ["a name given twice", [first], choose("delay", "delay"), "USAGE", "'delay'"],
    ["no names", [first], choose(), "USAGE", "empty"],
    ["no inputs", [], all, "USAGE", "at least one file"],
    ["a dtype for an unknown name with the nearest", [held("1", { name: "delay", dtype: "int64" })], typed("dely", "int64"), "UNKNOWN_COLUMN", "'delay'"],
    ["a column that a later input lacks", [held("1", { name: "x", dtype: "int64" }), held("2", { name: "y", dtype: "int64" })], all, "SCHEMA_MISMATCH", "'x' of 2"],
    ["a column of another dtype", [held("1", { name: "x", dtype: "int64" }), held("2", { name: "x", dtype: "string" })], all, "SCHEMA_MISMATCH", "is string, and int64 in 1"],
    ["a column that only a later input has", [held("1", { name: "x", dtype: "int64" }), held("2", { name: "x", dtype: "int64" }, { name: "y", dtype: "bool" })], all, "SCHEMA_MISMATCH", "'y' of 2"],
    ["text that cannot be what another input has", [text("1.csv", { name: "x", dtype: "string" }), held("2", { name: "x", dtype: "int64" })], all, "SCHEMA_MISMATCH", "'x' of 1.csv is string, and int64 in 2"],
    ["a key that the table it is for has not", [held("t.bcolz", { name: "x", dtype: "int64" }), open("2", { name: "y", dtype: "bool" })], all, "SCHEMA_MISMATCH", "'y' of 2 is not in t.bcolz"],
    ["a key that no object has", [open("1", { name: "x", dtype: "int64" })], choose("y"), "UNKNOWN_COLUMN", "'y'"],
  ];
  for (const [what, schemas, choice, code, words] of cases) {
    it(`refuse ${what}`, async () => {
      const error = await failureOf(() => agreeOnColumns(schemas, choice));
      expect(error.code).to.equal(code);
      expect(error.message).to.include(words);
    });
  }

  it("may be missing or more in a later input where they are not chosen", () => {
    const other = held("2", { name: "delay", dtype: "int64" }, { name: "extra", refused: "nested" });
    expect(dtypesOf([first, other], choose("delay"))).to.deep.equal(["delay int64 by 1.parquet"]);
  });

  it("widen with what is met, get new ones at the end, and keep what is given", async () => {
    const columns = agreeOnColumns([open("1", { name: "x", dtype: "int64" }, { name: "y", dtype: "string" })], all);
    const wider = widenColumns(columns, new Map([["x", kinds.float], ["z", kinds.bool]]), { path: "1", isChosen: false });
    expect(wider.map(({ name, dtype }) => [name, dtype])).to.deep.equal([["x", "float64"], ["y", "string"], ["z", "bool"]]);
    expect((await failureOf(() => widenColumns(columns, new Map([["z", kinds.bool]]), { path: "1", isChosen: true }))).code).to.equal("SCHEMA_MISMATCH");
    const given = agreeOnColumns([held("t.bcolz", { name: "x", dtype: "int64" }), open("1", { name: "x", dtype: "int64" })], all);
    const error = await failureOf(() => widenColumns(given, new Map([["x", kinds.float]]), { path: "1", isChosen: true }));
    expect(error.message).to.equal("column 'x' of 1 has values that need float64, and it is int64 in t.bcolz; correct them, or reject them with --types");
  });

  it("are taken from ten thousand in no time", () => {
    const many = Array.from({ length: 10_000 }, (_, index) => ({ name: `c${index}`, dtype: "int64" as const }));
    expect(agreeOnColumns(Array.from({ length: 20 }, (_, index) => held(`${index}`, ...many)), all)).to.have.length(10_000);
  }).timeout(2_000);
});
