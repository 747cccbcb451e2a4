/** The entries of an LMDB database whose keys begin alike. */
import type { RootDatabase } from "lmdb";

/**
 * Those whose key begins with a prefix, in key order. The end is the next text of its length: keys are in the order of their bytes,
 * where the characters beyond U+FFFF, as a node may have in its name, come behind all others.
 */
export function rangeOf(database: RootDatabase<string, string>, prefix: string): Iterable<{ readonly key: string; readonly value: string }> {
  return database.getRange({ start: prefix, end: prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1) });
}
