/** Parquet files as the reader wants them: `PAR1`, column chunks, metadata, its length in 4 bytes, `PAR1`. */
import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { AsyncBuffer } from "hyparquet";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError } from "../../base/files.js";

/** An open file that reads ranges of its bytes. */
export interface ParquetFile extends AsyncBuffer {
  /** For threads of this process, while the file is open. */
  readonly descriptor: number;
  close(): Promise<void>;
}

const magicBytes = 4;
/** Two magic numbers and the length between them: no Parquet file is shorter. */
const sizeMinBytes = 12;

/**
 * Opens a file that begins and ends as Parquet files do. Throws NOT_FOUND for a missing file and BAD_INPUT for a
 * directory, another format and a file cut short.
 */
export async function openParquetFile(path: string): Promise<ParquetFile> {
  const sizeBytes = await requireFile(path);
  const handle = await open(path).catch((cause: unknown) => Promise.reject(openFailure(path, cause)));
  const slice = async (start: number, end = sizeBytes): Promise<ArrayBuffer> => {
    if (start < 0 || end < start || end > sizeBytes) throw badInput(path, "names bytes past its end; copy or download it again");
    return readRange(handle, path, start, end);
  };
  try {
    await checkMagic(path, sizeBytes, slice);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return { byteLength: sizeBytes, slice, descriptor: handle.fd, close: () => handle.close() };
}

async function requireFile(path: string): Promise<number> {
  const facts = await stat(path).catch((cause: unknown) => Promise.reject(openFailure(path, cause)));
  if (facts.isDirectory()) throw badInput(path, "is a directory; name the files in it");
  if (!facts.isFile()) throw badInput(path, "is not a regular file; copy it to one first");
  return facts.size;
}

function openFailure(path: string, cause: unknown): BquerydError {
  if (!isSystemError(cause, "ENOENT")) return toBquerydError(cause, `open ${path}`);
  return new BquerydError("NOT_FOUND", `${path} does not exist; check the path`, { details: { path }, cause });
}

async function checkMagic(path: string, sizeBytes: number, slice: (start: number, end: number) => Promise<ArrayBuffer>): Promise<void> {
  const notParquet = (): BquerydError => badInput(path, "is not a Parquet file; import reads Parquet files");
  if (sizeBytes < magicBytes) throw notParquet();
  const beginning = textOf(await slice(0, magicBytes));
  if (beginning === "PARE") throw badInput(path, "is an encrypted Parquet file; decrypt it first");
  if (beginning !== "PAR1") throw notParquet();
  if (sizeBytes < sizeMinBytes || textOf(await slice(sizeBytes - magicBytes, sizeBytes)) !== "PAR1") {
    throw badInput(path, "is a Parquet file without its end; copy or download it again");
  }
}

async function readRange(handle: FileHandle, path: string, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(end - start);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
    if (bytesRead === 0) throw badInput(path, "ended while it was read; import it once it is whole");
    filled += bytesRead;
  }
  return bytes.buffer;
}

function textOf(bytes: ArrayBuffer): string {
  return Buffer.from(bytes).toString("latin1");
}

function badInput(path: string, what: string): BquerydError {
  return new BquerydError("BAD_INPUT", `${path} ${what}`, { details: { path } });
}
