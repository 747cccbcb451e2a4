/**
 * The directory of a table that Python's bcolz 1.x wrote, as one look finds it.
 *
 *   __rootdirs__              the columns in order
 *   COLUMN/meta/sizes         rows, and the shape of one
 *   COLUMN/meta/storage       dtype, and rows of a chunk
 *   COLUMN/data/__K.blp       chunk K; the last holds what is left over
 *
 * Whatever else lies there is not the table's: caches of bquery, locks, chunks that a trim left behind.
 */
import { createHash, type Hash } from "node:crypto";
import { statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { BquerydError } from "../../base/errors.js";
import { formatCount, formatCounted } from "../../base/quantities.js";
import type { Dtype } from "../dtypes.js";
import { corruptFooter, currentName } from "../files/footer.js";
import type { RefusedColumn } from "../read/table.js";
import { decodeColumnMetadata, decodeNames, metadataBytesMax, type ColumnMetadata } from "./metadata.js";
import { findInside, findRoot, findStamp, readSmall, type FileStamp, type Root } from "./paths.js";
import { dtypeOf, findStoredDtype, type StoredDtype } from "./stored-dtype.js";

/** A column that can be read. */
export interface BcolzColumn {
  readonly name: string;
  /** Its place among all columns of the table. */
  readonly ordinal: number;
  readonly dtype: Dtype;
  readonly stored: StoredDtype;
  readonly rows: number;
  /** Rows of a chunk of bcolz. */
  readonly chunkLength: number;
  /** The directory of its chunks. */
  readonly directory: string;
  /** Chunk k is the file `__k.blp`. */
  readonly chunks: readonly FileStamp[];
  /** Changes with any of them or the metadata, and with every copy: what this machine keeps of them goes by it. */
  readonly fingerprint: string;
}

/** What one look at a table's directory found. */
export interface BcolzDirectory {
  readonly path: string;
  readonly name: string;
  /**
   * SHA-256 over the name, the metadata, and name, size and time of every chunk, the time in whole milliseconds: a copy can
   * be given those, and so has the same generation on every machine.
   */
  readonly generation: string;
  readonly rows: number;
  readonly columns: readonly BcolzColumn[];
  readonly refused: readonly RefusedColumn[];
  /** Of the chunks. */
  readonly storedBytes: number;
  /** When the newest of its files was changed, ms since 1970 by this machine's clock. */
  readonly changedMs: number;
}

/** The file that makes a directory a table of bcolz. */
export const rootsName = "__rootdirs__";

/** Tells whether a directory holds a table or a bare array of bcolz, and no table of ours. */
export function isBcolz(path: string): boolean {
  if (isThere(join(path, currentName))) return false;
  return isThere(join(path, rootsName)) || isThere(join(path, "meta", "storage"));
}

/**
 * Looks at a table. Throws CORRUPT_FOOTER naming the column, UNSUPPORTED_FORMAT for a bare array. Where `onDamage` takes
 * what is wrong with a column, that column is left out.
 */
export function readBcolzDirectory(path: string, onDamage?: (column: string, cause: BquerydError) => void): BcolzDirectory {
  const name = basename(resolve(path));
  const root = findRoot(path, name);
  const rootsBytes = readRoots(root);
  const names = decodeNames(rootsBytes, name);
  const hash = createHash("sha256").update(JSON.stringify(["bcolz", name, names]));
  const found = names.flatMap((column, ordinal) => {
    try {
      return [readColumn(root, column, ordinal, hash)];
    } catch (cause) {
      if (onDamage === undefined || !(cause instanceof BquerydError) || cause.code !== "CORRUPT_FOOTER") throw cause;
      onDamage(column, cause);
      return [];
    }
  });
  requireEqualRows(found, name);
  const columns = found.flatMap(({ column }) => (column === undefined ? [] : [column]));
  const chunks = columns.flatMap((column) => column.chunks);
  const times = [requireStamp(root, root.path, rootsName).modifiedNs, ...found.map(({ changedNs }) => changedNs)];
  return {
    path: root.path, name, generation: hash.digest("hex"), rows: found[0]?.rows ?? 0, columns,
    refused: found.flatMap(({ refused }) => (refused === undefined ? [] : [refused])),
    storedBytes: chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
    changedMs: Number(times.reduce((latest, time) => (time > latest ? time : latest)) / 1_000_000n),
  };
}

/**
 * A text that changes with a table, from a look at two files a column and not at every chunk. Undefined when it cannot
 * be had: then the table is to be read, which tells what is wrong.
 */
export function stampBcolz(path: string): string | undefined {
  try {
    const name = basename(resolve(path));
    const root = findRoot(path, name);
    const names = decodeNames(readRoots(root), name);
    const parts = names.map((column) => {
      const sizes = requireStamp(root, join(root.path, column, "meta"), "sizes");
      const data = statSync(join(root.path, column, "data"), { bigint: true, throwIfNoEntry: false });
      return `${sizes.modifiedNs}:${sizes.inode}:${data?.mtimeNs ?? ""}`;
    });
    return [`${requireStamp(root, root.path, rootsName).modifiedNs}`, ...parts].join(" ");
  } catch (cause) {
    if (cause instanceof BquerydError) return undefined;
    throw cause;
  }
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // Whatever cannot be looked at is for the opening of a table to tell about.
    return false;
  }
}

