/** How fast calls are answered: what a client that finds the queue full is told of when to ask again. */
import { observe } from "./running-mean.js";
import type { ControllerState, Step } from "../state.js";

const waitMsMin = 100;
const waitMsMax = 10_000;
/** What a call takes as long as none has ended. */
const firstGapMs = 10;

/** Notes that a call is taken: time without any says nothing about the pace. */
export function noteTaken({ state, nowMs }: Step): void {
  if (state.calls.size === 0) state.pace.sinceMs = nowMs;
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
