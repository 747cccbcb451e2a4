/** The pieces of work that verifying a table is made of, each for one thread: hash a file, or decode a run of chunks. */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError } from "../../base/files.js";
import { formatCount, formatCounted } from "../../base/quantities.js";
import { chunkRows } from "../dtypes.js";
import type { FooterSegment } from "../files/footer.js";
import { createIdle } from "../../kernels/idle.js";
import { createDecoder, decodeInGrowing, isAsNew, type Decoder } from "../read/decoder.js";
import type { OpenColumn } from "../read/open-column.js";
import { openOwnTable, type OpenTable } from "../read/open.js";
import type { Finding } from "./verification.js";

/** A piece of work. Plain data: it goes to another thread. */
export type VerifyJob =
  | { readonly kind: "hash"; readonly file: string; readonly bytes: number; readonly sha256: string; readonly column: string | null }
  | {
    readonly kind: "decode"; readonly generation: string;
    /** Place of the column in the footer. */
    readonly column: number;
    /** Chunks of the column, end exclusive. */
    readonly from: number; readonly to: number;
    /** Stored bytes of those chunks, roughly. */
    readonly bytes: number;
  };

/** Does jobs on one table, one after another. */
export interface Checker {
  /** What is wrong with what a job looks at; at a file that cannot be made sense of it stops. `onBytes` is told of bytes done. */
  run(job: VerifyJob, onBytes: (bytes: number) => void): Finding[];
  close(): void;
}

const blockBytes = 4 * 1024 * 1024;

/** A checker for the table in a directory. Blocks while it works. */
export function createChecker(directory: string): Checker {
  const tables = new Map<string, OpenTable>();
  const memory = idleMemory.take();
  function requireTable(generation: string): OpenTable {
    const table = tables.get(generation) ?? openOwnTable(directory, { generation });
    tables.set(generation, table);
    return table;
  }
  return {
    run(job, onBytes) {
      switch (job.kind) {
        case "hash": return checkFile(directory, job, requireBlock(memory, job.bytes), onBytes);
        case "decode": return checkChunks(requireTable(job.generation), job, memory, onBytes);
      }
    },
    close() {
      for (const table of tables.values()) table.close();
      tables.clear();
      idleMemory.keep(memory);
    },
  };
}

const idleMemory = createIdle(
  (): CheckMemory => ({ block: new Uint8Array(0), decoder: undefined }),
  ({ decoder }) => decoder === undefined || isAsNew(decoder),
);

interface CheckMemory {
  block: Uint8Array;
  decoder: Decoder | undefined;
}

/** A block to read a file of so many bytes with, piece by piece. */
function requireBlock(memory: CheckMemory, bytes: number): Uint8Array {
  const wanted = Math.min(blockBytes, Math.max(1, bytes));
  if (memory.block.length < wanted) memory.block = new Uint8Array(wanted);
  return memory.block;
}

function checkFile(directory: string, { file, bytes, sha256, column }: VerifyJob & { kind: "hash" }, block: Uint8Array, onBytes: (bytes: number) => void): Finding[] {
  const finding = (problem: string): Finding[] => [{ file, column, chunk: null, offset: null, problem }];
  let descriptor: number | undefined;
  try {
    descriptor = openSync(join(directory, file), "r");
    const found = fstatSync(descriptor).size;
    if (found !== bytes) return finding(`has ${formatCounted(found, "byte")} instead of ${formatCount(bytes)}`);
    const hash = createHash("sha256");
    for (let at = 0; at < bytes;) {
      const read = readSync(descriptor, block, 0, block.length, at);
      if (read === 0) return finding(`ended at byte ${at} while it was read`);
      hash.update(block.subarray(0, read));
      at += read;
      onBytes(read);
    }
    return hash.digest("hex") === sha256 ? [] : finding("its SHA-256 differs");
  } catch (cause) {
    return finding(isSystemError(cause, "ENOENT") ? "is missing" : `cannot be read: ${toBquerydError(cause).message}`);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function checkChunks(table: OpenTable, job: VerifyJob & { kind: "decode" }, memory: CheckMemory, onBytes: (bytes: number) => void): Finding[] {
  const column = table.columns[job.column]!;
  const dictionary = table.footer.columns[job.column]!.dictionary;
  const findings: Finding[] = [];
  const add = (file: string, cause: unknown, place: { chunk: number; offset: number } | null): void => {
    const { details, message } = requireFinding(cause);
    const problem = typeof details["problem"] === "string" ? details["problem"] : message;
    findings.push({ file: typeof details["file"] === "string" ? details["file"] : file, column: column.name, chunk: place?.chunk ?? null, offset: place?.offset ?? null, problem });
  };
  try {
    column.dictionary();
  } catch (cause) {
    add(table.footer.dictionaries[dictionary!]!.file, cause, null);
    return findings;
  }
  for (let chunk = job.from; chunk < job.to; chunk++) {
    const place = findPlace(column, chunk, (cause) => { add(segmentOf(table, job.column, chunk).index, cause, null); });
    if (place === undefined) return findings;
    try {
      decodeOnce(column, chunk, memory);
    } catch (cause) {
      const isOfChunk = cause instanceof BquerydError && cause.code === "CORRUPT_CHUNK";
      add(place.segment.data, cause, isOfChunk ? { chunk, offset: place.record.offset } : null);
      if (!isOfChunk) return findings;
    }
    onBytes(place.record.storedBytes);
  }
  return findings;
}

function findPlace(column: OpenColumn, chunk: number, onFailure: (cause: unknown) => void): ReturnType<OpenColumn["place"]> | undefined {
  try {
    return column.place(chunk);
  } catch (cause) {
    onFailure(cause);
    return undefined;
  }
}

/** What is wrong with the table; anything else is wrong with us. */
function requireFinding(cause: unknown): BquerydError {
  if (cause instanceof BquerydError && cause.code !== "INTERNAL") return cause;
  throw cause;
}

/** The segment in which a chunk of a column lies. */
function segmentOf({ footer }: OpenTable, column: number, chunk: number): FooterSegment {
  let end = 0;
  return footer.columns[column]!.segments.find(({ rows }) => {
    end += Math.ceil(rows / chunkRows);
    return chunk < end;
  })!;
}

/** Decodes a chunk and lets it go. */
function decodeOnce(column: OpenColumn, chunk: number, memory: CheckMemory): void {
  decodeInGrowing(memory.decoder ??= createDecoder(), `chunk ${chunk} of column '${column.name}'`, (heap, allocate) => {
    for (const pointer of column.decode(chunk, heap, allocate).owned) heap.release(pointer);
  });
}
