/** The files of a table in a zip archive of its directory's content, as the original's S3 objects are; unpacked as they come. */
import { Readable } from "node:stream";
import { createInflateRaw, crc32 } from "node:zlib";
import { BquerydError } from "../../base/errors.js";
import { damaged } from "./fetch-file.js";
import { readRanges, type TransferTools } from "./read-ranges.js";
import { isFileName, readTogether, type TableSource } from "./table-source.js";
import { readZip64Extra } from "./zip64.js";
import { badZip, decodeZipDirectory, findZipDirectory, zipHeaderBytes, zipTailBytesMax, type ZipMember } from "./zip-index.js";

/** An archive in a store. */
interface Archive {
  readonly tools: TransferTools;
  /** For people. */
  readonly place: string;
  readonly key: string;
  readonly etag: string;
}

const descriptorFlag = 0x0008;
/** Bytes that come out of a member at a time. */
const pieceBytes = 1024 * 1024;

/**
 * Opens the archive under a key. Its directory is read here, and each member when it is opened, so that memory does not
 * grow with it. Members that no table has are left where they are. Throws NOT_FOUND, OBJECT_STORE, and BAD_INPUT for an
 * archive that is doubtful in any way.
 */
export async function openZipSource(tools: TransferTools, key: string): Promise<TableSource> {
  const found = await tools.store.head(key, { signal: tools.signal });
  if (found === undefined) throw new BquerydError("NOT_FOUND", `${tools.store.place} has no ${key}; check the name and the bucket`, { details: { table: key } });
  const archive: Archive = { tools, place: `${tools.store.place}/${key}`, key, etag: found.etag };
  const tail = await readPart(archive, Math.max(0, found.bytes - zipTailBytesMax), found.bytes);
  const place = findZipDirectory(tail, found.bytes, archive.place);
  const members = decodeZipDirectory(await readPart(archive, place.start, place.end), place, archive.place);
  const files = new Map(members.filter(({ name }) => isFileName(name)).map((member) => [member.name, member]));
  for (const member of members) if (!files.has(member.name)) await findData(archive, member);
  return {
    place: archive.place,
    sizes: new Map([...files].map(([name, { bytes }]) => [name, bytes])),
    open: (name, from) => openMember(archive, files.get(name)!, from),
  };
}

/** The bytes of a member. Those before `from` are unpacked and checked as well. */
async function* openMember(archive: Archive, member: ZipMember, from: number): AsyncGenerator<Uint8Array> {
  const start = await findData(archive, member);
  const stored = readRanges(archive.tools, { key: archive.key, etag: archive.etag, start, end: start + member.storedBytes });
  let crc = 0;
  let at = 0;
  try {
    for await (const piece of member.method === 0 ? stored : inflate(stored, archive, member)) {
      // What comes out is measured as it comes: a member may unpack to more than it says.
      if (at + piece.length > member.bytes) throw damaged(archive, member.name);
      crc = crc32(piece, crc);
      const skipped = Math.min(piece.length, Math.max(0, from - at));
      at += piece.length;
      if (skipped < piece.length) yield piece.subarray(skipped);
    }
  } finally {
    // What was not taken gives its memory back.
    await stored.return(undefined);
  }
  if (at !== member.bytes || crc !== member.crc) throw damaged(archive, member.name);
}

async function* inflate(stored: AsyncIterable<Uint8Array>, archive: Archive, member: ZipMember): AsyncGenerator<Uint8Array> {
  const unpacker = createInflateRaw({ chunkSize: pieceBytes });
  // Pieces that wait in a stream must not change with the buffer that they came in.
  const source = Readable.from(copyPieces(stored), { highWaterMark: 1 });
  let failure: unknown;
  source.on("error", (cause) => { failure = cause; unpacker.destroy(); });
  source.pipe(unpacker);
  try {
    for await (const piece of unpacker) yield piece as Uint8Array;
  } catch (cause) {
    throw failure ?? (isUnpacking(cause) ? damaged(archive, member.name) : cause);
  } finally {
    source.destroy();
    unpacker.destroy();
  }
  if (unpacker.bytesWritten !== member.storedBytes) throw damaged(archive, member.name);
}

async function* copyPieces(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield Buffer.from(piece);
}

function isUnpacking(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" && cause.code.startsWith("Z_");
}

/** Where the data of a member begins; its own header has to say what the directory says, and all its bytes to be accounted for. */
async function findData(archive: Archive, member: ZipMember): Promise<number> {
  const headEnd = member.start + zipHeaderBytes + Buffer.byteLength(member.name);
  if (headEnd > member.end) throw badZip(archive.place, `its member ${JSON.stringify(member.name)} is cut off`);
  const head = Buffer.from(await readPart(archive, member.start, headEnd));
  const nameBytes = head.readUInt16LE(26);
  const extraStart = member.start + zipHeaderBytes + nameBytes;
  const start = extraStart + head.readUInt16LE(28);
  const refuse = (wrong: string): never => { throw badZip(archive.place, `its member ${JSON.stringify(member.name)} ${wrong}`); };
  if (head.readUInt32LE(0) !== 0x04034b50) refuse("is not where the directory says");
  const hasDescriptor = (member.flags & descriptorFlag) !== 0;
  if (head.readUInt16LE(6) !== member.flags || head.readUInt16LE(8) !== member.method) refuse("is another than the directory says");
  const short = [head.readUInt32LE(22), head.readUInt32LE(18)];
  const isLong = short.includes(0xffffffff);
  if (isLong && start > member.end) refuse("is cut off");
  const [length, storedBytes] = isLong ? readZip64Extra(Buffer.from(await readPart(archive, extraStart, start)), short, refuse) : short;
  const isSame = head.readUInt32LE(14) === member.crc && storedBytes === member.storedBytes && length === member.bytes;
  if (!hasDescriptor && !isSame) refuse("has other sizes than the directory says");
  const left = member.end - start - member.storedBytes;
  if (!(hasDescriptor ? isLong ? [20, 24] : [12, 16] : [0]).includes(left)) refuse("is followed by bytes that the directory does not list");
  if (nameBytes !== head.length - zipHeaderBytes || head.toString("utf8", zipHeaderBytes) !== member.name) refuse("has another name than the directory says");
  return start;
}

function readPart({ tools, key, etag }: Archive, start: number, end: number): Promise<Uint8Array> {
  return readTogether(readRanges(tools, { key, etag, start, end }));
}
