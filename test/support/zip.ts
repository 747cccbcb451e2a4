/** Zip archives from plain members, also such as no tool would make. */
import { crc32, deflateRawSync } from "node:zlib";

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
}

interface ZipNumbers {
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly storedBytes: number;
  readonly bytes: number;
}

/** An archive. `comment` is that of the whole; `members` a count in place of the true one. */
export function makeZip(entries: readonly ZipEntry[], { comment = "", members, before = Buffer.alloc(0), between = Buffer.alloc(0) }: { comment?: string; members?: number; before?: Buffer; between?: Buffer } = {}): Buffer {
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
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(Buffer.byteLength(comment), 20);
  return Buffer.concat([...parts, directory, between, end, Buffer.from(comment)]);
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
  header.writeUInt32LE(numbers.storedBytes, 18);
  header.writeUInt32LE(numbers.bytes, 22);
  header.writeUInt16LE(name.length, 26);
  const descriptor = Buffer.alloc(entry.hasDescriptor === true ? 16 : 0);
  if (entry.hasDescriptor === true) descriptor.writeUInt32LE(0x08074b50, 0);
  return Buffer.concat([header, name, dataOf(entry), descriptor, entry.after ?? Buffer.alloc(0)]);
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
  record.writeUInt32LE(storedBytes, 20);
  record.writeUInt32LE(bytes, 24);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt32LE(((entry.mode ?? (entry.name.toString().endsWith("/") ? 0o040755 : 0o100644)) << 16) >>> 0, 38);
  record.writeUInt32LE(place, 42);
  return Buffer.concat([record, name]);
}
