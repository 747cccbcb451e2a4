import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { seededRandom, type Random } from "../../lib/base/clock.js";
import type { Table } from "../../lib/client/table.js";
import { isTextDtype, wholeRange, type Dtype } from "../../lib/columns/dtypes.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { failureOf } from "../support/failure.js";
import { answerLocally, tableOf, valueRows } from "../support/random/local.js";
import type { StoredValue } from "../support/read-table.js";
import { writeShards, writeTable, type PlainColumn } from "../support/write-table.js";

const numbers = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"] as const satisfies Dtype[];

describe("measures over shards", function () {
  this.timeout(60_000);
  let dataDir = "";
  let engine: Engine;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-measures-"));
    engine = createEngine({ dataDir, cacheBytes: 8 * 2 ** 20, queryBytes: 64 * 2 ** 20 });
  });

  afterEach(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  async function ask(columns: readonly PlainColumn[], shards: number, query: { keys?: unknown[]; measures: unknown[]; where?: unknown[] }, random = seededRandom(1)): Promise<Table> {
    const names = Array.from({ length: shards }, (_, shard) => `t-${shard}.bcolzs`);
    const generations = await writeShards(names.map((name) => join(dataDir, name)), columns, { replace: true });
    return answer(names, generations, query, random);
  }

  function answer(names: readonly string[], generations: readonly string[], query: { keys?: unknown[]; measures: unknown[]; where?: unknown[] }, random = seededRandom(1)): Table {
    const stored = names.map((name, ordinal) => ({ ordinal, name, generation: generations[ordinal]! }));
    return tableOf(answerLocally(random, engine, stored, parseQuery({ keys: [], where: [], ...query })));
  }

  function rowsOf(table: Table): unknown[][] {
    return table.rows().map((row) => Object.values(row));
  }

  const moments = ["var", "std", "var_samp", "std_samp"].map((op) => ["v", op, op]);

  for (const dtype of numbers) {
    it(`variances of ${dtype} are those of its numbers, by group and without groups, however rows are cut`, async () => {
      const random = seededRandom(7);
      const values = Array.from({ length: 3_000 }, () => (random() < 0.2 ? null : drawNumber(random, dtype)));
      const keys = values.map((_, row) => BigInt(row < 5 ? 99 : Math.floor(random() * 4)));
      for (const shards of [1, 3, 7]) {
        const columns: PlainColumn[] = [{ name: "k", dtype: "int8", values: keys }, { name: "v", dtype, values }];
        const grouped = await ask(columns, shards, { keys: ["k"], measures: moments });
        for (const row of grouped.rows()) {
          const own = values.filter((_, at) => keys[at] === BigInt(row["k"] as number)).flatMap((value) => (value === null ? [] : [Number(value)]));
          expectVariances([row["var"], row["std"], row["var_samp"], row["std_samp"]], own);
        }
        const whole = await ask(columns, shards, { measures: moments });
        expectVariances(rowsOf(whole)[0]!, values.flatMap((value) => (value === null ? [] : [Number(value)])));
      }
    });
  }

  it("variances keep nine digits where the mean is a thousand times the deviation, and where the first value lies far off", async () => {
    const random = seededRandom(3);
    for (const first of [1_000, -1e9]) {
      const values = Array.from({ length: 70_000 }, (_, row) => (row === 0 ? first : 1_000 + 1.7 * (random() + random() - 1)));
      const table = await ask([{ name: "v", dtype: "float64", values }], 3, { measures: moments });
      expectVariances(rowsOf(table)[0]!, values);
    }
  });

  it("a variance of one value is 0, its sample variance null, and both are null of none", async () => {
    const table = await ask([{ name: "k", dtype: "int8", values: [1n, 2n] }, { name: "v", dtype: "float64", values: [3, null] }], 2, { keys: ["k"], measures: moments });
    expect(rowsOf(table)).to.deep.equal([[1, 0, 0, null, null], [2, null, null, null, null]]);
    const none = await ask([{ name: "v", dtype: "float64", values: [null] }], 1, { measures: moments });
    expect(rowsOf(none)).to.deep.equal([[null, null, null, null]]);
    const infinite = await ask([{ name: "v", dtype: "float64", values: [1, Infinity] }], 1, { measures: moments });
    expect(rowsOf(infinite)).to.deep.equal([[null, null, null, null]]);
  });

  it("variances and covariances of whole numbers close to each other are right however far from 0 these are", async () => {
    const random = seededRandom(8);
    for (const [dtype, least, end] of [["int64", 2n ** 62n, 10], ["uint64", 2n ** 64n - 70_000n, 65_536], ["int32", -(2n ** 31n), 65_536], ["int16", -7n, 1], ["uint8", 0n, 256], ["int64", -5n, 65_537]] as const) {
      const [x, y] = [0, 1].map(() => Array.from({ length: 3_000 }, (_, row) => (row === 0 ? 0 : row === 1 ? end - 1 : Math.floor(random() * end))));
      const valuesOf = (distances: number[]): StoredValue[] => distances.map((distance, row) => (row % 7 === 5 ? null : least + BigInt(distance)));
      const columns: PlainColumn[] = [{ name: "k", dtype: "int8", values: x!.map((_, row) => BigInt(row % 2)) }, { name: "x", dtype, values: valuesOf(x!) }, { name: "y", dtype, values: valuesOf(y!) }];
      const measures = [["x", "var", "v"], [["x", "y"], "covar", "c"], [["x", "y"], "corr", "r"]];
      // One of the far ones alone: means of shards are rounded, and they are far apart then.
      for (const shards of least > 2n ** 60n ? [1] : [1, 3]) {
        for (const row of [...(await ask(columns, shards, { keys: ["k"], measures })).rows(), ...(await ask(columns, shards, { measures })).rows()]) {
          const pairs = x!.flatMap((distance, at) => (at % 7 === 5 || (row["k"] !== undefined && at % 2 !== Number(row["k"])) ? [] : [[distance, y![at]!] as const]));
          const { products, squaresX, squaresY } = comomentsOf(pairs);
          expectNear(row["v"], squaresX / pairs.length, squaresX / pairs.length);
          expectNear(row["c"], products / pairs.length, Math.sqrt(squaresX * squaresY) / pairs.length);
          if (end === 1) expect(row["r"]).to.equal(null);
          else expectNear(row["r"], products / Math.sqrt(squaresX * squaresY), 1);
        }
      }
    }
  });

  it("corr and covar are over rows where neither is null, of any two dtypes of numbers", async () => {
    const random = seededRandom(5);
    for (const [left, right] of [["float64", "float64"], ["int32", "float64"], ["uint64", "bool"], ["float32", "int8"], ["uint8", "uint16"]] as const) {
      const x = Array.from({ length: 2_000 }, () => (random() < 0.2 ? null : drawNumber(random, left)));
      const y = x.map((value) => (random() < 0.2 ? null : right === "float64" ? Number(value) * -0.5 + random() : drawNumber(random, right)));
      const keys = x.map(() => BigInt(Math.floor(random() * 3)));
      const columns: PlainColumn[] = [{ name: "k", dtype: "int8", values: keys }, { name: "x", dtype: left, values: x }, { name: "y", dtype: right, values: y }];
      const measures = [[["x", "y"], "corr", "r"], [["x", "y"], "covar", "c"], [["y", "x"], "corr", "turned"]];
      for (const shards of [1, 4]) {
        const rows = [...(await ask(columns, shards, { keys: ["k"], measures })).rows(), ...(await ask(columns, shards, { measures })).rows()];
        for (const row of rows) {
          const pairs = x.flatMap((value, at) => (value === null || y[at] === null || (row["k"] !== undefined && keys[at] !== BigInt(row["k"] as number)) ? [] : [[Number(value), Number(y[at])] as const]));
          const { products, squaresX, squaresY } = comomentsOf(pairs);
          expectNear(row["c"], products / pairs.length, Math.sqrt(squaresX * squaresY) / pairs.length);
          expectNear(row["r"], products / Math.sqrt(squaresX * squaresY), 1);
          expectNear(row["turned"], products / Math.sqrt(squaresX * squaresY), 1);
        }
      }
    }
  });

  it("corr is null where one column does not vary, covar where there is no row, and corr stays within 1", async () => {
    const columns: PlainColumn[] = [
      { name: "k", dtype: "string", values: ["flat", "flat", "gone", "line", "line", "line"] },
      { name: "x", dtype: "float64", values: [0.1, 0.1, null, 0.1, 0.2, 0.3] },
      { name: "y", dtype: "int8", values: [1n, 2n, 3n, 1n, 2n, 3n] },
    ];
    for (const shards of [1, 6]) {
      const rows = rowsOf(await ask(columns, shards, { keys: ["k"], measures: [[["x", "y"], "corr", "r"], [["x", "y"], "covar", "c"]] }));
      expect(rows.slice(0, 2)).to.deep.equal([["flat", null, 0], ["gone", null, null]]);
      expect(rows[2]![1]).to.be.within(1 - 1e-15, 1);
    }
  });

  for (const dtype of [...numbers, "timestamp", "date", "string", "bytes"] as const) {
    it(`first and last of ${dtype} are the first and last that are not null in row order of the set`, async () => {
      const random = seededRandom(11);
      const pool = Array.from({ length: 50 }, (_, at) => (isTextDtype(dtype) ? textOf(dtype, at % 20) : drawWhole(random, dtype)));
      const values = Array.from({ length: 700 }, () => (random() < 0.5 ? null : pool[Math.floor(random() * 50)]!));
      const keys = values.map((_, row) => BigInt(row === 300 ? 77 : Math.floor(random() * 40)));
      const columns: PlainColumn[] = [{ name: "k", dtype: "int8", values: keys }, { name: "v", dtype, values }];
      for (const shards of [1, 5]) {
        const table = await ask(columns, shards, { keys: ["k"], measures: [["v", "first", "f"], ["v", "last", "l"]] }, random);
        const whole = await ask(columns, shards, { measures: [["v", "first", "f"], ["v", "last", "l"]] }, random);
        expect(table.columns.map((column) => column.dtype)).to.deep.equal(["int8", dtype, dtype]);
        for (const [key, first, last] of [...valueRows(table), [null, ...valueRows(whole)[0]!]]) {
          const present = values.filter((value, at) => value !== null && (key === null || keys[at] === key));
          expect([first, last]).to.deep.equal([present[0] ?? null, present.at(-1) ?? null]);
        }
      }
    });
  }

  it("count_na counts nulls, and goes with count to the rows", async () => {
    const table = await ask([{ name: "k", dtype: "int8", values: [1n, 1n, 2n] }, { name: "v", dtype: "string", values: ["a", null, "b"] }], 2, { keys: ["k"], measures: [["v", "count_na", "nulls"], ["v", "count", "n"], ["*", "count", "rows"]] });
    expect(rowsOf(table)).to.deep.equal([[1, 1, 1, 2], [2, 0, 1, 1]]);
  });

  it("uint64 sums are the same through 64 and 128 bits, of any width, with nulls", async () => {
    for (const base of [0n, 2n ** 40n, 2n ** 63n]) {
      const values = Array.from({ length: 1_000 }, (_, row) => (row % 7 === 0 ? null : base + BigInt(row * row * 1_000_003)));
      const keys = values.map((_, row) => BigInt(row % 300));
      const wanted = new Map<bigint, bigint>();
      keys.forEach((key, row) => { if (values[row] !== null) wanted.set(key, (wanted.get(key) ?? 0n) + values[row]!); });
      const query = { keys: ["k"], measures: [["v", "sum", "s"], ["v", "mean", "m"]] };
      const columns: PlainColumn[] = [{ name: "k", dtype: "int16", values: keys }, { name: "v", dtype: "uint64", values }];
      const least = [...wanted.values()].every((sum) => sum < 2n ** 64n);
      if (!least) {
        expect(await failureOf(() => ask(columns, 2, query))).to.have.property("code", "OVERFLOW");
        continue;
      }
      const table = await ask(columns, 2, query);
      for (const row of table.rows()) {
        const sum = wanted.get(BigInt(row["k"] as number));
        expect(row["s"] === null ? undefined : BigInt(row["s"] as number | bigint)).to.equal(sum);
      }
    }
  });

  describe("histograms", () => {
    it("count values bin by bin, under and over, with the edges beside them", async () => {
      const random = seededRandom(13);
      for (const dtype of numbers.filter((name) => name !== "bool")) {
        const values = Array.from({ length: 2_000 }, (_, row) => (row % 9 === 0 ? null : dtype.startsWith("float") ? Math.fround(random() * 14 - 2) : BigInt(Math.floor(random() * 14)) - (dtype.startsWith("u") ? 0n : 2n)));
        const keys = values.map(() => BigInt(Math.floor(random() * 3)));
        for (const [bins, low, high] of [[5, 0, 10], [7, 0.5, 9.75], [20, 1, 4]] as const) {
          const table = await ask([{ name: "k", dtype: "int8", values: keys }, { name: "v", dtype, values }], 3, { keys: ["k"], measures: [["v", "histogram", "h", { bins, low, high }]] });
          const column = table.column("h");
          const edges = [...column.bins!.edges[0]! as Float64Array];
          expect(edges).to.deep.equal(Array.from({ length: bins + 1 }, (_, edge) => (edge === bins ? high : low + edge * ((high - low) / bins))));
          table.rows().forEach((row, place) => {
            const own = values.flatMap((value, at) => (value === null || keys[at] !== BigInt(row["k"] as number) ? [] : [Number(value)]));
            const wanted = edges.slice(1).map((to, bin) => own.filter((value) => value >= edges[bin]! && (value < to || (bin === bins - 1 && value === to))).length);
            expect(row["h"], `${dtype} ${bins}`).to.deep.equal(wanted);
            expect(column.values[place]).to.deep.equal(BigInt64Array.from(wanted, BigInt));
            expect([column.bins!.under[place], column.bins!.over[place]]).to.deep.equal([BigInt(own.filter((value) => value < low).length), BigInt(own.filter((value) => value > high).length)]);
          });
        }
      }
    });

    it("have exact counts of whole numbers where edges lie beyond what their dtype holds", async () => {
      const [most, least] = [2n ** 63n - 1n, -(2n ** 63n)];
      const count = async (dtype: Dtype, values: readonly bigint[], bins: number, low: number, high: number): Promise<unknown[]> => {
        const [h, hh] = [["v", "histogram", "h", { bins, low, high }], [["v", "v"], "histogram2d", "hh", { bins: [bins, 1], low: [low, 0], high: [high, 1] }]];
        const table = await ask([{ name: "v", dtype, values: [...values, null] }], 2, { measures: [h, hh] });
        const { under, over } = table.column("h").bins!;
        const outside = table.column("hh").bins!;
        expect([outside.under[0], outside.over[0]].every((both, side) => BigInt(both as bigint) >= BigInt([under, over][side]![0] as bigint))).to.equal(true);
        return [...table.column("h").get(0) as number[], `${String(under[0])} under`, `${String(over[0])} over`];
      };
      expect(await count("int64", [least, 0n, most - 1n, most], 2, 2 ** 63, 2 ** 64)).to.deep.equal([0, 0, "4 under", "0 over"]);
      expect(await count("int64", [least, 0n, most - 1n, most], 4, 0, 2 ** 65)).to.deep.equal([3, 0, 0, 0, "1 under", "0 over"]);
      expect(await count("int64", [least, 0n, most - 1n, most], 2, 2 ** 63 - 2 ** 10, 2 ** 63 + 2 ** 10)).to.deep.equal([2, 0, "2 under", "0 over"]);
      expect(await count("int64", [least, -1n, most], 2, -(2 ** 65), -(2 ** 64))).to.deep.equal([0, 0, "0 under", "3 over"]);
      expect(await count("int64", [least, least + 1n, most], 2, -(2 ** 64), -(2 ** 63))).to.deep.equal([0, 1, "0 under", "2 over"]);
      expect(await count("uint64", [0n, 2n ** 64n - 1n], 2, 2 ** 64, 2 ** 65)).to.deep.equal([0, 0, "2 under", "0 over"]);
      expect(await count("uint64", [0n, 2n ** 64n - 1n], 2, 1, 2 ** 65)).to.deep.equal([1, 0, "1 under", "0 over"]);
      expect(await count("uint64", [0n, 2n ** 64n - 1n], 2, -8, -1)).to.deep.equal([0, 0, "0 under", "2 over"]);
      expect(await count("int8", [-128n, 0n, 127n], 3, -1e300, 1e300)).to.deep.equal([0, 3, 0, "0 under", "0 over"]);
    });

    it("of two columns are row-major, and count a row under or over by the first column that is out of range", async () => {
      const columns: PlainColumn[] = [{ name: "x", dtype: "int8", values: [0n, 1n, 1n, -5n, 9n, 0n, 1n, null] }, { name: "y", dtype: "float64", values: [0.5, 2.5, 2, 9, -9, -1, 7, 1] }];
      const table = await ask(columns, 3, { measures: [[["x", "y"], "histogram2d", "h", { bins: [2, 3], low: [0, 0], high: [1, 3] }]] });
      expect(rowsOf(table)).to.deep.equal([[[1, 0, 0, 0, 0, 2]]]);
      const { edges, under, over } = table.column("h").bins!;
      expect([edges, under[0], over[0]]).to.deep.equal([[Float64Array.of(0, 0.5, 1), Float64Array.of(0, 1, 2, 3)], 2n, 2n]);
    });

    it("of times have edges of their dtype", async () => {
      const day = 86_400_000_000_000n;
      const times = await ask([{ name: "t", dtype: "timestamp", values: [0n, day - 1n, day, 2n * day, 2n * day + 1n, null] }], 2, { measures: [["t", "histogram", "h", { bins: 2, low: "1970-01-01", high: "1970-01-03" }]] });
      expect(rowsOf(times)).to.deep.equal([[[2, 2]]]);
      expect([times.column("h").bins!.edges[0], times.column("h").bins!.over[0]]).to.deep.equal([BigInt64Array.of(0n, day, 2n * day), 1n]);
      const dates = await ask([{ name: "t", dtype: "date", values: [0n, 1n, 2n, 3n] }], 2, { measures: [["t", "histogram", "h", { bins: 2, low: "1970-01-01", high: "1970-01-04" }]] });
      expect(rowsOf(dates)).to.deep.equal([[[1, 3]]]);
      expect(dates.column("h").bins!.edges[0]).to.deep.equal(Int32Array.of(0, 1, 3));
    });

    it("of nothing are empty, and of ends that are none say so", async () => {
      const empty = await ask([{ name: "v", dtype: "int8", values: [] }], 1, { measures: [["v", "histogram", "h", { bins: 3, low: 0, high: 1 }]] });
      expect(rowsOf(empty)).to.deep.equal([[[0, 0, 0]]]);
      const failing = (dtype: Dtype, params: object) => failureOf(() => ask([{ name: "v", dtype, values: [null] }], 1, { measures: [["v", "histogram", "h", { bins: 3, ...params }]] }));
      expect(await failing("string", { low: 0, high: 1 })).to.include({ code: "DTYPE_MISMATCH" }).and.property("message").that.includes("'histogram' of column 'v' means nothing for string");
      expect(await failing("timestamp", { low: 0, high: 1 })).to.have.property("code", "BAD_QUERY");
      expect(await failing("int8", { low: "a", high: "b" })).to.have.property("code", "BAD_QUERY");
      expect(await failing("float64", { low: -1.7e308, high: 1.7e308 })).to.have.property("code", "BAD_QUERY");
    });
  });

  it("shards of other dtypes widen to one that holds both, and to no other", async () => {
    const cases: [Dtype, StoredValue[], Dtype, StoredValue[], Dtype, unknown][] = [
      ["int8", [-1n], "int64", [2n ** 40n], "int64", [-1, 2 ** 40]],
      ["uint8", [255n], "int8", [-3n], "int16", [-3, 255]],
      ["uint8", [255n], "uint32", [2n ** 32n - 1n], "uint32", [255, 2 ** 32 - 1]],
      ["uint32", [2n ** 32n - 1n], "int32", [-1n], "int64", [-1, 2 ** 32 - 1]],
      ["uint64", [2n ** 53n], "int8", [-1n], "float64", [-1, 2 ** 53]],
      ["uint64", [2n ** 64n - 1n], "uint8", [7n], "uint64", [7, 2n ** 64n - 1n]],
      ["int64", [5n], "float64", [0.5], "float64", [0.5, 5]],
      ["float32", [0.5], "float64", [0.1], "float64", [0.1, 0.5]],
      ["int16", [9n], "float32", [0.5], "float64", [0.5, 9]],
      ["date", [1n], "timestamp", [0n], "timestamp", ["1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"]],
    ];
    for (const [left, x, right, y, wanted, values] of cases) {
      for (const shards of [[[left, x], [right, y]], [[right, y], [left, x]]] as const) {
        const generations = await Promise.all(shards.map(([dtype, own], at) => writeTable(join(dataDir, `w-${at}.bcolz`), [{ name: "v", dtype, values: own }], { replace: true })));
        const names = ["w-0.bcolz", "w-1.bcolz"];
        const keyed = answer(names, generations, { keys: ["v"], measures: [["*", "count", "n"]] });
        expect([keyed.column("v").dtype, keyed.rows().map((row) => row["v"])], `${left} and ${right}`).to.deep.equal([wanted, values]);
        const extremes = answer(names, generations, { measures: [["v", "min", "a"], ["v", "max", "b"], ["v", "count", "n"]] });
        expect([extremes.column("a").dtype, ...rowsOf(extremes)]).to.deep.equal([wanted, [...(values as unknown[]), 2]]);
      }
    }
    const refused: [Dtype, StoredValue, Dtype, StoredValue][] = [["int64", 2n ** 53n + 1n, "float64", 0.5], ["string", "a", "bytes", new Uint8Array(1)], ["bool", true, "int8", 1n], ["date", 200_000n, "timestamp", 0n]];
    for (const [left, x, right, y] of refused) {
      const generations = [await writeTable(join(dataDir, "r-0.bcolz"), [{ name: "v", dtype: left, values: [x] }], { replace: true }), await writeTable(join(dataDir, "r-1.bcolz"), [{ name: "v", dtype: right, values: [y] }], { replace: true })];
      expect(await failureOf(async () => answer(["r-0.bcolz", "r-1.bcolz"], generations, { keys: ["v"], measures: [] })), `${left} and ${right}`).to.have.property("code", "SCHEMA_MISMATCH");
    }
  });

  it("nothing varies by any amount where a value is infinite, however rows are cut", async () => {
    const measures = [["x", "var", "v"], ["x", "std_samp", "s"], [["x", "y"], "covar", "c"], [["y", "x"], "corr", "r"]];
    for (const cut of [[[Infinity, 1, 2]], [[Infinity], [1, 2]], [[1, 2], [Infinity]], [[1, 2], [-Infinity, Infinity]]]) {
      const generations = await Promise.all(cut.map((x, at) => writeTable(join(dataDir, `inf-${at}.bcolz`), [{ name: "x", dtype: "float64", values: x }, { name: "y", dtype: "float64", values: x.map((_, row) => row + 1) }], { replace: true })));
      expect(rowsOf(answer(cut.map((_, at) => `inf-${at}.bcolz`), generations, { measures })), JSON.stringify(cut)).to.deep.equal([[null, null, null, null]]);
    }
  });

  it("sums of shards of whole numbers and floats are exact as far as a float says", async () => {
    const generations = [await writeTable(join(dataDir, "s-0.bcolz"), [{ name: "v", dtype: "int64", values: [2n ** 60n, 1n, null] }]), await writeTable(join(dataDir, "s-1.bcolz"), [{ name: "v", dtype: "float64", values: [-(2 ** 60), 0.5] }])];
    const table = answer(["s-0.bcolz", "s-1.bcolz"], generations, { measures: [["v", "sum", "s"], ["v", "mean", "m"]] });
    expect(rowsOf(table)).to.deep.equal([[1.5, 0.375]]);
  });
});

