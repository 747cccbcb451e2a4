/** Zip archives from plain members, also such as no tool would make. */
import { crc32, deflateRawSync } from "node:zlib";

const ones32 = 0xffffffff;

/** A member, with what is to be wrong with it. */
export interface ZipEntry {
  readonly name: string | Buffer;
  readonly bytes: Uint8Array;
  readonly isStored?: boolean;
  /** In place of what is true, in the directory and, unless `localOnly` or `centralOnly`, in the member's own header. */
  readonly said?: Partial<ZipNumbers>;
  readonly localSaid?: Partial<ZipNumbers>;
  /** The data as they lie there, in place of the bytes stored or deflated. */
  readonly data?: Uint8Array;
  /** Unix mode; that of a plain file without it. */
  readonly mode?: number;
  /** The name in the member's own header. */
  readonly localName?: string;
  readonly hasDescriptor?: boolean;
  /** Bytes behind it that belong to nothing. */
  readonly after?: Uint8Array;
  /** Left out of the directory. */
  readonly isHidden?: boolean;
  /** Place that the directory says. */
  readonly place?: number;
  /** Whether its numbers are of the kind zip64, in the directory and in its own header; and what of them is a lie. */
  readonly isLong?: boolean;
  readonly longSaid?: Partial<Record<"bytes" | "storedBytes" | "place", bigint>>;
  /** In place of the extra field of the directory. */
  readonly extra?: Buffer;
}

/** What the end of the kind zip64 says in place of what is true. */
export type LongEnd = Partial<Record<"members" | "directoryBytes" | "start" | "place" | "bytes", bigint>>;

interface ZipNumbers {
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly storedBytes: number;
  readonly bytes: number;
}

/** An archive. `comment` is that of the whole; `members` a count in place of the true one. */
export function makeZip(entries: readonly ZipEntry[], { comment = "", members, before = Buffer.alloc(0), between = Buffer.alloc(0), longEnd }: { comment?: string; members?: number; before?: Buffer; between?: Buffer; longEnd?: LongEnd } = {}): Buffer {
  const parts: Uint8Array[] = [before];
  const records: Buffer[] = [];
  let at = before.length;
  for (const entry of entries) {
    const local = localPart(entry);
    if (entry.isHidden !== true) records.push(recordOf(entry, entry.place ?? at));
    parts.push(local);
    at += local.length;
  }
  const directory = Buffer.concat(records);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members ?? records.length, 8);
  end.writeUInt16LE(members ?? records.length, 10);
  end.writeUInt32LE(longEnd === undefined ? directory.length : ones32, 12);
  end.writeUInt32LE(longEnd === undefined ? at : ones32, 16);
  end.writeUInt16LE(Buffer.byteLength(comment), 20);
  const long = longEnd === undefined ? Buffer.alloc(0) : longEndOf({ members: BigInt(records.length), directoryBytes: BigInt(directory.length), start: BigInt(at), place: BigInt(at + directory.length), bytes: 44n, ...longEnd });
  return Buffer.concat([...parts, directory, between, long, end, Buffer.from(comment)]);
}

function longEndOf({ members, directoryBytes, start, place, bytes }: Required<LongEnd>): Buffer {
  const end = Buffer.alloc(76);
  end.writeUInt32LE(0x06064b50, 0);
  end.writeBigUInt64LE(bytes, 4);
  for (const [index, number] of [members, members, directoryBytes, start].entries()) end.writeBigUInt64LE(number, 24 + index * 8);
  end.writeUInt32LE(0x07064b50, 56);
  end.writeBigUInt64LE(place, 64);
  end.writeUInt32LE(1, 72);
  return end;
}

/** The extra field of the kind zip64, behind one that means nothing. */
function longField(...numbers: bigint[]): Buffer {
  const field = Buffer.alloc(10 + numbers.length * 8);
  field.writeUInt16LE(0x5455, 0);
  field.writeUInt16LE(2, 2);
  field.writeUInt16LE(1, 6);
  field.writeUInt16LE(numbers.length * 8, 8);
  for (const [index, number] of numbers.entries()) field.writeBigUInt64LE(number, 10 + index * 8);
  return field;
}

function dataOf({ data, bytes, isStored }: ZipEntry): Uint8Array {
  return data ?? (isStored === true ? bytes : deflateRawSync(bytes));
}

function numbersOf(entry: ZipEntry): ZipNumbers {
  const flags = (entry.hasDescriptor === true ? 8 : 0) | (Buffer.isBuffer(entry.name) ? 0x800 : 0);
  return { flags, method: entry.isStored === true ? 0 : 8, crc: crc32(entry.bytes), storedBytes: dataOf(entry).length, bytes: entry.bytes.length, ...entry.said };
}

function localPart(entry: ZipEntry): Buffer {
  const name = Buffer.from(entry.localName ?? entry.name);
  const true_ = numbersOf(entry);
  const numbers = { ...true_, ...(entry.hasDescriptor === true ? { crc: 0, storedBytes: 0, bytes: 0 } : {}), ...entry.localSaid };
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(numbers.flags, 6);
  header.writeUInt16LE(numbers.method, 8);
  header.writeUInt32LE(numbers.crc, 14);
  header.writeUInt32LE(entry.isLong === true ? ones32 : numbers.storedBytes, 18);
  header.writeUInt32LE(entry.isLong === true ? ones32 : numbers.bytes, 22);
  header.writeUInt16LE(name.length, 26);
  const extra = entry.isLong === true ? longField(BigInt(numbers.bytes), BigInt(numbers.storedBytes)) : Buffer.alloc(0);
  header.writeUInt16LE(extra.length, 28);
  const descriptor = Buffer.alloc(entry.hasDescriptor === true ? (entry.isLong === true ? 24 : 16) : 0);
  if (entry.hasDescriptor === true) descriptor.writeUInt32LE(0x08074b50, 0);
  return Buffer.concat([header, name, extra, dataOf(entry), descriptor, entry.after ?? Buffer.alloc(0)]);
}

function recordOf(entry: ZipEntry, place: number): Buffer {
  const name = Buffer.from(entry.name);
  const { flags, method, crc, storedBytes, bytes } = numbersOf(entry);
  const record = Buffer.alloc(46);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE((3 << 8) | 20, 4);
  record.writeUInt16LE(20, 6);
  record.writeUInt16LE(flags, 8);
  record.writeUInt16LE(method, 10);
  record.writeUInt32LE(crc, 16);
  const isLong = entry.isLong === true;
  const said = { bytes: BigInt(bytes), storedBytes: BigInt(storedBytes), place: BigInt(place), ...entry.longSaid };
  const extra = entry.extra ?? (isLong ? longField(said.bytes, said.storedBytes, said.place) : Buffer.alloc(0));
  record.writeUInt32LE(isLong ? ones32 : storedBytes, 20);
  record.writeUInt32LE(isLong ? ones32 : bytes, 24);
  record.writeUInt16LE(extra.length, 30);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt32LE(((entry.mode ?? (entry.name.toString().endsWith("/") ? 0o040755 : 0o100644)) << 16) >>> 0, 38);
  record.writeUInt32LE(isLong ? ones32 : place, 42);
  return Buffer.concat([record, name, extra]);
}
