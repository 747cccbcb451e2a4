/** Every measure over a few columns, for tests of what has to hold for all of them. */
import { measureOps, type MeasureOp } from "../../lib/engine/query/measures.js";

/** A measure of each op over a column of numbers or, where it takes two, over two; named after its op. */
export function everyMeasure(x: string, y: string): unknown[] {
  return [["*", "count", "rows"], ...measureOps.map((op) => [takesTwo(op) ? [x, y] : x, op, op, ...paramsOf(op)])];
}

function takesTwo(op: MeasureOp): boolean {
  return op === "corr" || op === "covar" || op === "histogram2d";
}

function paramsOf(op: MeasureOp): Record<string, unknown>[] {
  switch (op) {
    case "topk": return [{ k: 5, by: "count" }];
    case "quantile": case "approx_quantile": return [{ p: 0.9 }];
    case "histogram": return [{ bins: 7 }];
    case "histogram2d": return [{ bins: [3, 4] }];
    default: return [];
  }
}
