/**
 * `bqueryd up` under mixed load for minutes, one of its processes killed or stopped every few seconds: no answer is wrong, and
 * nothing leaks, of memory, descriptors, threads, temporary files or files of the registry.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs, seededRandom, type Random } from "../../../lib/base/clock.js";
import { loadConfig } from "../../../lib/base/config.js";
import { connectWith } from "../../../lib/client/connect.js";
import type { Rpc } from "../../../lib/index.js";
import { startBqueryd, type BquerydProcess } from "../../../misc/support/process.js";
import { writeNumbers } from "../hostile/honest.js";
import { ownLoopback } from "../own-loopback.js";
import { childrenOf, factsOf, type ProcessFacts } from "../process-facts.js";
import { oneOf, whole } from "../random/draw.js";
import { until } from "../until.js";
import { askMixed, type LoadTally } from "./load.js";

/** What a process of the cluster, or the largest of its sort, held after the warm-up and at the end. */
export interface ProcessReport {
  readonly name: string;
  readonly early: ProcessFacts | undefined;
  readonly late: ProcessFacts;
}

/** What came of it. */
export interface SoakReport {
  readonly minutes: number;
  readonly tally: LoadTally;
  readonly strikes: Readonly<Record<string, number>>;
  /** The supervisor and the clients' process live through all; the others are as old as their last death. */
  readonly processes: readonly ProcessReport[];
  readonly files: { readonly early: number; readonly late: number };
  readonly verdict: string | undefined;
}

interface Soak {
  readonly up: BquerydProcess;
  readonly folder: string;
  readonly rpcs: readonly Rpc[];
  readonly tally: LoadTally;
  readonly strikes: Record<string, number>;
}

const workers = 3;
const callers = 6;
/** Until then code is compiled, and what is kept for good is taken for the first time. */
const warmMs = 30_000;
const serveWithinMs = 60_000;
/** Deaths follow each other so fast at most: each one lets the supervisor wait longer. */
const pauseMs = { min: 3_000, max: 6_000 } as const;
const growthShareMax = 0.1;
const growthBytesMax = 20 * 2 ** 20;
/** Processes that were killed meanwhile are of different ages. */
const ageBytes = 64 * 2 ** 20;
/** Connections and files of work that comes and goes. */
const descriptorsSpare = 24;
const callSeconds = 20;

