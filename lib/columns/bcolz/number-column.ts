/** A column of bcolz without texts: decoded chunk by chunk, its statistics kept beside the data once all are known. */
import { Type, type Static } from "../../base/typebox.js";
import type { Heap } from "../../kernels/heap.js";
import { chunkRows } from "../dtypes.js";
import type { ChunkStatistics, TableColumn } from "../read/table.js";
import type { ColumnContext } from "./context.js";
import { findDerived, keepDerived } from "./derived-files.js";
import { decodeNumbers, type NumberChunk } from "./numbers.js";
import type { NumberBounds } from "./runs.js";
import { withScratch } from "./room.js";

/** [nulls, minimum, maximum] of each chunk: numbers as text, which holds int64 and infinities. */
const Facts = Type.Array(Type.Tuple([Type.Integer({ minimum: 0, maximum: chunkRows }), Type.Union([Type.String({ maxLength: 64 }), Type.Null()]), Type.Union([Type.String({ maxLength: 64 }), Type.Null()])]));

/** A column of numbers, bools or times. */
export function openNumberColumn(context: ColumnContext): TableColumn {
  const { column, chunkCount, rowsOf } = context;
  const isFloat = column.stored.kind === "float";
  let known: (NumberBounds | undefined)[] | undefined;
  let left = chunkCount;

  /** What is known of each chunk, at first from what was kept. */
  function bounds(): (NumberBounds | undefined)[] {
    if (known !== undefined) return known;
    const kept = findDerived(context.place, Facts);
    known = kept === undefined ? undefined : boundsOf(kept.facts, isFloat, context);
    if (known !== undefined) left = 0;
    return (known ??= new Array<NumberBounds | undefined>(chunkCount));
  }

  function learn(chunk: number, found: NumberBounds): void {
    bounds()[chunk] = found;
    left -= 1;
    if (left === 0 && context.mayKeep()) keepDerived(context.place, { facts: factsOf(bounds()), dictionary: undefined, codes: undefined });
  }

  /** A chunk of which all values are as the statistics say; the first look at a chunk makes them. */
  function decode(chunk: number, heap: Heap, allocate: (bytes: number) => number): NumberChunk {
    const decoded = decodeNumbers(column, rowsOf(chunk), context.reader(chunk), heap, allocate);
    const before = bounds()[chunk];
    if (before === undefined) learn(chunk, decoded.bounds);
    else if (!isSame(before, decoded.bounds)) {
      for (const pointer of decoded.vector.owned) heap.release(pointer);
      throw context.changed(chunk);
    }
    return decoded;
  }

  function boundsAt(chunk: number): NumberBounds {
    return bounds()[chunk] ?? withScratch(rowsOf(chunk) * 16, (heap, allocate) => {
      const { vector, bounds: found } = decode(chunk, heap, allocate);
      for (const pointer of vector.owned) heap.release(pointer);
      return found;
    });
  }

  return {
    name: column.name, dtype: column.dtype, rows: column.rows, chunkCount,
    nullable: isFloat || column.stored.kind === "datetime" || column.stored.kind === "timedelta",
    chunkKey: context.chunkKey,
    statistics: (chunk): ChunkStatistics => ({ ...boundsAt(chunk), rows: rowsOf(chunk), truncated: false, storedBytes: context.storedBytes(chunk) }),
    dictionary: () => null,
    decode: (chunk, heap, allocate) => decode(chunk, heap, allocate).vector,
  };
}

function isSame(a: NumberBounds, b: NumberBounds): boolean {
  return a.nullCount === b.nullCount && a.minimum === b.minimum && a.maximum === b.maximum;
}

function factsOf(bounds: readonly (NumberBounds | undefined)[]): Static<typeof Facts> {
  return bounds.map((chunk) => [chunk!.nullCount, textOf(chunk!.minimum), textOf(chunk!.maximum)]);
}

function textOf(value: bigint | number | null): string | null {
  return value === null ? null : String(value);
}

/** Undefined when they cannot be those of the column. */
function boundsOf(facts: Static<typeof Facts>, isFloat: boolean, { chunkCount }: ColumnContext): NumberBounds[] | undefined {
  if (facts.length !== chunkCount) return undefined;
  const grammar = isFloat ? /^-?(?:[0-9.]+(?:e[+-][0-9]+)?|Infinity)$/ : /^-?[0-9]{1,20}$/;
  if (facts.some(([, minimum, maximum]) => [minimum, maximum].some((value) => value !== null && !grammar.test(value)))) return undefined;
  const valueOf = (text: string | null) => (text === null ? null : isFloat ? Number(text) : BigInt(text));
  return facts.map(([nullCount, minimum, maximum]) => ({ nullCount, minimum: valueOf(minimum), maximum: valueOf(maximum) }));
}
