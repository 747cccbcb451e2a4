/** How fast calls are answered, which a client that finds the queue full is told of, and whether calls of several queues come. */
import { observe } from "./running-mean.js";
import type { ControllerState, Step } from "../state.js";

const waitMsMin = 100;
const waitMsMax = 10_000;
/** What a call takes as long as none has ended. */
const firstGapMs = 10;

/** So long after a call of another queue more of them are expected. */
const mixedMs = 100;

/** Notes that a call of a queue is taken: time without any says nothing about the pace. */
export function noteTaken({ state: { calls, pace }, nowMs }: Step, affinity: string): void {
  if (calls.size === 0) pace.sinceMs = nowMs;
  if (pace.affinity !== undefined && pace.affinity !== affinity) pace.mixedAtMs = nowMs;
  pace.affinity = affinity;
}

/** Tells whether calls of more than one queue come: what is given out is then to be over soon. */
export function isMixed({ state: { pace }, nowMs }: Step): boolean {
  return nowMs - pace.mixedAtMs < mixedMs;
}

/** Notes that a call has ended. */
export function noteEnd({ state: { pace }, nowMs }: Step): void {
  observe(pace.gapMs, nowMs - pace.sinceMs);
  pace.sinceMs = nowMs;
}

/** Milliseconds until the calls there are will have ended if they go on as they do; between 0.1 s and 10 s. */
export function estimateWaitMs({ calls, pace }: ControllerState): number {
  const waitMs = (pace.gapMs.value ?? firstGapMs) * calls.size;
  return Math.round(Math.min(Math.max(waitMs, waitMsMin), waitMsMax));
}
