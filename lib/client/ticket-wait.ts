/** Waiting for a ticket: it is looked at again and again, at whichever controller answers, and goes on without its watcher. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "../base/clock.js";
import { BquerydError, errorCodes, toBquerydError } from "../base/errors.js";
import type { DownloadInfo } from "../wire/download-documents.js";

/** How a ticket is waited for. */
export interface WaitOptions {
  /** How the ticket is; undefined where there is none of that id. */
  look(timeoutMs: number): Promise<DownloadInfo | undefined>;
  /** Of the steady clock; Infinity where nobody has set an end. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  /** Is told of every look. */
  onLook(document: DownloadInfo): void;
}

/** One look may take this long, and looking may fail for so long, as while the only controller is started again. */
const [lookMsMax, troubleMsMax] = [10_000, 60_000];
/** A pause is so many times as long as the look before it, within these bounds: many slots take time to be read. */
const [pauseTimes, pauseMsMin, pauseMsMax] = [4, 200, 5_000];
/** From when on a ticket is in use, so long for nodes to make it CURRENT; a node that is away does it later. */
const settleMs = 5_000;
/** A ticket on which nothing has moved for so long has nobody left who would end it. */
const idleSecondsMax = 3_600;

/**
 * The last look at a ticket that is in use everywhere. Rejects with TICKET_FAILED and the reason when it failed, was
 * cancelled or is gone; DEADLINE, CANCELLED, and what keeps it from being looked at: then the ticket goes on.
 */
export async function waitForTicket(name: string, { look, deadlineMs, signal, onLook }: WaitOptions): Promise<DownloadInfo> {
  let committedMs: number | undefined;
  let troubleMs: number | undefined;
  let last: DownloadInfo | undefined;
  for (;;) {
    if (isAborted(signal)) throw stopped(name);
    const startMs = monotonicMs();
    const seen = await look(Math.max(1, Math.min(lookMsMax, deadlineMs - startMs))).then((document) => ({ document }), (cause: unknown) => ({ failure: toBquerydError(cause, "look at a ticket") }));
    const nowMs = monotonicMs();
    if ("failure" in seen) {
      if (isAborted(signal)) throw stopped(name);
      troubleMs ??= startMs;
      const canPass = errorCodes[seen.failure.code].retry !== "never" && nowMs - troubleMs < troubleMsMax;
      if (!canPass) throw unseen(name, seen.failure);
    } else {
      troubleMs = undefined;
      const document = last = requireGoing(name, seen.document);
      onLook(document);
      if (document.state === "done") return document;
      if (document.state === "committed") committedMs ??= nowMs;
      const isSettled = committedMs !== undefined && (nowMs - committedMs >= settleMs || nowMs >= deadlineMs);
      if (isSettled) return document;
      if (document.idle > idleSecondsMax) throw overdue(name, document, `nothing of it has moved for ${Math.round(document.idle)} s`);
    }
    if (nowMs >= deadlineMs) throw overdue(name, last, "its time is over");
    const pauseMs = Math.min(pauseMsMax, Math.max(pauseMsMin, pauseTimes * (nowMs - startMs)), Math.max(1, deadlineMs - nowMs));
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Throws TICKET_FAILED for a ticket that came to nothing. */
function requireGoing(name: string, document: DownloadInfo | undefined): DownloadInfo {
  const details = { ticket: name };
  if (document === undefined) throw new BquerydError("TICKET_FAILED", `the ticket ${name} is gone: it was deleted, or the registry has lost it; look at rpc.generations(), and ask again`, { details });
  if (document.state === "cancelled") throw new BquerydError("TICKET_FAILED", `the ticket ${name} was cancelled, and nothing has changed anywhere; ask again if that was not meant`, { details });
  if (document.state === "failed") throw new BquerydError("TICKET_FAILED", `the ticket ${name} failed, and nothing has changed anywhere: ${document.reason ?? "no reason is known"}; mend that and ask again`, { details: { ...details, reason: document.reason } });
  return document;
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function overdue(name: string, document: DownloadInfo | undefined, why: string): BquerydError {
  const far = document === undefined ? "" : ` (${document.done}/${document.slots})`;
  return new BquerydError("DEADLINE", `the ticket ${name} is not done${far}, and ${why}; it goes on, see rpc.downloads()`, { details: { ticket: name } });
}

function stopped(name: string): BquerydError {
  return new BquerydError("CANCELLED", `waiting was stopped; the ticket ${name} goes on: see rpc.downloads(), and rpc.delete_download('${name}') ends it`, { details: { ticket: name } });
}

function unseen(name: string, { code, message, details }: BquerydError): BquerydError {
  return new BquerydError(code, `${message}; the ticket ${name} goes on, see rpc.downloads()`, { details: { ...details, ticket: name } });
}
