/** Random queries over a random table: 0 to 3 keys, 0 to 4 measures, 0 to 3 terms. */
import type { Random } from "../../../lib/base/clock.js";
import { measureOps } from "../../../lib/engine/measures.js";
import { parseQuery, type Literal, type Query, type TermOp } from "../../../lib/engine/query.js";
import { formatTimestamp } from "../../../lib/columns/timestamps.js";
import { anyInt64, chance, oneOf, someOf, whole } from "./draw.js";
import type { RandomColumn, RandomTable } from "./tables.js";

const termOps: readonly TermOp[] = ["==", "!=", "<", "<=", ">", ">=", "in", "not in"];

/** A query that means something for the table's dtypes. */
export function drawQuery(random: Random, table: RandomTable): Query {
  const keys = someOf(random, table.columns, whole(random, 0, 3)).map((column) => column.name);
  const measures = Array.from({ length: whole(random, keys.length === 0 ? 1 : 0, 4) }, (_, k) => drawMeasure(random, table, `m${k}`));
  const where = Array.from({ length: whole(random, 0, 3) }, () => drawTerm(random, oneOf(random, table.columns)));
  return parseQuery({ keys, measures, where, cache: oneOf(random, [true, "columns", false]) });
}

function drawMeasure(random: Random, table: RandomTable, name: string): string[] {
  if (chance(random, 0.1)) return ["*", "count", name];
  const op = oneOf(random, measureOps);
  const takesNumbers = op === "sum" || op === "mean";
  const columns = table.columns.filter(({ dtype }) => !takesNumbers || (dtype !== "string" && dtype !== "timestamp"));
  return [oneOf(random, columns).name, op, name];
}

function drawTerm(random: Random, column: RandomColumn): unknown[] {
  const op = oneOf(random, termOps);
  if (op !== "in" && op !== "not in") return [column.name, op, drawLiteral(random, column)];
  return [column.name, op, Array.from({ length: oneOf(random, [1, 3, 40]) }, () => drawLiteral(random, column))];
}

/** Mostly a value that occurs, so that terms select some rows; else one near it or anywhere. */
function drawLiteral(random: Random, column: RandomColumn): Literal {
  const found = column.values.length === 0 ? null : oneOf(random, column.values);
  switch (column.dtype) {
    case "bool": return chance(random, 0.5);
    case "int64": {
      if (chance(random, 0.1)) return whole(random, -100, 100) + 0.5;
      if (chance(random, 0.1)) return oneOf(random, [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 70n]);
      return typeof found === "bigint" && chance(random, 0.8) ? narrow(found) : narrow(oneOf(random, [0n, 1n, anyInt64(random)]));
    }
    case "float64": return typeof found === "number" && chance(random, 0.8) ? found : oneOf(random, [0, 0.5, 100, -1e9, Infinity, 3]);
    case "timestamp": return formatTimestamp(typeof found === "bigint" && chance(random, 0.8) ? found : BigInt(whole(random, 0, 2_000_000_000)) * 1_000_000_000n);
    case "string": return typeof found === "string" && chance(random, 0.8) ? found : oneOf(random, ["", "m", "zzz", "id05", "nowhere"]);
  }
}

function narrow(value: bigint): Literal {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
