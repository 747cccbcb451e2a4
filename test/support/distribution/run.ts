/**
 * Versions distributed one after another to nodes that answer queries all the time, while processes are killed: every answer is
 * of one version, whole, and none goes back; every distribution comes to its end, and leaves nothing behind.
 */
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs, seededRandom, type Random } from "../../../lib/base/clock.js";
import { BquerydError, type ErrorCode } from "../../../lib/base/errors.js";
import type { Rpc } from "../../../lib/index.js";
import type { Slot } from "../faults/slot.js";
import { chance, oneOf, whole } from "../random/draw.js";
import { until } from "../until.js";
import { askOn, createLoad, quantile, writeVersion, type Load, type Version } from "../versions.js";
import { withDistribution, type DistributionStage } from "./stage.js";

/** What came of it. */
export interface DistributionReport {
  readonly registry: "Redis" | "folder";
  readonly bucket: "S3" | "directory";
  readonly distributions: number;
  readonly strikes: Readonly<Record<string, number>>;
  readonly answers: number;
  readonly refused: number;
  /** Of a distribution, from asking until every client had an answer of the new version. */
  readonly medianMs: number;
  readonly maxMs: number;
  readonly failure: string | undefined;
}

/** Whether processes are struck, and how many versions are distributed. */
export interface DistributionPlan {
  readonly count: number;
  readonly seed: number;
  readonly isStruck: boolean;
}

const clientCount = 3;
/** Bounds for a machine that is slow and does other things as well. */
const [waitSeconds, seenWithinMs, cleanWithinMs] = [240, 120_000, 120_000];
/** Strikes at one distribution: without an end to them a slow machine would come to none. */
const strikesMax = 10;
/** What a query may be told while the controllers it goes through are killed. */
const allowed: readonly ErrorCode[] = ["CONNECTION_LOST", "NO_CONTROLLER", "SHARD_UNAVAILABLE", "STALE", "WORKER_LOST"];
/** What asking for a distribution may be told then: whoever was told so asks again. */
const again: readonly ErrorCode[] = ["CONNECTION_LOST", "NO_CONTROLLER", "REGISTRY_UNAVAILABLE", "DEADLINE", "SHARD_UNAVAILABLE", "NOT_FOUND"];

interface Run {
  readonly stage: DistributionStage;
  readonly plan: DistributionPlan;
  readonly random: Random;
  readonly load: Load;
  readonly strikes: Record<string, number>;
  readonly tookMs: number[];
}

/** Distributes so many versions; an odd seed is over Redis, and every other pair of seeds over S3. Ends at the first miss. */
export async function distributeUnderLoad(plan: DistributionPlan): Promise<DistributionReport> {
  const [isOverRedis, isOverS3] = [plan.seed % 2 === 1, plan.seed % 4 >= 2];
  const load = createLoad(clientCount);
  const strikes: Record<string, number> = {};
  const tookMs: number[] = [];
  await withDistribution({ isOverRedis, isOverS3 }, async (stage) => {
    const run = { stage, plan, random: seededRandom(plan.seed), load, strikes, tookMs };
    const clients: Promise<void>[] = [];
    try {
      await distributeAll(run, clients);
    } catch (error) {
      load.misses.push(`${error instanceof Error ? error.message : String(error)}`);
    }
    load.isOver = true;
    await Promise.all(clients);
    if (load.misses.length > 0) load.misses[0] += `\n${stage.logs()}`;
  });
  return {
    registry: isOverRedis ? "Redis" : "folder", bucket: isOverS3 ? "S3" : "directory", distributions: tookMs.length, strikes,
    answers: load.answerMs.length - load.refused, refused: load.refused, medianMs: quantile(tookMs, 0.5), maxMs: quantile(tookMs, 1), failure: load.misses[0],
  };
}

async function distributeAll(run: Run, clients: Promise<void>[]): Promise<void> {
  const { stage, plan, load, random, tookMs } = run;
  const rpc = await stage.connect();
  let before: Version | undefined;
  for (let number = 0; number <= plan.count && load.misses.length === 0; number++) {
    const next = await writeVersion(join(stage.folder, "versions"), number);
    const startMs = monotonicMs();
    const over = new AbortController();
    // The first one is what there is before anybody asks.
    const striking = plan.isStruck && number > 0 ? strikeOn(run, over.signal) : Promise.resolve();
    await Promise.all([distribute(rpc, stage.bucket, next).finally(() => { over.abort(); }), striking]);
    if (number === 0) {
      for (let index = 0; index < clientCount; index++) clients.push(askOn(await stage.connect(), index, load, plan.isStruck ? allowed : []));
    }
    await until(`every client has an answer of version ${number}`, () => load.misses.length > 0 || load.seen.every((version) => version === number), seenWithinMs);
    tookMs.push(monotonicMs() - startMs);
    if (plan.isStruck) await stage.untilWhole();
    await untilClean(stage, next);
    if (before !== undefined) await rm(before.folder, { recursive: true });
    before = next;
    if (chance(random, 0.3)) await delay(whole(random, 0, 300));
  }
}

