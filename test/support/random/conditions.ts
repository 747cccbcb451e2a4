/** Random where terms over random columns: every op on every dtype, literals on, beside and far beyond the values. */
import type { Random } from "../../../lib/base/clock.js";
import { formatDate, formatTimestamp } from "../../../lib/columns/moments.js";
import { isFloatDtype, isTextDtype, type Dtype } from "../../../lib/columns/dtypes.js";
import type { StoredValue } from "../read-table.js";
import type { Written } from "../conditions.js";
import { chance, oneOf, whole } from "./draw.js";

/** A column that terms may name, with its values. */
export interface TermColumn {
  readonly name: string;
  readonly dtype: Dtype;
  readonly values: readonly StoredValue[];
}

/** Ops that every dtype has. */
export const plainOps = ["==", "!=", "<", "<=", ">", ">=", "in", "not in", "between", "not between", "is null", "is not null"] as const;

/** A condition with or, and and not, at most `depth` deep. `onTerm` is told the op and dtype of each term. */
export function drawCondition(random: Random, columns: readonly TermColumn[], depth: number, onTerm: (op: string, dtype: Dtype) => void): Written {
  if (depth === 0 || chance(random, 0.4)) return drawTerm(random, columns, onTerm);
  const parts = Array.from({ length: whole(random, 1, 4) }, () => drawCondition(random, columns, depth - 1, onTerm));
  return oneOf<Written>(random, [{ or: parts }, { and: parts }, { not: parts[0]! }]);
}

function drawTerm(random: Random, columns: readonly TermColumn[], onTerm: (op: string, dtype: Dtype) => void): Written {
  const column = oneOf(random, columns);
  const { name, dtype } = column;
  const op = dtype === "string" && chance(random, 0.3) ? oneOf(random, ["like", "not like"]) : oneOf(random, plainOps);
  const fellows = columns.filter((other) => domainOf(other.dtype) === domainOf(dtype));
  if (/^[<>=!]/.test(op) && chance(random, 0.3)) {
    onTerm(`${op} column`, dtype);
    return [name, op, { expr: oneOf(random, fellows).name }];
  }
  onTerm(op, dtype);
  if (op.endsWith("null")) return [name, op];
  if (op.endsWith("like")) return [name, op, drawPattern(random, column)];
  if (op.endsWith("in")) return [name, op, Array.from({ length: whole(random, 1, oneOf(random, [2, 5, 200])) }, () => drawLiteral(random, column))];
  if (op.endsWith("between")) return [name, op, [drawLiteral(random, column), drawLiteral(random, column)]];
  return [name, op, drawLiteral(random, column)];
}

function domainOf(dtype: Dtype): string {
  if (dtype === "timestamp" || dtype === "date") return "time";
  return isTextDtype(dtype) || dtype === "bool" ? dtype : "number";
}

/** A literal that a column of the dtype may be compared with. */
export function drawLiteral(random: Random, { dtype, values }: TermColumn): unknown {
  const value = (values.length === 0 ? null : oneOf(random, values)) ?? defaultOf(dtype);
  if (isFloatDtype(dtype)) return drawNumber(random, Number.isNaN(value) ? 1.5 : Number(value));
  switch (typeof value) {
    case "boolean": return oneOf(random, [value, value ? 1 : 0]);
    case "string": return oneOf(random, [value, value, `${value}a`, value.slice(0, 2), ""]);
    case "bigint":
      if (dtype === "date") return drawInstant(random, value * dayNs, formatDate(clamp(value)));
      return dtype === "timestamp" ? drawInstant(random, value, formatTimestamp(value)) : drawInteger(random, value);
    default: return value instanceof Uint8Array ? drawBytes(random, value) : null;
  }
}

const dayNs = 86_400_000_000_000n;

function clamp(days: bigint): number {
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Number(days)));
}

function defaultOf(dtype: Dtype): StoredValue {
  if (dtype === "string") return "ab";
  if (dtype === "bytes") return Uint8Array.of(0xff);
  if (dtype === "bool") return true;
  return isFloatDtype(dtype) ? 1.5 : 3n;
}

function drawInteger(random: Random, value: bigint): unknown {
  const near = Number(value);
  return oneOf<unknown>(random, [value, value, value + 1n, value - 1n, near, near + 0.5, near / 3, 2n ** 64n, -(2n ** 63n) - 1n, 1e300, -Infinity, Infinity, 0.5, 0]);
}

function drawNumber(random: Random, value: number): unknown {
  const whole = Number.isFinite(value) ? BigInt(Math.trunc(value)) : 10n ** 309n;
  return oneOf<unknown>(random, [value, value, value * 1.000_000_1, -value, whole, whole + 1n, 2n ** 53n + 1n, Infinity, -Infinity, 0, -0, 0.1]);
}

function drawInstant(random: Random, instant: bigint, text: string): unknown {
  const beside = instant + BigInt(whole(random, -1, 1));
  const isNear = beside > -(2n ** 62n) && beside < 2n ** 62n;
  return oneOf<unknown>(random, [text, text, isNear ? formatTimestamp(beside) : text, isNear ? new Date(Number(instant / 1_000_000n)) : text, "2016-01-31", "9999-12-31", "-271821-04-20"]);
}

function drawBytes(random: Random, value: Uint8Array): unknown {
  return oneOf<unknown>(random, [value, `\\x${Buffer.from(value).toString("hex")}`, value.subarray(0, 1), Uint8Array.of(...value, 0)]);
}

function drawPattern(random: Random, { values }: TermColumn): string {
  const value = (values.length === 0 ? null : oneOf(random, values)) ?? "ab";
  const letters = [...String(value)].slice(0, 80).map((letter) => letter.replace(/[\\%_]/, "\\$&"));
  const place = whole(random, 0, letters.length);
  const [head, tail] = [letters.slice(0, place).join(""), letters.slice(place).join("")];
  const shuffled = letters.map((letter) => oneOf(random, [letter, letter, letter, "_", "%"])).join("");
  return oneOf(random, [head + tail, `${head}%`, `%${tail}`, `%${head.slice(0, 3)}%`, `${head}%${tail}`, shuffled, "%", "_%", ""].map((pattern) => (/(?:^|[^\\])(?:\\\\)*\\$/.test(pattern) ? "a%" : pattern)));
}
