/** Memory of the kernels for one block of CSV text at a time, and the fields found in it. */
import { createArena } from "../../columns/encode/arena.js";
import type { Kernels } from "../../kernels/kernels.js";
import { powersOfTen } from "./powers.js";

/** Rows that are read from a block at once: one run of values of each column. */
const rowsAtOnce = 65_536;
/** Fields that are found in a block at once, unless one row has more. */
const fieldsAtOnce = 1 << 19;
/** Rejects that are taken from a block at once. */
export const rejectsAtOnce = 1_024;
/** Bytes of a place: two uint32. */
export const placeBytes = 8;
/** Larger memory goes with the block that needed it. */
const keptBytesMax = 32 * 1024 * 1024;
/** Readable bytes around the block. */
const marginBytes = 64;

/** Where things are in the memory of the kernels; sizes hold for `rowsMax` rows. Good until the next block. */
export interface CsvMemory {
  readonly kernels: Kernels;
  readonly block: number;
  readonly bytes: number;
  readonly rowsMax: number;
  /** Places of fields, as csvRows writes them. */
  readonly fields: number;
  readonly rejects: number;
  /** Eight bytes a row: values, or codes. */
  readonly values: number;
  readonly nulls: number;
  /** Row numbers, uint32. */
  readonly misfits: number;
  readonly hard: number;
  readonly state: number;
  readonly powers: number;
  /** Offsets of one text more than rows, and room for all bytes of the block and some more. */
  readonly offsets: number;
  readonly pool: number;
  /** A hash table of `rowsMax` entries of 16 bytes or more: a power of two. */
  readonly table: number;
  readonly tableEntries: number;
  readonly token: number;
}

/** The place of a field: its bytes are `start` to `end` (exclusive) of the block. */
export interface FieldPlace {
  readonly start: number;
  readonly end: number;
  readonly isQuoted: boolean;
  readonly hasDoubledQuotes: boolean;
}

/** Puts blocks, each of `columns` fields a row, into memory that grows with them. `tokenBytes`: the longest text for null. */
export function createCsvMemory(): (block: Uint8Array, columns: number, tokenBytes: number) => CsvMemory {
  const usual = createArena();
  return (block, columns, tokenBytes) => {
    const rowsMax = Math.max(1, Math.min(rowsAtOnce, Math.floor(fieldsAtOnce / columns), Math.ceil((block.length + 1) / columns)));
    const tableEntries = Math.max(64, 2 ** Math.ceil(Math.log2(rowsMax)));
    const sizes = {
      block: block.length + 2 * marginBytes, fields: rowsMax * columns * placeBytes, rejects: rejectsAtOnce * 16, values: rowsMax * 8,
      nulls: Math.ceil(rowsMax / 8), misfits: rowsMax * 4, hard: rowsMax * 4, state: 64, powers: powersOfTen.byteLength,
      offsets: (rowsMax + 1) * 4, pool: block.length + marginBytes, table: tableEntries * 16, token: tokenBytes,
    };
    const parts = Object.values(sizes);
    const total = parts.reduce((sum, bytes) => sum + bytes + marginBytes, marginBytes);
    const arena = total > keptBytesMax ? createArena() : usual;
    arena.start(total);
    const kernels = arena.kernels();
    const take = (name: keyof typeof sizes): number => arena.take(sizes[name]);
    const memory: CsvMemory = {
      kernels, block: take("block") + marginBytes, bytes: block.length, rowsMax, tableEntries,
      fields: take("fields"), rejects: take("rejects"), values: take("values"), nulls: take("nulls"), misfits: take("misfits"), hard: take("hard"),
      state: take("state"), powers: take("powers"), offsets: take("offsets"), pool: take("pool"), table: take("table"), token: take("token"),
    };
    kernels.bytes.set(block, memory.block);
    kernels.bytes.set(new Uint8Array(powersOfTen.buffer), memory.powers);
    return memory;
  };
}

/** `count` uint32 at a pointer: a view. */
export function wordsAt({ kernels }: CsvMemory, pointer: number, count: number): Uint32Array {
  return new Uint32Array(kernels.memory.buffer, pointer, count);
}

/** The place of a field of the rows found last. */
export function placeOf(memory: CsvMemory, column: number, row: number): FieldPlace {
  const words = wordsAt(memory, placesOfColumn(memory, column) + row * placeBytes, 2);
  const word = words[1]!;
  return { start: words[0]!, end: word & 0x1fff_ffff, isQuoted: word >>> 31 === 1, hasDoubledQuotes: ((word >>> 30) & 1) === 1 };
}

/** Where the places of a column begin. */
export function placesOfColumn({ fields, rowsMax }: CsvMemory, column: number): number {
  return fields + column * rowsMax * placeBytes;
}

/** Bytes of the block: a view. */
export function blockBytes({ kernels, block }: CsvMemory, start: number, end: number): Buffer {
  return Buffer.from(kernels.memory.buffer, block + start, end - start);
}

/** A field as text. */
export function fieldText(memory: CsvMemory, { start, end, hasDoubledQuotes }: FieldPlace): string {
  const text = blockBytes(memory, start, end).toString();
  return hasDoubledQuotes ? text.replaceAll('""', '"') : text;
}
