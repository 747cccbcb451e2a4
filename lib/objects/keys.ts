/** What a key may be, the same for every keeper: one that a directory could not keep is refused by a bucket too. */
import { BquerydError } from "../base/errors.js";

const keyBytesMax = 1_024;
const partBytesMax = 255;
const temporary = /^\.bqueryd-[0-9a-f]{32}\.tmp$/;

/**
 * The key itself: 1 to 1,024 bytes of UTF-8, parts of at most 255 bytes between slashes none of which is empty, `.` or `..`,
 * and no NUL. Throws BAD_INPUT for any other.
 */
export function checkKey(key: string): string {
  const complaint = complaintOf(key);
  if (complaint === undefined) return key;
  throw new BquerydError("BAD_INPUT", `${JSON.stringify(key.slice(0, keyBytesMax))} cannot be the key of an object: ${complaint}; use another name`, { details: { key: key.slice(0, keyBytesMax) } });
}

/** The name of a file that is being written beside its place; no part of a key is one. */
export function temporaryName(id: string): string {
  return `.bqueryd-${id}.tmp`;
}

/** Tells whether a name is of a file that was being written. */
export function isTemporaryName(name: string): boolean {
  return temporary.test(name);
}

/** Orders texts as their bytes in UTF-8, as S3 lists keys; JavaScript's own order differs beyond U+FFFF. */
export function compareBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function complaintOf(key: string): string | undefined {
  if (key === "" || Buffer.byteLength(key) > keyBytesMax) return `it has to have 1 to ${keyBytesMax} bytes`;
  if (Buffer.from(key).toString() !== key) return "half of a character is in it";
  if (key.includes("\0")) return "a NUL is in it";
  for (const part of key.split("/")) {
    if (part === "" || part === "." || part === "..") return `a part between slashes is '${part}'`;
    if (Buffer.byteLength(part) > partBytesMax) return `a part between slashes has more than ${partBytesMax} bytes`;
    if (isTemporaryName(part)) return "such names are of files that are being written";
  }
  return undefined;
}
