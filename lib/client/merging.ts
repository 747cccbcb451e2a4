/** Partials of one query, merged as they come. */
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { mergePartials } from "../engine/merge.js";
import { partialOfNothing } from "../engine/nothing.js";
import type { Partial } from "../engine/partial.js";
import { decodePartial } from "../engine/partial-bytes.js";
import type { Query } from "../engine/query/query.js";
import { createMergeTree, type MergeTree } from "../engine/tree.js";
import type { Grant, News } from "./session.js";

/** What a controller says first of a call. */
export type Accepted = Extract<News, { type: "accepted" }>;

/** Takes what comes of one query. */
export interface Taking<T> {
  take(reply: News, body: readonly Uint8Array[], grant: Grant): void;
  /** Throws BAD_MESSAGE when something is missing: a short answer must not look whole. */
  result(): T;
}

/** What came of a query for partials. */
export interface Merged {
  readonly partial: Partial;
  readonly accepted: Accepted;
  readonly mergedMs: number;
}

/** Merges partials of at most `mergeBytes`, as they come. */
export function createMerging(query: Query, mergeBytes: number): Taking<Merged> {
  let accepted: Accepted | undefined;
  /** A shard that is left out is null, and nothing beside whatever it is merged with. */
  let tree: MergeTree<Partial | null> | undefined;
  let takenBytes = 0;
  let mergedMs = 0;

  function add(block: { start: number; size: number }, partial: Partial | null): void {
    const startMs = monotonicMs();
    tree?.add(block, partial);
    mergedMs += monotonicMs() - startMs;
  }

  function addPartial(block: { start: number; size: number }, bytes: Uint8Array): void {
    takenBytes += bytes.length;
    if (takenBytes > mergeBytes) {
      throw new BquerydError("MEMORY_LIMIT", `the partial answers passed ${mergeBytes} bytes, the limit of merge_memory; raise it or group by fewer distinct values`, { details: { mergeBytes } });
    }
    add(block, decodePartial(bytes));
  }

  return {
    take(reply, [bytes]) {
      if (reply.type === "accepted") {
        accepted = reply;
        tree = createMergeTree<Partial | null>(reply.shards.length, (left, right) => (left === null || right === null ? (left ?? right) : mergePartials(left, right)));
        takenBytes = 0;
      } else if (reply.attempt !== accepted?.attempt) return; // A new attempt has voided it.
      else if (reply.type === "leftOut") add({ start: reply.ordinal, size: 1 }, null);
      else if (reply.type === "partial" && bytes !== undefined) addPartial(reply.block, bytes);
    },
    result() {
      const partial = accepted?.shards.length === 0 ? partialOfNothing(query) : tree?.root();
      if (partial === undefined || partial === null || accepted === undefined) throw cutShort();
      return { partial, accepted, mergedMs };
    },
  };
}

/** BAD_MESSAGE: the controller says that all has come, and it has not. */
export function cutShort(): BquerydError {
  return new BquerydError("BAD_MESSAGE", "the answer ended before all shards were in; ask again");
}
