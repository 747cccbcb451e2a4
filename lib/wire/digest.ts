/** What a call reads, as a text short enough to travel with every question. */
import { createHash } from "node:crypto";

/** The digest of the shards of a call, their names and generations in order: 64 hexadecimal digits. */
export function digestOf(shards: readonly { readonly name: string; readonly generation: string }[]): string {
  const hash = createHash("sha256");
  for (const { name, generation } of shards) hash.update(`${name}\0${generation}\0`);
  return hash.digest("hex");
}

/** Lists of names that are longer as JSON than this are known by a digest. */
const keyCharactersMax = 256;

/** Lists of names as a key that stays short however many there are: their JSON, or 64 hexadecimal digits in its place. */
export function keyOfNames(...lists: readonly (readonly string[])[]): string {
  const key = JSON.stringify(lists);
  return key.length <= keyCharactersMax ? key : createHash("sha256").update(key).digest("hex");
}
