/**
 * Verifying a table that Python's bcolz wrote. It has no checksums: every chunk is decoded and its values looked at, so
 * that what cannot be read is located, and a value that was changed into another goes unseen.
 */
import { basename, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BquerydError } from "../../base/errors.js";
import { forEachRun } from "../bcolz/chunk-reader.js";
import { chunkName, readBcolzDirectory, rootsName, type BcolzColumn, type BcolzDirectory } from "../bcolz/directory.js";
import { decodeNumbers } from "../bcolz/numbers.js";
import { withScratch } from "../bcolz/room.js";
import { readTexts } from "../bcolz/texts.js";
import { chunkRows, isTextDtype } from "../dtypes.js";
import { requireGoing } from "./pool.js";
import type { Finding, Verification, VerifyOptions } from "./verification.js";

/** Verifies the table of bcolz in a directory. Changes nothing. Throws as `verifyTable`, GENERATION_GONE when it is written meanwhile. */
export async function verifyBcolz(directory: string, { onProgress, signal }: VerifyOptions): Promise<Verification> {
  const findings: Finding[] = [];
  const table = findDirectory(directory, findings);
  const { columns = [], refused = [], storedBytes = 0 } = table ?? {};
  let bytesDone = 0;
  for (const column of columns) {
    for (const [chunk, { bytes }] of column.chunks.entries()) {
      await nextTurn();
      requireGoing(signal);
      findings.push(...checkChunk(table!, column, chunk));
      bytesDone += bytes;
      onProgress?.(bytesDone, storedBytes);
    }
  }
  return {
    name: basename(directory), generations: 1, hasChecksums: false, refused, findings, bytes: storedBytes,
    files: columns.reduce((sum, { chunks }) => sum + chunks.length, 0),
  };
}

/** What of the table can be looked at; undefined, and a finding, when that is nothing. */
function findDirectory(directory: string, findings: Finding[]): BcolzDirectory | undefined {
  try {
    return readBcolzDirectory(directory, (column, cause) => { findings.push(findingOf(cause, { file: column, column, chunk: null })); });
  } catch (cause) {
    if (!(cause instanceof BquerydError) || cause.code !== "CORRUPT_FOOTER") throw cause;
    findings.push(findingOf(cause, { file: rootsName, column: null, chunk: null }));
    return undefined;
  }
}

/** The first thing that is wrong with a chunk, if anything is. */
function checkChunk(table: BcolzDirectory, column: BcolzColumn, chunk: number): Finding[] {
  const first = chunk * column.chunkLength;
  const end = Math.min(column.rows, first + column.chunkLength);
  try {
    for (let start = first; start < end; start += chunkRows) decodeRows(table, column, start, Math.min(end, start + chunkRows));
    return [];
  } catch (cause) {
    const isOurs = !(cause instanceof BquerydError) || !["CORRUPT_CHUNK", "OVERFLOW", "MEMORY_LIMIT"].includes(cause.code);
    if (isOurs) throw cause;
    return [findingOf(cause, { file: join(column.name, "data", chunkName(chunk)), column: column.name, chunk })];
  }
}

function decodeRows(table: BcolzDirectory, column: BcolzColumn, start: number, end: number): void {
  const rows = end - start;
  const read = (use: (bytes: Uint8Array, rows: number) => void): void => { forEachRun(table, column, { start, end }, use); };
  if (isTextDtype(column.dtype)) {
    readTexts(column, rows, read, (problem) => { throw new BquerydError("CORRUPT_CHUNK", problem, { details: { problem } }); });
    return;
  }
  withScratch(16 * rows, (heap, allocate) => {
    for (const pointer of decodeNumbers(column, rows, read, heap, allocate).vector.owned) heap.release(pointer);
  });
}

/** The words before the advice, which is for whoever wants to read the table. */
function findingOf({ details, message }: BquerydError, place: Pick<Finding, "file" | "column" | "chunk">): Finding {
  const problem = details["problem"];
  return { ...place, offset: null, problem: typeof problem === "string" ? problem : message.split("; ")[0]! };
}
