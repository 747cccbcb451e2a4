/** A result in other formats, as `export` writes tables. */
import { constants } from "node:buffer";
import { BquerydError } from "../base/errors.js";
import type { ResultColumn } from "../engine/finish.js";
import { isLists } from "../engine/values.js";
import { createArrowEncoder, type ArrowColumn } from "../formats/arrow/encode.js";
import { csvHeader, csvLines } from "../formats/csv/write.js";
import { cutLists, type SliceLimits } from "../formats/values/slices.js";
import { resultBatches } from "./batches.js";

/** What is to be written. */
export interface Written {
  readonly columns: readonly ResultColumn[];
  readonly rows: number;
}

/** The CSV of a result. Throws MEMORY_LIMIT where it has more characters than a text may have. */
export function csvOf({ columns, rows }: Written, { header, charactersMax = constants.MAX_STRING_LENGTH }: { readonly header: boolean; readonly charactersMax?: number }): string {
  const parts: string[] = [];
  let characters = 0;
  const add = (part: string): void => {
    characters += part.length;
    if (characters > charactersMax) throw tooLong("CSV", `${charactersMax} characters`);
    parts.push(part);
  };
  if (header) add(csvHeader(columns.map(({ name }) => name), ","));
  for (const batches of resultBatches(columns, rows)) for (const lines of csvLines(batches, ",")) add(lines);
  return parts.join("");
}

/** What is in one record batch at most: its offsets have 32 bits. */
const recordLimits: SliceLimits = { rows: Infinity, bytes: 256 * 1024 * 1024 };

/** The Arrow IPC file of a result. Throws MEMORY_LIMIT where it has more bytes than an array may have. */
export function arrowOf({ columns, rows }: Written, { bytesMax = constants.MAX_LENGTH }: { readonly bytesMax?: number } = {}): Uint8Array {
  const encoder = createArrowEncoder(columns.map(arrowColumn));
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const add = (some: readonly Uint8Array[]): void => {
    for (const { length } of some) bytes += length;
    if (bytes > bytesMax) throw tooLong("Arrow", `${bytesMax} bytes`);
    pieces.push(...some);
  };
  add(encoder.begin());
  for (const batches of resultBatches(columns, rows)) for (const slices of cutLists(batches, recordLimits)) add(encoder.add(slices));
  add(encoder.finish());
  return joinPieces(pieces, bytes);
}

/** Every column may have nulls, so that the schema is that of the question and not of the answer. */
function arrowColumn({ name, values }: ResultColumn): ArrowColumn {
  return isLists(values) ? { name, dtype: "list", item: values.item.dtype, nullable: true } : { name, dtype: values.dtype, nullable: true };
}

function joinPieces(pieces: readonly Uint8Array[], bytes: number): Uint8Array {
  const joined = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

function tooLong(format: string, limit: string): BquerydError {
  return new BquerydError("MEMORY_LIMIT", `the result as ${format} is more than ${limit}, which is all that one value holds; ask for fewer rows at a time with limit and offset, or with rpc.rows`);
}
