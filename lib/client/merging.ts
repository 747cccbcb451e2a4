/** What comes of one query for groups: a few partials are merged here, many in the thread for merging. */
import { monotonicMs } from "../base/clock.js";
import { BquerydError, toBquerydError } from "../base/errors.js";
import type { Partial } from "../engine/partial.js";
import { purposeOf } from "../engine/partial-limit.js";
import { encodeQuery } from "../engine/query/bytes.js";
import type { Query } from "../engine/query/query.js";
import type { Block } from "../engine/tree.js";
import type { MergeJob, MergeThread } from "./merge-thread.js";
import { createMerger, cutShort, draftGroups, renderGroups, type Draft, type Merger, type RenderedGroups } from "./merger.js";
import type { Accepted, Grant, News } from "./session.js";

/** Takes what comes of one query. */
export interface Taking {
  take(reply: News, body: readonly Uint8Array[], grant: Grant): void;
}

/** What came of a query for a partial. */
export interface Merged {
  readonly partial: Partial;
  readonly accepted: Accepted;
  readonly mergedMs: number;
}

/** Merges partials of at most `mergeBytes` here, as they come. The result throws BAD_MESSAGE when something is missing. */
export function createMerging(query: Query, mergeBytes: number): Taking & { result(): Merged } {
  let merger: Merger | undefined;
  const parts = createParts(purposeOf(query), mergeBytes, {
    begin: ({ shards }) => { merger = createMerger(query, shards.length, { bytesMax: mergeBytes }); },
    add: (block, bytes) => { merger?.add(block, bytes); },
  });
  return {
    take: parts.take,
    result() {
      const accepted = parts.accepted();
      if (merger === undefined) throw cutShort();
      return { partial: merger.partial(), accepted, mergedMs: merger.mergedMs() };
    },
  };
}

/** Takes the partials of an answer. */
export interface Answering extends Taking {
  /** The answer, when all has come. Rejects with what merging fails with, CANCELLED, and DEADLINE when the time is over first. */
  finish(timeoutMs: number, signal: AbortSignal | undefined): Promise<RenderedGroups & Pick<Merged, "accepted">>;
  /** What the answer would be over the shards that have come; undefined where there is none. One at a time. */
  draft(): Promise<(Draft & Pick<Merged, "accepted">) | undefined>;
  /** Ends what is still going on. */
  drop(): void;
}

/** Bytes of partials up to which merging them holds nobody up. */
const mergedHereBytesMax = 1024 * 1024;

/** Merges partials of at most `mergeBytes`. `fail` is told what merging in the thread fails with, as soon as it does. */
export function createAnswering(query: Query, { mergeBytes, mergeThread }: { mergeBytes: number; mergeThread: MergeThread }, fail: (error: BquerydError) => void): Answering {
  let held: Held[] = [];
  let job: MergeJob | undefined;
  const parts = createParts(purposeOf(query), mergeBytes, {
    begin() {
      job?.drop();
      job = undefined;
      held = [];
    },
    add(block, bytes, takenBytes) {
      held.push({ block, bytes });
      if (job === undefined && takenBytes <= mergedHereBytesMax) return;
      job ??= mergeThread.open(encodeQuery(query), { shardCount: parts.accepted().shards.length, bytesMax: mergeBytes }, fail);
      for (const part of held.splice(0)) job.add(part.block, part.bytes);
    },
  });
  return {
    take: parts.take,
    async finish(timeoutMs, signal) {
      const accepted = parts.accepted();
      const rendered = job === undefined ? renderHere(query, accepted, held, mergeBytes) : await job.finish(timeoutMs, signal);
      return { ...rendered, accepted };
    },
    async draft() {
      if (held.length === 0 && job === undefined) return undefined;
      const accepted = parts.accepted();
      const draft = job === undefined ? draftHere(query, accepted, held, mergeBytes) : await job.draft();
      return draft === undefined ? undefined : { ...draft, accepted };
    },
    drop: () => { job?.drop(); },
  };
}

/** What came of a block; null of a shard that is left out. */
interface Held {
  readonly block: Block;
  readonly bytes: Uint8Array | null;
}

function mergeHere(query: Query, { shards }: Accepted, held: readonly Held[], mergeBytes: number): Merger {
  const merger = createMerger(query, shards.length, { bytesMax: mergeBytes });
  for (const { block, bytes } of held) merger.add(block, bytes);
  return merger;
}

function renderHere(query: Query, accepted: Accepted, held: readonly Held[], mergeBytes: number): RenderedGroups {
  try {
    return renderGroups(query, mergeHere(query, accepted, held, mergeBytes));
  } catch (cause) {
    throw toBquerydError(cause, "merge the partial answers");
  }
}

function draftHere(query: Query, accepted: Accepted, held: readonly Held[], mergeBytes: number): Draft | undefined {
  const startMs = monotonicMs();
  try {
    const draft = draftGroups(query, mergeHere(query, accepted, held, mergeBytes));
    return draft === undefined ? undefined : { ...draft, tookMs: monotonicMs() - startMs };
  } catch (cause) {
    throw toBquerydError(cause, "merge the partial answers");
  }
}

/** Who takes the parts of an attempt. */
interface PartSink {
  /** A new attempt: what came before is void. */
  begin(accepted: Accepted): void;
  add(block: Block, bytes: Uint8Array | null, takenBytes: number): void;
}

/** Passes on the parts of the newest attempt. */
function createParts(purpose: string, mergeBytes: number, sink: PartSink): Taking & { accepted(): Accepted } {
  let accepted: Accepted | undefined;
  let takenBytes = 0;
  return {
    take(reply, [bytes]) {
      if (reply.type === "accepted") {
        accepted = reply;
        takenBytes = 0;
        sink.begin(reply);
      } else if (reply.attempt !== accepted?.attempt) return; // A new attempt has voided it.
      else if (reply.type === "leftOut") sink.add({ start: reply.ordinal, size: 1 }, null, takenBytes);
      else if (reply.type === "partial" && bytes !== undefined) {
        takenBytes += bytes.length;
        if (takenBytes > mergeBytes) {
          throw new BquerydError("MEMORY_LIMIT", `${purpose} takes partial answers of more than ${mergeBytes} bytes, the limit of merge_memory; raise it or group by fewer distinct values`, { details: { mergeBytes } });
        }
        sink.add(reply.block, bytes, takenBytes);
      }
    },
    accepted() {
      if (accepted === undefined) throw cutShort();
      return accepted;
    },
  };
}
