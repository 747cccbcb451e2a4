/** One column of an open table: its index, dictionary and chunks, each read and verified at first use. */
import { BquerydError } from "../../base/errors.js";
import { decodeChunk } from "../decode/decode.js";
import { decodeDictionary } from "../files/dictionary.js";
import { chunkRows } from "../dtypes.js";
import { vectorKind } from "../files/encodings.js";
import { corruptFooter, type Footer, type FooterColumn, type FooterSegment } from "../files/footer.js";
import { decodeIndex, type ChunkRecord } from "../files/index.js";
import { decimalExponent } from "../files/payload.js";
import type { TableFiles } from "./table-files.js";
import type { Dictionary } from "../files/dictionary.js";
import type { TableColumn } from "./table.js";

/** Where a chunk of the column lies. */
export interface ChunkPlace {
  readonly segment: FooterSegment;
  /** Its number within the segment. */
  readonly chunk: number;
  readonly record: ChunkRecord;
}

/** A column with what inspection looks at besides. */
export interface OpenColumn extends TableColumn {
  /** The place of a chunk. Throws CORRUPT_FOOTER when the index is damaged. */
  place(chunk: number): ChunkPlace;
}

/**
 * Dictionaries in use in this process by content name: the shards of one import share one. The name is the SHA-256 of
 * the content, so a dictionary verified once serves every table that names it.
 */
const dictionariesInUse = new Map<string, WeakRef<Dictionary>>();
const forgetDictionary = new FinalizationRegistry<string>((id) => {
  if (dictionariesInUse.get(id)?.deref() === undefined) dictionariesInUse.delete(id);
});

/** A column of a table; nothing is read yet. */
export function openColumn(footer: Footer, column: FooterColumn, files: TableFiles): OpenColumn {
  const place = createPlaces(column, files);
  const kind = vectorKind(column.dtype, column.dictionary !== null);
  const dictionaryCount = column.dictionary === null ? 0 : footer.dictionaries[column.dictionary]!.count;
  const rowsOf = (chunk: number) => Math.min(chunkRows, footer.rows - chunk * chunkRows);
  let dictionary: Dictionary | null | undefined;
  return {
    name: column.name, dtype: column.dtype, nullable: column.nullable, rows: footer.rows,
    chunkCount: Math.ceil(footer.rows / chunkRows),
    place,
    chunkKey(chunk) {
      const { segment, chunk: within } = place(chunk);
      // Files of different columns may be equal byte for byte: constants of other dtypes, dictionaries or row counts.
      return `${kind}/${column.dictionary === null ? "" : footer.dictionaries[column.dictionary]!.file}/${segment.data}/${segment.index}/${within}/${rowsOf(chunk)}`;
    },
    statistics(chunk) {
      const { record } = place(chunk);
      const { minimum, maximum, truncated, nullCount, storedBytes } = record;
      return { rows: rowsOf(chunk), nullCount, minimum, maximum, truncated, storedBytes, isDecimal: column.dtype === "float64" && areDecimals(record) };
    },
    dictionary: () => (dictionary ??= readDictionary(footer, column, files)),
    decode(chunk, heap, allocate) {
      const { segment, record } = place(chunk);
      const fail = (wrong: string) => { throw corruptChunk(files.table, column.name, chunk, wrong); };
      const load = (target: Uint8Array) => files.readInto(segment.data, record.offset, target) || fail("its file is too short");
      return decodeChunk({ kind, rows: rowsOf(chunk), record, dictionaryCount, load, fail }, heap, allocate);
    },
  };
}

function areDecimals({ encoding, minimum }: ChunkRecord): boolean {
  return encoding === "decimal" || minimum === null || (encoding === "constant" && typeof minimum === "number" && decimalExponent(minimum) !== undefined);
}

/** A CORRUPT_CHUNK error: what is wrong with a chunk, and what to do. */
export function corruptChunk(table: string, column: string, chunk: number, wrong: string): BquerydError {
  return new BquerydError("CORRUPT_CHUNK", `chunk ${chunk} of column '${column}' in ${table} is damaged: ${wrong}; copy the table again from a good holder, or import it again`, { details: { table, column, chunk, problem: wrong } });
}

/** Finds chunks across the segments of a column; the index of a segment is read when a chunk of it is first asked for. */
function createPlaces(column: FooterColumn, files: TableFiles): (chunk: number) => ChunkPlace {
  const indexes: ChunkRecord[][] = [];
  return (chunk) => {
    let within = chunk;
    for (let s = 0; s < column.segments.length; s++) {
      const segment = column.segments[s]!;
      const chunks = Math.ceil(segment.rows / chunkRows);
      if (within < chunks) return { segment, chunk: within, record: (indexes[s] ??= readIndex(column, segment, files))[within]! };
      within -= chunks;
    }
    throw new Error(`column '${column.name}' has no chunk ${chunk}`);
  };
}

function readIndex(column: FooterColumn, segment: FooterSegment, files: TableFiles): ChunkRecord[] {
  const fail = (wrong: string) => { throw corruptFooter(files.table, `the index of column '${column.name}' ${wrong}`); };
  const refuse = (what: string) => {
    throw new BquerydError("UNSUPPORTED_FORMAT", `column '${column.name}' of ${files.table} uses ${what}, which this release cannot read; use a newer one`, { details: { table: files.table, column: column.name } });
  };
  const bytes = files.readAll(segment.index, fail);
  return decodeIndex(bytes, {
    dtype: column.dtype, hasDictionary: column.dictionary !== null, rows: segment.rows,
    dataBytes: files.sizeOf(segment.data), fail, refuse,
  });
}

function readDictionary(footer: Footer, column: FooterColumn, files: TableFiles): Dictionary | null {
  if (column.dictionary === null) return null;
  const { file, count, bytes } = footer.dictionaries[column.dictionary]!;
  const inUse = dictionariesInUse.get(file)?.deref();
  if (inUse !== undefined) return inUse;
  const fail = (wrong: string) => {
    throw new BquerydError("CORRUPT_DICTIONARY", `the dictionary of column '${column.name}' in ${files.table} ${wrong}; copy the table again from a good holder, or import it again`, { details: { table: files.table, column: column.name } });
  };
  const dictionary = decodeDictionary(files.readAll(file, fail), { id: file, count, bytes, fail });
  dictionariesInUse.set(file, new WeakRef(dictionary));
  forgetDictionary.register(dictionary, file);
  return dictionary;
}
