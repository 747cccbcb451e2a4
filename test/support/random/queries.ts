/** Random queries over a random table: 0 to 3 keys, 0 to 4 measures, 0 to 3 terms. */
import type { Random } from "../../../lib/base/clock.js";
import { formatHex } from "../../../lib/base/hex.js";
import { formatDate, formatTimestamp } from "../../../lib/columns/moments.js";
import { isTextDtype, wholeRange, type IntegerDtype } from "../../../lib/columns/dtypes.js";
import type { TermOp } from "../../../lib/engine/expressions/tree.js";
import type { Literal } from "../../../lib/engine/query/literal.js";
import { parseQuery, type Query } from "../../../lib/engine/query/query.js";
import { anyInt64, chance, oneOf, someOf, whole } from "./draw.js";
import type { FilledTable, RandomColumn, Value } from "./tables.js";

/** Those that the oracle knows. */
const measureOps = ["sum", "mean", "count", "min", "max"] as const;
const termOps: readonly TermOp[] = ["==", "!=", "<", "<=", ">", ">=", "in", "not in"];

/** A query that means something for the table's dtypes. */
export function drawQuery(random: Random, table: FilledTable): Query {
  const keys = someOf(random, table.columns, whole(random, 0, 3)).map((column) => column.name);
  const measures = Array.from({ length: whole(random, keys.length === 0 ? 1 : 0, 4) }, (_, k) => drawMeasure(random, table, `m${k}`));
  const where = Array.from({ length: whole(random, 0, 3) }, () => drawTerm(random, table, whole(random, 0, table.columns.length - 1)));
  return parseQuery({ keys, measures, where, cache: oneOf(random, [true, "columns", false]) });
}

function drawMeasure(random: Random, table: FilledTable, name: string): string[] {
  if (chance(random, 0.1)) return ["*", "count", name];
  const op = oneOf(random, measureOps);
  const takesNumbers = op === "sum" || op === "mean";
  const columns = table.columns.filter(({ dtype }) => !takesNumbers || !(isTextDtype(dtype) || dtype === "timestamp" || dtype === "date"));
  return [oneOf(random, columns).name, op, name];
}

function drawTerm(random: Random, table: FilledTable, place: number): unknown[] {
  const [column, values] = [table.columns[place]!, table.values[place]!];
  const op = oneOf(random, termOps);
  if (op !== "in" && op !== "not in") return [column.name, op, drawLiteral(random, column, values)];
  return [column.name, op, Array.from({ length: oneOf(random, [1, 3, 40]) }, () => drawLiteral(random, column, values))];
}

/** Mostly a value that occurs, so that terms select some rows; else one near it or anywhere. */
function drawLiteral(random: Random, { dtype }: RandomColumn, values: readonly Value[]): Literal {
  const found = values.length === 0 || chance(random, 0.2) ? null : oneOf(random, values);
  switch (dtype) {
    case "bool": return chance(random, 0.5);
    case "int8": case "int16": case "int32": case "int64": case "uint8": case "uint16": case "uint32": case "uint64": return drawInteger(random, dtype, found);
    case "float32": case "float64": return typeof found === "number" && !Number.isNaN(found) ? found : oneOf(random, [0, 0.1, 0.5, 100, -1e9, 1e-300, Infinity, 3]);
    case "timestamp": return drawTime(random, typeof found === "bigint" ? found : BigInt(whole(random, 0, 2_000_000_000)) * 1_000_000_000n);
    case "date": return drawTime(random, (typeof found === "bigint" && found < 90_000_000n && found > -90_000_000n ? found : BigInt(whole(random, -25_567, 17_000))) * dayNs);
    case "string": return typeof found === "string" ? found : oneOf(random, ["", "m", "zzz", "id05", "nowhere"]);
    case "bytes": {
      const bytes = found instanceof Uint8Array ? found : Uint8Array.from({ length: whole(random, 0, 2) }, () => whole(random, 0, 255));
      return chance(random, 0.5) ? bytes : formatHex(bytes);
    }
  }
}

function drawInteger(random: Random, dtype: IntegerDtype, found: Value): Literal {
  const { least, greatest } = wholeRange(dtype);
  if (chance(random, 0.1)) return whole(random, -100, 100) + 0.5;
  if (chance(random, 0.1)) return narrow(oneOf(random, [greatest + 1n, least - 1n, 2n ** 70n]));
  return narrow(typeof found === "bigint" ? found : oneOf(random, [0n, 1n, greatest, anyInt64(random)]));
}

const dayNs = 86_400_000_000_000n;

/** The instant, the day it lies in, or an instant later that day, as text. */
function drawTime(random: Random, instant: bigint): Literal {
  const midnight = instant - (((instant % dayNs) + dayNs) % dayNs);
  if (chance(random, 0.3)) return formatDate(Number(midnight / dayNs));
  return formatTimestamp(chance(random, 0.2) ? midnight + BigInt(whole(random, 0, 86_399)) * 1_000_000_000n : instant);
}

function narrow(value: bigint): Literal {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
