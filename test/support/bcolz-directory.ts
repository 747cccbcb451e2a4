/** Directories of bcolz 1.x from raw bytes, chunks stored as they are: for what no fixture has. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A column to write. */
export interface RawColumnSpec {
  readonly name: string;
  /** The text in meta/storage. */
  readonly dtype: string;
  /** The values of all rows as they lie on disk. */
  readonly bytes: Uint8Array;
  readonly itemBytes: number;
  /** Rows of a chunk (default 100). */
  readonly chunklen?: number;
  /** In place of the shape that the bytes have. */
  readonly shape?: readonly number[];
  /** More members of meta/storage, as JSON text that begins with a comma. */
  readonly more?: string;
}

/** Writes a table; `names` goes into __rootdirs__ in place of the names of the columns. */
export function writeRawBcolz(path: string, columns: readonly RawColumnSpec[], names: readonly string[] = columns.map(({ name }) => name)): void {
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "__rootdirs__"), JSON.stringify({ names }));
  writeFileSync(join(path, "__attrs__"), "{}\n");
  for (const column of columns) writeRawColumn(join(path, column.name), column);
}

/** Writes a column, or a bare array. */
export function writeRawColumn(path: string, { dtype, bytes, itemBytes, chunklen = 100, shape, more = "" }: RawColumnSpec): void {
  for (const directory of ["meta", "data"]) mkdirSync(join(path, directory), { recursive: true });
  writeFileSync(join(path, "__attrs__"), "{}\n");
  writeFileSync(join(path, "meta", "sizes"), JSON.stringify({ shape: shape ?? [bytes.length / itemBytes], nbytes: bytes.length, cbytes: 0 }));
  writeFileSync(join(path, "meta", "storage"), `{"dtype": ${JSON.stringify(dtype)}, "chunklen": ${chunklen}, "expectedlen": 0, "cparams": {"clevel": 5, "shuffle": true}${more}}\n`);
  for (let start = 0, chunk = 0; start < bytes.length; start += chunklen * itemBytes, chunk++) {
    writeFileSync(join(path, "data", `__${chunk}.blp`), storedChunk(bytes.subarray(start, start + chunklen * itemBytes)));
  }
}

/** The file of a chunk whose bytes are stored as they are. */
export function storedChunk(bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(32);
  header.write("blpk\u0001", "latin1");
  header.writeBigInt64LE(1n, 8);
  header.set([2, 1, 2, 1], 16);
  header.writeInt32LE(bytes.length, 20);
  header.writeInt32LE(bytes.length, 24);
  header.writeInt32LE(bytes.length + 16, 28);
  return Buffer.concat([header, bytes]);
}
