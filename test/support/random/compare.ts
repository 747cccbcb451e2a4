/** Comparing an answer with the expected one, and telling the first difference. */
import { formatHex } from "../../../lib/base/hex.js";
import type { Expected } from "./oracle.js";
import type { Value } from "./tables.js";

/** What differs first, as a sentence; undefined when nothing does. */
export function findDifference(actual: readonly (readonly Value[])[], expected: Expected): string | undefined {
  if (actual.length !== expected.rows.length) return `${actual.length} rows instead of ${expected.rows.length}`;
  for (const [row, wanted] of expected.rows.entries()) {
    for (const [column, value] of wanted.entries()) {
      const bound = expected.bounds[row]![column]!;
      const found = actual[row]![column]!;
      if (!isWithin(found, value, bound)) return `row ${row}, column ${column}: ${show(found)} instead of ${show(value)} (bound ${bound})`;
    }
  }
  return undefined;
}

function isWithin(found: Value, wanted: Value, bound: number): boolean {
  if (found === wanted || Number.isNaN(bound)) return true;
  if (found instanceof Uint8Array && wanted instanceof Uint8Array) return Buffer.compare(found, wanted) === 0;
  if (isList(found) && isList(wanted)) return found.length === wanted.length && found.every((item, place) => isWithin(item, wanted[place]!, bound));
  if (typeof found === "bigint" && typeof wanted === "bigint") return bound > 0 && Math.abs(Number(found - wanted)) <= bound;
  return typeof found === "number" && typeof wanted === "number" && Number.isFinite(found) && Math.abs(found - wanted) <= bound;
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function show(value: Value): string {
  if (value instanceof Uint8Array) return formatHex(value).slice(0, 80);
  if (isList(value)) return `[${value.slice(0, 12).map(show).join(", ")}${value.length > 12 ? ", ..." : ""}]`;
  return typeof value === "bigint" ? `${value}n` : JSON.stringify(value).slice(0, 80);
}
