import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { dtypes, isFloatDtype, isTextDtype, wholeRange, type Dtype } from "../../lib/columns/dtypes.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { failureOf } from "../support/failure.js";
import { answerLocally, rowsOf } from "../support/random/local.js";
import type { Value } from "../support/random/tables.js";
import type { StoredValue } from "../support/read-table.js";
import { writeTable } from "../support/write-table.js";

const float32Max = 2 ** 128 - 2 ** 104;

/** Values of a dtype in ascending order, from the least that there is to the greatest. */
function ascending(dtype: Dtype): StoredValue[] {
  if (dtype === "bool") return [false, true];
  if (dtype === "string") return ["", "a", "é", "\u{10ffff}"];
  if (dtype === "bytes") return [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(0, 0), Uint8Array.of(0x7f), Uint8Array.of(0xff), Uint8Array.of(0xff, 0)];
  if (dtype === "float32") return [-Infinity, -float32Max, -(2 ** -149), 0, 2 ** -149, Math.fround(0.1), float32Max, Infinity];
  if (dtype === "float64") return [-Infinity, -Number.MAX_VALUE, -Number.MIN_VALUE, 0, Number.MIN_VALUE, 0.1, Number.MAX_VALUE, Infinity];
  const { least, greatest } = wholeRange(dtype);
  return [least, least + 1n, (least + greatest) / 2n, greatest - 1n, greatest];
}

