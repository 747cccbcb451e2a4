/** Nodes of times: buckets and parts, in UTC or in the local time of a zone. */
import { chunkRows } from "../../../columns/dtypes.js";
import type { ChunkInput } from "../../scan-column.js";
import { dayNs, type Bucket } from "../buckets.js";
import type { Expression } from "../tree.js";
import { zonePeriods } from "../zones.js";
import { clamp, coerce } from "./coerce.js";
import { factsOver, fullOperandOf, keptRange, pageOf, requireFits, wideRun, type Binding, type Facts, type Node } from "./node.js";

/** Local times, and what leads back from them. */
interface Local {
  readonly pointer: number;
  readonly nulls: number;
  readonly periods: number;
  readonly zone: Zone;
}

/** The periods of a zone in kernel memory. */
interface Zone {
  readonly starts: number;
  readonly offsets: number;
  readonly count: number;
}

const hourNs = 3_600_000_000_000n;
/** No zone was ever farther from UTC, and no change of one larger. */
const zoneNs = 2n * dayNs;
const monthDaysMax = 31n;

/** The parts of an instant, by the number that kernels know them by, with the values they have. */
const parts = {
  year: [0, -9_999_999n, 9_999_999n], month: [1, 1n, 12n], day: [2, 1n, 31n], hour: [3, 0n, 23n], minute: [4, 0n, 59n], second: [5, 0n, 59n],
  dayofweek: [6, 0n, 6n], isodow: [7, 1n, 7n], week: [8, 1n, 53n], dayofyear: [9, 1n, 366n], quarter: [10, 1n, 4n],
} as const satisfies Record<string, readonly [number, bigint, bigint]>;

/** The name of a part. */
export type Part = keyof typeof parts;

/** The node of the bucket that each time lies in, as the time at which it begins. */
export function bucketNode(expr: Expression, dtype: "timestamp" | "date", bucket: Bucket, time: Node, zone: string | undefined, chunkCount: number, binding: Binding): Node {
  const arg = coerce(time, dtype, binding);
  // A day is a day wherever it is.
  const isZoned = zone !== undefined && dtype === "timestamp";
  const spread = (bucket.ns + bucket.months * monthDaysMax * dayNs + (isZoned ? zoneNs : 0n)) / (dtype === "date" ? dayNs : 1n);
  const floor = createFloor(expr, dtype, bucket, binding);
  const { least: floorLeast, greatest: floorGreatest } = keptRange(dtype);
  const shell = {
    expr, dtype, sources: arg.sources,
    // A bucket begins at most its width before what lies in it.
    facts: (chunk: number): Facts => {
      const { range, mayBeNull, mayFail } = arg.facts(chunk);
      if (range === null) return { range, mayBeNull, mayFail };
      const least = BigInt(range.least) - spread;
      const leaves = least < floorLeast || (isZoned && BigInt(range.greatest) + zoneNs > floorGreatest);
      return { range: { least: clamp(least, floorLeast, floorGreatest), greatest: range.greatest }, mayBeNull, mayFail: mayFail || leaves };
    },
  };
  if (!isZoned) {
    const operand = fullOperandOf(arg, binding);
    return { ...shell, evaluate: (input) => {
      const { pointer, nulls } = operand(input);
      return wideRun("int", input.rows, floor(pointer, nulls, input.rows), nulls);
    } };
  }
  const local = createLocal(arg, zone, spread, chunkCount, binding);
  const target = pageOf(binding);
  const { kernels } = binding.arena;
  // Within a repeated hour the two are told apart; what is longer than it is one bucket, whatever the clocks do.
  const back = bucket.months === 0n && bucket.ns <= hourNs ? kernels.exprToInstant : kernels.exprToFirstInstant;
  return { ...shell, evaluate: (input) => {
    const { pointer, nulls, periods, zone: { starts, offsets } } = local(input);
    back(floor(pointer, nulls, input.rows), periods, input.rows, starts, offsets, target());
    return wideRun("int", input.rows, target(), nulls);
  } };
}

