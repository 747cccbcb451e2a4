/** A mixed load for a long while: small questions, large ones, rows, errors and calls that are broken off, each with one right answer. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs, type Random } from "../../../lib/base/clock.js";
import { BquerydError } from "../../../lib/base/errors.js";
import type { Rpc } from "../../../lib/index.js";
import { askGroups, askRows, expectedGroups, numbers } from "../hostile/honest.js";
import { oneOf, whole } from "../random/draw.js";

/** What came of all calls. */
export interface LoadTally {
  /** By what they ended with: `right`, or the code of an error. */
  readonly outcomes: Record<string, number>;
  /** Of right answers to small questions; milliseconds. */
  readonly latenciesMs: number[];
  slowestMs: number;
  /** Wrong answers, errors that no fault explains, and calls that ended too late. */
  readonly misses: string[];
}

/** What a caller may be told while processes die: all of it is honest, and says to ask again. */
const honestCodes: readonly string[] = ["CONNECTION_LOST", "NO_CONTROLLER", "SHARD_UNAVAILABLE", "WORKER_LOST", "DEADLINE", "BUSY", "STALE"];
const callSeconds = 20;
const lateMs = 6_000;
/** Latencies kept, so that a soak of hours holds no more than one of minutes. */
const latenciesMax = 200_000;
/** What a caller does who was told that nobody is there. */
const pauseMs = 100;

/** A question, and what is wrong with what came of it. */
type Question = (rpc: Rpc, random: Random) => Promise<string | undefined>;

/** As often as they stand here. */
const questions: readonly (readonly [name: string, ask: Question])[] = [
  ["small", askSmall], ["small", askSmall], ["small", askSmall], ["small", askSmall], ["groups", askAll], ["groups", askAll], ["large", askLarge],
  ["rows", (rpc) => askRows(rpc, { timeout: callSeconds })], ["error", askWrong], ["cancel", askAndCancel], ["left", leaveRows],
];

/** Asks one drawn question after the other until the signal is aborted. */
export async function askMixed(rpc: Rpc, random: Random, tally: LoadTally, until: AbortSignal): Promise<void> {
  while (!until.aborted) {
    const [name, ask] = oneOf(random, questions);
    const startMs = monotonicMs();
    const outcome = await outcomeOf(name, () => ask(rpc, random), tally);
    const tookMs = monotonicMs() - startMs;
    tally.outcomes[outcome] = (tally.outcomes[outcome] ?? 0) + 1;
    tally.slowestMs = Math.max(tally.slowestMs, tookMs);
    if (outcome === "right" && name === "small" && tally.latenciesMs.length < latenciesMax) tally.latenciesMs.push(tookMs);
    if (tookMs > callSeconds * 1_000 + lateMs) tally.misses.push(`${name} took ${Math.round(tookMs)} ms of ${callSeconds} s`);
    if (outcome !== "right") await delay(pauseMs);
  }
}

async function outcomeOf(name: string, ask: () => Promise<string | undefined>, { misses }: LoadTally): Promise<string> {
  try {
    const problem = await ask();
    if (problem !== undefined) misses.push(`${name} gave a wrong answer: ${problem.slice(0, 500)}`);
    return problem === undefined ? "right" : "wrong";
  } catch (error) {
    const code = error instanceof BquerydError ? error.code : "no error of ours";
    if (!honestCodes.includes(code)) misses.push(`${name} ended with ${error instanceof Error ? String(error.stack) : String(error)}`);
    return code;
  }
}

async function askSmall(rpc: Rpc, random: Random): Promise<string | undefined> {
  const k = whole(random, 0, 9);
  const shard = whole(random, 0, numbers.shards - 1);
  const table = await rpc.groupby(`${numbers.name}-${shard}.bcolzs`, ["k"], [["v", "min"]], [["k", "==", k]], { cache: false, timeout: callSeconds });
  return differenceOf(table.rows(), [{ k, v: shard * numbers.rowsPerShard + k }]);
}

async function askAll(rpc: Rpc): Promise<string | undefined> {
  const groups = await askGroups(rpc, { timeout: callSeconds });
  return groups === expectedGroups() ? undefined : groups;
}

/** A group for every row. */
async function askLarge(rpc: Rpc): Promise<string | undefined> {
  const table = await rpc.groupby(numbers.name, ["v"], [["k", "sum"]], [], { cache: false, timeout: callSeconds });
  const rows = numbers.shards * numbers.rowsPerShard;
  if (table.numRows !== rows) return `${table.numRows} groups`;
  const [v, k] = [table.column("v"), table.column("k")];
  for (let row = 0; row < rows; row += 997) if (Number(v.get(row)) !== row || Number(k.get(row)) !== row % 10) return `group ${row} is ${String(v.get(row))}: ${String(k.get(row))}`;
  return undefined;
}

/** What is wrong is said to be wrong, whoever dies meanwhile. */
async function askWrong(rpc: Rpc, random: Random): Promise<string | undefined> {
  const [code, ask] = oneOf(random, [
    ["UNKNOWN_TABLE", () => rpc.groupby("no_numbers", ["k"], ["v"], [], { timeout: callSeconds })],
    ["UNKNOWN_COLUMN", () => rpc.groupby(numbers.name, ["nothing"], ["v"], [], { timeout: callSeconds })],
    ["BAD_QUERY", () => rpc.groupby(numbers.name, ["k"], [["v", "nonsense"]], [], { timeout: callSeconds })],
  ] as const);
  try {
    await ask();
  } catch (error) {
    if (error instanceof BquerydError && error.code === code) return undefined;
    throw error;
  }
  return `an answer in place of ${code}`;
}

async function askAndCancel(rpc: Rpc, random: Random): Promise<string | undefined> {
  const cancelling = new AbortController();
  const timer = setTimeout(() => { cancelling.abort(); }, whole(random, 0, 30));
  try {
    const groups = await askGroups(rpc, { timeout: callSeconds, signal: cancelling.signal });
    return groups === expectedGroups() ? undefined : groups;
  } catch (error) {
    if (error instanceof BquerydError && error.code === "CANCELLED") return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Takes a first table of rows and leaves. */
async function leaveRows(rpc: Rpc): Promise<string | undefined> {
  for await (const table of rpc.rows(numbers.name, ["v"], [], [], { timeout: callSeconds })) {
    const first = Number(table.column("v").values[0]);
    return first === 0 ? undefined : `the first row is ${first}`;
  }
  return "no rows";
}

function differenceOf(rows: unknown, expected: unknown): string | undefined {
  const text = JSON.stringify(rows);
  return text === JSON.stringify(expected) ? undefined : text;
}