function readRoots(root: Root): Uint8Array {
  if (findStamp(root, root.path, rootsName) !== undefined) return readSmall(root, root.path, rootsName, metadataBytesMax);
  throw new BquerydError("UNSUPPORTED_FORMAT", `${root.table} is a single array of bcolz and no table; make it a column of one in Python with bcolz.ctable([array], names=['value'], rootdir=...)`, { details: { table: root.table } });
}

interface FoundColumn {
  readonly name: string;
  readonly rows: number;
  readonly changedNs: bigint;
  readonly column: BcolzColumn | undefined;
  readonly refused: RefusedColumn | undefined;
}

function readColumn(root: Root, name: string, ordinal: number, hash: Hash): FoundColumn {
  const meta = findInside(root, join(name, "meta"));
  if (meta === undefined) throw corruptFooter(root.table, `column '${name}' has no directory of its own`);
  const files = { sizes: readSmall(root, meta, "sizes", metadataBytesMax), storage: readSmall(root, meta, "storage", metadataBytesMax) };
  hash.update(JSON.stringify([name, files.sizes.length, files.storage.length])).update(files.sizes).update(files.storage);
  const metadata = decodeColumnMetadata(files, name, root.table);
  const changedNs = requireStamp(root, meta, "sizes").modifiedNs;
  const stored = metadata.rowShape.length === 0 ? findStoredDtype(metadata.dtype) : undefined;
  if (stored === undefined) return { name, rows: metadata.rows, changedNs, column: undefined, refused: { name, reason: reasonFor(metadata) } };
  const { directory, chunks } = findChunks(root, name, metadata);
  const own = createHash("sha256").update(JSON.stringify(metadata));
  for (const { bytes, modifiedNs, changedNs: statusNs, inode } of chunks) {
    hash.update(`${bytes}:${modifiedNs / 1_000_000n},`);
    own.update(`${bytes}:${modifiedNs}:${statusNs}:${inode},`);
  }
  return {
    name, rows: metadata.rows, refused: undefined,
    changedNs: chunks.reduce((latest, { modifiedNs }) => (modifiedNs > latest ? modifiedNs : latest), changedNs),
    column: { name, ordinal, dtype: dtypeOf(stored), stored, rows: metadata.rows, chunkLength: metadata.chunkLength, directory, chunks, fingerprint: own.digest("hex") },
  };
}

/** The chunk files that hold the rows. A missing one ends the look, so that it takes no longer than there are files. */
function findChunks(root: Root, name: string, { rows, chunkLength }: ColumnMetadata): { directory: string; chunks: FileStamp[] } {
  if (rows === 0) return { directory: join(root.path, name, "data"), chunks: [] };
  if (chunkLength === 0) throw corruptFooter(root.table, `column '${name}' has chunks of no rows`);
  const directory = findInside(root, join(name, "data"));
  if (directory === undefined) throw corruptFooter(root.table, `column '${name}' has no data`);
  const count = Math.ceil(rows / chunkLength);
  const chunks: FileStamp[] = [];
  while (chunks.length < count) {
    const stamp = findStamp(root, directory, chunkName(chunks.length));
    if (stamp === undefined) throw corruptFooter(root.table, `column '${name}' lacks chunk ${chunkName(chunks.length)} of ${count}`);
    chunks.push(stamp);
  }
  return { directory, chunks };
}

/** The file of a chunk. */
export function chunkName(chunk: number): string {
  return `__${chunk}.blp`;
}

function reasonFor({ dtype, rowShape }: ColumnMetadata): string {
  if (rowShape.length > 0) return `multidimensional (${rowShape.join(" x ")} values a row)`;
  return dtype === "object" || /^[|]?O/.test(dtype) ? "of Python objects" : `of dtype ${dtype.slice(0, 80)}`;
}

function requireStamp(root: Root, directory: string, name: string): FileStamp {
  const stamp = findStamp(root, directory, name);
  if (stamp === undefined) throw corruptFooter(root.table, `${join(directory, name).slice(root.path.length + 1)} is missing`);
  return stamp;
}

function requireEqualRows(columns: readonly FoundColumn[], table: string): void {
  const [first] = columns;
  const other = columns.find((column) => column.rows !== first!.rows);
  if (other !== undefined) throw corruptFooter(table, `its columns have different lengths: '${first!.name}' ${formatCounted(first!.rows, "row")}, '${other.name}' ${formatCount(other.rows)}`);
}
