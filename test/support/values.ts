/** Values of every dtype for property tests. */
import fc from "fast-check";
import { wholeRange, type Dtype } from "../../lib/columns/dtypes.js";
import type { StoredValue } from "./read-table.js";

type Whole = Exclude<Dtype, "bool" | "float32" | "float64" | "string" | "bytes">;

/** Whole numbers of a dtype: anywhere, near its ends, near each other, and in steps. */
function wholes(dtype: Whole): fc.Arbitrary<bigint> {
  const { least, greatest } = wholeRange(dtype);
  const span = greatest - least;
  const small = span < 300n ? span : 300n;
  return fc.oneof(
    fc.bigInt({ min: least, max: greatest }), fc.bigInt({ min: least, max: least + small }), fc.bigInt({ min: greatest - small, max: greatest }),
    fc.constantFrom(least, greatest, least + span / 2n, least + span / 2n + 1n), fc.bigInt({ min: 0n, max: 20n }).map((step) => least + span / 21n * step),
  );
}

const floats = fc.oneof(
  fc.double(), fc.integer({ min: -1_000_000, max: 1_000_000 }).map((cents) => cents / 100), fc.integer({ min: -9, max: 9 }),
  fc.constantFrom(0.1 + 0.2, 0.3, Infinity, -Infinity, 5e-324, -5e-324, 1e-18, 2 ** 52, 2 ** 53, -0, Number.MAX_VALUE, 1e22, 1e23, NaN),
);
const strings = fc.oneof(texts({ maxLength: 100 }), fc.constantFrom("", "a", "\u0000", "é".repeat(32), "é".repeat(33), "🚕".repeat(30), "x".repeat(64), "x".repeat(65)));
const blobs = fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.constantFrom(new Uint8Array(64).fill(0xff), new Uint8Array(65).fill(0xff), new Uint8Array(0)));

/** Text of any characters that UTF-8 has. That of fast-check itself makes a map of a million of them when it is loaded. */
export function texts(length: fc.ArrayConstraints): fc.Arbitrary<string> {
  const [surrogates, count] = [0xd800, 0x800];
  const character = fc.integer({ min: 0, max: 0x10ffff - count }).map((place) => String.fromCodePoint(place < surrogates ? place : place + count));
  return fc.array(character, length).map((characters) => characters.join(""));
}

/** Any value of a dtype, the odd ones more often; NaN and -0.0 among the floats. */
export function valuesOf(dtype: Dtype): fc.Arbitrary<StoredValue> {
  switch (dtype) {
    case "bool": return fc.boolean();
    case "float64": return floats;
    case "float32": return floats.map(Math.fround);
    case "string": return strings;
    case "bytes": return blobs;
    default: return wholes(dtype);
  }
}

/** What a value comes back as. */
export function comesBackAs(value: StoredValue): StoredValue {
  if (typeof value !== "number") return value;
  return Number.isNaN(value) ? null : value + 0;
}
