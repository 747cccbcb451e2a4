/** The table of functions: what each takes, and the dtype it gives. The files of evaluate/ say how it is computed. */
import type { Dtype } from "../../columns/dtypes.js";
import { isFloatDtype } from "../../columns/dtypes.js";
import { readBin, readBucket, readUnit, requireZone } from "./buckets.js";
import type { Expression } from "./tree.js";
import { commonDtype, isInteger, isNumber, isTime, isTimeText, mismatch, type Typed } from "./types.js";

type Call = Extract<Expression, { kind: "call" }>;

/** How many arguments a function takes, as numbers and as words. */
export interface Arity {
  readonly least: number;
  readonly most: number;
  readonly takes: string;
}

interface Signature extends Arity {
  /** Throws DTYPE_MISMATCH, BAD_QUERY. */
  dtype(args: readonly Typed[], call: Call): Dtype | null;
}

const anyMost = 100;
const value: Arity = { least: 1, most: 1, takes: "a value" };
const instant: Arity = { least: 1, most: 2, takes: "a time and, if wanted, a time zone such as 'Europe/Paris'" };

const signatures = {
  coalesce: { least: 1, most: anyMost, takes: "values, the first of which that is not null is given", dtype: (args, call) => commonDtype(call, args) },
  least: { least: 1, most: anyMost, takes: "numbers or times", dtype: extremeDtype },
  greatest: { least: 1, most: anyMost, takes: "numbers or times", dtype: extremeDtype },
  abs: { ...value, dtype: numberDtype },
  sign: { ...value, dtype: numberDtype },
  floor: { ...value, dtype: numberDtype },
  ceil: { ...value, dtype: numberDtype },
  round: { least: 1, most: 2, takes: "a number and, if wanted, how many digits of a fraction from 0 to 15", dtype: roundDtype },
  sqrt: { ...value, dtype: floatDtype },
  ln: { ...value, dtype: floatDtype },
  log10: { ...value, dtype: floatDtype },
  exp: { ...value, dtype: floatDtype },
  power: { least: 2, most: 2, takes: "a number and an exponent", dtype: floatDtype },
  float: { ...value, dtype: floatDtype },
  bin: { least: 2, most: 3, takes: "a number, the width of a bin and, if wanted, an edge of one", dtype: binDtype },
  lower: { ...value, dtype: textDtype },
  upper: { ...value, dtype: textDtype },
  length: { ...value, dtype: lengthDtype },
  substring: { least: 2, most: 3, takes: "a text, the first character (from 1) and, if wanted, how many", dtype: substringDtype },
  concat: { least: 1, most: anyMost, takes: "texts", dtype: concatDtype },
  date: { ...value, dtype: ([arg]) => (timeOf(arg!), "date") },
  timestamp: { ...value, dtype: ([arg]) => (timeOf(arg!), "timestamp") },
  date_trunc: { least: 2, most: 3, takes: "a unit such as 'month', a time and, if wanted, a time zone", dtype: truncDtype },
  time_bucket: { least: 2, most: 3, takes: "a width such as '15 minutes', a time and, if wanted, a time zone", dtype: bucketDtype },
  year: { ...instant, dtype: partDtype }, quarter: { ...instant, dtype: partDtype }, month: { ...instant, dtype: partDtype },
  week: { ...instant, dtype: partDtype }, day: { ...instant, dtype: partDtype }, dayofweek: { ...instant, dtype: partDtype },
  isodow: { ...instant, dtype: partDtype }, dayofyear: { ...instant, dtype: partDtype },
  hour: { ...instant, dtype: partDtype }, minute: { ...instant, dtype: partDtype }, second: { ...instant, dtype: partDtype },
  epoch: { ...value, dtype: ([arg]) => (timeOf(arg!), "float64") },
} as const satisfies Record<string, Signature>;

/** The name of a function. */
export type FunctionName = keyof typeof signatures;

/** Every function, in the order the manual lists them. */
export const functionNames = Object.keys(signatures) as readonly FunctionName[];

