/**
 * The file of a dictionary: distinct texts in order of first appearance. All little-endian.
 *
 *    0  4 bytes  "BQDC"
 *    4  u32      1, the version
 *    8  u32      count
 *   12  u32      bytes of the texts together
 *   16  u32      count + 1 offsets into those bytes
 *       bytes    the texts, strings in UTF-8, then zeros up to a multiple of 4
 *       u32      count ranks: the place of each text in order of unsigned bytes
 */
import { endianness } from "node:os";

/** A dictionary: distinct strings or bytes in order of first appearance, with the rank of each in order of unsigned bytes. */
export interface Dictionary {
  /** Content name of its file: equal ids are equal dictionaries. */
  readonly id: string;
  readonly count: number;
  /** count + 1 offsets into bytes. */
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
  /** Rank of each code. */
  readonly ranks: Uint32Array;
}

const magic = "BQDC";
const headerBytes = 16;

/** What the footer and the file of a dictionary must agree on. */
export interface DictionaryClaims {
  /** File name. */
  readonly id: string;
  readonly count: number;
  readonly bytes: number;
  /** Throws the error for a dictionary that is wrong in the way the words say. */
  readonly fail: (wrong: string) => never;
}

if (endianness() !== "LE") throw new Error("bqueryd runs on little-endian machines only");

/** The file of a dictionary. `offsets` has one entry more than `ranks`. */
export function encodeDictionary(offsets: Uint32Array, bytes: Uint8Array, ranks: Uint32Array): Uint8Array<ArrayBuffer> {
  const layout = layOut(ranks.length, bytes.length);
  const file = new Uint8Array(layout.total);
  file.set(Buffer.from(magic));
  new Uint32Array(file.buffer, 4, 3).set([1, ranks.length, bytes.length]);
  new Uint32Array(file.buffer, headerBytes, ranks.length + 1).set(offsets);
  file.set(bytes, layout.bytesAt);
  new Uint32Array(file.buffer, layout.ranksAt, ranks.length).set(ranks);
  return file;
}

/** The dictionary in a file of at least 4-byte alignment, as views on it; every offset and rank verified. */
export function decodeDictionary(file: Uint8Array<ArrayBuffer>, claims: DictionaryClaims): Dictionary {
  const layout = layOut(claims.count, claims.bytes);
  if (file.length !== layout.total) claims.fail("has a wrong length");
  const [version, count, byteCount] = new Uint32Array(file.buffer, file.byteOffset + 4, 3);
  if (Buffer.from(file.subarray(0, 4)).toString("latin1") !== magic || version !== 1) claims.fail("is not a dictionary of version 1");
  if (count !== claims.count || byteCount !== claims.bytes) claims.fail("has another size than the footer says");
  const offsets = new Uint32Array(file.buffer, file.byteOffset + headerBytes, claims.count + 1);
  const bytes = file.subarray(layout.bytesAt, layout.bytesAt + claims.bytes);
  const ranks = new Uint32Array(file.buffer, file.byteOffset + layout.ranksAt, claims.count);
  if (!isPartition(offsets, claims.bytes)) claims.fail("has offsets out of order");
  if (!isPermutation(ranks)) claims.fail("has ranks that are no order");
  return { id: claims.id, count: claims.count, offsets, bytes, ranks };
}

function layOut(count: number, bytes: number): { bytesAt: number; ranksAt: number; total: number } {
  const bytesAt = headerBytes + 4 * (count + 1);
  const ranksAt = bytesAt + Math.ceil(bytes / 4) * 4;
  return { bytesAt, ranksAt, total: ranksAt + 4 * count };
}

function isPartition(offsets: Uint32Array, bytes: number): boolean {
  if (offsets[0] !== 0 || offsets.at(-1) !== bytes) return false;
  for (let i = 1; i < offsets.length; i++) if (offsets[i]! < offsets[i - 1]!) return false;
  return true;
}

function isPermutation(ranks: Uint32Array): boolean {
  const seen = new Uint8Array(ranks.length);
  for (const rank of ranks) {
    if (rank >= ranks.length || seen[rank] === 1) return false;
    seen[rank] = 1;
  }
  return true;
}
