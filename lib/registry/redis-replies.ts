/** What Redis scripts are given and answer, as types. */
import { encodeSource, foreign } from "./entries.js";
import type { PointerChange } from "./pointers.js";

/** A change of a pointer as scripts take it: table, generation, and source or empty. */
export function changeTexts({ table, generation, source }: PointerChange): string[] {
  return [table, generation ?? "-", source === undefined ? "" : encodeSource(source)];
}

/** A list of so many; throws REGISTRY_UNAVAILABLE naming `key`. */
export function requireList(key: string, reply: unknown, length: number): readonly unknown[] {
  if (Array.isArray(reply) && reply.length === length) return reply;
  throw foreign(key);
}

/** A text; throws REGISTRY_UNAVAILABLE naming `key`. */
export function requireText(key: string, reply: unknown): string {
  if (typeof reply === "string") return reply;
  throw foreign(key);
}

/** Fields and values in turn, as pairs; throws REGISTRY_UNAVAILABLE naming `key`. */
export function requireFields(key: string, reply: unknown): (readonly [string, string])[] {
  if (!Array.isArray(reply) || reply.length % 2 !== 0) throw foreign(key);
  const texts = reply.map((text: unknown) => requireText(key, text));
  return Array.from({ length: texts.length / 2 }, (_, index) => [texts[2 * index]!, texts[2 * index + 1]!] as const);
}
