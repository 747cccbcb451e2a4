/** Items of what accumulators have collected: codes, fields and words of a shard. */
import { isFloatDtype, isTextDtype, type TextDtype } from "../../../columns/dtypes.js";
import type { ScanColumn } from "../../scan-column.js";
import type { ShardStrings } from "../../strings.js";
import type { Items } from "./items.js";
import { itemsOfKept } from "./items.js";

/** Items from ranks of the texts of a column; the domain is of those that occur. */
export function itemsOfRanks(column: ScanColumn, dtype: TextDtype, ranks: Uint32Array, strings: ShardStrings): Items {
  const rankOfCode = strings.ranks(column);
  const isUsed = new Uint8Array(rankOfCode.length);
  for (let k = 0; k < ranks.length; k++) isUsed[ranks[k]!] = 1;
  const placeOfRank = new Uint32Array(rankOfCode.length);
  let places = 0;
  for (let rank = 0; rank < isUsed.length; rank++) if (isUsed[rank] === 1) placeOfRank[rank] = places++;
  const codes = new Uint32Array(places);
  for (let code = 0; code < rankOfCode.length; code++) {
    const rank = rankOfCode[code]!;
    if (isUsed[rank] === 1) codes[placeOfRank[rank]!] = code;
  }
  const array = new Uint32Array(ranks.length);
  for (let k = 0; k < ranks.length; k++) array[k] = placeOfRank[ranks[k]!]!;
  return { form: "texts", dtype, array, domain: { dtype, ...strings.texts(column, codes) } };
}

/** Items of whole numbers from their distances to `minimum`, a value as kept. */
export function itemsOfFields(column: ScanColumn, minimum: bigint, fields: Uint32Array): Items {
  const halves = new Uint32Array(fields.length * 2);
  const [low, high] = [Number(BigInt.asUintN(32, minimum)), Number(BigInt.asIntN(32, minimum >> 32n))];
  for (let k = 0; k < fields.length; k++) {
    const sum = low + fields[k]!;
    halves[2 * k] = sum;
    halves[2 * k + 1] = high + (sum >= 0x1_0000_0000 ? 1 : 0);
  }
  return itemsOfWords(column, halves.buffer);
}

/** Items from values of 8 bytes: float64, or int64 as kept. The buffer is taken over. */
export function itemsOfWords({ dtype }: ScanColumn, words: ArrayBuffer): Items {
  if (isTextDtype(dtype)) throw new Error("texts have no words");
  if (isFloatDtype(dtype)) return { form: "numbers", dtype, array: new Float64Array(words) };
  return itemsOfKept(dtype, new BigInt64Array(words));
}
