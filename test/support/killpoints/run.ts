/** Distributions each of which meets a death at another operation: all there are, or as many as are drawn. */
import { seededRandom } from "../../../lib/base/clock.js";
import { killDuring, openKillStage, victims, type KillStage, type Victim } from "./kill.js";
import type { KillPoint } from "./killable.js";

/** What came of them. */
export interface KillPointsReport {
  readonly distributions: number;
  /** By what was killed: operations that a distribution without a death took, and how many of the deaths came to pass. */
  readonly points: Readonly<Record<string, { readonly operations: number; readonly killed: number }>>;
  readonly failure: string | undefined;
}

interface Case {
  readonly number: number;
  readonly victim: Victim;
  readonly point: KillPoint;
}

/** Waiting for leases and for what is cleaned up later: several at once. */
const lanes = 4;
/** Operations that come a little later than in the run that was counted. */
const spare = 5;

/** So many deaths, drawn; as many as there are and more: each once. `only` is the number of the one to run. Ends at the first miss. */
export async function killAtPoints(count: number, seed: number, only?: number): Promise<KillPointsReport> {
  const stage = await openKillStage();
  try {
    if (only !== undefined) return await runAll(stage, [caseOf(only)], new Map());
    const operations = new Map<Victim, number>();
    await inLanes([...victims], async (victim) => { operations.set(victim, (await killDuring(stage, victim)).operations); });
    const all = [...operations].flatMap(([victim, points]) => Array.from({ length: 2 * (points + spare) }, (_, half) => caseOf(numberOf(victim, { at: half >> 1, isDone: half % 2 === 1 }))));
    return await runAll(stage, draw(all, count, seed), operations);
  } finally {
    await stage.nodes.close();
  }
}

async function runAll(stage: KillStage, cases: readonly Case[], operations: ReadonlyMap<Victim, number>): Promise<KillPointsReport> {
  const killed = new Map<Victim, number>();
  let [failure, distributions]: [string | undefined, number] = [undefined, 0];
  await inLanes(cases, async ({ number, victim, point }) => {
    if (failure !== undefined) return;
    const { isKilled, miss } = await killDuring(stage, victim, point);
    distributions += 1;
    if (isKilled) killed.set(victim, (killed.get(victim) ?? 0) + 1);
    if (miss !== undefined) failure ??= `--only ${number}: ${victim} killed ${point.isDone ? "after" : "before"} its operation ${point.at}: ${miss}`;
  });
  const points = Object.fromEntries(victims.map((victim) => [victim, { operations: operations.get(victim) ?? 0, killed: killed.get(victim) ?? 0 }]));
  return { distributions, points, failure };
}

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  await Promise.all(Array.from({ length: lanes }, async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  }));
}

/** Of each victim in turn, so that a few are of each. */
function draw(all: readonly Case[], count: number, seed: number): Case[] {
  const random = seededRandom(seed);
  const shuffled = all.map((one) => ({ one, key: random() })).sort((a, b) => a.key - b.key).map(({ one }) => one);
  const ranks = new Map<Victim, number>();
  const ranked = shuffled.map((one) => {
    const rank = ranks.get(one.victim) ?? 0;
    ranks.set(one.victim, rank + 1);
    return { one, rank };
  });
  return ranked.sort((a, b) => a.rank - b.rank).slice(0, count).map(({ one }) => one);
}

function numberOf(victim: Victim, { at, isDone }: KillPoint): number {
  return (at * 2 + Number(isDone)) * victims.length + victims.indexOf(victim);
}

function caseOf(number: number): Case {
  const half = Math.floor(number / victims.length);
  return { number, victim: victims[number % victims.length]!, point: { at: half >> 1, isDone: half % 2 === 1 } };
}
