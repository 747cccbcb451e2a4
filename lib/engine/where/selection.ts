/** The rows of a shard that a query selects, chunk by chunk. */
import { chunkRows } from "../../columns/dtypes.js";
import type { Lease } from "../cache.js";
import type { Condition } from "../expressions/tree.js";
import type { InputMaker } from "../input.js";
import type { Arena } from "../memory.js";
import { createFilter, type FilterContext } from "./filter.js";
import { rowsOfChunk } from "./predicate.js";
import type { Verdict } from "./verdict.js";

/** What is selected of a chunk. */
export interface Selected {
  readonly rows: number;
  /** Pointer to the uint16 rows selected, ascending; 0 where all or none are, or nobody asks which. Good until the next chunk. */
  readonly index: number;
  /** Whether this was known without reading a row. */
  readonly isKnown: boolean;
}

/** Selects rows of one chunk after another. */
export interface Selection {
  select(chunk: number, rows: number): Selected;
}

/** Writes masks of the rows for which a condition is true. */
export interface Masking {
  /** What statistics say of a chunk. */
  judge(chunk: number): Verdict;
  /** Whether a verdict of none or all took reading rows of the chunk; absent where it never does. */
  isRead?(chunk: number): boolean;
  /** Writes a byte a row. */
  mask(chunk: number, rows: number, mask: number): void;
}

/** What a selection is made from. */
export interface SelectionContext extends FilterContext {
  readonly inputs: InputMaker;
  readonly lease: Lease;
}

/** The masks of a condition over a shard; null is true everywhere. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH. */
export function createMasking(where: Condition | null, context: SelectionContext): Masking {
  const { arena, inputs, lease } = context;
  if (where === null) return { judge: () => "all", mask: (_, rows, mask) => void arena.kernels.bytes.fill(1, mask, mask + rows) };
  const filter = createFilter(where, context);
  return {
    judge: (chunk) => filter.judge(chunk),
    mask: (chunk, rows, mask) => { filter.mask(rowsOfChunk(lease, inputs.start(lease, chunk, rows, 0)), mask); },
  };
}

/** The selection of masks: statistics are asked first. Without `hasIndex` rows are counted, and none of them named. */
export function createSelection(masking: Masking, arena: Arena, hasIndex: boolean): Selection {
  const { kernels } = arena;
  let memory: { readonly mask: number; readonly index: number } | undefined;
  return {
    select(chunk, rows) {
      const verdict = masking.judge(chunk);
      if (verdict !== "some") return { rows: verdict === "all" ? rows : 0, index: 0, isKnown: masking.isRead?.(chunk) !== true };
      memory ??= { mask: arena.allocate(chunkRows), index: hasIndex ? arena.allocate(chunkRows * 2) : 0 };
      masking.mask(chunk, rows, memory.mask);
      const selected = kernels.maskCount(memory.mask, rows);
      const isPart = hasIndex && selected > 0 && selected < rows;
      if (isPart) kernels.maskIndex(memory.mask, rows, memory.index);
      return { rows: selected, index: isPart ? memory.index : 0, isKnown: false };
    },
  };
}
