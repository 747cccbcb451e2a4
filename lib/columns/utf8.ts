/** Telling texts that are UTF-8 from other bytes. */
import { isAscii, isUtf8 } from "node:buffer";
import { BquerydError } from "../base/errors.js";

/** Tells whether all bytes between each offset and the next are UTF-8. Offsets ascend and count from `origin`, where the bytes begin. */
export function areUtf8(offsets: Uint32Array, bytes: Uint8Array, origin = 0): boolean {
  const start = offsets[0]!;
  const texts = bytes.subarray(start - origin, offsets[offsets.length - 1]! - origin);
  if (isAscii(texts)) return true;
  // Each is where all are together, and none begins within a character.
  let isWhole = isUtf8(texts);
  for (let i = 0; i + 1 < offsets.length && isWhole; i++) isWhole = (texts[offsets[i]! - start]! & 0xc0) !== 0x80;
  return isWhole;
}

/** Throws BAD_INPUT for strings that are not UTF-8, likewise. */
export function requireUtf8(offsets: Uint32Array, bytes: Uint8Array, origin = 0): void {
  if (!areUtf8(offsets, bytes, origin)) throw new BquerydError("BAD_INPUT", "a string is not valid UTF-8; convert the file to UTF-8, or store the column as bytes");
}
