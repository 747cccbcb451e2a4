import { expect } from "chai";
import fc from "fast-check";
import { after, before, describe, it } from "mocha";
import { seededRandom, type Random } from "../../lib/base/clock.js";
import { biasOf, type Dtype } from "../../lib/columns/dtypes.js";
import { dtypeOf } from "../../lib/engine/expressions/dtype-of.js";
import { parseCondition, parseExpression } from "../../lib/engine/expressions/parse.js";
import { printCondition, printExpression } from "../../lib/engine/expressions/print.js";
import type { Expression } from "../../lib/engine/expressions/tree.js";
import type { ResultColumn } from "../../lib/engine/finish.js";
import { openEvaluation } from "../../lib/engine/result/evaluation.js";
import { isFloats, isLists, isText, type Lists, type Values } from "../../lib/engine/values.js";
import { evaluateCondition, evaluateRow, type Row, type Scalar } from "../support/expression-reference.js";
import { openMeasuring, type Measuring } from "../support/measuring.js";
import { anyInt64, chance, oneOf, whole } from "../support/random/draw.js";
import { drawCondition, drawExpression, type Kind, type Names } from "../support/random/expressions.js";
import { batchOf } from "../support/write-table.js";

const names: Names = { int: ["i", "j", "k"], float: ["x", "y"], string: ["s", "p"], time: ["t"], date: ["d"], bool: ["b"] };
const dtypes: Readonly<Record<string, Dtype>> = { i: "int64", j: "int32", k: "uint8", x: "float64", y: "float32", s: "string", p: "string", t: "timestamp", d: "date", b: "bool" };
const kinds = Object.keys(names) as Kind[];

/** Values of few kinds or of many, a third of them null in some columns. */
function drawColumn(random: Random, name: string, rows: number): Scalar[] {
  const [few, nulls] = [chance(random, 0.6), oneOf(random, [0, 0, 0.3, 1])];
  return Array.from({ length: rows }, () => {
    if (chance(random, nulls)) return null;
    switch (name) {
      case "i": return few ? BigInt(whole(random, -4, 4)) : chance(random, 0.1) ? anyInt64(random) : BigInt(whole(random, -1e9, 1e9));
      case "j": return BigInt(whole(random, few ? 0 : -1e9, few ? 9 : 1e9));
      case "k": return BigInt(whole(random, 0, few ? 3 : 255));
      case "x": return few ? oneOf(random, [0, 0.5, -1.5, 1e300]) : (random() - 0.5) * 1e6;
      case "y": return Math.fround(few ? whole(random, -2, 2) / 2 : random() * 1e3);
      case "s": return oneOf(random, ["a", "Ab", "", "bé", "zz"]);
      case "p": return few ? oneOf(random, ["b", "A"]) : `a${whole(random, 0, 50)}`;
      case "t": return BigInt(whole(random, -1e6, 1e6)) * (few ? 86_400_000_000_000n / 100n : 1_000_000_007n);
      case "d": return BigInt(whole(random, -1_000, few ? -990 : 20_000));
      default: return chance(random, 0.5);
    }
  });
}

function resultColumn(name: string, values: readonly Scalar[]): ResultColumn {
  const dtype = dtypes[name]!;
  const isNull = Uint8Array.from(values, (value) => (value === null ? 1 : 0));
  return { name, values: valuesOf(dtype, values), isNull: isNull.includes(1) ? isNull : null };
}

function valuesOf(dtype: Dtype, values: readonly Scalar[]): Values {
  if (dtype === "string") {
    const batch = batchOf("string", values.map((value) => value ?? ""));
    if (batch.dtype !== "string") throw new Error("unreachable");
    return { dtype, offsets: Uint32Array.from(batch.values.offsets), bytes: batch.values.bytes };
  }
  if (dtype === "float64" || dtype === "float32") return { dtype, array: Float64Array.from(values, (value) => Number(value ?? 5)) };
  if (dtype === "bool") return { dtype, array: Uint8Array.from(values, (value) => (value === true ? 1 : 0)) };
  if (dtype === "bytes") throw new Error("no bytes here");
  return { dtype, array: BigInt64Array.from(values, (value) => (typeof value === "bigint" ? value : 7n)) };
}

function scalarsOf(values: Values | Lists, isNull: Uint8Array | null): Scalar[] {
  if (isLists(values)) throw new Error("no lists here");
  const decoder = new TextDecoder();
  const count = isText(values) ? values.offsets.length - 1 : values.array.length;
  return Array.from({ length: count }, (_, row) => {
    if (isNull?.[row] === 1) return null;
    if (isText(values)) return decoder.decode(values.bytes.subarray(values.offsets[row], values.offsets[row + 1]));
    if (isFloats(values)) return values.array[row]!;
    return values.dtype === "bool" ? values.array[row] === 1 : BigInt(values.array[row]!) + biasOf(values.dtype);
  });
}

