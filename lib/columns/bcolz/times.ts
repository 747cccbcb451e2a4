/** NumPy's times as a vector: timestamps in nanoseconds, dates in days, timedeltas as the counts they are. */
import { BquerydError } from "../../base/errors.js";
import { wholeRange } from "../dtypes.js";
import type { BcolzColumn } from "./directory.js";
import type { Room } from "./room.js";
import { keepBitmap, keepWords, type RunReader, type Values } from "./runs.js";
import type { TimeUnit } from "./stored-dtype.js";

/** Nanoseconds of the units that timestamps may have. */
const nanoseconds: Readonly<Partial<Record<TimeUnit, bigint>>> = { h: 3_600_000_000_000n, m: 60_000_000_000n, s: 1_000_000_000n, ms: 1_000_000n, us: 1_000n, ns: 1n };
/** How many of a finer unit are a nanosecond. */
const finerThanNanoseconds: Readonly<Partial<Record<TimeUnit, bigint>>> = { ps: 1_000n, fs: 1_000_000n, as: 1_000_000_000n };

/** Decodes rows of datetimes or timedeltas; NaT is null. Throws OVERFLOW for what a timestamp or date cannot hold. */
export function readTimes(column: BcolzColumn, rows: number, read: RunReader, room: Room): Values {
  const { kernels } = room.heap;
  const values = keepWords(rows, read, room);
  const bitmap = new Uint8Array(Math.ceil(rows / 8));
  const nullCount = markNaT(new Int32Array(kernels.bytes.buffer, values, 2 * rows), bitmap);
  const nulls = nullCount === 0 ? 0 : keepBitmap(bitmap, room);
  const counts = new BigInt64Array(kernels.bytes.buffer, values, rows);
  if (nullCount === rows) {
    counts.fill(0n);
    return { width: 8, values, nulls, bounds: { nullCount, minimum: null, maximum: null } };
  }
  // Null rows first repeat a value that counts, and in the end hold the least.
  if (nulls !== 0) kernels.fillNullsI64(values, nulls, rows, counts[firstRow(bitmap)]!);
  convert(column, counts, { minimum: kernels.minI64(values, rows), maximum: kernels.maxI64(values, rows) });
  const minimum = kernels.minI64(values, rows);
  const maximum = kernels.maxI64(values, rows);
  if (nulls !== 0) kernels.fillNullsI64(values, nulls, rows, minimum);
  return { width: 8, values, nulls, bounds: { nullCount, minimum, maximum } };
}

/** Marks the rows that hold NaT, the least int64; gives how many. */
function markNaT(halves: Int32Array, bitmap: Uint8Array): number {
  let count = 0;
  for (let row = 0; 2 * row < halves.length; row++) {
    if (halves[2 * row + 1] !== -0x8000_0000 || halves[2 * row] !== 0) continue;
    bitmap[row >> 3]! |= 1 << (row & 7);
    count++;
  }
  return count;
}

function firstRow(bitmap: Uint8Array): number {
  let row = 0;
  while (((bitmap[row >> 3]! >> (row & 7)) & 1) === 1) row++;
  return row;
}

/** Turns counts of the column's unit into what its dtype holds, in place. */
function convert(column: BcolzColumn, counts: BigInt64Array, bounds: { minimum: bigint; maximum: bigint }): void {
  const { kind, step } = column.stored;
  if (kind === "timedelta" || step === null) return;
  const toResult = conversion(step.unit, step.count);
  const range = column.dtype === "date" ? wholeRange("date") : wholeRange("timestamp");
  for (const count of [bounds.minimum, bounds.maximum]) {
    const result = toResult(count);
    if (result < range.least || result > range.greatest) throw overflow(column, `${count} x ${step.count} ${step.unit} since 1970, outside of what a ${column.dtype} holds`);
  }
  if (step.unit === "ns" && step.count === 1n) return;
  const divisor = finerThanNanoseconds[step.unit];
  for (let row = 0; row < counts.length; row++) {
    const count = counts[row]!;
    if (divisor !== undefined && (count * step.count) % divisor !== 0n) throw overflow(column, `${count} x ${step.count} ${step.unit} since 1970, finer than a nanosecond`);
    counts[row] = toResult(count);
  }
}

/** What a count of units is in days or nanoseconds; ascending. */
function conversion(unit: TimeUnit, step: bigint): (count: bigint) => bigint {
  switch (unit) {
    case "Y": return (count) => daysOfMonth(12n * step * count);
    case "M": return (count) => daysOfMonth(step * count);
    case "W": return (count) => 7n * step * count;
    case "D": return (count) => step * count;
    default: {
      const divisor = finerThanNanoseconds[unit];
      if (divisor !== undefined) return (count) => (step * count) / divisor;
      const factor = nanoseconds[unit]! * step;
      return (count) => factor * count;
    }
  }
}

/** Days from 1970-01-01 to the first day of a month, counted from January 1970, in the proleptic Gregorian calendar. */
function daysOfMonth(months: bigint): bigint {
  // Years that begin in March, so that the leap day is the last of them: 400 of them have 146,097 days.
  const fromMarch = months + 1970n * 12n - 2n;
  const year = floorDivide(fromMarch, 12n);
  const month = fromMarch - 12n * year;
  const era = floorDivide(year, 400n);
  const inEra = year - 400n * era;
  const days = inEra * 365n + inEra / 4n - inEra / 100n + (153n * month + 2n) / 5n;
  return era * 146_097n + days - 719_468n;
}

function floorDivide(a: bigint, b: bigint): bigint {
  return a >= 0n ? a / b : -((-a + b - 1n) / b);
}

function overflow(column: BcolzColumn, what: string): BquerydError {
  return new BquerydError("OVERFLOW", `column '${column.name}' holds the time ${what}; convert it in Python first`, { details: { column: column.name } });
}
