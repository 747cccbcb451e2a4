/** A failure of a task as plain data, which crosses threads and the wire. */
import { toBquerydError, type ErrorCode, type ErrorDetails, type Retry } from "../../base/errors.js";
import type { ShardRef } from "../../wire/messages.js";

/** What a `failed` message says, but for the task it is about. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly retry: Retry;
  /** Directory name of the shard that failed, where one did. */
  readonly shard: string | null;
}

/** Characters of a message that travel. */
const messageMax = 4_096;

/** An error met while working on the given shards, with the shard it names in its details. */
export function failureOf(cause: unknown, shards: readonly ShardRef[]): Failure {
  const { code, message, details, retry } = toBquerydError(cause);
  const named = details["shard"] ?? details["table"];
  const shard = shards.find(({ name }) => name === named)?.name ?? null;
  return { code, message: message.slice(0, messageMax), details, retry, shard };
}