/** The node of a part of each time, as int64. */
export function partNode(expr: Expression, part: Part, time: Node, zone: string | undefined, chunkCount: number, binding: Binding): Node {
  const { kernels } = binding.arena;
  const arg = time.dtype === "date" ? time : coerce(time, "timestamp", binding);
  const steps = arg.dtype === "date" ? 1n : dayNs;
  const target = pageOf(binding);
  const [number, least, greatest] = parts[part];
  const isZoned = zone !== undefined && arg.dtype !== "date";
  const instants = keptRange("timestamp");
  const read = isZoned ? createLocal(arg, zone, zoneNs, chunkCount, binding) : fullOperandOf(arg, binding);
  return {
    expr, dtype: "int64", sources: arg.sources,
    facts: (chunk) => {
      const { range, mayBeNull, mayFail: mayArgFail } = arg.facts(chunk);
      if (range === null) return { range, mayBeNull, mayFail: mayArgFail };
      const leaves = isZoned && (BigInt(range.least) - zoneNs < instants.least || BigInt(range.greatest) + zoneNs > instants.greatest);
      return { mayBeNull, mayFail: mayArgFail || leaves, range: part === "year" ? { least: yearBefore(range.least, steps), greatest: yearBefore(range.greatest, steps) + 3n } : { least, greatest } };
    },
    evaluate(input) {
      const { pointer, nulls } = read(input);
      kernels.exprPart(number, pointer, input.rows, steps, target());
      return wideRun("int", input.rows, target(), nulls);
    },
  };
}

/** A year that is at most two before that of an instant, and not after it. */
function yearBefore(instant: bigint | number, steps: bigint): bigint {
  return BigInt(Math.floor(1970 + Number(BigInt(instant) / steps) / 365.2425)) - 1n;
}

/** Rounds times down to the start of their bucket, in a page of its own. */
function createFloor(expr: Expression, dtype: "timestamp" | "date", { months, ns, originNs }: Bucket, binding: Binding): (pointer: number, nulls: number, rows: number) => number {
  const { kernels } = binding.arena;
  const target = pageOf(binding);
  const steps = dtype === "date" ? dayNs : 1n;
  const { least, greatest } = keptRange(dtype);
  return (pointer, nulls, rows) => {
    const stoppedAt = months > 0n
      ? kernels.exprFloorMonths(pointer, nulls, rows, dayNs / steps, months, target())
      : kernels.exprFloorI64(pointer, nulls, rows, ns / steps, originNs / steps, target());
    // Days are kept in 64 bits, of which dates have half.
    const isDate = dtype !== "date" || kernels.areWithinI64(target(), rows, least, greatest) === 1;
    requireFits(isDate ? stoppedAt : 0, rows, expr, dtype);
    return target();
  };
}

/** Reads instants as local times of a zone. Periods are found once, for all that the shard holds and `spread` before it. */
function createLocal(arg: Node, zone: string, spread: bigint, chunkCount: number, binding: Binding): (input: ChunkInput) => Local {
  const { kernels } = binding.arena;
  const [operand, target, periods] = [fullOperandOf(arg, binding), pageOf(binding), pageOf(binding, chunkRows * 4)];
  let known: Zone | undefined;
  return (input) => {
    known ??= placePeriods(arg, zone, spread, chunkCount, binding);
    const { starts, offsets, count } = known;
    const { pointer, nulls } = operand(input);
    requireFits(kernels.exprToLocal(pointer, nulls, input.rows, starts, offsets, count, target(), periods()), input.rows, arg.expr, "timestamp");
    return { pointer: target(), nulls, periods: periods(), zone: known };
  };
}

function placePeriods(arg: Node, zone: string, spread: bigint, chunkCount: number, { arena }: Binding): Zone {
  const { range } = factsOver(arg, chunkCount);
  const { least, greatest } = keptRange("timestamp");
  const [from, to] = range === null ? [0n, 0n] : [BigInt(range.least), BigInt(range.greatest)];
  const { starts, offsets } = zonePeriods(zone, clamp(from - spread, least, greatest), clamp(to + zoneNs, least, greatest));
  const bytes = starts.byteLength;
  const pointer = arena.allocate(bytes * 2);
  const { buffer } = arena.kernels.memory;
  new BigInt64Array(buffer, pointer, starts.length).set(starts);
  new BigInt64Array(buffer, pointer + bytes, offsets.length).set(offsets);
  return { starts: pointer, offsets: pointer + bytes, count: starts.length };
}
