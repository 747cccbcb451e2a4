/** The nodes of functions: how each of the table in functions.ts is computed. */
import { biasOf, isFloatDtype, type Dtype } from "../../../columns/dtypes.js";
import { readBin, readBucket, readUnit, readWhole, requireZone } from "../buckets.js";
import { functionDtype, isFunctionName, type FunctionName } from "../functions.js";
import type { Expression } from "../tree.js";
import { cleanRun, powerNode } from "./arithmetic.js";
import { choiceNode, extremeNode } from "./choices.js";
import { coerce } from "./coerce.js";
import { constantNode, nullNode } from "./constants.js";
import { joinTexts } from "./joins.js";
import { binNode, floatMapNode, roundNode, wholeMapNode } from "./numbers.js";
import { bitmapBytes, copyNulls, fullOperandOf, pageOf, typedOf, type Binding, type Node } from "./node.js";
import { mapTexts, measureTexts } from "./texts.js";
import { bucketNode, partNode, type Part } from "./times.js";

type Call = Extract<Expression, { kind: "call" }>;

/** What nodes of calls are made from. */
export interface CallContext {
  readonly call: Call;
  readonly dtype: Dtype;
  readonly args: readonly Node[];
  readonly chunkCount: number;
  readonly binding: Binding;
}

type Maker = (context: CallContext) => Node;

const part: Maker = ({ call, args, chunkCount, binding }) => partNode(call, call.name as Part, args[0]!, requireZone(call, 1), chunkCount, binding);

const makers: Readonly<Record<FunctionName, Maker>> = {
  coalesce: ({ call, dtype, args, binding }) => choiceNode(call, dtype, args.map((node) => ({ when: "non-null", node })), [], binding),
  least: ({ call, dtype, args, binding }) => extremeNode(call, dtype, args, false, binding),
  greatest: ({ call, dtype, args, binding }) => extremeNode(call, dtype, args, true, binding),
  abs: (context) => numberMap(context, 1, 1),
  sign: (context) => numberMap(context, 2, 2),
  floor: (context) => numberMap(context, null, 3),
  ceil: (context) => numberMap(context, null, 4),
  round: (context) => {
    const digits = context.call.args.length > 1 ? readWhole(context.call, 1, 0, 15) : 0;
    return digits === 0 || !isFloatDtype(context.dtype) ? numberMap(context, null, 5) : roundNode(context.call, context.args[0]!, digits, context.binding);
  },
  sqrt: (context) => floatMap(context, 6),
  ln: (context) => floatMap(context, 7),
  log10: (context) => floatMap(context, 8),
  exp: (context) => floatMap(context, 9),
  power: ({ call, args, binding }) => powerNode(call, args[0]!, args[1]!, binding),
  float: ({ call, args, binding }) => ({ ...coerce(args[0]!, "float64", binding), expr: call }),
  bin: ({ call, dtype, args, binding }) => binNode(call, dtype, readBin(call), args[0]!, binding),
  lower: ({ call, args, binding }) => mapTexts(call, args[0]!, (text) => text.toLowerCase(), binding),
  upper: ({ call, args, binding }) => mapTexts(call, args[0]!, (text) => text.toUpperCase(), binding),
  length: ({ call, args, binding }) => measureTexts(call, args[0]!, args[0]!.dtype === "bytes" ? (text) => text.length : countCodePoints, binding),
  substring: ({ call, args, binding }) => {
    const start = readWhole(call, 1, 1, 1_000_000_000);
    const count = call.args.length > 2 ? readWhole(call, 2, 0, 1_000_000_000) : undefined;
    return mapTexts(call, args[0]!, (text) => cutCodePoints(text, start - 1, count), binding);
  },
  concat: ({ call, args, binding }) => (args.length === 1 ? args[0]! : joinTexts(call, args, binding)),
  date: ({ call, args, binding }) => ({ ...coerce(args[0]!, "date", binding), expr: call }),
  timestamp: ({ call, args, binding }) => ({ ...coerce(args[0]!, "timestamp", binding), expr: call }),
  date_trunc: ({ call, dtype, args, chunkCount, binding }) => bucketNode(call, timeDtype(dtype), readUnit(call), args[1]!, requireZone(call, 2), chunkCount, binding),
  time_bucket: ({ call, dtype, args, chunkCount, binding }) => bucketNode(call, timeDtype(dtype), readBucket(call), args[1]!, requireZone(call, 2), chunkCount, binding),
  year: part, quarter: part, month: part, week: part, day: part, dayofweek: part, isodow: part, dayofyear: part, hour: part, minute: part, second: part,
  epoch: ({ call, args, binding }) => epochNode(call, args[0]!, binding),
};

