import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { partialOfNothing, rowsOfNothing } from "../../lib/engine/nothing.js";
import { parseQuery, type QueryInput } from "../../lib/engine/query/query.js";
import { decodeRows, encodeRows } from "../../lib/engine/rows/slice-bytes.js";
import type { Table } from "../../lib/client/table.js";
import { askRows, type RowsAnswer, type RowsOptions } from "../support/ask-rows.js";
import { failureOf } from "../support/failure.js";
import { oneOf, someOf } from "../support/random/draw.js";
import type { StoredShard } from "../support/random/store.js";
import { writeShards, writeTable, type PlainColumn } from "../support/write-table.js";

const count = 200_000;
const all = Array.from({ length: count }, (_, row) => row);
const int = (row: number): number | null => (row % 7 === 3 ? null : (row * 7_919) % 100);
const text = (row: number): string | null => (row % 11 === 5 ? null : `é${(row * 31) % 1_000}`);
const columns: readonly PlainColumn[] = [
  { name: "id", dtype: "int64", values: all.map(BigInt) },
  { name: "n", dtype: "int16", values: all.map((row) => { const value = int(row); return value === null ? null : BigInt(value); }) },
  { name: "x", dtype: "float64", values: all.map((row) => (row % 13 === 0 ? null : row / 4)) },
  { name: "s", dtype: "string", values: all.map(text) },
  { name: "y", dtype: "bytes", values: all.map((row) => Uint8Array.of(row % 256, 1)) },
  { name: "flag", dtype: "bool", values: all.map((row) => row % 3 === 0) },
  { name: "u", dtype: "uint64", values: all.map((row) => 2n ** 63n + BigInt(row)) },
  { name: "at", dtype: "timestamp", values: all.map((row) => BigInt(row) * 1_000_000_000n) },
];
const names = columns.map(({ name }) => name);