/** What a piece of work gives, or the code of what it throws. */
function outcome<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  throw error;
}

/** Rows of columns, as the reference takes them. */
function rowsOf(columns: ReadonlyMap<string, readonly Scalar[]>, rows: number): Row[] {
  return Array.from({ length: rows }, (_, row) => ({ dtypes, values: Object.fromEntries([...columns].map(([name, values]) => [name, values[row]!])) }));
}

function drawColumns(random: Random, rows: number): Map<string, Scalar[]> {
  return new Map(Object.keys(dtypes).map((name) => [name, drawColumn(random, name, rows)]));
}

describe("expressions (property)", () => {
  let measuring: Measuring;

  before(async () => { measuring = await openMeasuring(); });
  after(() => measuring.close());

  it("print as text that parses to the same tree", () => {
    fc.assert(fc.property(fc.nat(), (seed) => {
      const random = seededRandom(seed);
      const condition = drawCondition(random, names, 4);
      expect(parseCondition(printCondition(condition))).to.deep.equal(condition);
      const expr = drawExpression(random, names, oneOf(random, kinds), 5);
      expect(parseExpression(printExpression(expr))).to.deep.equal(expr);
    }), { numRuns: 500 });
  });

  it("over columns of a result give what plain arithmetic gives row by row", () => {
    fc.assert(fc.property(fc.nat(), (seed) => {
      const random = seededRandom(seed);
      const rows = oneOf(random, [1, 7, 64, 200]);
      const columns = drawColumns(random, rows);
      const evaluation = openEvaluation([...columns].map(([name, values]) => resultColumn(name, values)), rows);
      for (let round = 0; round < 12; round++) {
        const expr = drawExpression(random, names, oneOf(random, kinds), whole(random, 1, 3));
        const expected = outcome(() => rowsOf(columns, rows).map((row) => evaluateRow(expr, row)));
        const column = outcome(() => evaluation.compute(expr));
        compareAnswers(expr, typeof column === "string" ? column : scalarsOf(column.values, column.isNull), expected);
      }
      const condition = drawCondition(random, names, whole(random, 1, 3));
      const selected = outcome(() => [...evaluation.select(condition)]);
      const expected = outcome(() => rowsOf(columns, rows).flatMap((row, at) => (evaluateCondition(condition, row) === true ? [at] : [])));
      if (expected !== "OVERFLOW") expect(selected, printCondition(condition)).to.deep.equal(expected);
    }), { numRuns: 15 });
  });

  it("over tables, as keys and as inputs of measures, give the same, whatever the encoding of chunks", async () => {
    await fc.assert(fc.asyncProperty(fc.nat(), async (seed) => {
      const random = seededRandom(seed);
      const rows = oneOf(random, [1, 50, 400]);
      const columns = drawColumns(random, rows);
      const ids = Array.from({ length: rows }, (_, row) => BigInt(row));
      const table = [{ name: "id", dtype: "int64" as const, values: ids }, ...[...columns].map(([name, values]) => ({ name, dtype: dtypes[name]!, values }))];
      const exprs = Array.from({ length: 8 }, () => drawExpression(random, names, oneOf(random, kinds), whole(random, 1, 3)));
      for (const expr of exprs) {
        const expected = outcome(() => rowsOf(columns, rows).map((row) => evaluateRow(expr, row)));
        const text = printExpression(expr);
        const isNumber = ["int64", "int32", "uint8", "float64", "float32"].includes(dtypeOf(expr, (name) => dtypes[name]!) ?? "");
        const query = { keys: ["id", { expr: text, as: "key" }], measures: isNumber ? [[{ expr: text }, "min", "least"]] : [] };
        const answer = await measuring.ask([table], query).catch(codeOf);
        compareAnswers(expr, typeof answer === "string" ? answer : answer.map((row) => row[1] as Scalar), expected);
        if (isNumber && typeof answer !== "string") compareAnswers(expr, answer.map((row) => row[2] as Scalar), expected);
      }
    }), { numRuns: 5 });
  }).timeout(60_000);
});

function compareAnswers(expr: Expression, answer: Scalar[] | string, expected: Scalar[] | string): void {
  const text = printExpression(expr);
  expect(answer, text).to.deep.equal(expected);
}
