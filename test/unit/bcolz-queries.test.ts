import { expect } from "chai";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { describeTable } from "../../lib/columns/read/describe.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { unpackBcolz } from "../support/bcolz-fixtures.js";
import { createReadHeap, readTable, type StoredValue } from "../support/read-table.js";
import { answerLocally, rowsOf } from "../support/random/local.js";

/** A group-by over the taxi table, and what pandas answers. */
interface TaxiQuery {
  readonly id: string;
  readonly groupby: readonly string[];
  readonly measures: readonly string[];
  readonly where: readonly unknown[];
  readonly groups: readonly ({ readonly key: readonly (number | string)[] } & Record<string, Record<string, number | "NaN">>)[];
}

/** Ops, and what the listed groups call their results. */
const ops = [
  ["sum", "sum"], ["mean", "mean"], ["count", "count"], ["count_na", "count_na"], ["min", "min"], ["max", "max"], ["std", "std_ddof0"], ["std_samp", "std_ddof1"],
  ["count_distinct", "count_distinct"], ["sorted_count_distinct", "sorted_count_distinct"],
] as const;
const mebibyte = 1024 * 1024;

describe("queries over tables of the real bcolz", () => {
  let temporary: string;
  let folder: string;
  let queries: TaxiQuery[];
  let engine: Engine;
  before(async () => {
    temporary = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    folder = unpackBcolz(temporary);
    queries = (JSON.parse(readFileSync(join(folder, "taxi.queries.json"), "utf8")) as { queries: TaxiQuery[] }).queries;
    engine = createEngine({ dataDir: folder, cacheBytes: 64 * mebibyte, queryBytes: 64 * mebibyte });
  });
  after(async () => {
    engine.close();
    await rm(temporary, { recursive: true });
  });

  function ask(query: TaxiQuery, names: readonly string[]): unknown[][] {
    const shards = names.map((name, ordinal) => ({ ordinal, name, generation: describeTable(join(folder, name)).generation }));
    const measures = query.measures.flatMap((column) => ops.map(([op]) => [column, op, `${column} ${op}`]));
    return rowsOf(answerLocally(seededRandom(1), engine, shards, parseQuery({ keys: query.groupby, measures, where: query.where })));
  }

  /** In order of the keys, as ours: false before true, text by bytes. */
  function expectAnswer(query: TaxiQuery, rows: unknown[][], runs: ReadonlyMap<string, readonly number[]>): void {
    expect(rows, query.id).to.have.length(query.groups.length);
    rows.forEach((row, at) => {
      const group = query.groups[at]!;
      const wanted = [...group.key, ...query.measures.flatMap((column) => ops.map(([op, listed]) => (op === "sorted_count_distinct" ? runs.get(column)?.[at] : undefined) ?? group[column]![listed]!))];
      row.forEach((value, column) => {
        const expected = wanted[column];
        if (expected === "NaN") expect(value, query.id).to.equal(null);
        else if (typeof expected !== "number") expect(value, query.id).to.equal(expected);
        else expect(Number(value), `${query.id} row ${at} column ${column}`).to.be.closeTo(expected, 1e-9 * Math.abs(expected));
      });
    });
  }

  /**
   * Of columns with missing values, which the listed counts of runs take for values that differ from each other: the
   * counts without them, for every group in order. Only queries without terms measure such columns, and one on fares.
   */
  function countRuns(query: TaxiQuery, table: ReadonlyMap<string, StoredValue[]>): Map<string, number[]> {
    const partly = query.measures.filter((column) => query.groups.some((group) => group[column]!["count_na"] !== 0));
    return new Map(partly.map((column) => {
      const [values, keys] = [table.get(column)!, query.groupby.map((key) => table.get(key)!)];
      const counts = new Map<string, number>();
      let present = new Set<string>();
      let last: StoredValue = null;
      const endRun = (): void => {
        for (const key of present) counts.set(key, (counts.get(key) ?? 0) + 1);
        present = new Set();
      };
      for (const row of values.keys()) {
        const value = values[row]!;
        if (value === null || !query.where.every((term) => isSelected(term as [string, string, number], table, row))) continue;
        if (value !== last) endRun();
        last = value;
        present.add(keys.map((key) => String(key[row])).join());
      }
      endRun();
      return [column, query.groups.map(({ key }) => counts.get(key.join()) ?? 0)];
    }));
  }

  function isSelected([column, op, literal]: [string, string, number], table: ReadonlyMap<string, StoredValue[]>, row: number): boolean {
    if (op !== ">") throw new Error(`a term ${op} on a query of missing values`);
    return Number(table.get(column)![row]) > literal;
  }

  it("answer as pandas does, over one table and over its ten shards", function () {
    this.timeout(60_000);
    const table = readTable(join(folder, "taxi.bcolz"), createReadHeap());
    const shards = Array.from({ length: 10 }, (_, shard) => `taxi-${shard}.bcolzs`);
    for (const query of queries) {
      // To pandas NaN is another value than 1.5; to us it is missing, and compares to nothing.
      if (query.id.includes("NaN")) continue;
      const runs = countRuns(query, table);
      expectAnswer(query, ask(query, ["taxi.bcolz"]), runs);
      expectAnswer(query, ask(query, shards), runs);
    }
  });

  it("leave out rows whose value is missing from every comparison", () => {
    const query = queries.find(({ id }) => id.includes("NaN"))!;
    for (const names of [["taxi.bcolz"], Array.from({ length: 10 }, (_, shard) => `taxi-${shard}.bcolzs`)]) {
      const rows = ask(query, names);
      expect(rows.map((row) => row[0])).to.deep.equal(query.groups.map(({ key }) => BigInt(key[0]!)));
      // Of trip_distance: the sum and the count do not change by it, and none is missing where it was compared.
      expect(rows.map((row) => [Number(row[1]), Number(row[3]), Number(row[4])])).to.deep.equal(query.groups.map((group) => [group["trip_distance"]!["sum"], group["trip_distance"]!["count"], 0]));
    }
  });
});
