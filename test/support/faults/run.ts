/** A cluster under load, and one fault after another: no answer may be wrong, none may be lost, and nothing may stay broken. */
import { monotonicMs, seededRandom, type Random } from "../../../lib/base/clock.js";
import { oneOf } from "../random/draw.js";
import { until } from "../until.js";
import { faults, redisFaults, type Fault } from "./kinds.js";
import type { CallOutcome } from "./load-program.js";
import { callSeconds, withStage, type Stage } from "./stage.js";

/** What came of the faults of one sort. */
export interface KindReport {
  faults: number;
  /** Calls that ended from the fault on until the cluster was whole again, by what they ended with. */
  readonly outcomes: Record<string, number>;
  slowestMs: number;
  /** From the end of the fault until every process knew every other one. */
  wholeAgainMs: number;
}

/** What came of it all. */
export interface FaultsReport {
  readonly registry: "Redis" | "folder";
  readonly faults: number;
  readonly answers: number;
  readonly kinds: Readonly<Record<string, KindReport>>;
  readonly misses: readonly string[];
}

const wholeWithinMs = 45_000;
const idleWithinMs = 45_000;
const servedWithinMs = 60_000;
/** How much later than its time a call may end: a grace of the client, and a machine that is busy. */
const lateMs = 5_000;
/** Answers after a fault before the next one. */
const answersBetween = 10;
/** Calls that were asked during a fault may end with it after it is over. */
const echoMs = 1_000 * callSeconds + lateMs;

interface Watch {
  readonly kinds: Record<string, KindReport>;
  readonly misses: string[];
  answers: number;
  /** The faults whose calls may still be under way, the latest last. */
  current: { readonly fault: Fault; readonly report: KindReport; overMs: number }[];
}

/**
 * Lets `count` faults happen, of every sort in turn, in an order drawn from the seed. The registry of an odd seed is in a
 * Redis server, which fails as well.
 */
export async function strikeUnderLoad({ count, seed }: { count: number; seed: number }): Promise<FaultsReport> {
  const random = seededRandom(seed);
  const watch: Watch = { kinds: {}, misses: [], answers: 0, current: [] };
  const isOverRedis = seed % 2 === 1;
  let struck = 0;
  await withStage({ isOverRedis, onOutcome: (outcome) => { note(watch, outcome); } }, async (stage) => {
    try {
      await untilAnswered(watch);
      for (const fault of drawFaults(random, count, isOverRedis)) {
        struck += 1;
        await strikeOnce(stage, fault, watch, random);
        if (watch.misses.length > 0) return;
      }
      await stage.untilIdle(idleWithinMs);
    } catch (error) {
      watch.misses.push(error instanceof Error ? error.message : String(error));
    }
  });
  return { registry: isOverRedis ? "Redis" : "folder", faults: struck, answers: watch.answers, kinds: watch.kinds, misses: watch.misses };
}

/** Every sort once before any a second time. */
function drawFaults(random: Random, count: number, isOverRedis: boolean): Fault[] {
  const all = isOverRedis ? [...faults, ...redisFaults] : faults;
  const drawn: Fault[] = [];
  for (let left: Fault[] = []; drawn.length < count;) {
    if (left.length === 0) left = [...all];
    const fault = oneOf(random, left);
    left.splice(left.indexOf(fault), 1);
    drawn.push(fault);
  }
  return drawn;
}

async function strikeOnce(stage: Stage, fault: Fault, watch: Watch, random: Random): Promise<void> {
  const report = watch.kinds[fault.name] ??= { faults: 0, outcomes: {}, slowestMs: 0, wholeAgainMs: 0 };
  report.faults += 1;
  const current = { fault, report, overMs: Infinity };
  watch.current = [...watch.current.filter(({ overMs }) => monotonicMs() < overMs + echoMs), current];
  try {
    await fault.strike(stage, random);
    const endMs = monotonicMs();
    await stage.untilWhole(wholeWithinMs);
    report.wholeAgainMs = Math.max(report.wholeAgainMs, Math.round(monotonicMs() - endMs));
    await untilAnswered(watch);
  } catch (error) {
    throw new Error(`${fault.name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  current.overMs = monotonicMs();
}

async function untilAnswered(watch: Watch): Promise<void> {
  const answered = watch.answers;
  await until("calls are answered again", () => watch.answers >= answered + answersBetween, servedWithinMs);
}

function note(watch: Watch, { verb, outcome, message, tookMs }: CallOutcome): void {
  const latest = watch.current.at(-1);
  if (latest !== undefined) {
    latest.report.outcomes[outcome] = (latest.report.outcomes[outcome] ?? 0) + 1;
    latest.report.slowestMs = Math.max(latest.report.slowestMs, Math.round(tookMs));
  }
  if (outcome === "right") watch.answers += 1;
  const during = watch.current.map(({ fault }) => fault);
  const isAllowed = outcome === "right" || during.some(({ codes, rowCodes }) => [...codes, ...(verb === "rows" ? rowCodes : [])].some((code) => code === outcome));
  const names = during.map(({ name }) => name).join(", ");
  if (!isAllowed) watch.misses.push(`${verb} ended with ${outcome} (${message.slice(0, 500)}) after: ${names === "" ? "no fault" : names}`);
  const boundMs = 1_000 * callSeconds + lateMs + Math.max(0, ...during.map((fault) => fault.lateMs ?? 0));
  if (tookMs > boundMs) watch.misses.push(`${verb} took ${Math.round(tookMs)} ms of ${callSeconds} s after: ${names}`);
}
