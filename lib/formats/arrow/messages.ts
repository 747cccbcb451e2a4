/**
 * Arrow IPC files and streams (arrow.apache.org/docs/format/Columnar.html) as lists of messages.
 *
 * | bytes | content of a message |
 * |---|---|
 * | u32, i32 | ff ff ff ff, absent before Arrow 0.15, and bytes of the metadata with its padding; 0 ends the stream |
 * | | metadata: a flatbuffer Message |
 * | | body, of as many bytes as the metadata says |
 *
 * A stream is messages. A file is `ARROW1`, two zeros, messages, the footer (a flatbuffer), its bytes as i32, `ARROW1`.
 */
import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError } from "../../base/files.js";
import { readFlatbuffer, requireSize } from "./flatbuffer.js";
import type { FlatTable } from "./flatbuffer.js";

/** An open file. */
export interface ArrowFile {
  readonly path: string;
  readonly bytes: number;
  /** Exactly those bytes, in memory of their own. Throws a plain error past the end of the file. */
  read(start: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A record batch, or one of the values of a dictionary. */
export interface ArrowMessage {
  readonly kind: "dictionary" | "batch";
  /** Where its metadata is. */
  readonly metadata: { readonly start: number; readonly bytes: number };
  readonly bodyStart: number;
  readonly bodyBytes: number;
  readonly rows: number;
}

/** What is in a file. */
export interface ArrowContent {
  readonly schema: FlatTable;
  readonly messages: readonly ArrowMessage[];
}

/** Opens a file. Throws NOT_FOUND, BAD_INPUT for a directory. */
export async function openArrowFile(path: string): Promise<ArrowFile> {
  const facts = await stat(path).catch((cause: unknown) => Promise.reject(openFailure(path, cause)));
  if (!facts.isFile()) throw badInput(path, "is not a regular file; copy it to one first");
  const handle = await open(path).catch((cause: unknown) => Promise.reject(openFailure(path, cause)));
  const bytes = facts.size;
  return {
    path, bytes,
    read(start, length) {
      if (start < 0 || length < 0 || start + length > bytes) throw new Error("it names bytes past its end");
      return readExactly(handle, start, length);
    },
    close: () => handle.close(),
  };
}

function openFailure(path: string, cause: unknown): BquerydError {
  if (!isSystemError(cause, "ENOENT")) return toBquerydError(cause, `open ${path}`);
  return new BquerydError("NOT_FOUND", `${path} does not exist; check the path`, { details: { path }, cause });
}

function badInput(path: string, what: string): BquerydError {
  return new BquerydError("BAD_INPUT", `${path} ${what}`, { details: { path } });
}

async function readExactly(handle: FileHandle, start: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, start + done);
    if (bytesRead === 0) throw new Error("it ended while it was read");
    done += bytesRead;
  }
  return bytes;
}

const magic = "ARROW1";
/** Magic number and padding before the messages of a file; footer length and magic number behind its footer. */
const headBytes = 8;
const tailBytes = 10;
const metadataBytesMax = 64 * 1024 * 1024;

/** The schema and the messages of a file or stream, in order; a file's dictionaries first. Throws plain errors, BAD_INPUT. */
export async function listMessages(file: ArrowFile): Promise<ArrowContent> {
  const head = Buffer.from(await file.read(0, Math.min(headBytes, file.bytes))).toString("latin1");
  if (head.startsWith("FEA1")) throw badInput(file.path, "is a Feather file of version 1; write it again as version 2");
  return head.startsWith(magic) ? listFile(file) : listStream(file);
}

async function listFile(file: ArrowFile): Promise<ArrowContent> {
  const cut = badInput(file.path, "is an Arrow file without its end; copy or download it again");
  if (file.bytes < headBytes + tailBytes) throw cut;
  const tail = await file.read(file.bytes - tailBytes, tailBytes);
  if (Buffer.from(tail.subarray(4)).toString("latin1") !== magic) throw cut;
  const footerBytes = requireMetadataSize(new DataView(tail.buffer).getInt32(0, true));
  const footer = readFlatbuffer(await file.read(file.bytes - tailBytes - footerBytes, footerBytes));
  const schema = footer.table(1);
  if (schema === null) throw new Error("its footer has no schema");
  const messages = [...await readBlocks(file, footer, 2), ...await readBlocks(file, footer, 3)];
  return { schema, messages };
}

/** The messages of a vector of blocks: i64 place, i32 bytes of metadata and prefix, 4 unused, i64 bytes of the body. */
async function readBlocks(file: ArrowFile, footer: FlatTable, field: number): Promise<ArrowMessage[]> {
  const blocks = footer.structs(field, 24);
  const messages: ArrowMessage[] = [];
  for (let at = 0; at < blocks.byteLength; at += 24) {
    const start = requireSize(blocks.getBigInt64(at, true));
    const found = await readMessage(file, start);
    if (found === null || "schema" in found) throw new Error("its footer names a message that is none");
    messages.push(found);
  }
  return messages;
}

async function listStream(file: ArrowFile): Promise<ArrowContent> {
  let schema: FlatTable | undefined;
  const messages: ArrowMessage[] = [];
  for (let at = 0; at < file.bytes;) {
    const found = await readMessage(file, at);
    if (found === null) break;
    if ("schema" in found) {
      if (schema !== undefined) throw new Error("it has two schemas");
      ({ schema } = found);
      at = found.end;
    } else {
      messages.push(found);
      at = found.bodyStart + found.bodyBytes;
    }
  }
  if (schema === undefined) throw badInput(file.path, "is not an Arrow file or stream; check the format");
  return { schema, messages };
}

/** The message at a place; null for the end of the stream. */
async function readMessage(file: ArrowFile, start: number): Promise<ArrowMessage | { schema: FlatTable; end: number } | null> {
  const prefix = new DataView((await file.read(start, Math.min(8, file.bytes - start))).buffer);
  const isNew = prefix.byteLength >= 8 && prefix.getUint32(0, true) === 0xffff_ffff;
  const bytes = requireMetadataSize(prefix.getInt32(isNew ? 4 : 0, true));
  if (bytes === 0) return null;
  const metadata = { start: start + (isNew ? 8 : 4), bytes };
  const message = readFlatbuffer(await file.read(metadata.start, bytes));
  const kind = message.int(1, 8, 0);
  const header = message.table(2);
  const bodyStart = metadata.start + bytes;
  const bodyBytes = message.size(3);
  if (header === null || bodyStart + bodyBytes > file.bytes) throw new Error("it has a message past its end");
  switch (kind) {
    case 1: return { schema: header, end: bodyStart + bodyBytes };
    case 2: return { kind: "dictionary", metadata, bodyStart, bodyBytes, rows: requireRows(header.table(1)?.size(0) ?? 0) };
    case 3: return { kind: "batch", metadata, bodyStart, bodyBytes, rows: requireRows(header.size(0)) };
    default: throw new Error(`it has a message of kind ${kind}`);
  }
}

/** Columns of nulls take no bytes, so the size of a file does not bound its rows; readers of 32 bits take no more. */
const batchRowsMax = 2 ** 31 - 1;

function requireRows(rows: number): number {
  if (rows > batchRowsMax) throw new Error(`it has a batch that claims ${rows} rows`);
  return rows;
}

function requireMetadataSize(bytes: number): number {
  if (bytes < 0 || bytes > metadataBytesMax) throw new Error(`its metadata claims ${bytes} bytes`);
  return bytes;
}
