/**
 * What archives of the kind zip64 have besides: numbers of 64 bits where those of 16 or 32 are all ones, little-endian.
 *
 *   end, 56 bytes, behind the central directory
 *     0 50 4b 06 06   4 u64 bytes that follow: 44   12 u16 made by   14 u16 needed   16 u32 disk   20 u32 disk of the directory
 *     24 u64 members here   32 u64 members   40 u64 bytes of the directory   48 u64 its place
 *   locator, 20 bytes, between that and the end of central directory
 *     0 50 4b 06 07   4 u32 disk   8 u64 place of the end   16 u32 disks: 1
 *   extra field, in a record of the directory, and in the header of a member, which has the first two
 *     0 u16 1   2 u16 bytes that follow   4 u64 bytes, u64 stored bytes, u64 place: those of them that are all ones in the record
 */
const [endBytes, locatorBytes] = [56, 20];
/** Bytes of both together. */
export const zip64EndBytes = endBytes + locatorBytes;
const fieldId = 1;
const [ones16, ones32] = [0xffff, 0xffffffff];

/** What the end of an archive says of its directory. */
export interface ZipEnd {
  readonly members: number;
  readonly directoryBytes: number;
  readonly start: number;
}

/** Told what is wrong with an archive. */
type Refuse = (wrong: string) => never;

/**
 * What the end of the kind zip64 says; undefined where there is none and none is needed. It has to be right before the
 * end of central directory, at `at` of the tail, which begins at `tailStart` of the archive.
 */
export function findZip64End(tail: Buffer, { at, tailStart, short, refuse }: { readonly at: number; readonly tailStart: number; readonly short: ZipEnd; readonly refuse: Refuse }): ZipEnd | undefined {
  const isNeeded = short.members === ones16 || short.directoryBytes === ones32 || short.start === ones32;
  const locator = at - locatorBytes;
  if (locator < 0 || tail.readUInt32LE(locator) !== 0x07064b50) return isNeeded ? refuse("its zip64 end is missing") : undefined;
  const end = locator - endBytes;
  const place = readLong(tail, locator + 8, refuse);
  if (end < 0 || place !== tailStart + end || tail.readUInt32LE(end) !== 0x06064b50 || readLong(tail, end + 4, refuse) !== endBytes - 12) return refuse("its zip64 end is not where it says, or of another length");
  const disks = [tail.readUInt32LE(locator + 4), tail.readUInt32LE(locator + 16) - 1, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 20)];
  const found = { members: readLong(tail, end + 32, refuse), directoryBytes: readLong(tail, end + 40, refuse), start: readLong(tail, end + 48, refuse) };
  if (disks.some((disk) => disk !== 0) || readLong(tail, end + 24, refuse) !== found.members) return refuse("it is one of several disks");
  const isSame = (long: number, number: number, ones: number): boolean => number === ones || number === long;
  if (!isSame(found.members, short.members, ones16) || !isSame(found.directoryBytes, short.directoryBytes, ones32) || !isSame(found.start, short.start, ones32)) return refuse("its two ends differ");
  return found;
}

/** Numbers of a record, in the order of the field: in place of those that are all ones what the field says, which has these and no more. */
export function readZip64Extra(extra: Buffer, short: readonly number[], refuse: Refuse): number[] {
  const field = findField(extra, refuse);
  const needed = short.filter((number) => number === ones32).length;
  if ((field?.length ?? 0) !== needed * 8) return refuse("does not have the numbers of the kind zip64 that it needs, or has others");
  let at = 0;
  return short.map((number) => {
    if (number !== ones32) return number;
    at += 8;
    return readLong(field!, at - 8, refuse);
  });
}

/** The bytes of the field; undefined for none. */
function findField(extra: Buffer, refuse: Refuse): Buffer | undefined {
  let found: Buffer | undefined;
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    const isField = extra.readUInt16LE(at) === fieldId;
    if (isField && (end > extra.length || found !== undefined)) return refuse("has a field of the kind zip64 that is cut, or two");
    if (isField) found = extra.subarray(at + 4, end);
    at = end;
  }
  return found;
}

function readLong(bytes: Buffer, at: number, refuse: Refuse): number {
  const long = bytes.readBigUInt64LE(at);
  return long <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(long) : refuse("says numbers that nothing has");
}
