/**
 * Whether what others have sent was read before they are called silent. Messages wait in one line for each connection, of
 * which a controller reads one after the other in turn: what came before a number of others were read has been read as well.
 */
import { monotonicMs } from "../../../base/clock.js";
import { createAlarm, type Alarm } from "../alarm.js";

/** What a controller knows when somebody's silence is over. */
export interface Heard {
  readonly nowMs: number;
  /** Messages that were read so far, of whatever kind. */
  readonly read: number;
  /** Those who are known to be connected. */
  readonly peers: number;
}

/** Judges one silence after the other. */
export interface Hearing {
  /** Whether to read on first, and ask again soon; for as long as a silence may be at most. */
  isBehind(heard: Heard): boolean;
  /** Nobody is silent. */
  reset(): void;
}

/** Messages of strangers that may be read in a turn. */
const strangersMessages = 256;
/** Without any message for so long there is none to be read. */
const quietMs = 20;

/** A hearing that is not behind for longer than that. */
export function createHearing(patienceMs: number): Hearing {
  let since: Heard | undefined;
  let latest: Heard | undefined;
  return {
    isBehind(heard) {
      since ??= heard;
      if (latest?.read !== heard.read) latest = heard;
      const hasReadAll = heard.read - since.read >= strangersMessages + 2 * heard.peers || heard.nowMs - latest.nowMs >= quietMs;
      if (!hasReadAll && heard.nowMs - since.nowMs < patienceMs) return true;
      [since, latest] = [undefined, undefined];
      return false;
    },
    reset() { [since, latest] = [undefined, undefined]; },
  };
}

/** An alarm that calls nobody silent before what came by then was read. */
export interface HearingAlarm extends Alarm {
  /** A message was read, of whatever kind. */
  noteRead(): void;
}

/** Whom the alarm of a controller is to be just to. */
export interface HearingOptions {
  readonly lateMsMax: number;
  /** After such a silence others count as lost. */
  readonly expiryMs: number;
  readonly peers: () => number;
  readonly others: () => readonly ReadonlyMap<string, { readonly lastHeardMs: number }>[];
}

/** How soon to look again whether what was sent has been read. */
const againMs = 10;

/** An alarm that calls `onDue`, a little later where somebody would be called silent of whom something may wait to be read. */
export function createHearingAlarm(onDue: () => void, { lateMsMax, expiryMs, peers, others }: HearingOptions): HearingAlarm {
  const hearing = createHearing(expiryMs);
  let read = 0;
  const alarm = createAlarm(() => {
    const nowMs = monotonicMs();
    const isSilent = others().some((each) => isAnySilent(each.values(), nowMs - expiryMs));
    if (!isSilent) hearing.reset();
    if (isSilent && hearing.isBehind({ nowMs, read, peers: peers() })) alarm.set(nowMs + againMs);
    else onDue();
  }, lateMsMax);
  return { ...alarm, noteRead() { read += 1; } };
}

/** Tells whether nothing was heard of somebody since a time. */
function isAnySilent(others: Iterable<{ readonly lastHeardMs: number }>, sinceMs: number): boolean {
  for (const { lastHeardMs } of others) if (lastHeardMs <= sinceMs) return true;
  return false;
}
