/** Two columns compared row by row: exactly between int64, uint64 and float64, days with instants, texts by their bytes. */
import { BquerydError } from "../../base/errors.js";
import { biasOf, isFloatDtype, isTextDtype, type Dtype } from "../../columns/dtypes.js";
import type { ChunkStatistics } from "../../columns/read/table.js";
import type { Condition, Expression, RelationOp } from "../expressions/tree.js";
import { isComputed, type ScanColumn } from "../scan-column.js";
import { widthNames } from "../states/slab.js";
import { subjectOf } from "./literals.js";
import { predicateOver, type Predicate, type PredicateContext, type Rows, type Values } from "./predicate.js";
import { judgeOrders } from "./verdict.js";

const accepts: Readonly<Record<RelationOp, number>> = { "<": 1, "==": 2, "<=": 3, ">": 4, "!=": 5, ">=": 6 };

type Domain = "number" | "bool" | "time" | "string" | "bytes";

/** How one side is laid out for the kernels. */
type Form = "int" | "uint64" | "float" | "days" | "text";

interface Side {
  readonly column: ScanColumn;
  readonly form: Form;
}

/** The predicate of a comparison of two expressions. Throws DTYPE_MISMATCH. */
export function createRelation({ left, op, right }: Extract<Condition, { kind: "relate" }>, context: PredicateContext): Predicate {
  // Nothing is true of a null.
  if (isNull(left) || isNull(right)) return never(context);
  const [a, b] = [context.bind(left), context.bind(right)];
  const hasDays = a.dtype === "date" && b.dtype === "date" ? false : a.dtype === "date" || b.dtype === "date";
  if (domainOf(a.dtype) !== domainOf(b.dtype)) {
    throw new BquerydError("DTYPE_MISMATCH", `${subjectOf(left, a.name)} is ${a.dtype} and cannot be compared with ${subjectOf(right, b.name)}, which is ${b.dtype}; compare columns of like dtypes`, { details: { column: a.name, dtype: a.dtype, op } });
  }
  const accept = accepts[op];
  const sides = inOrder({ column: a, form: formOf(a.dtype, hasDays) }, { column: b, form: formOf(b.dtype, hasDays) });
  const kernel = sides.isTurned ? mirror(accept) : accept;
  return predicateOver([a, b], {
    cost: 6 + (isTextDtype(a.dtype) ? 8 : 0),
    judge: (chunk) => judgeRelation(accept, a, b, chunk),
    mask: (rows, mask) => maskRelation(sides.first, sides.second, kernel, rows, mask, context),
  });
}

function isNull(expr: Expression): boolean {
  return expr.kind === "literal" && expr.value === null;
}

function never({ arena }: PredicateContext): Predicate {
  return predicateOver([], { cost: 0, judge: () => "none", mask: (rows, mask) => void arena.kernels.bytes.fill(0, mask, mask + rows.rows) });
}

function domainOf(dtype: Dtype): Domain {
  switch (dtype) {
    case "bool": case "string": case "bytes": return dtype;
    case "timestamp": case "date": return "time";
    case "int8": case "int16": case "int32": case "int64": case "uint8": case "uint16": case "uint32": case "uint64":
    case "float32": case "float64": return "number";
  }
}

function formOf(dtype: Dtype, hasDays: boolean): Form {
  if (isTextDtype(dtype)) return "text";
  if (isFloatDtype(dtype)) return "float";
  if (dtype === "uint64") return "uint64";
  return dtype === "date" && hasDays ? "days" : "int";
}

const formOrder: readonly Form[] = ["days", "int", "uint64", "float", "text"];

/** The sides as the kernels take them: the one whose form comes first. */
function inOrder(a: Side, b: Side): { first: Side; second: Side; isTurned: boolean } {
  const isTurned = formOrder.indexOf(a.form) > formOrder.indexOf(b.form);
  return isTurned ? { first: b, second: a, isTurned } : { first: a, second: b, isTurned };
}

function mirror(accept: number): number {
  return (accept & 2) | ((accept & 1) << 2) | (accept >> 2);
}

function maskRelation(first: Side, second: Side, accept: number, rows: Rows, mask: number, context: PredicateContext): void {
  const { kernels } = context.arena;
  const [a, b] = [rows.values(first.column), rows.values(second.column)];
  if (first.form === "text") maskTexts(first.column, a, second.column, b, accept, mask, context);
  else {
    const [left, right] = [wide(a, context, 0), wide(b, context, 1)];
    kernels[kernelOf(first.form, second.form)](left, right, rows.rows, accept, mask);
  }
  for (const { nulls } of [a, b]) if (nulls !== 0) kernels.maskNulls(nulls, rows.rows, mask);
}

