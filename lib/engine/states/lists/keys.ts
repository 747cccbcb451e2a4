/**
 * Items as float64 keys that order as the items do, so that one loop over one kind of array compares, merges and selects
 * them, whatever their dtype.
 */
import { placeDomains, placeValues } from "../../place-values.js";
import { countOf, type Text } from "../../values.js";
import { keptOf, type Items, type TextItems, type WholeItems } from "./items.js";

/** Keys of two runs of items, comparable with each other; `restore` makes items of any of them, taking the array over. */
export interface KeyPair {
  readonly left: Float64Array;
  readonly right: Float64Array;
  restore(keys: Float64Array): Items;
}

/** The keys of two runs of one dtype. */
export function pairKeys(left: Items, right: Items): KeyPair {
  if (left.form === "texts" && right.form === "texts") return pairTexts(left, right);
  if (left.form === "texts" || right.form === "texts") throw new Error(`cannot compare ${left.dtype} with ${right.dtype}`);
  if (left.form === "numbers" && right.form === "numbers") return { left: left.array, right: right.array, restore: (keys) => ({ ...left, array: keys }) };
  const dtype = left.form === "wholes" ? left.dtype : right.form === "wholes" ? right.dtype : undefined;
  if (dtype === undefined) throw new Error("one of the runs is of whole numbers");
  return pairWholes({ form: "wholes", dtype, array: keptOf(left) }, { form: "wholes", dtype, array: keptOf(right) });
}

/** The keys of one run. */
export function keysOf(items: Items): Omit<KeyPair, "right"> {
  return items.form === "wholes" ? pairWholes(items, items) : pairKeys(items, items);
}

function pairTexts(left: TextItems, right: TextItems): KeyPair {
  const union = uniteDomains(left.domain, right.domain);
  return {
    left: translate(left.array, union.fromLeft),
    right: translate(right.array, union.fromRight),
    restore: (keys) => ({ form: "texts", dtype: left.dtype, array: new Uint32Array(keys), domain: union.domain }),
  };
}

function translate(codes: Uint32Array, table: Uint32Array | null): Float64Array {
  const keys = new Float64Array(codes.length);
  for (let k = 0; k < codes.length; k++) keys[k] = table === null ? codes[k]! : table[codes[k]!]!;
  return keys;
}

/** The union of two ascending domains, with the place there of each side's values; null where it is the same place. */
function uniteDomains(left: Text, right: Text): { domain: Text; fromLeft: Uint32Array | null; fromRight: Uint32Array | null } {
  const { count, ...places } = placeDomains(left, right);
  const domain = placeValues(left, right, { count, ...places });
  if (domain.dtype !== "string" && domain.dtype !== "bytes") throw new Error("a domain of texts is of texts");
  return { domain, fromLeft: count === countOf(left) ? null : places.left, fromRight: count === countOf(right) ? null : places.right };
}

/** The bits of whole numbers as those of floats, sign and magnitude, or their ranks where one has the bits of none. */
function pairWholes(left: WholeItems, right: WholeItems): KeyPair {
  const keysLeft = toFloatBits(left.array);
  const keysRight = left === right ? keysLeft : toFloatBits(right.array);
  if (keysLeft === undefined || keysRight === undefined) return rankWholes(left, right);
  return { left: keysLeft, right: keysRight, restore: (keys) => ({ ...left, array: fromFloatBits(keys) }) };
}

/** Undefined where some bits would be those of an infinity or of no number. */
function toFloatBits(wholes: BigInt64Array): Float64Array | undefined {
  const halves = new Int32Array(wholes.buffer, wholes.byteOffset, wholes.length * 2);
  const bits = new Int32Array(wholes.length * 2);
  for (let at = 0; at < bits.length; at += 2) {
    const [low, high] = [halves[at]!, halves[at + 1]!];
    const magnitude = high < 0 ? ~high + (low === 0 ? 1 : 0) : high;
    if (magnitude >= 0x7ff0_0000) return undefined;
    bits[at] = high < 0 ? -low : low;
    bits[at + 1] = high < 0 ? magnitude | 0x8000_0000 : magnitude;
  }
  return new Float64Array(bits.buffer);
}

function fromFloatBits(keys: Float64Array): BigInt64Array {
  const bits = new Int32Array(keys.buffer, keys.byteOffset, keys.length * 2);
  const halves = new Int32Array(bits.length);
  for (let at = 0; at < bits.length; at += 2) {
    const [low, high] = [bits[at]!, bits[at + 1]!];
    const magnitude = high & 0x7fff_ffff;
    halves[at] = high < 0 ? -low : low;
    halves[at + 1] = high < 0 ? ~magnitude + (low === 0 ? 1 : 0) : magnitude;
  }
  return new BigInt64Array(halves.buffer);
}

function rankWholes(left: WholeItems, right: WholeItems): KeyPair {
  const all = new BigInt64Array(left.array.length + right.array.length);
  all.set(left.array);
  all.set(right.array, left.array.length);
  const domain = all.sort().filter((value, k) => k === 0 || value !== all[k - 1]);
  const rank = (array: BigInt64Array): Float64Array => Float64Array.from(array, (value) => placeOf(domain, value));
  return {
    left: rank(left.array),
    right: rank(right.array),
    restore: (keys) => ({ ...left, array: BigInt64Array.from(keys, (key) => domain[key]!) }),
  };
}

function placeOf(domain: BigInt64Array, value: bigint): number {
  let [low, high] = [0, domain.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (domain[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
