/** Values in another dtype that holds them, and that widens to their own. */
import type { Random } from "../../../lib/base/clock.js";
import { dtypes, isFloatDtype, isTextDtype, wholeRange, type Dtype } from "../../../lib/columns/dtypes.js";
import { widerDtype } from "../../../lib/engine/widening.js";
import type { StoredValue } from "../read-table.js";
import { chance, oneOf } from "./draw.js";

const dayNs = 86_400_000_000_000n;
/** Whole numbers to here are exact as floats. */
const exactMax = 2 ** 53;

/** The values of a shard as a narrower dtype may keep them, where one is drawn. */
export function narrow(random: Random, dtype: Dtype, values: readonly StoredValue[]): { readonly dtype: Dtype; readonly values: readonly StoredValue[] } {
  const others = dtypes.filter((other) => other !== dtype && widerDtype(other, dtype) === dtype);
  const fitting = chance(random, 0.3) ? [] : others.flatMap((other) => {
    const kept = values.map((value) => (value === null ? null : convert(value, other)));
    return kept.includes(undefined) ? [] : [{ dtype: other, values: kept as readonly StoredValue[] }];
  });
  return fitting.length === 0 ? { dtype, values } : oneOf(random, fitting);
}

/** The value in a dtype; undefined where that does not hold it. */
function convert(value: StoredValue, dtype: Dtype): StoredValue | undefined {
  if (isTextDtype(dtype) || dtype === "bool") return undefined;
  if (dtype === "date") return typeof value === "bigint" && value % dayNs === 0n ? value / dayNs : undefined;
  if (isFloatDtype(dtype)) return typeof value === "number" && Object.is(Math.fround(value), value) ? value : undefined;
  const isWhole = typeof value === "bigint" || (Number.isInteger(value) && Math.abs(Number(value)) <= exactMax);
  if (!isWhole) return undefined;
  const { least, greatest } = wholeRange(dtype);
  const number = BigInt(value as number | bigint);
  return number >= least && number <= greatest ? number : undefined;
}
