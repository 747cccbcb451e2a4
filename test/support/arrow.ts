/** Arrow IPC for tests, written by Apache's own library. */
import { compress } from "@mongodb-js/zstd";
import { CompressionType, compressionRegistry, tableToIPC } from "apache-arrow";
import type { Table } from "apache-arrow";
import { compressFrameSync } from "lz4-napi";

/** A table as a file or stream; with a codec its buffers are compressed where that makes them smaller. */
export async function encodeArrow(table: Table, kind: "file" | "stream", codec?: "lz4" | "zstd"): Promise<Uint8Array> {
  if (codec === undefined) return tableToIPC(table, kind);
  const type = codec === "lz4" ? CompressionType.LZ4_FRAME : CompressionType.ZSTD;
  // The library wants compressors that answer at once: a first pass only learns what is to be compressed.
  const frames = new Map<string, Buffer>();
  compressionRegistry.set(type, { encode: (bytes) => {
    frames.set(keyOf(bytes), compressFrameSync(Buffer.from(bytes)));
    return beginnings[codec];
  } });
  tableToIPC(table, kind, type);
  if (codec === "zstd") for (const key of frames.keys()) frames.set(key, await compress(Buffer.from(key, "latin1")));
  compressionRegistry.set(type, { encode: (bytes) => frames.get(keyOf(bytes)) ?? beginnings[codec] });
  return mendLengths(Buffer.from(tableToIPC(table, kind, type)), frames);
}

/** What the library looks for to tell whether a compressor is one. */
const beginnings = { lz4: Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x40, 0, 0), zstd: Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0) };

/** Before each frame the library writes its own length, where the format wants that of what is compressed. */
function mendLengths(bytes: Buffer, frames: ReadonlyMap<string, Buffer>): Buffer {
  for (const [raw, frame] of frames) {
    for (let at = bytes.indexOf(frame); at >= 0; at = bytes.indexOf(frame, at + 1)) {
      if (bytes.readBigInt64LE(at - 8) === BigInt(frame.length)) bytes.writeBigInt64LE(BigInt(raw.length), at - 8);
    }
  }
  return bytes;
}

function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
