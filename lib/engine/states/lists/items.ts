/**
 * Values in states that keep many of them: as float64 wherever that is exact, which is the quickest to compare and move,
 * as int64 where it is not, and texts as places in an ascending domain.
 */
import { biasOf, isFloatDtype, isTextDtype, type Dtype, type TextDtype } from "../../../columns/dtypes.js";
import { isFloats, isWholes, pick, type Int64Dtype, type Text, type Values } from "../../values.js";
import { widenValues } from "../../widening.js";

/** Numbers as they are: floats, truth values, and whole numbers none of which is beyond 2^53. */
export interface NumberItems {
  readonly form: "numbers";
  readonly dtype: Exclude<Dtype, TextDtype>;
  readonly array: Float64Array;
}

/** Whole numbers as tables keep them: less biasOf(dtype). */
export interface WholeItems {
  readonly form: "wholes";
  readonly dtype: Int64Dtype;
  readonly array: BigInt64Array;
}

/** Texts as places in their domain, whose values are distinct and ascend. */
export interface TextItems {
  readonly form: "texts";
  readonly dtype: TextDtype;
  readonly array: Uint32Array;
  readonly domain: Text;
}

/** A run of values of one dtype, without nulls. */
export type Items = NumberItems | WholeItems | TextItems;

const halfRange = 0x1_0000_0000;
/** The upper half of an int64 from minus this to this, this excluded, leaves it within 2^53. */
const exactHighMax = 0x20_0000;

/** No items of a dtype. */
export function noItems(dtype: Dtype): Items {
  if (isTextDtype(dtype)) return { form: "texts", dtype, array: new Uint32Array(0), domain: { dtype, offsets: new Uint32Array(1), bytes: new Uint8Array(0) } };
  return { form: "numbers", dtype, array: new Float64Array(0) };
}

/** Whole numbers as kept, in their narrowest form. The array is taken over. */
export function itemsOfKept(dtype: Int64Dtype | "bool", kept: BigInt64Array): NumberItems | WholeItems {
  const numbers = exactNumbers(kept, biasOf(dtype) === 0n ? 0 : 0x8000_0000);
  if (numbers !== undefined) return { form: "numbers", dtype, array: numbers };
  if (dtype === "bool") throw new Error("a truth value is neither 0 nor 1");
  return { form: "wholes", dtype, array: kept };
}

function exactNumbers(kept: BigInt64Array, bias: number): Float64Array | undefined {
  const halves = new Int32Array(kept.buffer, kept.byteOffset, kept.length * 2);
  const numbers = new Float64Array(kept.length);
  for (let k = 0; k < numbers.length; k++) {
    // With a bias the upper half is unsigned.
    const high = bias === 0 ? halves[2 * k + 1]! : (halves[2 * k + 1]! ^ bias) >>> 0;
    if (high >= exactHighMax || high < -exactHighMax) return undefined;
    numbers[k] = high * halfRange + (halves[2 * k]! >>> 0);
  }
  return numbers;
}

/** Whole numbers in either form as tables keep them. */
export function keptOf(items: NumberItems | WholeItems): BigInt64Array {
  if (items.form === "wholes") return items.array;
  const bias = biasOf(items.dtype) === 0n ? 0 : 0x8000_0000;
  const halves = new Int32Array(items.array.length * 2);
  for (let k = 0; k < items.array.length; k++) {
    const high = Math.floor(items.array[k]! / halfRange);
    halves[2 * k] = items.array[k]! - high * halfRange;
    halves[2 * k + 1] = high ^ bias;
  }
  return new BigInt64Array(halves.buffer);
}

/** The same items in a wider dtype, as widerDtype gives it; throws SCHEMA_MISMATCH on one that the dtype does not hold exactly. */
export function widenItems(items: Items, dtype: Dtype): Items {
  if (items.form === "texts" || isTextDtype(dtype)) return items;
  if (items.form === "numbers" && dtype !== "timestamp") return { ...items, dtype };
  if (items.dtype === "bool" || isFloatDtype(items.dtype)) throw new Error(`cannot widen ${items.dtype} to ${dtype}`);
  const wide = widenValues({ dtype: items.dtype, array: keptOf(items) }, dtype);
  if (isWholes(wide)) return itemsOfKept(wide.dtype, wide.array);
  if (isFloats(wide)) return { form: "numbers", dtype: wide.dtype, array: wide.array };
  throw new Error(`cannot widen ${items.dtype} to ${dtype}`);
}

/** The items at the given places, as results hold values. */
export function valuesAt(items: Items, places: Uint32Array): Values {
  if (items.form === "texts") {
    const codes = Int32Array.from(places, (place) => items.array[place]!);
    return pick(items.domain, items.domain, codes);
  }
  const { dtype } = items;
  if (items.form === "wholes") return { dtype: items.dtype, array: BigInt64Array.from(places, (place) => items.array[place]!) };
  const picked = new Float64Array(places.length);
  for (let k = 0; k < places.length; k++) picked[k] = items.array[places[k]!]!;
  if (dtype === "bool") return { dtype, array: Uint8Array.from(picked) };
  if (isFloatDtype(dtype)) return { dtype, array: picked };
  return { dtype, array: keptOf({ form: "numbers", dtype, array: picked }) };
}
