/** Measures as callers write them, and the ops that they may name. */
import { suggestion } from "../../base/nearest.js";
import type { Expression } from "../expressions/tree.js";
import { badQuery, show } from "./bad-query.js";
import { readExpression } from "./keys.js";
import { parseParams, type MeasureParams, type ParamRule } from "./params.js";

/** What an op takes: how many inputs, and which parameters. */
interface OpShape {
  readonly inputs: 1 | 2;
  readonly params: readonly ParamRule[];
}

const plain: OpShape = { inputs: 1, params: [] };
const pair: OpShape = { inputs: 2, params: [] };

const shapes = {
  sum: plain, mean: plain, var: plain, std: plain, var_samp: plain, std_samp: plain,
  count: plain, count_na: plain, count_distinct: plain, sorted_count_distinct: plain,
  min: plain, max: plain, first: plain, last: plain, mode: plain,
  topk: { inputs: 1, params: ["k", "by"] },
  median: plain,
  quantile: { inputs: 1, params: ["p"] },
  corr: pair, covar: pair,
  histogram: { inputs: 1, params: ["bins", "low", "high"] },
  histogram2d: { inputs: 2, params: ["bins", "low", "high"] },
  approx_count_distinct: plain,
  approx_quantile: { inputs: 1, params: ["p", "error"] },
} as const satisfies Record<string, OpShape>;

/** An op that a measure may name. */
export type MeasureOp = keyof typeof shapes;

/** Every op a measure may name. */
export const measureOps = Object.keys(shapes) as readonly MeasureOp[];

/** Tells whether a text names a measure. */
export function isMeasureOp(text: string): text is MeasureOp {
  return Object.hasOwn(shapes, text);
}

/** One aggregate asked for. `inputs` is empty for rows counted, has two expressions for ops of two columns, else one. */
export interface MeasureSpec {
  readonly name: string;
  readonly op: MeasureOp;
  readonly inputs: readonly Expression[];
  readonly params: MeasureParams;
}

/** Arithmetic over finished columns: names in it are those of keys and measures. */
export interface ComputedSpec {
  readonly name: string;
  readonly expr: Expression;
  /** Where it stands among measures and computed ones, in the order asked. */
  readonly place: number;
}

/** Measures and arithmetic over them, told apart, from a list of either. Throws BAD_QUERY naming the one that is wrong. */
export function parseMeasures(list: readonly unknown[]): { measures: MeasureSpec[]; computed: ComputedSpec[] } {
  const measures: MeasureSpec[] = [];
  const computed: ComputedSpec[] = [];
  list.forEach((written, place) => {
    const arithmetic = readExpression(written);
    if (arithmetic === undefined) measures.push(parseMeasure(written));
    else computed.push({ ...arithmetic, place });
  });
  return { measures, computed };
}

/** The measure, if its op takes that many inputs and those parameters; they come out with their defaults. Throws BAD_QUERY. */
export function checkMeasure(name: string, op: unknown, inputs: readonly Expression[], params: unknown): MeasureSpec {
  if (typeof op !== "string" || !isMeasureOp(op)) {
    throw badQuery(`measure op ${show(op)} of '${name}' is unknown${suggestion(String(op), measureOps, `use one of ${measureOps.join(", ")}`)}`);
  }
  const shape: OpShape = shapes[op];
  if (inputs.length === 0) {
    if (op !== "count") throw badQuery(`measure ['*', '${op}'] means nothing; only count takes '*'`);
  } else if (inputs.length !== shape.inputs) {
    throw badQuery(`measure '${name}' gives '${op}' ${inputs.length} columns; it takes ${shape.inputs === 1 ? "one" : "two, as in [['a', 'b'], 'corr', 'r']"}`);
  }
  return { name, op, inputs, params: parseParams(name, op, shape.params, shape.inputs, params) };
}

function parseMeasure(measure: unknown): MeasureSpec {
  if (typeof measure === "string" && measure !== "") return checkMeasure(measure, "sum", inputsOf(measure, measure).exprs, undefined);
  if (!Array.isArray(measure)) throw badQuery(`measure ${show(measure)} is neither a column name nor [column, op, name]`);
  const parts: readonly unknown[] = measure;
  if (parts.length < 2 || parts.length > 4) throw badQuery(`measure ${show(measure)} does not read as [column, op], [column, op, name] or [column, op, name, params]`);
  const [columns, op, given, params] = parts;
  const { exprs, name: own } = inputsOf(columns, measure);
  const name = given ?? own;
  if (typeof name !== "string" || name === "") throw badQuery(`measure name ${show(name)} of ['${own}', ${show(op)}] is not a text`);
  return checkMeasure(name, op, exprs, params);
}

/** The inputs that the first part of a measure names, none for `*`, and the name they make. */
function inputsOf(written: unknown, measure: unknown): { exprs: Expression[]; name: string } {
  if (written === "*") return { exprs: [], name: "*" };
  const list: readonly unknown[] = Array.isArray(written) ? written : [written];
  const inputs = list.map((entry) => inputOf(entry, measure));
  if (inputs.length === 0) throw badQuery(`measure ${show(measure)} has an empty list of columns`);
  return { exprs: inputs.map(({ expr }) => expr), name: inputs.map(({ name }) => name).join(", ") };
}

function inputOf(written: unknown, measure: unknown): { expr: Expression; name: string } {
  if (typeof written === "string" && written !== "" && written !== "*") return { expr: { kind: "column", name: written }, name: written };
  const expression = readExpression(written);
  if (expression === undefined) throw badQuery(`measure ${show(measure)} does not start with a column name, {expr} or a list of them`);
  return expression;
}
