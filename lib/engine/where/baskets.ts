/**
 * expand_filter_column: rows with the same value of a column that follow each other, nulls being equal, are a basket, and
 * one selected row selects its whole basket. A first pass over the shard makes the masks of all chunks, baskets within a
 * chunk settled; then baskets are followed over the borders of chunks. Those over the borders of shards take two queries:
 * the first asks every shard what its first and last baskets are (BasketUse "ask"), the second tells it which of them are
 * selected by rows of other shards ("told").
 */
import { chunkRows } from "../../columns/dtypes.js";
import type { TableColumn } from "../../columns/read/table.js";
import type { Run } from "../scan-column.js";
import { widthNames } from "../states/slab.js";
import { reachBaskets, type Piece, type Reached } from "./basket-chain.js";
import type { Masking, SelectionContext } from "./selection.js";

/** The value of a row as far as baskets go: a number, a code of the shard's texts, or null. */
export type BasketValue = bigint | number | null;

/** The outermost baskets of a shard that has rows. */
export interface BasketEdges {
  readonly firstValue: BasketValue;
  readonly lastValue: BasketValue;
  /** Whether a row of the first, of the last basket is selected. */
  readonly isFirstHit: boolean;
  readonly isLastHit: boolean;
  /** Whether the shard is one basket. */
  readonly isSingle: boolean;
}

/** The masks of a shard by whole baskets. */
export interface BasketMasking extends Masking {
  /** Of a shard without rows undefined. */
  edges(): BasketEdges | undefined;
}

/** What baskets are made from; `stop` is called between chunks and throws when the query is no longer wanted. */
export interface BasketContext extends Pick<SelectionContext, "arena" | "lease" | "inputs"> {
  stop(): void;
}

/** A chunk with the baskets within it settled. */
interface ChunkBaskets {
  readonly rows: number;
  /** The mask, a bit a row; or whether all rows or none are selected. */
  readonly selected: Uint8Array | "all" | "none";
  readonly isFirstHit: boolean;
  readonly isLastHit: boolean;
  /** Where its first basket ends, where its last one starts, and their values. */
  layout(): Layout;
  /** Whether a row of it was read to know its mask. */
  readonly isRead: boolean;
}

interface Layout {
  readonly firstEnd: number;
  readonly lastStart: number;
  readonly firstValue: BasketValue;
  readonly lastValue: BasketValue;
}

/**
 * The masks of whole baskets of `column` in which `masking` selects a row, or which `outside` says are selected: the first
 * one of the shard, the last one. Reads the shard. Throws CANCELLED and what decoding throws.
 */
export function expandToBaskets(masking: Masking, column: TableColumn, outside: { readonly first: boolean; readonly last: boolean }, context: BasketContext): BasketMasking {
  const settle = createSettler(masking, column, context);
  const chunks: ChunkBaskets[] = [];
  for (let chunk = 0; chunk < column.chunkCount; chunk++) {
    context.stop();
    chunks.push(settle(chunk));
    context.lease.returnAll();
  }
  const pieces = chunks.map((chunk, at) => pieceOf(chunk, chunks[at - 1]));
  const reached = reachBaskets(pieces, outside);
  // What the layout of chunks made them read.
  context.lease.returnAll();
  const { kernels } = context.arena;
  const isTouched = (chunk: number): boolean => reached.first[chunk] === true || reached.last[chunk] === true;
  return {
    judge(chunk) {
      const { selected } = chunks[chunk]!;
      if (selected === "all") return "all";
      return selected === "none" && !isTouched(chunk) ? "none" : "some";
    },
    isRead: (chunk) => chunks[chunk]!.isRead || isTouched(chunk),
    mask(chunk, rows, mask) {
      const { selected, layout } = chunks[chunk]!;
      if (typeof selected === "string") kernels.bytes.fill(selected === "all" ? 1 : 0, mask, mask + rows);
      else writeBits(selected, rows, mask, context);
      if (reached.first[chunk] === true) kernels.bytes.fill(1, mask, mask + layout().firstEnd);
      if (reached.last[chunk] === true) kernels.bytes.fill(1, mask + layout().lastStart, mask + rows);
    },
    edges: () => edgesOf(chunks, pieces, reached),
  };
}

