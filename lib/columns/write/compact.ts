/** Joining the segments of a table into one a column: the same chunks in fewer files, as a new generation. */
import { join, resolve } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { realFiles, type Files } from "../../base/files.js";
import { createArena, type Arena } from "../encode/arena.js";
import { bytesOf, readyCommit, releaseLocks, switchCurrents } from "./commit.js";
import { spareMsOf } from "../directory/collect.js";
import type { Footer } from "../files/footer.js";
import { corruptChunk, type OpenColumn } from "../read/open-column.js";
import { openOwnTable, type OpenTable } from "../read/open.js";
import { sealShard, type SealedColumn, type SealedDictionary } from "./seal.js";
import { createStage, writeChunk } from "./stage.js";
import { discardTable, prepareTable, type PreparedTable } from "../directory/table-directory.js";
import { keptGenerations } from "./session.js";
import { requireKept } from "./writer.js";

/** How to compact. */
export interface CompactOptions {
  readonly files?: Files;
  /** Generations that the table keeps, the new one included; 2 without it. */
  readonly keepGenerations?: number | undefined;
  /** As long as a query may take, ms: files of the generations before are spared for it, and for two minutes at least. */
  readonly timeoutMs?: number | undefined;
  /** Called with bytes copied and bytes there are to copy. */
  readonly onProgress?: ((bytes: number, totalBytes: number) => void) | undefined;
  /** Aborting it ends the work with CANCELLED, and the table as it was. */
  readonly signal?: AbortSignal | undefined;
}

/** What compacting did. */
export interface Compaction {
  /** Directory name of the table. */
  readonly name: string;
  readonly generation: string;
  /** Whether there was anything to join; otherwise the generation is the one before. */
  readonly isNew: boolean;
  readonly rows: number;
  /** Files that the footer names, before and after. */
  readonly filesBefore: number;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Gives every column of the table in a directory one segment, with the chunks as they are. Blocks shortly, again and
 * again. Throws NOT_FOUND, BUSY, CORRUPT_CHUNK for a chunk whose checksum differs, CANCELLED, DISK_FULL, IO: then the
 * table is as it was.
 */
export async function compactTable(path: string, options: CompactOptions = {}): Promise<Compaction> {
  requireKept(options.keepGenerations);
  const files = options.files ?? realFiles;
  const directory = resolve(path);
  try {
    const prepared = await prepareTable(files, directory, "extend");
    return await compactPrepared(files, prepared, options);
  } catch (cause) {
    throw toBquerydError(cause, `compact ${directory}`);
  }
}

async function compactPrepared(files: Files, prepared: PreparedTable, options: CompactOptions): Promise<Compaction> {
  let table: OpenTable | undefined;
  let isVisible = false;
  try {
    table = openOwnTable(prepared.path);
    const { name, generation, rows, footer } = table;
    const filesBefore = footer.files.length;
    if (isCompact(footer)) {
      await releaseLocks([prepared]);
      return { name, generation, isNew: false, rows, filesBefore, files: filesBefore, bytes: bytesOf(footer) };
    }
    const joined = await joinSegments(files, table, options);
    const ready = await readyCommit(files, [{ table: prepared, footer: joined }], options.keepGenerations ?? keptGenerations);
    isVisible = true;
    const [committed] = await switchCurrents(files, ready, { others: [], spareMs: spareMsOf(options.timeoutMs) });
    return { name, generation: committed!.generation, isNew: true, rows, filesBefore, files: joined.files.length, bytes: committed!.bytes };
  } catch (cause) {
    // The failure is the one to tell, not what may go wrong in cleaning up after it.
    await (isVisible ? releaseLocks([prepared]) : discardTable(files, prepared)).catch(() => undefined);
    throw cause;
  } finally {
    table?.close();
  }
}

function isCompact({ columns }: Footer): boolean {
  return columns.every(({ segments }) => segments.length <= 1);
}

async function joinSegments(files: Files, table: OpenTable, { onProgress, signal }: CompactOptions): Promise<Footer> {
  const { footer } = table;
  const scattered = table.columns.filter((_, at) => footer.columns[at]!.segments.length > 1);
  const totalBytes = scattered.reduce((sum, column) => sum + storedBytes(column), 0);
  const arena = createArena();
  let bytesDone = 0;
  const columns: SealedColumn[] = [];
  for (const [at, { name, dtype, unit, nullable, segments, dictionary }] of footer.columns.entries()) {
    const stage = createStage(table.path, { name, dtype }, null);
    const isScattered = segments.length > 1;
    if (isScattered) {
      await copyChunks(files, table, table.columns[at]!, async (stored, record) => {
        if (signal?.aborted === true) throw new BquerydError("CANCELLED", `compacting ${table.name} was interrupted; it is as it was`, { cause: signal.reason });
        requireSound(arena, stored, record.checksum, (wrong) => corruptChunk(table.name, name, stage.records.length, wrong));
        await writeChunk(stage, { stored, record }, files);
        bytesDone += stored.length;
        onProgress?.(bytesDone, totalBytes);
      });
      stage.rows = table.rows;
    }
    columns.push({ name, dtype, unit, stage, kept: isScattered ? [] : segments, keptNullable: nullable, dictionary: dictionary === null ? null : keptDictionary(footer, dictionary) });
  }
  const sealed = await sealShard(files, table.path, { rows: table.rows, sort: footer.sort, columns, keptFiles: footer.files });
  return { ...sealed, set: footer.set };
}

/** Gives the stored bytes of all chunks of a column, one after another. */
async function copyChunks(files: Files, table: OpenTable, column: OpenColumn, write: (stored: Uint8Array, record: ReturnType<OpenColumn["place"]>["record"]) => Promise<void>): Promise<void> {
  for (let chunk = 0; chunk < column.chunkCount; chunk++) {
    const { segment, record } = column.place(chunk);
    const stored = await files.read(join(table.path, segment.data), { offset: record.offset, length: record.storedBytes });
    await write(stored, record);
  }
}

/** A new file gets a new hash, so what is damaged must not get into one. */
function requireSound(arena: Arena, stored: Uint8Array, checksum: bigint, fail: (wrong: string) => BquerydError): void {
  arena.start(stored.length + 64);
  const pointer = arena.take(stored.length);
  const kernels = arena.kernels();
  kernels.bytes.set(stored, pointer);
  if (kernels.xxh64(pointer, stored.length) !== checksum) throw fail("its checksum differs");
}

function keptDictionary(footer: Footer, index: number): SealedDictionary {
  const { file, count, bytes } = footer.dictionaries[index]!;
  return { name: file, fileBytes: footer.files.find(({ name }) => name === file)!.bytes, count, bytes };
}

function storedBytes(column: OpenColumn): number {
  let sum = 0;
  for (let chunk = 0; chunk < column.chunkCount; chunk++) sum += column.place(chunk).record.storedBytes;
  return sum;
}
