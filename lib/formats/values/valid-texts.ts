/** Telling texts that are UTF-8 from other bytes. */
import { isUtf8 } from "node:buffer";
import type { Texts } from "../../columns/texts.js";

/** The first entry that is not UTF-8; undefined when all are. Entries that no row uses count too. */
export function findInvalidText({ offsets, bytes }: Texts): number | undefined {
  const used = bytes.subarray(offsets[0], offsets.at(-1));
  // Entries are sound when all bytes together are, and none begins inside a character.
  if (isUtf8(used) && everyStartsACharacter(offsets, bytes)) return undefined;
  for (let entry = 0; entry + 1 < offsets.length; entry++) {
    if (!isUtf8(bytes.subarray(offsets[entry], offsets[entry + 1]))) return entry;
  }
  return undefined;
}

function everyStartsACharacter(offsets: Uint32Array, bytes: Uint8Array): boolean {
  for (let entry = 0; entry + 1 < offsets.length; entry++) {
    const at = offsets[entry]!;
    if (at < bytes.length && (bytes[at]! & 0xc0) === 0x80) return false;
  }
  return true;
}
