/** How many calls a controller answered how, and how long they took: numbers that are read when somebody asks for metrics. */
import type { ClientMessage, ClientReply } from "../../../wire/messages.js";
import { timeBucketsMs } from "../../metrics/families.js";

/** How often calls of one verb took how long. */
export interface CallTimes {
  /** Of each bucket of `timeBucketsMs`, and last of what took longer. */
  readonly counts: number[];
  sumMs: number;
}

/** Calls that have ended, and the times of those that have not. Updated in place. */
export interface CallCounts {
  /** By verb, then by outcome: `ok`, the code of an error, or `gone` for calls whose client went away. */
  readonly ended: Map<string, Map<string, number>>;
  readonly times: Map<string, CallTimes>;
  /** Tasks of answered calls that were given to another worker. */
  retries: number;
  /** By client, then by the id the client gave. */
  readonly open: Map<string, Map<string, OpenCall>>;
}

interface OpenCall {
  readonly verb: string;
  readonly startMs: number;
}

type Answer = ClientReply & { type: "result" | "error" };

/** Counts of nothing yet. */
export function createCallCounts(): CallCounts {
  return { ended: new Map(), times: new Map(), retries: 0, open: new Map() };
}

/** A call has come at `nowMs`; one that is repeated counts once. */
export function countCall(counts: CallCounts, clientId: string, { id, verb }: Pick<ClientMessage & { type: "call" }, "id" | "verb">, nowMs: number): void {
  const calls = counts.open.get(clientId);
  if (calls === undefined) counts.open.set(clientId, new Map([[id, { verb, startMs: nowMs }]]));
  else if (!calls.has(id)) calls.set(id, { verb, startMs: nowMs });
}

/** A call has had its one final answer at `nowMs`. */
export function countAnswer(counts: CallCounts, clientId: string, answer: Answer, nowMs: number): void {
  const calls = counts.open.get(clientId);
  const call = calls?.get(answer.id);
  if (calls === undefined || call === undefined) return;
  calls.delete(answer.id);
  if (calls.size === 0) counts.open.delete(clientId);
  if (answer.type === "result") counts.retries += answer.retries;
  countEnd(counts, call, answer.type === "result" ? "ok" : answer.code, nowMs);
}

/** A client is gone, and with it the calls it had. */
export function countClientLost(counts: CallCounts, clientId: string, nowMs: number): void {
  for (const call of counts.open.get(clientId)?.values() ?? []) countEnd(counts, call, "gone", nowMs);
  counts.open.delete(clientId);
}

/** All calls that have ended, and those among them that failed or that nobody waited for. */
export function sumCalls({ ended }: CallCounts): { readonly calls: number; readonly failures: number } {
  const sums = [...ended.values()].flatMap((outcomes) => [...outcomes]);
  const all = sums.reduce((sum, [, count]) => sum + count, 0);
  return { calls: all, failures: all - sums.reduce((sum, [outcome, count]) => sum + (outcome === "ok" ? count : 0), 0) };
}

function countEnd(counts: CallCounts, { verb, startMs }: OpenCall, outcome: string, nowMs: number): void {
  const outcomes = counts.ended.get(verb) ?? new Map<string, number>();
  counts.ended.set(verb, outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1));
  const times = counts.times.get(verb) ?? { counts: new Array<number>(timeBucketsMs.length + 1).fill(0), sumMs: 0 };
  counts.times.set(verb, times);
  const bucket = timeBucketsMs.findIndex((endMs) => nowMs - startMs <= endMs);
  times.counts[bucket === -1 ? timeBucketsMs.length : bucket]! += 1;
  times.sumMs += nowMs - startMs;
}
