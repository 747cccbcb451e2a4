/** Where terms, plainly: three-valued logic over single values, for tests of the masks. */
import { parseDate, parseTimestamp } from "../../lib/columns/moments.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { parseHex } from "../../lib/base/hex.js";
import { isLike } from "./like.js";
import type { StoredValue } from "./read-table.js";

/** True, false, or unknown. */
export type Truth = boolean | null;

/** A where term as callers write it. */
export type Written = readonly unknown[] | { readonly or: readonly Written[] } | { readonly and: readonly Written[] } | { readonly not: Written };

/** The value and dtype of a column in the row at hand. */
export type ReadColumn = (name: string) => { readonly dtype: Dtype; readonly value: StoredValue };

const dayNs = 86_400_000_000_000n;

/** What a term says of a row. */
export function truthOf(term: Written, read: ReadColumn): Truth {
  if ("or" in term) return join(term.or.map((part) => truthOf(part, read)), true);
  if ("and" in term) return join(term.and.map((part) => truthOf(part, read)), false);
  if ("not" in term) return turn(truthOf(term.not, read));
  const [name, op, value] = term as [string, string, unknown];
  const column = read(name);
  return op.startsWith("not ") ? turn(plainTruth(column, op.slice(4), value, read)) : plainTruth(column, op, value, read);
}

function plainTruth(column: ReturnType<ReadColumn>, op: string, value: unknown, read: ReadColumn): Truth {
  if (op === "is null") return column.value === null;
  if (op === "is not null") return column.value !== null;
  if (column.value === null) return null;
  if (op === "like") return isLike(String(column.value), String(value));
  if (op === "in") return (value as unknown[]).some((literal) => orderOf(column, literal) === 0);
  if (op === "between") {
    const [low, high] = value as [unknown, unknown];
    return orderOf(column, low) >= 0 && orderOf(column, high) <= 0;
  }
  const other = otherColumn(value, read);
  if (other?.value === null) return null;
  const order = other === undefined ? orderOf(column, value) : compare(scaled(column.dtype, column.value), scaled(other.dtype, other.value));
  return { "==": order === 0, "!=": order !== 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0 }[op]!;
}

function otherColumn(value: unknown, read: ReadColumn): ReturnType<ReadColumn> | undefined {
  if (typeof value !== "object" || value === null || !("expr" in value)) return undefined;
  return read(String(value.expr));
}

function join(truths: readonly Truth[], decisive: boolean): Truth {
  if (truths.includes(decisive)) return decisive;
  return truths.includes(null) ? null : !decisive;
}

function turn(truth: Truth): Truth {
  return truth === null ? null : !truth;
}

type Comparable = number | bigint | Uint8Array;

function orderOf({ dtype, value }: ReturnType<ReadColumn>, literal: unknown): number {
  return compare(scaled(dtype, value), literalOf(dtype, literal));
}

/** A value on the scale on which its dtype is compared. */
function scaled(dtype: Dtype, value: StoredValue): Comparable {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string") return Buffer.from(value);
  if (typeof value === "bigint" && dtype === "date") return value * dayNs;
  return value!;
}

function literalOf(dtype: Dtype, literal: unknown): Comparable {
  if (typeof literal === "boolean") return literal ? 1 : 0;
  if (literal instanceof Date) return BigInt(literal.getTime()) * 1_000_000n;
  if (typeof literal !== "string") return literal as Comparable;
  if (dtype === "string") return Buffer.from(literal);
  if (dtype === "bytes") return parseHex(literal)!;
  const days = parseDate(literal);
  return days === undefined ? parseTimestamp(literal)! : BigInt(days) * dayNs;
}

function compare(a: Comparable, b: Comparable): number {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}
