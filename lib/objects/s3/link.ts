/** One bucket and the client that asks it: where every request is tried again, and its last failure told. */
import { setTimeout as delay } from "node:timers/promises";
import type { S3 } from "@aws-sdk/client-s3";
import type { Buffers } from "../../base/buffers.js";
import type { Random } from "../../base/clock.js";
import { BquerydError } from "../../base/errors.js";
import { canPass, failureOf, readRefusal, type Doing, type Refusal } from "./refusal.js";
import type { S3Limits, S3Settings } from "./settings.js";

/** What the requests of a store share. */
export interface S3Link {
  readonly client: S3;
  readonly bucket: string;
  /** Before every key: empty, or ending in a slash. */
  readonly prefix: string;
  readonly place: string;
  readonly settings: S3Settings;
  readonly limits: S3Limits;
  readonly random: Random;
  /** For what is sent, each for the largest part there may be. */
  readonly buffers: Buffers;
}

/** How many attempts have failed of what one or several requests are to bring about. Updated in place. */
export interface Attempts {
  failed: number;
}

/** One request. */
export interface Request<T> {
  /** What it is to people: `read`. */
  readonly verb: string;
  /** The key without prefix; empty where none is meant. */
  readonly key: string;
  readonly signal: AbortSignal | undefined;
  /** Those of several requests together, where one alone is not what is to be done. */
  readonly attempts?: Attempts;
  send(options: { readonly abortSignal?: AbortSignal }): Promise<T>;
  /** What a refusal yields that is an answer too; `again` for one that need not last, undefined for all others. `attempt` counts from 0. */
  readonly understand?: (refusal: Refusal, attempt: number) => Promise<Understood<T>> | Understood<T>;
}

/** What says that another attempt may be answered, whatever the refusal was. */
export const again = Symbol("again");
type Understood<T> = T | typeof again | undefined;

/** Sends a request until it is answered, or cannot be. Throws the reason of its signal, or what `failureOf` makes of the last refusal. */
export async function ask<T>(link: S3Link, request: Request<T>): Promise<T> {
  const { signal, attempts = { failed: 0 } } = request;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await request.send(signal === undefined ? {} : { abortSignal: signal });
    } catch (cause) {
      signal?.throwIfAborted();
      const refusal = readRefusal(cause);
      const understood = await request.understand?.(refusal, attempts.failed);
      if (understood !== undefined && understood !== again) return understood;
      await pauseAfter(link, understood === again ? { ...refusal, status: undefined } : refusal, { attempts, signal, doing: { place: link.place, verb: request.verb, key: request.key } });
    }
  }
}

/** Counts a failure and pauses before another attempt, longer each time and by chance, so that many do not come back at once. Throws where there is to be none. */
export async function pauseAfter(link: S3Link, refusal: Refusal, { attempts, signal, doing }: { readonly attempts: Attempts; readonly signal: AbortSignal | undefined; readonly doing: Doing }): Promise<void> {
  const { attemptsMax, firstPauseMs, longestPauseMs } = link.limits;
  const failedBefore = attempts.failed++;
  if (!canPass(refusal) || attempts.failed >= attemptsMax) throw failureOf(refusal, doing);
  await delay(link.random() * Math.min(longestPauseMs, firstPauseMs * 2 ** failedBefore), undefined, { ...(signal === undefined ? {} : { signal }) }).catch(() => {});
  signal?.throwIfAborted();
}

/** The failure of an answer that cannot be right. */
export function strangeAnswer(link: S3Link, key: string, what: string): BquerydError {
  return new BquerydError("OBJECT_STORE", `${link.place} answers strangely${key === "" ? "" : ` about ${key}`}: ${what}; try again, and see that s3_endpoint is an S3 server`, {
    details: { place: link.place, key },
  });
}
