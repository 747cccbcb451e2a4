/**
 * Dtypes that hold those of several shards: integers widen to the narrowest integer dtype that holds both (int64 and
 * uint64, which none does, to float64), integers and floats, and floats of both widths, to
 * float64, a date and a timestamp to the timestamp. Each value has to be exact in the wider dtype. Whatever else differs
 * has nothing in common. The order in which dtypes are joined does not matter to what comes out.
 */
import { BquerydError } from "../base/errors.js";
import { biasOf, dtypes, isFloatDtype, isTextDtype, wholeRange, type Dtype, type FloatDtype, type WholeDtype } from "../columns/dtypes.js";
import { isFloats, isWholes, type Int64Dtype, type Values, type Wholes } from "./values.js";

/** Unsigned before signed of the same width: what holds only unsigned ones stays so. */
const integers = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"] as const satisfies Dtype[];
const dayNs = 86_400_000_000_000n;
/** Whole numbers to 2^53 are exact in float64. */
const exactMax = 2n ** 53n;

/** The narrowest dtype that holds the values of both; undefined where there is none. */
export function widerDtype(a: Dtype, b: Dtype): Dtype | undefined {
  if (a === b) return a;
  if ([a, b].every((dtype) => isFloatDtype(dtype) || isInteger(dtype)) && [a, b].some(isFloatDtype)) return "float64";
  if ((a === "date" && b === "timestamp") || (a === "timestamp" && b === "date")) return "timestamp";
  if (!isInteger(a) || !isInteger(b)) return undefined;
  return integers.find((dtype) => holds(dtype, a) && holds(dtype, b)) ?? "float64";
}

/** The narrowest dtype that holds the values of all, given by name; null where there is none, or one is none that is known. */
export function widestDtype(names: Iterable<string>): Dtype | null {
  let widest: Dtype | undefined;
  for (const name of names) {
    const dtype = dtypes.find((candidate) => candidate === name);
    widest = dtype === undefined || widest === undefined ? dtype : widerDtype(widest, dtype);
    if (widest === undefined) return null;
  }
  return widest ?? null;
}

/** The values in a wider dtype, as widerDtype gives it; throws SCHEMA_MISMATCH on one that the dtype does not hold exactly. */
export function widenValues(values: Values, dtype: Dtype): Values {
  if (values.dtype === dtype) return values;
  if (isFloats(values) && isFloatDtype(dtype)) return { dtype, array: values.array };
  if (isWholes(values) && isFloatDtype(dtype)) return { dtype, array: toFloats(values, dtype) };
  if (isWholes(values) && values.dtype === "date" && dtype === "timestamp") return { dtype, array: toTimestamps(values.array) };
  if (isWholes(values) && isInt64Dtype(dtype)) return { dtype, array: rebias(values, dtype) };
  throw new Error(`cannot widen ${values.dtype} to ${dtype}`);
}

function isInteger(dtype: Dtype): dtype is (typeof integers)[number] {
  return integers.some((integer) => integer === dtype);
}

function isInt64Dtype(dtype: Dtype): dtype is Int64Dtype {
  return dtype !== "bool" && !isTextDtype(dtype) && !isFloatDtype(dtype);
}

function holds(dtype: WholeDtype, other: WholeDtype): boolean {
  return wholeRange(dtype).least <= wholeRange(other).least && wholeRange(dtype).greatest >= wholeRange(other).greatest;
}

function toFloats({ dtype, array }: Wholes, target: FloatDtype): Float64Array {
  const bias = biasOf(dtype);
  const floats = new Float64Array(array.length);
  for (let k = 0; k < array.length; k++) {
    const value = array[k]! + bias;
    floats[k] = Number(value);
    if ((value > exactMax || value < -exactMax) && BigInt(floats[k]!) !== value) throw inexact(value, dtype, target);
  }
  return floats;
}

function toTimestamps(days: BigInt64Array): BigInt64Array {
  const { least, greatest } = wholeRange("timestamp");
  return days.map((day) => {
    const instant = day * dayNs;
    if (instant < least || instant > greatest) throw inexact(day, "date", "timestamp");
    return instant;
  });
}

function rebias({ dtype, array }: Wholes, target: Int64Dtype): BigInt64Array {
  const less = biasOf(target) - biasOf(dtype);
  return less === 0n ? array : array.map((value) => value - less);
}

/**
 * What `work` gives, which widens values of a column; where it throws SCHEMA_MISMATCH for one of them, the error says of
 * which column.
 */
export function namingColumn<T>(column: string | undefined, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (column === undefined || !(cause instanceof BquerydError) || cause.code !== "SCHEMA_MISMATCH" || !cause.message.startsWith(someColumn)) throw cause;
    throw new BquerydError(cause.code, `${column}${cause.message.slice(someColumn.length)}`, { details: cause.details, cause });
  }
}

/** How a message begins that cannot name the column. */
const someColumn = "a column";

function inexact(value: bigint, dtype: Dtype, target: Dtype): BquerydError {
  return new BquerydError("SCHEMA_MISMATCH", `${someColumn} is ${dtype} in one shard and widens to ${target}, which does not hold its value ${value}; import the shards again with one schema`, { details: { dtype, target } });
}