/** Soaks for so many minutes, of which the first half a minute warms up and the last seconds are calm. */
export async function soak({ minutes, seed }: { minutes: number; seed: number }): Promise<SoakReport> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-soak-"));
  try {
    await writeNumbers(join(folder, "data"));
    return await withUp(folder, (stage) => soakStage(stage, minutes, seededRandom(seed)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function withUp<T>(folder: string, use: (stage: Soak) => Promise<T>): Promise<T> {
  const up = await startBqueryd(["up", `--bind=${ownLoopback()}`, `--workers=${workers}`, `--data-dir=${join(folder, "data")}`, `--registry-dir=${join(folder, "registry")}`, "--heartbeat=0.5", "--expiry=3"]);
  const rpcs: Rpc[] = [];
  try {
    await until("the cluster is up", () => up.hasEnded || /ready:/.test(up.stdout()), serveWithinMs);
    for (let k = 0; k < 2; k++) rpcs.push(await connectWith(loadConfig({ flags: { registry_dir: join(folder, "registry"), timeout: `${callSeconds}`, answer_memory: "0" }, env: {}, machineFile: "/nonexistent" })));
    return await use({ up, folder, rpcs, tally: { outcomes: {}, latenciesMs: [], slowestMs: 0, misses: [] }, strikes: {} });
  } finally {
    await Promise.all(rpcs.map((rpc) => rpc.close()));
    up.signal("SIGTERM");
    await up.ended;
  }
}

async function soakStage(stage: Soak, minutes: number, random: Random): Promise<SoakReport> {
  const { rpcs, tally, strikes, up } = stage;
  const endMs = monotonicMs() + minutes * 60_000;
  const over = new AbortController();
  const load = Promise.all(Array.from({ length: callers }, (_, k) => askMixed(rpcs[k % rpcs.length]!, seededRandom(Math.floor(random() * 2 ** 32)), tally, over.signal)));
  let verdict: string | undefined;
  let early: ReadonlyMap<string, ProcessFacts> = new Map();
  let files = { early: 0, late: 0 };
  try {
    await strikeUntil(stage, monotonicMs() + warmMs, random);
    await untilCalm(stage);
    early = new Map(processesOf(stage).map(({ name, facts }) => [name, facts]));
    files.early = await countFiles(stage.folder);
    await strikeUntil(stage, endMs, random);
  } catch (error) {
    verdict = error instanceof Error ? error.stack ?? error.message : String(error);
  }
  over.abort();
  await load;
  verdict ??= tally.misses[0];
  if (up.hasEnded) return { minutes, tally, strikes, processes: [], files, verdict: verdict ?? `the supervisor has ended:\n${up.stderr().slice(-2_000)}` };
  await untilCalm(stage).catch((error: unknown) => { verdict ??= String(error); });
  files = { ...files, late: await countFiles(stage.folder) };
  const processes = processesOf(stage).map(({ name, facts }): ProcessReport => ({ name, early: early.get(name), late: facts }));
  verdict ??= findLeak(processes, files);
  return { minutes, tally, strikes, processes, files, verdict };
}

/** Kills or stops one process after the other, drawn from the seed, until the time is over. */
async function strikeUntil({ up, tally, strikes }: Soak, untilMs: number, random: Random): Promise<void> {
  while (monotonicMs() < untilMs && tally.misses.length === 0) {
    await delay(Math.min(whole(random, pauseMs.min, pauseMs.max), Math.max(0, untilMs - monotonicMs())));
    const victims = childrenOf(up.pid);
    if (victims.length === 0 || monotonicMs() >= untilMs) continue;
    const victim = oneOf(random, victims);
    // A controller that ends in order was told to by someone who wants all to end.
    const signal = oneOf(random, ["SIGKILL", "SIGKILL", "SIGSTOP", victim.role === "worker" ? "SIGTERM" : "SIGSTOP"] as const);
    const name = `${signal} ${victim.role}`;
    strikes[name] = (strikes[name] ?? 0) + 1;
    sendSignal(victim.pid, signal);
    if (signal !== "SIGSTOP") continue;
    await delay(whole(random, 500, 5_000));
    sendSignal(victim.pid, "SIGCONT");
  }
}

/** Nothing happens to a process that has just ended. */
function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Waits until all processes serve again and calls are answered. */
async function untilCalm({ rpcs, up }: Soak): Promise<void> {
  await until("every process serves again", async () => {
    if (up.hasEnded) throw new Error(`the supervisor has ended:\n${up.stderr()}`);
    try {
      const info = await rpcs[0]!.info({ timeout: 2 });
      return info.workers.filter(({ shards }) => shards > 0).length === workers;
    } catch {
      return false;
    }
  }, serveWithinMs);
}

function findLeak(processes: readonly ProcessReport[], files: SoakReport["files"]): string | undefined {
  for (const { name, early, late } of processes) {
    if (early === undefined) return `the ${name} was not there after the warm-up`;
    const spareBytes = name === "supervisor" || name === "clients" ? growthBytesMax : ageBytes;
    if (late.residentBytes > early.residentBytes * (1 + growthShareMax) + spareBytes) return `the ${name} held ${early.residentBytes} bytes after the warm-up and ${late.residentBytes} at the end: more than 10 % and ${spareBytes} bytes over`;
    if (late.descriptors > early.descriptors + descriptorsSpare) return `the ${name} had ${early.descriptors} descriptors open after the warm-up and ${late.descriptors} at the end`;
    if (late.threads > early.threads + 1) return `the ${name} had ${early.threads} threads after the warm-up and ${late.threads} at the end`;
  }
  return files.late > files.early ? `there were ${files.early} files of data, registry and temporary ones after the warm-up, and ${files.late} at the end` : undefined;
}

/** All processes, the largest of each sort: whoever was killed meanwhile is compared with one like it. */
function processesOf({ up }: Soak): { readonly name: string; readonly facts: ProcessFacts }[] {
  const found = new Map([["supervisor", factsOf(up.pid)], ["clients", factsOf(process.pid)]]);
  for (const { pid, role } of childrenOf(up.pid)) {
    const facts = factsOf(pid);
    const other = found.get(role) ?? facts;
    found.set(role, {
      residentBytes: Math.max(facts.residentBytes, other.residentBytes), descriptors: Math.max(facts.descriptors, other.descriptors), threads: Math.max(facts.threads, other.threads),
    });
  }
  return [...found].map(([name, facts]) => ({ name, facts }));
}

/** Files in the folder of the soak and all below it. */
async function countFiles(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}
