/**
 * Chunks answered from their statistics: where a query has no keys and its condition is known to hold for every row of a
 * chunk, the index says how many rows and nulls there are, and the extremes.
 */
import type { ChunkStatistics } from "../columns/read/table.js";
import type { Partial } from "./partial.js";
import { isComputed, mayBeNull, type ScanColumn } from "./scan-column.js";
import type { StateColumn, StateSpec } from "./states/kinds.js";
import { blankValues, singleValue } from "./values.js";

/** What statistics have answered of a shard. */
export interface Answers {
  /** Adds all rows of a chunk; false when its statistics do not say all that is asked, and nothing was added. */
  add(chunk: number, rows: number): boolean;
  /** The partial of the chunks added. */
  take(): Partial;
}

/** One state, as far as statistics tell it. */
interface Answer {
  isAnswered(chunk: number): boolean;
  add(chunk: number): void;
  take(groups: number): StateColumn;
}

/** Answers for the states of a query without keys, `columns` being all their inputs; null where statistics never know one. */
export function createAnswers(specs: readonly StateSpec[], columns: readonly ScanColumn[]): Answers | null {
  const answers: Answer[] = [];
  for (const { kind, inputs } of specs) {
    const column = columns[inputs[0] ?? -1];
    if (column === undefined || isComputed(column) || (kind !== "count" && kind !== "min" && kind !== "max")) return null;
    answers.push(kind === "count" ? answerCount(column) : answerExtreme(kind, column));
  }
  let total = 0;
  return {
    add(chunk, rows) {
      if (!answers.every((answer) => answer.isAnswered(chunk))) return false;
      for (const answer of answers) answer.add(chunk);
      total += rows;
      return true;
    },
    take() {
      const groups = total === 0 ? 0 : 1;
      return { groups, keys: [], rows: new Float64Array(groups).fill(total), states: answers.map((answer) => answer.take(groups)) };
    },
  };
}

function answerCount(column: ScanColumn): Answer {
  const areRows = !mayBeNull(column);
  let count = 0;
  return {
    isAnswered: () => true,
    add(chunk) {
      const { rows, nullCount } = column.statistics(chunk);
      count += rows - nullCount;
    },
    take: (groups) => ({ kind: "count", counts: areRows ? null : new Float64Array(groups).fill(count) }),
  };
}

function answerExtreme(kind: "min" | "max", column: ScanColumn): Answer {
  let best: ChunkStatistics["minimum"] = null;
  const extremeOf = (statistics: ChunkStatistics): ChunkStatistics["minimum"] => (kind === "min" ? statistics.minimum : statistics.maximum);
  return {
    isAnswered(chunk) {
      const statistics = column.statistics(chunk);
      return statistics.nullCount === statistics.rows || (extremeOf(statistics) !== null && !statistics.truncated);
    },
    add(chunk) {
      const extreme = extremeOf(column.statistics(chunk));
      if (best === null || (extreme !== null && isBetter(kind, extreme, best))) best = extreme;
    },
    take: (groups) => ({
      kind, seen: new Uint8Array(groups).fill(best === null ? 0 : 1),
      values: groups === 0 || best === null ? blankValues(column.dtype, groups) : singleValue(column.dtype, best),
    }),
  };
}

function isBetter(kind: "min" | "max", extreme: bigint | number | Uint8Array, best: bigint | number | Uint8Array): boolean {
  if (extreme instanceof Uint8Array && best instanceof Uint8Array) return kind === "min" ? Buffer.compare(extreme, best) < 0 : Buffer.compare(extreme, best) > 0;
  return kind === "min" ? extreme < best : extreme > best;
}
