/** The dtypes of NumPy that bcolz stores, read from their text, and the dtypes of tables they become. */
import type { Dtype } from "../dtypes.js";

/** How the values of a column lie in its chunks. */
export interface StoredDtype {
  readonly kind: "bool" | "int" | "uint" | "float" | "bytes" | "unicode" | "datetime" | "timedelta";
  /** Bytes of one value. */
  readonly itemBytes: number;
  readonly isBigEndian: boolean;
  /** Of datetimes and timedeltas: how many of which unit a count stands for; null for a timedelta without unit. */
  readonly step: { readonly count: bigint; readonly unit: TimeUnit } | null;
}

/** The units of NumPy times: Y years, M months, W weeks, D days and so on down to as, 10^-18 s. */
export type TimeUnit = (typeof timeUnits)[number];

const timeUnits = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"] as const;
/** Units of whole days: they become dates. */
const dayUnits: ReadonlySet<TimeUnit> = new Set(["Y", "M", "W", "D"]);

const namedGrammar = /^(bool|int8|int16|int32|int64|uint8|uint16|uint32|uint64|float16|float32|float64)$/;
const shortGrammar = /^([<>|=]?)([biufSUMm?])([0-9]{0,10})(?:\[([0-9]{0,10})([A-Za-zμ]{1,2})\])?$/;
const timeGrammar = /^(datetime64|timedelta64)(?:\[([0-9]{0,10})([A-Za-zμ]{1,2})\])?$/;
const numberBytes: Readonly<Record<string, readonly number[]>> = { b: [1], i: [1, 2, 4, 8], u: [1, 2, 4, 8], f: [2, 4, 8] };

/** The stored dtype behind its text, `int32`, `<i4`, `|S5` or `datetime64[ns]` for instance; undefined for any other. */
export function findStoredDtype(text: string): StoredDtype | undefined {
  const named = namedGrammar.exec(text);
  if (named !== null) return findNumber(text);
  const time = timeGrammar.exec(text);
  if (time !== null) return findTime(time[1] === "datetime64", time[2], time[3], false);
  const short = shortGrammar.exec(text);
  return short === null ? undefined : findShort(short);
}

/** The dtype of a table's column for a stored one. Year to day units become dates, finer ones timestamps. */
export function dtypeOf({ kind, itemBytes, step }: StoredDtype): Dtype {
  switch (kind) {
    case "bool": return "bool";
    case "int": return itemBytes === 1 ? "int8" : itemBytes === 2 ? "int16" : itemBytes === 4 ? "int32" : "int64";
    case "uint": return itemBytes === 1 ? "uint8" : itemBytes === 2 ? "uint16" : itemBytes === 4 ? "uint32" : "uint64";
    case "float": return itemBytes === 8 ? "float64" : "float32";
    case "bytes": case "unicode": return "string";
    case "datetime": return step !== null && dayUnits.has(step.unit) ? "date" : "timestamp";
    case "timedelta": return "int64";
  }
}

/** What one step of a timedelta is, as the schema tells it: `ns`, or `25s`; null for every other dtype. */
export function unitOf({ kind, step }: StoredDtype): string | null {
  if (kind !== "timedelta" || step === null) return null;
  return step.count === 1n ? step.unit : `${step.count}${step.unit}`;
}

function findNumber(name: string): StoredDtype {
  if (name === "bool") return { kind: "bool", itemBytes: 1, isBigEndian: false, step: null };
  const itemBytes = Number(name.replace(/^\D+/, "")) / 8;
  return { kind: name.startsWith("u") ? "uint" : name.startsWith("f") ? "float" : "int", itemBytes, isBigEndian: false, step: null };
}

function findShort([, order, letter, digits, stepCount, unit]: RegExpExecArray): StoredDtype | undefined {
  const isBigEndian = order === ">";
  const count = Number(digits);
  if (letter === "M" || letter === "m") return digits === "8" ? findTime(letter === "M", stepCount, unit, isBigEndian) : undefined;
  if (unit !== undefined) return undefined;
  if (letter === "?") return digits === "" ? findNumber("bool") : undefined;
  if (letter === "S" || letter === "U") {
    const itemBytes = letter === "S" ? count : 4 * count;
    return itemBytes === 0 ? undefined : { kind: letter === "S" ? "bytes" : "unicode", itemBytes, isBigEndian, step: null };
  }
  if (!numberBytes[letter!]!.includes(count)) return undefined;
  const kinds = { b: "bool", i: "int", u: "uint", f: "float" } as const;
  return { kind: kinds[letter as keyof typeof kinds], itemBytes: count, isBigEndian, step: null };
}

/** A datetime without unit can hold nothing but NaT, and is none. */
function findTime(isDatetime: boolean, countDigits: string | undefined, unitName: string | undefined, isBigEndian: boolean): StoredDtype | undefined {
  const kind = isDatetime ? "datetime" : "timedelta";
  if (unitName === undefined) return isDatetime ? undefined : { kind, itemBytes: 8, isBigEndian, step: null };
  const unit = timeUnits.find((known) => known === (unitName === "μs" ? "us" : unitName));
  const count = countDigits === undefined || countDigits === "" ? 1n : BigInt(countDigits);
  return unit === undefined || count === 0n ? undefined : { kind, itemBytes: 8, isBigEndian, step: { count, unit } };
}
