/** Bytes as text: `\x` and two hexadecimal digits a byte, as PostgreSQL writes them. */

/** The text of bytes: `\x0aff`, `\x` for none. */
export function formatHex(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")}`;
}

/** The bytes of a text that formatHex could have written, in capitals too; undefined for any other. */
export function parseHex(text: string): Uint8Array | undefined {
  if (!text.startsWith("\\x")) return undefined;
  // Decoding stops at the first pair that is none, so that the length tells.
  const bytes = Buffer.from(text.slice(2), "hex");
  return bytes.length * 2 === text.length - 2 ? new Uint8Array(bytes) : undefined;
}