describe("queries over every dtype", () => {
  let dataDir = "";
  let engine: Engine;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-dtypes-"));
    engine = createEngine({ dataDir, cacheBytes: 2 ** 20, queryBytes: 16 * 2 ** 20 });
  });

  afterEach(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  async function ask(dtype: Dtype, values: readonly StoredValue[], query: { keys?: unknown[]; measures?: unknown[]; where?: unknown[] }): Promise<Value[][]> {
    const generation = await writeTable(join(dataDir, "t.bcolz"), [{ name: "v", dtype, values }], { replace: true });
    const parsed = parseQuery({ keys: [], measures: [], where: [], ...query });
    return rowsOf(answerLocally(seededRandom(1), engine, [{ ordinal: 0, name: "t.bcolz", generation }], parsed));
  }

  for (const dtype of dtypes) {
    it(`${dtype} groups, orders and has extremes over all its values, nulls apart`, async () => {
      const values = ascending(dtype);
      const shuffled = [null, ...values.toReversed(), null, ...values];
      const groups = await ask(dtype, shuffled, { keys: ["v"], measures: [["*", "count", "n"]] });
      expect(groups).to.deep.equal([...values, null].map((value) => [value, 2n]));
      const extremes = await ask(dtype, shuffled, { measures: [["v", "min", "least"], ["v", "max", "greatest"], ["v", "count", "n"]] });
      expect(extremes).to.deep.equal([[values[0], values.at(-1), BigInt(2 * values.length)]]);
      expect(await ask(dtype, [null, null], { keys: ["v"], measures: [["v", "min", "least"]] })).to.deep.equal([[null, null]]);
    });
  }

  for (const dtype of dtypes) {
    it(`${dtype} has its largest values in descending order, fewer where there are fewer rows`, async () => {
      const values = ascending(dtype);
      const keys = (await ask(dtype, values, { keys: ["v"] })).map(([value]) => value!);
      for (const k of [1, 2, 3, 20, 100]) {
        const measures = [["v", "topk", "top", { k }]];
        expect(await ask(dtype, [null, ...values, null], { measures }), `k = ${k}`).to.deep.equal([[keys.toReversed().slice(0, k)]]);
        const groups = await ask(dtype, [...values, null, values[0]!], { keys: ["v"], measures });
        expect(groups, `k = ${k}`).to.deep.equal([...keys.map((value, at) => [value, k > 1 && at === 0 ? [value, value] : [value]]), [null, null]]);
      }
    });
  }

  it("whole numbers have their extremes at both ends of a dtype, however close to each other they are", async () => {
    for (const dtype of dtypes) {
      if (isTextDtype(dtype) || isFloatDtype(dtype)) continue;
      const { least, greatest } = wholeRange(dtype);
      for (const span of [0n, 1n, 255n, 65_533n, 65_534n, 65_535n]) {
        if (span > greatest - least) continue;
        for (const lowest of [least, greatest - span]) {
          const values = [lowest + span, null, lowest, lowest + span / 2n].map((value) => (dtype === "bool" ? value === null ? null : value === 1n : value));
          const asked = await ask(dtype, values, { measures: [["v", "min", "least"], ["v", "max", "greatest"]] });
          const whole = await ask(dtype, [values[2]!, values[0]!], { keys: ["v"] });
          expect(asked, `${dtype} ${lowest} + ${span}`).to.deep.equal([[whole[0]![0], whole.at(-1)![0]]]);
        }
      }
    }
  });

  it("whole numbers sum exactly, in int64 or uint64 by their sign, and say when a sum does not fit", async () => {
    for (const dtype of dtypes) {
      if (isTextDtype(dtype) || isFloatDtype(dtype) || dtype === "bool" || dtype === "timestamp" || dtype === "date") continue;
      const { least, greatest } = wholeRange(dtype);
      const sums = (values: StoredValue[]): Promise<Value[][]> => ask(dtype, values, { measures: [["v", "sum", "sum"], ["v", "mean", "mean"]] });
      expect(await sums([greatest, least, 0n, null]), dtype).to.deep.equal([[greatest + least, Number(greatest + least) / 3]]);
      expect(await sums([null]), dtype).to.deep.equal([[null, null]]);
      if (greatest < 2n ** 33n) expect(await sums([greatest, greatest]), dtype).to.deep.equal([[2n * greatest, Number(greatest)]]);
      else expect(await failureOf(() => sums([greatest, 1n])), dtype).to.have.property("message").that.includes(`is ${greatest + 1n} in one group and does not fit ${dtype}`);
    }
  });

  it("a mean of uint64 does not overflow", async () => {
    const most = 2n ** 64n - 1n;
    expect(await ask("uint64", [most, most, most], { measures: [["v", "mean", "mean"]] })).to.deep.equal([[Number(most)]]);
  });

  it("a sum of float32 is a float64", async () => {
    expect(await ask("float32", [Math.fround(0.1), float32Max, float32Max], { measures: [["v", "sum", "sum"]] })).to.deep.equal([[2 * float32Max + Math.fround(0.1)]]);
  });

  it("sums and means of texts, bytes and times are DTYPE_MISMATCH", async () => {
    for (const dtype of ["string", "bytes", "timestamp", "date"] as const) {
      for (const op of ["sum", "mean"]) {
        expect(await failureOf(() => ask(dtype, [null], { measures: [["v", op, "m"]] }))).to.include({ code: "DTYPE_MISMATCH", message: `'${op}' of column 'v' means nothing for ${dtype}; use count, min or max` });
      }
    }
  });

  it("where terms find what is equal, and nothing by a literal beside it", async () => {
    const found = (dtype: Dtype, values: StoredValue[], ...where: unknown[]): Promise<Value[][]> => ask(dtype, values, { measures: [["v", "count", "n"]], where: [where] });
    expect(await found("float32", [Math.fround(0.1)], "v", "==", 0.1)).to.deep.equal([[0n]]);
    expect(await found("float32", [Math.fround(0.1)], "v", ">", 0.1)).to.deep.equal([[1n]]);
    expect(await found("float32", [Math.fround(0.1)], "v", "==", Math.fround(0.1))).to.deep.equal([[1n]]);
    expect(await found("uint64", [2n ** 64n - 1n, 2n ** 63n, 0n], "v", ">=", 2n ** 63n)).to.deep.equal([[2n]]);
    expect(await found("int8", [-128n, 127n], "v", "not in", [-129, 127, 0.5])).to.deep.equal([[1n]]);
    expect(await found("date", [16_801n, 16_802n], "v", "<", "2016-01-01T00:00:00.000000001Z")).to.deep.equal([[1n]]);
    expect(await found("bytes", [Uint8Array.of(0xff), Uint8Array.of(1)], "v", "in", [Uint8Array.of(0xff), "\\x02"])).to.deep.equal([[1n]]);
    expect(await found("bytes", [Uint8Array.of(0xff), null], "v", "!=", "\\x02")).to.deep.equal([[1n]]);
  });
});