function pieceOf(chunk: ChunkBaskets, before: ChunkBaskets | undefined): Piece {
  return {
    isFirstHit: chunk.isFirstHit,
    isLastHit: chunk.isLastHit,
    isSingle: () => chunk.layout().firstEnd === chunk.rows,
    continues: () => before !== undefined && before.layout().lastValue === chunk.layout().firstValue,
  };
}

function edgesOf(chunks: readonly ChunkBaskets[], pieces: readonly Piece[], { first, last }: Reached): BasketEdges | undefined {
  const [firstPiece, lastPiece] = [pieces[0], pieces.at(-1)];
  if (firstPiece === undefined || lastPiece === undefined) return undefined;
  return {
    firstValue: chunks[0]!.layout().firstValue,
    lastValue: chunks.at(-1)!.layout().lastValue,
    isFirstHit: firstPiece.isFirstHit || (last[0] === true && firstPiece.isSingle()),
    isLastHit: lastPiece.isLastHit || (first.at(-1) === true && lastPiece.isSingle()),
    isSingle: pieces.every((piece, at) => piece.isSingle() && (at === 0 || piece.continues())),
  };
}

/** Settles the baskets within one chunk after another. */
function createSettler(masking: Masking, column: TableColumn, context: BasketContext): (chunk: number) => ChunkBaskets {
  const { arena, inputs, lease } = context;
  const { kernels } = arena;
  const [mask, bits, state] = [arena.allocate(chunkRows), arena.allocate(chunkRows / 8), arena.allocate(8)];
  const places = new Uint32Array(kernels.memory.buffer, state, 2);

  /** Extends the mask to whole baskets and tells where the outer ones are. */
  function expand(chunk: number, rows: number): Layout {
    const run = inputs.start(lease, chunk, rows, 0).run(column);
    kernels[`expandBaskets${widthNames[run.width]}`](run.values, run.nulls, rows, mask, state);
    return { firstEnd: places[0]!, lastStart: places[1]!, firstValue: valueAt(run, 0, kernels.bytes), lastValue: valueAt(run, rows - 1, kernels.bytes) };
  }

  return (chunk) => {
    const rows = Math.min(chunkRows, column.rows - chunk * chunkRows);
    const verdict = masking.judge(chunk);
    let known: Layout | undefined;
    const layout = (): Layout => {
      if (known !== undefined) return known;
      kernels.bytes.fill(0, mask, mask + rows);
      known = expand(chunk, rows);
      lease.returnAll();
      return known;
    };
    if (verdict !== "some") return { rows, selected: verdict, isFirstHit: verdict === "all", isLastHit: verdict === "all", layout, isRead: false };
    masking.mask(chunk, rows, mask);
    const found = kernels.maskCount(mask, rows);
    if (found === 0 || found === rows) {
      const isAll = found === rows;
      return { rows, selected: isAll ? "all" : "none", isFirstHit: isAll, isLastHit: isAll, layout, isRead: true };
    }
    known = expand(chunk, rows);
    kernels.bitsFromMask(mask, rows, bits);
    const isFirstHit = kernels.bytes[mask] === 1;
    const isLastHit = kernels.bytes[mask + rows - 1] === 1;
    return { rows, selected: kernels.bytes.slice(bits, bits + ((rows + 7) >> 3)), isFirstHit, isLastHit, layout, isRead: true };
  };
}

function valueAt({ kind, width, values, base, step, nulls }: Run, row: number, memory: Uint8Array): BasketValue {
  if (nulls !== 0 && ((memory[nulls + (row >> 3)]! >> (row & 7)) & 1) === 1) return null;
  const view = new DataView(memory.buffer, values + row * width, width);
  if (kind === "float") return view.getFloat64(0, true);
  if (width === 8) return view.getBigInt64(0, true);
  const code = width === 1 ? view.getUint8(0) : width === 2 ? view.getUint16(0, true) : view.getUint32(0, true);
  return kind === "code" ? code : base + step * BigInt(code);
}

function writeBits(selected: Uint8Array, rows: number, mask: number, { arena }: BasketContext): void {
  const bits = arena.allocate(selected.length);
  arena.kernels.bytes.set(selected, bits);
  arena.kernels.maskFromBits(bits, rows, 0, mask);
  arena.free(bits);
}
