/** The compressions of Parquet pages, undone within the size that the page claims. */
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { decompressLz4 } from "hyparquet-compressors";
import { decodeBlock } from "../input/block-decoder.js";
import type { BlockCodec } from "../input/block-decoder.js";
import { damaged } from "./varint.js";

/** The bytes of a page, `rawBytes` of them. Throws for damaged bytes and other sizes, before more than that is allocated. */
export function decompressPage(codec: string, stored: Uint8Array, rawBytes: number): Uint8Array {
  if (codec === "UNCOMPRESSED") return requireLength(stored, rawBytes);
  if (rawBytes === 0) return new Uint8Array(0);
  const method = methods.get(codec);
  if (method === undefined) throw damaged(`pages compressed with ${codec}`);
  if (rawBytes > stored.length * method.ratioMax) throw damaged(`${stored.length} bytes that claim to be ${rawBytes}`);
  return requireLength(method.decompress(stored, rawBytes), rawBytes);
}

/** How a codec is undone, and the most that it can compress by. */
interface Method {
  readonly ratioMax: number;
  readonly decompress: (stored: Uint8Array, rawBytes: number) => Uint8Array;
}

const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["SNAPPY", { ratioMax: 64, decompress: (stored, rawBytes) => decodeWith("snappy", stored, rawBytes) }],
  ["GZIP", { ratioMax: 1_100, decompress: (stored, rawBytes) => gunzipSync(stored, { maxOutputLength: rawBytes }) }],
  ["LZ4", { ratioMax: 256, decompress: decompressLz4 }],
  ["LZ4_RAW", { ratioMax: 256, decompress: (stored, rawBytes) => decodeWith("lz4", stored, rawBytes) }],
  ["BROTLI", { ratioMax: Infinity, decompress: (stored, rawBytes) => brotliDecompressSync(stored, { maxOutputLength: rawBytes }) }],
  ["ZSTD", { ratioMax: Infinity, decompress: (stored, rawBytes) => decodeWith("zstd", stored, rawBytes) }],
]);

function decodeWith(codec: BlockCodec, stored: Uint8Array, rawBytes: number): Uint8Array {
  const bytes = decodeBlock(codec, stored, rawBytes);
  if (bytes === undefined) throw damaged(`bytes that are not ${codec}`);
  return bytes;
}

function requireLength(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw damaged(`${bytes.length} bytes where ${length} belong`);
  return bytes;
}
