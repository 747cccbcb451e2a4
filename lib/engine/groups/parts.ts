/** Parts of a shard's groups by a hash of their keys, scanned one after another where all of them need too much memory. */
import { chunkRows } from "../../columns/dtypes.js";
import type { Lease } from "../cache.js";
import type { InputMaker } from "../input.js";
import type { Arena } from "../memory.js";
import { isComputed } from "../scan-column.js";
import type { Selected, Selection } from "../where/selection.js";
import { setFieldWords } from "./field-words.js";
import type { KeyColumn } from "./keys.js";

/** One of a number of parts, which is a power of two; `place` counts from 0. */
export interface Part {
  readonly place: number;
  readonly parts: number;
}

/** What a selection of a part reads rows with. */
export interface PartContext {
  readonly arena: Arena;
  readonly inputs: InputMaker;
  readonly lease: Lease;
}

/** The rows of a selection whose groups are of one part. */
export function selectPart(selection: Selection, keys: readonly KeyColumn[], { place, parts }: Part, { arena, inputs, lease }: PartContext): Selection {
  const { kernels } = arena;
  const columns = keys.map(() => arena.allocate(chunkRows * 8));
  const aside = arena.allocate(chunkRows * 8);
  const pointers = arena.allocate(4 * keys.length);
  new Uint32Array(kernels.memory.buffer, pointers, keys.length).set(columns);
  const rowsOfPart = arena.allocate(chunkRows * 2);
  const index = arena.allocate(chunkRows * 2);

  function setWords(chunk: number, chunkRowCount: number, selected: Selected): void {
    const input = inputs.start(lease, chunk, selected.rows, selected.index);
    for (const [at, key] of keys.entries()) {
      const { column } = key;
      // Strings that have no codes yet would be interned, those of the other parts as well.
      if (!isComputed(column) && key.kind === "code" && column.dictionary() === null) {
        const { values, text } = lease.vector(column, chunk);
        const isAll = selected.index === 0;
        kernels.hashTexts(values, text, chunkRowCount, isAll ? columns[at]! : aside);
        if (!isAll) kernels.gather8(aside, selected.index, selected.rows, columns[at]!);
      } else setFieldWords(kernels, key, input.run(column), columns[at]!);
    }
  }

  return {
    select(chunk, rows) {
      const selected = selection.select(chunk, rows);
      if (selected.rows === 0) return selected;
      setWords(chunk, rows, selected);
      const count = kernels.partRows(pointers, keys.length, selected.rows, parts, place, rowsOfPart);
      if (selected.index !== 0) kernels.gather2(selected.index, rowsOfPart, count, index);
      return { rows: count, index: selected.index === 0 ? rowsOfPart : index, isKnown: false };
    },
  };
}
