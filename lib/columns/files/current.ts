/**
 * CURRENT: the generations a table keeps, one id of 64 hexadecimal digits a line, the one in use first. Replacing it is
 * the one commit point of a table.
 */
import { limits } from "../../base/limits.js";
import { corruptFooter } from "./footer.js";

const idLength = 64;
/** Bytes of CURRENT at most. */
export const currentBytesMax = limits.generationsMax * (idLength + 1);

/** The bytes of CURRENT for generations, the one in use first. */
export function encodeCurrent(generations: readonly string[]): Uint8Array {
  return Buffer.from(generations.map((id) => `${id}\n`).join(""));
}

/** The generations in the bytes of CURRENT, at least one. Throws CORRUPT_FOOTER. */
export function decodeCurrent(bytes: Uint8Array, table: string): string[] {
  if (bytes.length > currentBytesMax) throw corruptFooter(table, "CURRENT is too long");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  if (!/^(?:[0-9a-f]{64}\n)+$/.test(text)) throw corruptFooter(table, "CURRENT is damaged");
  return Array.from({ length: text.length / (idLength + 1) }, (_, line) => text.slice(line * (idLength + 1), line * (idLength + 1) + idLength));
}
