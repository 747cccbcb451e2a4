/**
 * The members of a zip archive (APPNOTE 6.3), as its central directory lists them. Archives come from anyone: whatever is
 * doubtful is refused by name. Numbers are little-endian.
 *
 *   end of central directory, 22 bytes and a comment, the last of the file
 *     0 50 4b 05 06   4 u16 disk   6 u16 disk of the directory   8 u16 members here   10 u16 members
 *     12 u32 bytes of the directory   16 u32 its place   20 u16 bytes of the comment
 *   record of the directory, 46 bytes, then name, extra, comment
 *     0 50 4b 01 02   4 u16 made by (high byte: 3 is Unix)   8 u16 flags   10 u16 method   16 u32 CRC-32
 *     20 u32 stored bytes   24 u32 bytes   28 u16 of the name   30 u16 of the extra   32 u16 of the comment
 *     34 u16 disk   38 u32 attributes (Unix: mode << 16)   42 u32 place of the member
 *   record of the kind zip64: of numbers that are all ones the extra 1 (zip64.ts) has those that are true
 *   member, 30 bytes, then name, extra, data, and with flag 8 a descriptor of 12 or 16 bytes
 *     0 50 4b 03 04   6 u16 flags   8 u16 method   14 u32 CRC-32   18 u32 stored bytes   22 u32 bytes
 *     26 u16 of the name   28 u16 of the extra
 */
import { BquerydError } from "../../base/errors.js";
import { findZip64End, readZip64Extra, zip64EndBytes } from "./zip64.js";

/** A file or folder in an archive. */
export interface ZipMember {
  readonly name: string;
  /** 0: as it is; 8: deflated. */
  readonly method: 0 | 8;
  readonly flags: number;
  readonly crc: number;
  readonly storedBytes: number;
  readonly bytes: number;
  /** Where its header begins, and where the next member or the directory does. */
  readonly start: number;
  readonly end: number;
}

/** Where the central directory is. */
export interface ZipDirectoryPlace {
  readonly start: number;
  readonly end: number;
  readonly members: number;
}

/** Bytes of an end of central directory with the longest comment, and of what is before it in one of the kind zip64. */
export const zipTailBytesMax = zip64EndBytes + 22 + 0xffff;
/** Bytes of a header and of a descriptor of a member. */
export const zipHeaderBytes = 30;
const recordBytes = 46;
/** A directory of so many members with names of 500 bytes. */
const directoryBytesMax = 64 * 1024 * 1024;
/** The most that a deflated byte can become, by the format. */
const deflateRatioMax = 1_032;
/** Files of tables are dense already: a larger archive of them does not become so many times its size. */
const ratioMax = 100;
const ratioFreeBytes = 1024 * 1024 * 1024;

const regularMode = 0o100000;
const directoryMode = 0o040000;
const encryptedFlags = 0x0001 | 0x0040 | 0x2000;
const utf8Flag = 0x0800;

/** Where the central directory of an archive of `archiveBytes` is, from its last bytes. Throws BAD_INPUT. */
export function findZipDirectory(tail: Uint8Array, archiveBytes: number, archive: string): ZipDirectoryPlace {
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.length);
  const at = findEnd(bytes);
  if (at === undefined) throw badZip(archive, "it is no zip archive, or is cut off at its end");
  const short = { members: bytes.readUInt16LE(at + 10), directoryBytes: bytes.readUInt32LE(at + 12), start: bytes.readUInt32LE(at + 16) };
  if (bytes.readUInt16LE(at + 4) !== 0 || bytes.readUInt16LE(at + 6) !== 0 || bytes.readUInt16LE(at + 8) !== short.members) throw badZip(archive, "it is one of several disks");
  const tailStart = archiveBytes - bytes.length;
  const long = findZip64End(bytes, { at, tailStart, short, refuse: (wrong) => { throw badZip(archive, wrong); } });
  const { members, directoryBytes, start } = long ?? short;
  const end = tailStart + at - (long === undefined ? 0 : zip64EndBytes);
  if (start + directoryBytes !== end) throw badZip(archive, "its central directory is not where it says");
  if (directoryBytes > directoryBytesMax) throw badZip(archive, `its central directory has ${directoryBytes} bytes, more than ${directoryBytesMax}`);
  return { start, end, members };
}

/** The members of an archive, by the bytes of its central directory; the names of folders end in a slash. Throws BAD_INPUT naming the member. */
export function decodeZipDirectory(directory: Uint8Array, place: ZipDirectoryPlace, archive: string): ZipMember[] {
  const bytes = Buffer.from(directory.buffer, directory.byteOffset, directory.length);
  const found: Omit<ZipMember, "end">[] = [];
  let at = 0;
  for (let index = 0; index < place.members; index++) {
    if (at + recordBytes > bytes.length || bytes.readUInt32LE(at) !== 0x02014b50) throw badZip(archive, `its central directory breaks off at member ${index}`);
    const nameEnd = at + recordBytes + bytes.readUInt16LE(at + 28);
    const extraEnd = nameEnd + bytes.readUInt16LE(at + 30);
    const next = extraEnd + bytes.readUInt16LE(at + 32);
    if (next > bytes.length) throw badZip(archive, `its central directory breaks off at member ${index}`);
    const name = decodeName(bytes.subarray(at + recordBytes, nameEnd), bytes.readUInt16LE(at + 8), archive);
    found.push(decodeRecord(bytes.subarray(at, nameEnd), name, { extra: bytes.subarray(nameEnd, extraEnd), archive }));
    at = next;
  }
  if (at !== bytes.length) throw badZip(archive, "its central directory has bytes of no member");
  const members = placeMembers(found, place.start, archive);
  requireTree(members, archive);
  requireModest(members, place.end, archive);
  return members;
}

