/** The kernels of delimited text; kernels.ts says what all kernels have in common. */

type Pointer = number;

/** What reading text with delimiters needs. */
export interface CsvKernels {
  // Reading text with delimiters. `fields` are places of fields in a block of text, as csvRows writes them: column after
  // column, each of `rowsMax` places of 8 bytes. Eight bytes before the block and 32 behind it must be there to be read.
  /**
   * Finds the fields of the records from byte `from` on: at most `rowsMax` rows of `columns` fields, and at most
   * `rejectsMax` records that are spoiled: uint32 start, end, reason (1 another number of fields, 2 text after a closing
   * quote, 3 a quote that never closes) and detail (the number; the place of the opening quote). `state` gets uint32
   * rows, rejects, the byte to go on from. The byte behind the block is written.
   */
  csvRows(block: Pointer, bytes: number, from: number, columns: number, delimiter: number, rowsMax: number, fields: Pointer, rejectsMax: number, rejects: Pointer, state: Pointer): void;
  /**
   * Finds where text that goes on, unless isLast is 1, can be cut. `state` gets uint32: the last end of a record; whether a record follows
   * that is longer than `recordBytesMax`; where it starts; where to go on behind the line of its open quote, 0 without one.
   */
  csvCut(block: Pointer, bytes: number, delimiter: number, recordBytesMax: number, isLast: number, state: Pointer): void;
  /** Counts line ends: LF, CR, CR LF. */
  csvLines(block: Pointer, bytes: number): number;
  /** Marks the fields spelled like `token`, quotes included, as nulls; fields that are empty without quotes are nulls anyway. */
  csvNulls(block: Pointer, fields: Pointer, rows: number, token: Pointer, tokenBytes: number): void;
  /** Sets the bits of null rows, clears the others; gives how many are null. */
  csvNullBits(fields: Pointer, rows: number, nulls: Pointer): number;
  /** The kinds of values (lib/formats/values/infer.ts), or-ed; rows in `hard` are left to the caller. `state` as for csvBools. */
  csvKinds(block: Pointer, fields: Pointer, rows: number, powers: Pointer, hard: Pointer, state: Pointer): number;
  /**
   * The values of a column: bools as bytes. The rows that do not fit are listed in `misfits` (uint32). `state` gets
   * uint32: how many do not fit, how many are hard, how many are null. `lenient` 1 takes spellings that are not taken for
   * this dtype by themselves: 0 and 1 for bools, leading zeros and a plus sign for numbers.
   */
  csvBools(block: Pointer, fields: Pointer, rows: number, lenient: number, values: Pointer, nulls: Pointer, misfits: Pointer, state: Pointer): void;
  csvInts(block: Pointer, fields: Pointer, rows: number, lenient: number, least: bigint, greatest: bigint, values: Pointer, nulls: Pointer, misfits: Pointer, state: Pointer): void;
  csvUint64s(block: Pointer, fields: Pointer, rows: number, lenient: number, values: Pointer, nulls: Pointer, misfits: Pointer, state: Pointer): void;
  /**
   * NaN is null. `hard` lists rows (uint32) that hold a number which the caller must turn into a float64. `powers`: for
   * each power of ten from -348 to 347 the lower and upper word of its first 128 bits.
   */
  csvFloats(block: Pointer, fields: Pointer, rows: number, lenient: number, powers: Pointer, values: Pointer, nulls: Pointer, misfits: Pointer, hard: Pointer, state: Pointer): void;
  csvDates(block: Pointer, fields: Pointer, rows: number, values: Pointer, nulls: Pointer, misfits: Pointer, state: Pointer): void;
  csvTimestamps(block: Pointer, fields: Pointer, rows: number, values: Pointer, nulls: Pointer, misfits: Pointer, state: Pointer): void;
  /** Fields one after another, with rows + 1 offsets; gives their bytes. Sixteen bytes more are written over. */
  csvTexts(block: Pointer, fields: Pointer, rows: number, offsets: Pointer, bytes: Pointer): number;
  /** Gives fields codes as internText does strings; null rows get code 0. */
  csvIntern(block: Pointer, fields: Pointer, rows: number, from: number, table: Pointer, capacity: number, poolOffsets: Pointer, poolBytes: Pointer, limit: number, state: Pointer, codes: Pointer): number;
}
