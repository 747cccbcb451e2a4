/** Comparing an answer with the expected one, and telling the first difference. */
import { formatHex } from "../../../lib/base/hex.js";
import type { Expected } from "./oracle.js";
import type { Value } from "./tables.js";

/** What differs first, as a sentence; undefined when nothing does. */
export function findDifference(actual: readonly (readonly Value[])[], expected: Expected, keyCount: number): string | undefined {
  if (actual.length !== expected.rows.length) return `${actual.length} rows instead of ${expected.rows.length}`;
  for (const [row, wanted] of expected.rows.entries()) {
    for (const [column, value] of wanted.entries()) {
      const bound = column < keyCount ? 0 : expected.bounds[row]![column - keyCount]!;
      const found = actual[row]![column]!;
      if (!isWithin(found, value, bound)) return `row ${row}, column ${column}: ${show(found)} instead of ${show(value)} (bound ${bound})`;
    }
  }
  return undefined;
}

function isWithin(found: Value, wanted: Value, bound: number): boolean {
  if (found === wanted) return true;
  if (found instanceof Uint8Array && wanted instanceof Uint8Array) return Buffer.compare(found, wanted) === 0;
  return typeof found === "number" && typeof wanted === "number" && Math.abs(found - wanted) <= bound;
}

function show(value: Value): string {
  if (value instanceof Uint8Array) return formatHex(value).slice(0, 80);
  return typeof value === "bigint" ? `${value}n` : JSON.stringify(value).slice(0, 80);
}