/** A BAD_INPUT error about an archive. */
export function badZip(archive: string, wrong: string): BquerydError {
  return new BquerydError("BAD_INPUT", `${archive} cannot be used: ${wrong}; upload the table itself, or zip its content anew with an ordinary tool`, { details: { archive } });
}

function findEnd(bytes: Buffer): number | undefined {
  for (let at = bytes.length - 22; at >= 0; at--) {
    if (bytes.readUInt32LE(at) === 0x06054b50 && at + 22 + bytes.readUInt16LE(at + 20) === bytes.length) return at;
  }
  return undefined;
}

function decodeRecord(record: Buffer, name: string, { extra, archive }: { readonly extra: Buffer; readonly archive: string }): Omit<ZipMember, "end"> {
  const flags = record.readUInt16LE(8);
  const method = record.readUInt16LE(10);
  const mode = record.readUInt8(5) === 3 ? record.readUInt16LE(40) & 0o170000 : 0;
  const refuse = (wrong: string): never => { throw badZip(archive, `its member ${JSON.stringify(name)} ${wrong}`); };
  if ((flags & encryptedFlags) !== 0) refuse("is encrypted");
  if (method !== 0 && method !== 8) return refuse(`is packed by method ${method}`);
  if (record.readUInt16LE(34) !== 0) refuse("is on another disk");
  const short = [record.readUInt32LE(24), record.readUInt32LE(20), record.readUInt32LE(42)];
  const [length, storedBytes, start] = readZip64Extra(extra, short, refuse) as [number, number, number];
  if (![0, name.endsWith("/") ? directoryMode : regularMode].includes(mode)) refuse("is no file, but a link or the like");
  if (method === 0 ? storedBytes !== length : length > storedBytes * deflateRatioMax) refuse(`cannot have ${length} bytes from ${storedBytes}`);
  if (name.endsWith("/") && length > 0) refuse("is a folder with bytes of its own");
  return { name, method, flags, crc: record.readUInt32LE(16), storedBytes, bytes: length, start };
}

/** A name that leads nowhere but below the folder it is unpacked into. */
function decodeName(bytes: Uint8Array, flags: number, archive: string): string {
  const name = Buffer.from(bytes).toString("utf8");
  const refuse = (wrong: string): never => { throw badZip(archive, `its member ${JSON.stringify(name.slice(0, 300))} ${wrong}`); };
  if (!Buffer.from(name).equals(bytes) || ((flags & utf8Flag) === 0 && /[^\0-\x7f]/.test(name))) refuse("has a name in no known character set");
  const parts = name.replace(/\/$/, "").split("/");
  if (/[\p{Cc}\\]/u.test(name) || /^[A-Za-z]:/.test(name)) refuse("has a name with characters that no file of a table has");
  if (parts.some((part) => part === "" || part === "." || part === "..")) refuse("leaves the folder");
  return name;
}

/** Members lie one after another and fill all that is before the directory: nothing else is hidden, and no two share bytes. */
function placeMembers(found: readonly Omit<ZipMember, "end">[], directoryStart: number, archive: string): ZipMember[] {
  const inOrder = [...found].sort((a, b) => a.start - b.start);
  if ((inOrder[0]?.start ?? 0) !== 0 || (inOrder.length === 0 && directoryStart !== 0)) throw badZip(archive, "it begins with bytes of no member");
  return inOrder.map((member, index) => {
    const end = inOrder[index + 1]?.start ?? directoryStart;
    if (end - member.start < zipHeaderBytes + member.storedBytes) throw badZip(archive, `its member ${JSON.stringify(member.name)} shares bytes with another`);
    return { ...member, end };
  });
}

function requireTree(members: readonly ZipMember[], archive: string): void {
  const files = new Set<string>();
  for (const { name } of members) {
    if (files.has(name)) throw badZip(archive, `it has two members ${JSON.stringify(name)}`);
    files.add(name);
  }
  for (const { name } of members) {
    for (let slash = name.lastIndexOf("/"); slash > 0; slash = name.lastIndexOf("/", slash - 1)) {
      if (files.has(name.slice(0, slash))) throw badZip(archive, `its member ${JSON.stringify(name.slice(0, slash))} is a file and a folder`);
    }
  }
}

/** A bomb promises more than anyone would send. */
function requireModest(members: readonly ZipMember[], archiveBytes: number, archive: string): void {
  const total = members.reduce((sum, { bytes }) => sum + bytes, 0);
  const bytesMax = Math.max(ratioFreeBytes, archiveBytes * ratioMax);
  if (total > bytesMax) throw badZip(archive, `it would become ${total} bytes from ${archiveBytes}, and ${bytesMax} are believed`);
}