describe("rows of queries", function () {
  this.timeout(120_000);
  let dataDir = "";
  let engine: Engine;
  const stored: StoredShard[][] = [];
  const wide: StoredShard[] = [];

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-rows-"));
    engine = createEngine({ dataDir, cacheBytes: 64 * 2 ** 20, queryBytes: 64 * 2 ** 20 });
    for (const [set, options] of [["dictionary", {}], ["plain", { dictionaryValuesMax: 1 }]] as const) {
      const shards = [0, 1, 2].map((shard) => `${set}-${shard}.bcolzs`);
      const generations = await writeShards(shards.map((name) => join(dataDir, name)), columns, options);
      stored.push(shards.map((name, ordinal) => ({ ordinal, name, generation: generations[ordinal]! })));
    }
    const texts = Array.from({ length: 600 }, (_, row) => String.fromCharCode(97 + row % 26).repeat(20_000));
    wide.push({ ordinal: 0, name: "wide.bcolz", generation: await writeTable(join(dataDir, "wide.bcolz"), [{ name: "t", dtype: "string", values: texts }], { dictionaryValuesMax: 1 }) });
  });

  after(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  /** The answer over texts in dictionaries, which must be that over plain ones. */
  function ask(input: { readonly [K in keyof QueryInput]?: QueryInput[K] }, options: RowsOptions = {}): RowsAnswer {
    const [answer, other] = stored.map((shards) => askRows(engine, shards, input, options));
    expect(bytesOf(other!.table)).to.equal(bytesOf(answer!.table));
    return answer!;
  }

  function idsOf(table: Table): number[] {
    return Array.from(table.column("id").values as BigInt64Array, Number);
  }

  it("come in the order of shards, the same however tasks are cut and in whichever order they end", () => {
    const seed = freshSeed();
    const random = seededRandom(seed);
    const first = ask({ keys: names });
    expect(idsOf(first.table)).to.deep.equal(all);
    const row = [...first.table][12_345]!;
    expect({ ...row }).to.deep.equal({ id: 12_345, n: int(12_345), x: 12_345 / 4, s: text(12_345), y: Uint8Array.of(12_345 % 256, 1), flag: true, u: 2n ** 63n + 12_345n, at: "1970-01-01T03:25:45Z" });
    const slices = oneOf(random, [1, 3, 100]);
    const turns = someOf(random, [0, 1, 2], 3);
    expect(bytesOf(ask({ keys: names }, { slices, turns }).table) === bytesOf(first.table), `slices ${slices}, turns ${turns.join()}, seed ${seed}`).to.equal(true);
  });

  it("are those that where selects, with their nulls and what is computed of them", () => {
    const { table, cost } = ask({ keys: ["id"], measures: ["n", { expr: "n * 2 + id", as: "m" }, { expr: "upper(s)", as: "big" }, "s"], where: [["n", "<", 10]] });
    const expected = all.filter((row) => int(row) !== null && int(row)! < 10);
    expect(table.columns.map(({ name, dtype }) => `${name} ${dtype}`)).to.deep.equal(["id int64", "n int16", "m int64", "big string", "s string"]);
    expect([...table].map((row) => ({ ...row }))).to.deep.equal(expected.map((row) => ({ id: row, n: int(row), m: int(row)! * 2 + row, big: text(row)?.toUpperCase() ?? null, s: text(row) })));
    expect(cost).to.include({ shards: 3, rowsScanned: count });
  });

  it("skip chunks that statistics rule out", () => {
    const { table, cost } = ask({ keys: ["id"], where: [["id", "between", [70_000, 70_009]]] });
    expect(idsOf(table)).to.deep.equal(all.slice(70_000, 70_010));
    expect(cost).to.include({ shardsPruned: 2 });
    expect(cost.rowsScanned).to.be.at.most(65_536);
  });

  it("with a limit end with the chunk that has enough of them", () => {
    const { table, cost } = ask({ keys: ["id"], limit: 5, offset: 7 });
    expect(idsOf(table)).to.deep.equal([7, 8, 9, 10, 11]);
    expect(cost.rowsScanned).to.equal(65_536);
    expect(idsOf(ask({ keys: ["id"], limit: 10, offset: 66_660 }).table)).to.deep.equal(all.slice(66_660, 66_670));
    const none = ask({ keys: ["s"], measures: ["n"], limit: 0 }).table;
    expect([none.numRows, none.columns.map(({ dtype }) => dtype)]).to.deep.equal([0, ["string", "int16"]]);
  });

  it("are the first in an order, ties in the order of rows, nulls last", () => {
    const random = seededRandom(freshSeed());
    for (const [order, limit, offset] of [[["n"], 10, 0], [[["n", "desc"], "s"], 100, 50], [["s", ["x", "desc"]], 70_000, 3], [["x"], count, count - 5]] as const) {
      const sorted = all.slice().sort((a, b) => compareRows(order, a, b));
      const slices = oneOf(random, [1, 5]);
      expect(idsOf(ask({ keys: ["id", "n", "x", "s"], order, limit, offset }, { slices }).table), `slices ${slices}`).to.deep.equal(sorted.slice(offset, offset + limit));
    }
    expect(idsOf(ask({ keys: ["id", "n"], order: [["n", "desc"]], where: [["id", "<", 1_000]] }).table)).to.deep.equal(all.slice(0, 1_000).sort((a, b) => compareRows([["n", "desc"]], a, b)));
  });

  it("of long texts come in slices of bounded size", () => {
    const { table, slices } = askRows(engine, wide, { keys: ["t"] });
    expect([table.numRows, table.column("t").get(599)]).to.deep.equal([600, String.fromCharCode(97 + 599 % 26).repeat(20_000)]);
    expect(Math.max(...slices)).to.be.at.most(2.1 * 2 ** 20);
  });

  it("beyond merge_memory are an error, and not where a limit of ordered rows keeps few of them", async () => {
    expect((await failureOf(() => askRows(engine, wide, { keys: ["t"] }, { mergeBytes: 2 ** 22 }))).code).to.equal("MEMORY_LIMIT");
    expect(askRows(engine, wide, { keys: ["t"], order: ["t"], limit: 3 }, { mergeBytes: 2 ** 22 }).table.numRows).to.equal(3);
  });

  it("of whole baskets go over chunks", () => {
    const { table } = ask({ keys: ["id"], expand_filter_column: "flag", where: [["id", "in", [65_536, 65_538]]] });
    expect(idsOf(table)).to.deep.equal([65_535 + 1, 65_535 + 2, 65_538].filter((id) => id < count));
  });

  it("of shards that differ are widened, and an error where that cannot be", async () => {
    const shards = await writeTables({ "a.bcolz": [["v", "int16", [1n, null]]], "b.bcolz": [["v", "int64", [2n ** 40n]]], "c.bcolz": [["v", "string", ["x"]]] });
    const { table } = askRows(engine, shards.slice(0, 2), { keys: ["v"] });
    expect([table.columns[0]!.dtype, [...table].map(({ v }) => v)]).to.deep.equal(["int64", [1, null, 2 ** 40]]);
    expect(await failureOf(() => askRows(engine, shards, { keys: ["v"] }))).to.include({ code: "SCHEMA_MISMATCH" });
  });

  it("have the dtypes that hold those of all shards, however few are read", async () => {
    const shards = await writeTables({ "f.bcolz": [["v", "int8", [1n, null]], ["d", "date", [1n, 2n]]], "g.bcolz": [["v", "float64", [0.5]], ["d", "timestamp", [9n]]] });
    const widened = [{ name: "v", dtype: "float64" }, { name: "d", dtype: "timestamp" }, { name: "w", dtype: null }];
    for (const limit of [1, 2, 3]) {
      const { table } = askRows(engine, shards, { keys: ["d", "v", { expr: "d", as: "e" }, { expr: "v + 1", as: "w" }], limit }, { widened });
      expect(table.columns.slice(0, 3).map(({ dtype }) => dtype), String(limit)).to.deep.equal(["timestamp", "float64", "timestamp"]);
      expect([...table].map(({ d, v }) => [d, v])).to.deep.equal([["1970-01-02T00:00:00Z", 1], ["1970-01-03T00:00:00Z", null], ["1970-01-01T00:00:00.000000009Z", 0.5]].slice(0, limit));
    }
  });

  it("and groups have nulls for columns that are missing, where they may be", async () => {
    const shards = await writeTables({ "d.bcolz": [["k", "string", ["x", "y"]]], "e.bcolz": [["k", "string", ["z"]], ["w", "string", ["here"]]] });
    const { table } = askRows(engine, shards, { keys: ["k"], measures: ["w", "nowhere"], missing: "empty" }, { absent: [{ name: "w", dtype: "string" }] });
    expect(table.columns.map(({ dtype }) => dtype)).to.deep.equal(["string", "string", "int64"]);
    expect([...table].map(({ k, w, nowhere }) => [k, w, nowhere])).to.deep.equal([["x", null, null], ["y", null, null], ["z", "here", null]]);
    expect(await failureOf(() => askRows(engine, shards, { keys: ["k", "w"] }))).to.include({ code: "UNKNOWN_COLUMN" });
    for (const dtype of ["bool", "float32", "float64", "timestamp", "date", "uint64", "bytes", "no dtype"]) {
      const answer = askRows(engine, shards.slice(0, 1), { keys: ["w"], missing: "empty", where: [["k", "==", "x"]] }, { absent: [{ name: "w", dtype }] });
      expect([answer.table.columns[0]!.dtype, answer.table.column("w").get(0)]).to.deep.equal([dtype === "no dtype" ? "int64" : dtype, null]);
    }
  });

  it("of no table are none, and groups of no table none or one", () => {
    const query = parseQuery({ keys: ["a"], measures: ["b"], where: [["c", ">", 1]], aggregate: false });
    expect(rowsOfNothing(query)).to.deep.include({ count: 0 });
    expect(rowsOfNothing(query).columns.map(({ values }) => values.dtype)).to.deep.equal(["int64", "int64"]);
    expect(partialOfNothing(parseQuery({ keys: ["a"], measures: ["b", ["c", "mean"]] }))).to.include({ groups: 0 });
  });

  it("are not asked for with measures and having", async () => {
    const asking = async (input: Partial<QueryInput>): Promise<string> => (await failureOf(() => parseQuery({ keys: [], measures: [], aggregate: false, ...input }))).message;
    expect(await asking({ measures: [["v", "mean"]] })).to.match(/takes column names, and no measure such as 'mean'/);
    expect(await asking({ measures: [["*", "count"]] })).to.match(/takes column names/);
    expect(await asking({ measures: ["a", ["v", "sum", "d"]] })).to.match(/takes column names, and no measure such as 'sum' of 'v'/);
    expect(await asking({ measures: [["v", "sum"]] })).to.match(/takes column names/);
    expect(await asking({ measures: [[{ expr: "v + 1" }, "sum", "d"]] })).to.match(/takes column names/);
    expect(await asking({ keys: ["a"], having: [["a", ">", 1]] })).to.match(/where/);
    expect(await asking({ keys: ["a"], order: ["b"] })).to.match(/order names 'b'/);
    expect(await asking({})).to.match(/needs a key or a measure/);
  });

  it("are refused when their bytes are damaged", async () => {
    const bytes = encodeRows({ count: 2, columns: [{ values: { dtype: "string", offsets: Uint32Array.of(0, 1, 2), bytes: Buffer.from("ab") }, isNull: Uint8Array.of(0, 1) }, { values: { dtype: "int8", array: BigInt64Array.of(1n, 2n) }, isNull: null }] });
    expect(decodeRows(bytes, 2, 2).count).to.equal(2);
    for (const [rows, width] of [[3, 2], [2, 1]] as const) expect((await failureOf(() => decodeRows(bytes, rows, width))).code).to.equal("BAD_MESSAGE");
    let refused = 0;
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [0xff, 0x01]) {
        const damaged = bytes.slice();
        damaged[at]! ^= flip;
        try {
          decodeRows(damaged, 2, 2);
        } catch (cause) {
          expect(cause).to.include({ code: "BAD_MESSAGE" });
          refused += 1;
        }
      }
    }
    expect(refused).to.be.above(bytes.length / 2);
  });

  async function writeTables(tables: Record<string, readonly (readonly [string, PlainColumn["dtype"], PlainColumn["values"]])[]>): Promise<StoredShard[]> {
    const shards: StoredShard[] = [];
    for (const [name, described] of Object.entries(tables)) {
      const generation = await writeTable(join(dataDir, name), described.map(([column, dtype, values]) => ({ name: column, dtype, values })));
      shards.push({ ordinal: shards.length, name, generation });
    }
    return shards;
  }
});

/** The plain order of two rows: nulls last either way, texts by code units, which for these is by bytes, ties by row. */
function compareRows(order: readonly (string | readonly [string, string])[], a: number, b: number): number {
  for (const entry of order) {
    const [name, direction] = typeof entry === "string" ? [entry, "asc"] : entry;
    const [left, right] = [a, b].map((row) => (name === "n" ? int(row) : name === "s" ? text(row) : row % 13 === 0 ? null : row / 4));
    if (left === right) continue;
    if (left === null || left === undefined) return 1;
    if (right === null || right === undefined) return -1;
    return (left < right ? -1 : 1) * (direction === "desc" ? -1 : 1);
  }
  return a - b;
}

/** A hash of the bits of every column. */
function bytesOf(table: Table): string {
  const hash = createHash("sha256");
  for (const { name, dtype } of table.columns) {
    const column = table.column(name);
    const { values } = column;
    hash.update(JSON.stringify([name, dtype]));
    hash.update(Uint8Array.from({ length: table.numRows }, (_, row) => (column.isNull(row) ? 1 : 0)));
    hash.update(ArrayBuffer.isView(values) ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength) : JSON.stringify(values));
  }
  return hash.digest("hex");
}
