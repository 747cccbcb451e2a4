/** For who watches an answer fill: what it would be over the shards that are in, a few times a second, one at a time, the newest only. */
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import type { Draft } from "./merger.js";
import type { Answering } from "./merging.js";
import type { Accepted } from "./session.js";
import type { Table } from "./table.js";

/** How much of an answer is in a table. */
export interface PartialProgress {
  /** From 0 to 1: `shards` of `of`. */
  readonly fraction: number;
  /** Shards that are done: in the table, or left out by `partial: 'allow'`. */
  readonly shards: number;
  /** Shards of the whole answer. */
  readonly of: number;
}

/** Is given tables of what is done, and in the end the answer itself. */
export type OnPartial = (table: Table, progress: PartialProgress) => void | PromiseLike<void>;

/** A draft, and what it is of. */
export type Drafted = Draft & { readonly accepted: Accepted };

/** How long somebody may wait. */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Between two drafts at least. */
const everyMs = 100;
/** And so many times what the quicker one of the last two took to make: drafts take about a twentieth of the time at most. The first takes longest. */
const restTimes = 20;

/**
 * An answering that shows drafts of itself. A draft waits until the one before has been shown, and a new attempt begins
 * anew. `fail` is told what showing fails with; nothing is shown any more then, nor once the answer is asked for.
 */
export function showDrafts(answering: Answering, show: (draft: Drafted) => unknown, fail: (error: unknown) => void): Answering {
  let timer: NodeJS.Timeout | undefined;
  let showing: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;
  let [attempts, dueMs, lastTookMs] = [0, 0, 0];
  let [hasNews, isOver] = [false, false];

  function schedule(): void {
    if (!hasNews || isOver || timer !== undefined || showing !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      showing = showNext().catch(stop).then(() => {
        showing = undefined;
        schedule();
      });
    }, Math.max(0, dueMs - monotonicMs()));
  }
  async function showNext(): Promise<void> {
    const attempt = attempts;
    hasNews = false;
    const draft = await answering.draft();
    if (draft !== undefined && !isOver && attempt === attempts) await show(draft);
    const tookMs = draft?.tookMs ?? 0;
    dueMs = monotonicMs() + Math.max(everyMs, restTimes * Math.min(tookMs, lastTookMs));
    lastTookMs = tookMs;
  }
  function end(): void {
    isOver = true;
    clearTimeout(timer);
  }
  function stop(error: unknown): void {
    end();
    failure = { error };
    fail(error);
  }

  return {
    ...answering,
    take(reply, body, grant) {
      answering.take(reply, body, grant);
      hasNews = reply.type !== "accepted";
      if (hasNews) return schedule();
      attempts += 1;
      dueMs = monotonicMs() + everyMs;
    },
    async finish(timeoutMs, signal) {
      end();
      const startMs = monotonicMs();
      const answer = await answering.finish(timeoutMs, signal);
      if (showing !== undefined) await within(showing, { timeoutMs: Math.max(1, timeoutMs - (monotonicMs() - startMs)), signal });
      if (failure !== undefined) throw failure.error;
      return answer;
    },
    drop() {
      end();
      answering.drop();
    },
  };
}

/** Waits for what a callback does. Rejects as it does, with CANCELLED by the signal, or with DEADLINE when the time is over first. */
export async function within(work: unknown, { timeoutMs, signal }: Patience): Promise<void> {
  const over = new AbortController();
  const isOver = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => { reject(new BquerydError("DEADLINE", `onPartial did not end within the ${Math.round(timeoutMs)} ms that were left; raise timeout`)); }, timeoutMs);
    const cancel = (): void => { reject(new BquerydError("CANCELLED", "the call was cancelled")); };
    signal?.addEventListener("abort", cancel, { once: true, signal: over.signal });
    over.signal.addEventListener("abort", () => { clearTimeout(timer); });
    if (signal?.aborted === true) cancel();
  });
  try {
    await Promise.race([work, isOver]);
  } finally {
    over.abort();
  }
}
