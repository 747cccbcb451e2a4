/** Groups by hash of several 64-bit words, one a key and one for nulls: equal hashes are settled by comparing all words. */
import { chunkRows } from "../../columns/dtypes.js";
import type { Arena } from "../memory.js";
import type { ChunkInput } from "../scan-column.js";
import { upTo } from "../values.js";
import { createWordRows } from "../word-rows.js";
import { roomFor, type Fields, type Grouper } from "./grouper.js";
import { setFieldWords } from "./field-words.js";
import type { KeyColumn } from "./keys.js";

/** Room for so many entries at first. */
const capacityMin = 8_192;

/** A grouper for any keys. A null's word is 0, and its bit in the last word says that it is null. */
export function createWordsGrouper(keys: readonly KeyColumn[], arena: Arena): Grouper {
  const { kernels } = arena;
  const width = keys.length + 1;
  const slots = arena.allocate(chunkRows * 4);
  const columns = Array.from({ length: width }, () => arena.allocate(chunkRows * 8));
  const nullWords = columns[keys.length]!;
  const pointers = arena.allocate(4 * width);
  new Uint32Array(kernels.memory.buffer, pointers, width).set(columns);
  const distinct = createWordRows(width, capacityMin, arena);

  function setWord(input: ChunkInput, key: KeyColumn, place: number): void {
    const run = input.run(key.column);
    setFieldWords(kernels, key, run, columns[place]!);
    if (run.nulls !== 0) kernels.packNulls(run.nulls, run.rows, 1n << BigInt(place), nullWords);
  }

  return {
    assign(input) {
      kernels.bytes.fill(0, nullWords, nullWords + input.rows * 8);
      keys.forEach((key, place) => setWord(input, key, place));
      distinct.number(pointers, input.rows, slots);
      return slots;
    },
    capacity: () => roomFor(distinct.count()),
    groups() {
      const halves = distinct.halves();
      const numbers = upTo(distinct.count());
      return { slots: numbers, fields: keys.map((key, place) => takeWord(halves, width, place, key.hasNulls)) };
    },
  };
}

function takeWord(halves: Uint32Array, width: number, place: number, hasNulls: boolean): Fields {
  const groups = halves.length / (2 * width);
  const low = new Uint32Array(groups);
  const high = new Uint32Array(groups);
  const isNull = hasNulls ? new Uint8Array(groups) : null;
  for (let g = 0; g < groups; g++) {
    const at = 2 * (g * width + place);
    low[g] = halves[at]!;
    high[g] = halves[at + 1]!;
    if (isNull !== null) isNull[g] = (halves[2 * (g * width + width - 1)]! >>> place) & 1;
  }
  return { low, high, isNull };
}