/** Tells whether a text, in lower case, names a function. */
export function isFunctionName(text: string): text is FunctionName {
  return Object.hasOwn(signatures, text);
}

/** How many arguments a function takes. */
export function arityOf(name: FunctionName): Arity {
  return signatures[name];
}

/** The dtype of a call by those of its arguments. Throws DTYPE_MISMATCH naming the argument, BAD_QUERY for one that has to be a literal. */
export function functionDtype(call: Call, args: readonly Typed[]): Dtype | null {
  if (!isFunctionName(call.name)) throw new Error(`there is no function ${call.name}`);
  const signature: Signature = signatures[call.name];
  return signature.dtype(args, call);
}

function extremeDtype(args: readonly Typed[], call: Call): Dtype | null {
  for (const arg of args) {
    if (arg.dtype !== null && !isNumber(arg.dtype) && !isTime(arg.dtype) && !isTimeText(arg)) throw mismatch(arg, `does not go with ${call.name}`, "use numbers or times, or CASE");
  }
  const dtype = commonDtype(call, args);
  return dtype === "string" ? "timestamp" : dtype;
}

function numberDtype([arg]: readonly Typed[], call: Call): Dtype | null {
  const { dtype } = requireNumber(arg!, call);
  if (dtype === null || dtype === "uint64") return dtype;
  return isFloatDtype(dtype) ? "float64" : "int64";
}

function roundDtype(args: readonly Typed[], call: Call): Dtype | null {
  return numberDtype(args, call);
}

function floatDtype(args: readonly Typed[], call: Call): Dtype {
  for (const arg of args) requireNumber(arg, call);
  return "float64";
}

function binDtype(args: readonly Typed[], call: Call): Dtype {
  const { dtype } = requireNumber(args[0]!, call);
  const { isWhole } = readBin(call);
  return dtype !== null && isInteger(dtype) && isWhole ? (dtype === "uint64" ? "uint64" : "int64") : "float64";
}

function textDtype([arg]: readonly Typed[], call: Call): Dtype {
  requireText(arg!, call);
  return "string";
}

function lengthDtype([arg]: readonly Typed[], call: Call): Dtype {
  if (arg!.dtype !== "bytes") requireText(arg!, call);
  return "int64";
}

function substringDtype([text]: readonly Typed[], call: Call): Dtype {
  requireText(text!, call);
  return "string";
}

function concatDtype(args: readonly Typed[], call: Call): Dtype {
  for (const arg of args) requireText(arg, call);
  return "string";
}

function truncDtype([, time]: readonly Typed[], call: Call): Dtype {
  const unit = readUnit(call);
  requireZone(call, 2);
  return timeOf(time!) === "date" && unit.isCalendar ? "date" : "timestamp";
}

function bucketDtype([, time]: readonly Typed[], call: Call): Dtype {
  const bucket = readBucket(call);
  requireZone(call, 2);
  return timeOf(time!) === "date" && bucket.isCalendar ? "date" : "timestamp";
}

function partDtype([time]: readonly Typed[], call: Call): Dtype {
  timeOf(time!);
  requireZone(call, 1);
  return "int64";
}

/** Texts that read as times are timestamps here. */
function timeOf(arg: Typed): "timestamp" | "date" {
  if (arg.dtype === null || isTimeText(arg)) return "timestamp";
  if (!isTime(arg.dtype)) throw mismatch(arg, "is no time", "give a timestamp, a date or text such as '2016-01-31T12:30:00Z'");
  return arg.dtype;
}

function requireNumber(arg: Typed, { name }: Call): Typed {
  if (arg.dtype !== null && !isNumber(arg.dtype)) throw mismatch(arg, `does not go with ${name}`, "give a number");
  return arg;
}

function requireText(arg: Typed, { name }: Call): void {
  if (arg.dtype !== null && arg.dtype !== "string") throw mismatch(arg, `does not go with ${name}`, "give a string");
}
