/** Rows in an order that was asked for: collected and ordered in the thread for merging, as it holds up whoever does it. */
import type { BquerydError } from "../base/errors.js";
import { encodeQuery } from "../engine/query/bytes.js";
import type { Query } from "../engine/query/query.js";
import type { OrderedRows, RowsJob } from "./merge-messages.js";
import type { MergeThread } from "./merge-thread.js";
import { cutShort } from "./merger.js";
import type { Taking } from "./merging.js";
import type { Accepted } from "./session.js";

/** Takes the slices of an answer. */
export interface Ordering extends Taking {
  /** The rows, when all have come. Rejects with what ordering fails with, CANCELLED, and DEADLINE when the time is over first. */
  finish(timeoutMs: number, signal: AbortSignal | undefined): Promise<OrderedRows & { readonly accepted: Accepted }>;
  /** Ends what is still going on. */
  drop(): void;
}

/** Orders rows of at most `mergeBytes`. `fail` is told what the thread fails with, as soon as it does. */
export function createOrdering(query: Query, { mergeBytes, mergeThread }: { mergeBytes: number; mergeThread: MergeThread }, fail: (error: BquerydError) => void): Ordering {
  let open: { readonly accepted: Accepted; readonly job: RowsJob } | undefined;
  return {
    take(reply, body, grant) {
      if (reply.type === "accepted") {
        open?.job.drop();
        open = { accepted: reply, job: mergeThread.openRows(encodeQuery(query), { accepted: reply, bytesMax: mergeBytes }, fail) };
      } else if (open !== undefined && reply.attempt === open.accepted.attempt && reply.type !== "partial") {
        open.job.add(reply, body[0] ?? null, () => { if (reply.type === "slice") grant(reply.attempt, 1); });
      }
    },
    async finish(timeoutMs, signal) {
      if (open === undefined) throw cutShort();
      const { accepted, job } = open;
      return { ...await job.finish(timeoutMs, signal), accepted };
    },
    drop: () => { open?.job.drop(); },
  };
}
