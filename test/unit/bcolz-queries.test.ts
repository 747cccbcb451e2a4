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
import { answerLocally, rowsOf } from "../support/random/local.js";

/** A group-by over the taxi table, and what pandas answers. */
interface TaxiQuery {
  readonly id: string;
  readonly groupby: readonly string[];
  readonly measures: readonly string[];
  readonly where: readonly unknown[];
  readonly groups: readonly ({ readonly key: readonly (number | string)[] } & Record<string, Record<string, number>>)[];
}

const ops = ["sum", "mean", "count", "min", "max"];
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
    const measures = query.measures.flatMap((column) => ops.map((op) => [column, op, `${column} ${op}`]));
    return rowsOf(answerLocally(seededRandom(1), engine, shards, parseQuery({ keys: query.groupby, measures, where: query.where })));
  }

  /** In order of the keys, as ours: false before true, text by bytes. */
  function expectAnswer(query: TaxiQuery, rows: unknown[][]): void {
    const wanted = query.groups.map((group) => [...group.key, ...query.measures.flatMap((column) => ops.map((op) => group[column]![op]!))]);
    expect(rows, query.id).to.have.length(wanted.length);
    rows.forEach((row, at) => row.forEach((value, column) => {
      const expected = wanted[at]![column];
      if (typeof expected !== "number") expect(value, query.id).to.equal(expected);
      else expect(Number(value), `${query.id} row ${at} column ${column}`).to.be.closeTo(expected, 1e-9 * Math.abs(expected));
    }));
  }

  it("answer as pandas does, over one table and over its ten shards", function () {
    this.timeout(60_000);
    const shards = Array.from({ length: 10 }, (_, shard) => `taxi-${shard}.bcolzs`);
    for (const query of queries) {
      // To pandas NaN is another value than 1.5; to us it is missing, and compares to nothing.
      if (query.id.includes("NaN")) continue;
      expectAnswer(query, ask(query, ["taxi.bcolz"]));
      expectAnswer(query, ask(query, shards));
    }
  });

  it("leave out rows whose value is missing from every comparison", () => {
    const query = queries.find(({ id }) => id.includes("NaN"))!;
    const rows = ask(query, ["taxi.bcolz"]);
    expect(rows.map((row) => row[0])).to.deep.equal(query.groups.map(({ key }) => BigInt(key[0]!)));
    // Of trip_distance: the sum and the count do not change by it.
    expect(rows.map((row) => [Number(row[1]), Number(row[3])])).to.deep.equal(query.groups.map((group) => [group["trip_distance"]!["sum"], group["trip_distance"]!["count"]]));
  });
});