/** The node of a call over those of its arguments. Throws DTYPE_MISMATCH, BAD_QUERY. */
export function callNode(call: Call, args: readonly Node[], chunkCount: number, binding: Binding): Node {
  if (!isFunctionName(call.name)) throw new Error(`there is no function ${call.name}`);
  const dtype = functionDtype(call, args.map(typedOf));
  if (dtype === null) return nullNode(call, binding);
  const nullFree = args.map((node) => (node.isUntyped === true ? constantNode(node.expr, dtypeOfNull(call.name, dtype), null, binding) : node));
  return makers[call.name]({ call, dtype, args: nullFree, chunkCount, binding });
}

/** What a NULL argument is taken for: of the result's dtype, but for functions that go from one kind to another. */
function dtypeOfNull(name: string, dtype: Dtype): Dtype {
  if (name === "length") return "string";
  return name === "epoch" || makers[name as FunctionName] === part ? "timestamp" : dtype;
}

function timeDtype(dtype: Dtype): "timestamp" | "date" {
  return dtype === "date" ? dtype : "timestamp";
}

function numberMap({ call, dtype, args, binding }: CallContext, wholeOp: number | null, floatOp: number): Node {
  const arg = coerce(args[0]!, dtype, binding);
  if (isFloatDtype(dtype)) return floatMapNode(call, floatOp, arg, binding);
  // Whole numbers are whole already, and unsigned ones their own magnitude.
  if (wholeOp === null || (wholeOp === 1 && biasOf(dtype) !== 0n)) return { ...arg, expr: call };
  return wholeMapNode(call, wholeOp, arg, binding);
}

function floatMap({ call, args, binding }: CallContext, op: number): Node {
  return floatMapNode(call, op, coerce(args[0]!, "float64", binding), binding);
}

function epochNode(call: Call, arg: Node, binding: Binding): Node {
  const { kernels } = binding.arena;
  const isDate = arg.dtype === "date";
  const seconds = coerce({ ...(isDate ? arg : coerce(arg, "timestamp", binding)), dtype: "int64" }, "float64", binding);
  const [operand, target, factor, nulls] = [fullOperandOf(seconds, binding), pageOf(binding), pageOf(binding, 8), pageOf(binding, bitmapBytes)];
  return {
    ...seconds, expr: call,
    facts: (chunk) => ({ ...seconds.facts(chunk), range: { least: -Infinity, greatest: Infinity } }),
    evaluate(input) {
      const { pointer, nulls: own } = operand(input);
      new Float64Array(kernels.memory.buffer, factor(), 1)[0] = isDate ? 86_400 : 1e9;
      kernels.exprF64(isDate ? 2 : 4, pointer, 8, factor(), 0, input.rows, target());
      copyNulls(binding.arena, own, input.rows, nulls());
      return cleanRun(binding, input.rows, target(), nulls());
    },
  };
}

function countCodePoints(text: Uint8Array): number {
  let count = 0;
  // Bytes that go on in UTF-8 begin with 10.
  for (const byte of text) if ((byte & 0xc0) !== 0x80) count += 1;
  return count;
}

function cutCodePoints(text: string, start: number, count: number | undefined): string {
  return [...text].slice(start, count === undefined ? undefined : start + count).join("");
}