/** Until one has gone through: a controller that was killed meanwhile cannot say whether it did. */
async function distribute(rpc: Rpc, bucket: string, { folder, generations }: Version): Promise<void> {
  const paths = [...generations.keys()].map((table) => join(folder, table));
  const untilMs = monotonicMs() + 1_000 * waitSeconds;
  for (;;) {
    try {
      await rpc.distribute(paths, bucket, { wait: true, timeout: waitSeconds });
      return;
    } catch (error) {
      // All movers or downloaders were killed just then, or Redis with the ticket in it; one that was tried and failed has a reason.
      const isRefused = error instanceof BquerydError && error.code === "TICKET_FAILED" && error.details["reason"] === undefined;
      if (!(error instanceof BquerydError) || !(isRefused || again.includes(error.code)) || monotonicMs() > untilMs) throw error;
      await delay(100);
    }
  }
}

/** One strike after another until the distribution is over, or so many as were drawn. */
async function strikeOn(run: Run, signal: AbortSignal): Promise<void> {
  const { stage, random, strikes } = run;
  const kinds: { readonly name: string; readonly slots: readonly Slot[] }[] = [
    { name: "downloader killed", slots: stage.downloaders }, { name: "mover killed", slots: stage.movers }, { name: "downloader stopped", slots: stage.downloaders },
    { name: "mover stopped", slots: stage.movers }, { name: "downloader restarted", slots: stage.downloaders }, { name: "mover restarted", slots: stage.movers },
    { name: "controller killed", slots: stage.controllers }, { name: "worker killed", slots: stage.workers }, { name: "Redis killed", slots: [] },
  ];
  for (let left = whole(random, 1, strikesMax); left > 0 && !signal.aborted; left--) {
    await delay(whole(random, 0, 400));
    const { name, slots } = oneOf(random, kinds);
    if (name === "Redis killed" && stage.redis === undefined) continue;
    strikes[name] = (strikes[name] ?? 0) + 1;
    if (name === "Redis killed") await killRedis(stage, random);
    else await strike(oneOf(random, slots), name.split(" ")[1]!, random);
  }
}

async function strike(slot: Slot, how: string, random: Random): Promise<void> {
  if (how === "stopped") {
    slot.process.signal("SIGSTOP");
    await delay(whole(random, 100, 5_000));
    slot.process.signal("SIGCONT");
    return;
  }
  slot.process.signal(how === "killed" ? "SIGKILL" : "SIGTERM");
  await slot.process.ended;
  await delay(whole(random, 0, 300));
  await slot.start();
}

/** It comes back with nothing in it: pointers are put back by who knows them, a ticket is asked for again. */
async function killRedis({ redis }: DistributionStage, random: Random): Promise<void> {
  await redis!.kill();
  await delay(whole(random, 0, 1_000));
  await redis!.start();
}

/** Nothing is left of a distribution but tables: no stage, no mark, and the new version is CURRENT everywhere. */
async function untilClean({ nodes }: DistributionStage, { generations }: Version): Promise<void> {
  let left = "";
  await until("nothing is left of a distribution", async () => {
    left = "";
    for (const [node, directory] of nodes) left ||= await findLeft(node, directory, generations);
    return left === "";
  }, cleanWithinMs).catch((cause: unknown) => { throw new Error(`a distribution left something: ${left}; ${String(cause)}`, { cause }); });
}

async function findLeft(node: string, directory: string, generations: ReadonlyMap<string, string>): Promise<string> {
  const incoming = join(directory, ".bqueryd-incoming");
  // The mover's own lock stays as long as it is at work.
  // What is removed while it is being listed is as good as there: the next look tells.
  const found = existsSync(incoming) ? await readdir(incoming, { recursive: true }).catch((): string[] => ["what is just removed"]) : [];
  const stages = found.filter((name) => name !== "LOCK");
  if (stages.length > 0) return `${stages[0]} on ${node}`;
  for (const [table, generation] of generations) {
    const names = await readdir(join(directory, table)).catch((): string[] => []);
    if (!names.includes(`${generation}.json`)) return `${table} on ${node} lacks ${generation}`;
    const odd = names.find((name) => name === "PREPARED" || name.endsWith(".tmp") || name.endsWith(".part"));
    if (odd !== undefined) return `${odd} of ${table} on ${node}`;
  }
  return "";
}
