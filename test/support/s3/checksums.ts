/** The checksums of S3, over bytes that come in pieces: base64 of big-endian numbers, or of hashes. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

/** A checksum under way. */
export interface Checksum {
  update(bytes: Uint8Array): void;
  /** Of what came by now. */
  digest(): string;
}

/** By the end of the header `x-amz-checksum-...`. */
const kinds: ReadonlyMap<string, () => Checksum> = new Map([
  ["crc32", createCrc32], ["crc32c", createCrc32c], ["crc64nvme", createCrc64],
  ["sha1", () => createHashOf("sha1")], ["sha256", () => createHashOf("sha256")],
]);

/** The names of those there are. */
export const checksumNames: readonly string[] = [...kinds.keys()];

/** A new checksum; undefined for a name that is of none. */
export function createChecksum(name: string): Checksum | undefined {
  return kinds.get(name)?.();
}

/** The checksum of bytes at hand. */
export function checksumOf(name: string, bytes: Uint8Array): string {
  const checksum = createChecksum(name)!;
  checksum.update(bytes);
  return checksum.digest();
}

function createHashOf(name: string): Checksum {
  const hash = createHash(name);
  return { update(bytes) { hash.update(bytes); }, digest: () => hash.copy().digest("base64") };
}

function createCrc32(): Checksum {
  let value = 0;
  return { update(bytes) { value = crc32(bytes, value); }, digest: () => base64Of(value) };
}

const castagnoli = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

function createCrc32c(): Checksum {
  let value = 0xffffffff;
  return {
    update(bytes) { for (const byte of bytes) value = castagnoli[(value ^ byte) & 0xff]! ^ (value >>> 8); },
    digest: () => base64Of((value ^ 0xffffffff) >>> 0),
  };
}

const nvme = BigUint64Array.from({ length: 256 }, (_, index) => {
  let value = BigInt(index);
  for (let bit = 0; bit < 8; bit++) value = (value & 1n) === 1n ? (value >> 1n) ^ 0x9a6c9329ac4bc9b5n : value >> 1n;
  return value;
});

function createCrc64(): Checksum {
  const all = 0xffffffffffffffffn;
  let value = all;
  return {
    update(bytes) { for (const byte of bytes) value = nvme[Number((value ^ BigInt(byte)) & 0xffn)]! ^ (value >> 8n); },
    digest() {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(value ^ all);
      return bytes.toString("base64");
    },
  };
}

function base64Of(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString("base64");
}
