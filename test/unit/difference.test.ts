import { listValue } from "@duckdb/node-api";
import { expect } from "chai";
import { describe, it } from "mocha";
import type { ResultColumn } from "../../lib/engine/finish.js";
import { Table } from "../../lib/client/table.js";
import { summarize } from "../../lib/client/summary.js";
import { findDifference } from "../../misc/support/difference.js";

const cost = { shards: 0, shardsPruned: 0, rowsScanned: 0, chunksDecoded: 0, chunksPruned: 0, chunksFromStatistics: 0, partialCacheHits: 0, cacheHits: 0, bytesDecoded: 0, scanMs: 0, mergeMs: 0 };
const summary = summarize({ queryId: "", generations: new Map(), shardsAnswered: 0, leftOut: [], rows: 0, slices: 0, cost, workers: 0, retries: 0, queuedMs: 0, mergedMs: 0, renderedMs: 0, durationMs: 0 });

/** A table of three rows: text a, b, c; whole numbers 1, 2 and a null; floats 0.1, 0.2, 0.3. */
function table(): Table {
  const columns: ResultColumn[] = [
    { name: "k", values: { dtype: "string", offsets: Uint32Array.of(0, 1, 2, 3), bytes: Buffer.from("abc") }, isNull: null },
    { name: "n", values: { dtype: "int64", array: BigInt64Array.of(1n, 2n, 0n) }, isNull: Uint8Array.of(0, 0, 1) },
    { name: "x", values: { dtype: "float64", array: Float64Array.of(0.1, 0.2, 0.3) }, isNull: null },
  ];
  return new Table(columns, 3, summary);
}

const names = ["k", "n", "x"];
const keys = ["a", "b", "c"];
const numbers = [1n, 2n, null];
const floats = [0.1, 0.2, 0.3];

describe("comparing with DuckDB", () => {
  it("finds no difference where there is none, whichever type SQL has for whole numbers", () => {
    expect(findDifference(table(), { names, columns: [keys, numbers, floats] })).to.equal(undefined);
    expect(findDifference(table(), { names, columns: [keys, [1, 2, null], floats] })).to.equal(undefined);
  });

  it("takes floats as equal up to their rounding, and no further", () => {
    expect(findDifference(table(), { names, columns: [keys, numbers, [0.1, 0.2 * (1 + 5e-13), 0.3]] })).to.equal(undefined);
    const columns = [keys, numbers, [0.1, 0.2 * (1 + 5e-12), 0.3]];
    expect(findDifference(table(), { names, columns })).to.match(/^x of row 1 is 0\.2; in DuckDB 0\.2/);
  });

  it("takes floats as equal within a tolerance that is given", () => {
    const close = { names, columns: [keys, numbers, [0.1 + 1e-7, 0.2, 0.3]] };
    expect(findDifference(table(), close, { relative: 0, absolute: 2e-7 })).to.equal(undefined);
    expect(findDifference(table(), close, { relative: 2e-6, absolute: 0 })).to.equal(undefined);
    expect(findDifference(table(), close, { relative: 5e-7, absolute: 5e-8 })).to.match(/^x of row 0 is 0\.1; in DuckDB 0\.1/);
  });

  it("compares lists item by item, and takes NaN for a null", () => {
    const item = { dtype: "float64", array: Float64Array.of(1, 2, 3) } as const;
    const lists: ResultColumn[] = [
      { name: "l", values: { dtype: "list", item, offsets: Uint32Array.of(0, 2, 3) }, isNull: null },
      { name: "x", values: { dtype: "float64", array: Float64Array.of(0, 1) }, isNull: Uint8Array.of(1, 0) },
    ];
    const compare = (second: number[]): string | undefined => findDifference(new Table(lists, 2, summary), { names: ["l", "x"], columns: [[listValue([1, 2]), listValue(second)], [NaN, 1]] });
    expect(compare([3])).to.equal(undefined);
    expect(compare([4])).to.match(/^l of row 1 is /);
    expect(compare([3, 3])).to.match(/^l of row 1 is /);
  });

  it("finds another value, a null in place of a value and a value in place of a null", () => {
    expect(findDifference(table(), { names, columns: [["a", "b", "d"], numbers, floats] })).to.equal("k of row 2 is c; in DuckDB d");
    expect(findDifference(table(), { names, columns: [keys, [1n, 3n, null], floats] })).to.equal("n of row 1 is 2; in DuckDB 3");
    expect(findDifference(table(), { names, columns: [keys, [1n, null, null], floats] })).to.equal("n of row 1 is 2; in DuckDB null");
    expect(findDifference(table(), { names, columns: [keys, [1n, 2n, 0n], floats] })).to.equal("n of row 2 is null; in DuckDB 0");
  });

  it("finds other columns and other rows", () => {
    expect(findDifference(table(), { names: ["k", "x", "n"], columns: [keys, floats, numbers] })).to.equal("the columns are k, n, x; in DuckDB k, x, n");
    expect(findDifference(table(), { names, columns: [["a", "b"], [1n, 2n], [0.1, 0.2]] })).to.equal("there are 3 rows; in DuckDB 2");
  });
});
