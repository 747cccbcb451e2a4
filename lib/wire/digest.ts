/** What a call reads, as a text short enough to travel with every question. */
import { createHash } from "node:crypto";

/** The digest of the shards of a call, their names and generations in order: 64 hexadecimal digits. */
export function digestOf(shards: readonly { readonly name: string; readonly generation: string }[]): string {
  const hash = createHash("sha256");
  for (const { name, generation } of shards) hash.update(`${name}\0${generation}\0`);
  return hash.digest("hex");
}

/** The digest of lists of names, as a key that stays short however many there are: 64 hexadecimal digits. */
export function digestOfNames(...lists: readonly (readonly string[])[]): string {
  return createHash("sha256").update(JSON.stringify(lists)).digest("hex");
}
