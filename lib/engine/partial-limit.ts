/** How much partials may take outside the kernels' memory, and the failure of those that would take more. */
import { BquerydError } from "../base/errors.js";
import type { Query } from "./query/query.js";

/** Partials of one shard that are found part by part may take this many times what a message may have: most are sent in less than half of what they take. */
const heldPerMessage = 2;

/** Bytes that the partials of the parts of one shard may take together, where a message may have `messageBytes`. */
export function partsBytesMax(messageBytes: number): number {
  return heldPerMessage * messageBytes;
}

/** MEMORY_LIMIT: partial answers of a query take more bytes than they may. */
export function tooManyGroups(query: Query, bytes: number, bytesMax: number): BquerydError {
  const message = `${purposeOf(query)} gives partial answers of ${bytes} bytes, more than the ${bytesMax} that message_bytes_max allows; group by fewer distinct values, filter, cut the table into more shards, or raise message_bytes_max`;
  return new BquerydError("MEMORY_LIMIT", message, { details: { keys: query.keys.map(({ name }) => name), bytes, bytesMax } });
}

/** What a query wants memory for, as the start of a sentence. */
export function purposeOf({ keys }: Query): string {
  return keys.length === 0 ? "the query" : `grouping by ${keys.map(({ name }) => `'${name}'`).join(", ")}`;
}