function kernelOf(first: Form, second: Form): "maskRelateI64" | "maskRelateF64" | "maskRelateI64U64" | "maskRelateI64F64" | "maskRelateU64F64" | "maskRelateDays" {
  if (first === second) return first === "float" ? "maskRelateF64" : "maskRelateI64";
  if (first === "days") return "maskRelateDays";
  if (second === "uint64") return "maskRelateI64U64";
  return first === "uint64" ? "maskRelateU64F64" : "maskRelateI64F64";
}

/** Pointer to the values of a number column, 8 bytes each. */
function wide(values: Values, { arena, scratch }: PredicateContext, place: 0 | 1): number {
  if (values.width === 8) return values.values;
  const target = scratch(place);
  arena.kernels[`expand${widthNames[values.width]}`](values.values, values.rows, values.base, values.step, 8, target);
  return target;
}

interface TextRows {
  readonly codes: number;
  readonly offsets: number;
  readonly bytes: number;
}

function maskTexts(left: ScanColumn, a: Values, right: ScanColumn, b: Values, accept: number, mask: number, context: PredicateContext): void {
  const [x, y] = [textRows(left, a, context, 0), textRows(right, b, context, 1)];
  context.arena.kernels.maskRelateTexts(x.codes, x.offsets, x.bytes, y.codes, y.offsets, y.bytes, a.rows, accept, mask);
}

function textRows(column: ScanColumn, values: Values, context: PredicateContext, place: 0 | 1): TextRows {
  if (values.kind === "text") return { codes: 0, offsets: values.values, bytes: values.text };
  const dictionary = column.dictionary();
  const { arena } = context;
  if (dictionary !== null && dictionary.count === 0) return emptyTexts(context, place);
  const codes = values.width === 4 ? values.values : context.scratch(place);
  if (values.width === 8) throw new Error("codes are at most 4 bytes wide");
  if (values.width !== 4) arena.kernels[`expand${widthNames[values.width]}`](values.values, values.rows, 0n, 1n, 4, codes);
  if (dictionary !== null) return { codes, ...placed(context, column, dictionary) };
  const { offsets, bytes } = context.strings.pool(column);
  return { codes, offsets, bytes };
}

/** Rows that are all empty: those of a shard where every row is null. */
function emptyTexts({ arena, scratch }: PredicateContext, place: 0 | 1): TextRows {
  const offsets = scratch(place);
  arena.kernels.bytes.fill(0, offsets, offsets + 65_537 * 4);
  return { codes: 0, offsets, bytes: offsets };
}

/** Dictionaries that were copied into the memory of a shard's predicates. */
const inMemory = new WeakMap<PredicateContext, Map<string, { offsets: number; bytes: number }>>();

function placed(context: PredicateContext, column: ScanColumn, { id, count, offsets, bytes }: NonNullable<ReturnType<ScanColumn["dictionary"]>>): { offsets: number; bytes: number } {
  const known = inMemory.get(context) ?? new Map<string, { offsets: number; bytes: number }>();
  inMemory.set(context, known);
  let found = known.get(id);
  if (found === undefined) {
    const { arena } = context;
    found = { offsets: arena.allocate(4 * (count + 1)), bytes: arena.allocate(Math.max(1, bytes.length)) };
    new Uint32Array(arena.kernels.memory.buffer, found.offsets, count + 1).set(offsets.subarray(0, count + 1));
    arena.kernels.bytes.set(bytes, found.bytes);
    known.set(id, found);
  }
  return found;
}

function judgeRelation(accept: number, a: ScanColumn, b: ScanColumn, chunk: number): ReturnType<Predicate["judge"]> {
  const [left, right] = [a.statistics(chunk), b.statistics(chunk)];
  const isAllNull = (column: ScanColumn, { nullCount, rows }: ChunkStatistics): boolean => !isComputed(column) && nullCount === rows;
  if (isAllNull(a, left) || isAllNull(b, right)) return "none";
  const [ofLeft, ofRight] = [boundsOf(a.dtype, left), boundsOf(b.dtype, right)];
  if (ofLeft === undefined || ofRight === undefined) return "some";
  const verdict = judgeOrders(accept, ofLeft, ofRight);
  return verdict === "all" && left.nullCount + right.nullCount > 0 ? "some" : verdict;
}

const dayNs = 86_400_000_000_000n;

/** Extremes as values of one scale: whole numbers without bias, times in nanoseconds. */
function boundsOf(dtype: Dtype, { minimum, maximum }: ChunkStatistics): [bigint | number | Uint8Array, bigint | number | Uint8Array] | undefined {
  if (minimum === null || maximum === null) return undefined;
  const scale = dtype === "date" ? dayNs : 1n;
  const place = (extreme: bigint | number | Uint8Array): bigint | number | Uint8Array => (typeof extreme === "bigint" ? (extreme + biasOf(dtype)) * scale : extreme);
  return [place(minimum), place(maximum)];
}