function drawNumber(random: Random, dtype: Dtype): StoredValue {
  if (dtype === "bool") return random() < 0.3;
  if (dtype === "float64") return 50 + random() * 100;
  if (dtype === "float32") return Math.fround(50 + random() * 100);
  const span = dtype === "uint64" || dtype === "int64" ? 2 ** 62 : 100;
  return BigInt(Math.floor(random() * span));
}

function drawWhole(random: Random, dtype: Dtype): StoredValue {
  if (isTextDtype(dtype) || dtype.startsWith("float") || dtype === "bool") return drawNumber(random, dtype);
  const { least, greatest } = wholeRange(dtype as "int64");
  return random() < 0.1 ? least : random() < 0.1 ? greatest : least + (BigInt(Math.floor(random() * 1_000)) * (greatest - least)) / 1_000n;
}

function textOf(dtype: "string" | "bytes", at: number): StoredValue {
  return dtype === "string" ? `t${"é".repeat(at)}` : Uint8Array.of(at, 0xff);
}

/** Fails unless var, std, var_samp and std_samp are those of values, to nine digits. */
function expectVariances(found: readonly unknown[], values: readonly number[]): void {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + (value - values[0]!) / count, values[0]!);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const wanted = [squares / count, Math.sqrt(squares / count), squares / (count - 1), Math.sqrt(squares / (count - 1))];
  found.forEach((value, place) => { expectNear(value, wanted[place]!, wanted[place]!); });
}

function comomentsOf(pairs: readonly (readonly [number, number])[]): { products: number; squaresX: number; squaresY: number } {
  const [meanX, meanY] = [0, 1].map((side) => pairs.reduce((sum, pair) => sum + (pair[side]! - pairs[0]![side]!) / pairs.length, pairs[0]![side]!)) as [number, number];
  const sums = { products: 0, squaresX: 0, squaresY: 0 };
  for (const [x, y] of pairs) {
    sums.products += (x - meanX) * (y - meanY);
    sums.squaresX += (x - meanX) ** 2;
    sums.squaresY += (y - meanY) ** 2;
  }
  return sums;
}

function expectNear(found: unknown, wanted: number, scale: number): void {
  expect(found).to.be.a("number");
  expect(Math.abs((found as number) - wanted), `${String(found)} for ${wanted}`).to.be.at.most(1e-9 * scale);
}
