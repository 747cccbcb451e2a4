/** A cluster under a rain of malformed messages from all sides, while an honest client asks and has to get right answers. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs, seededRandom, type Random } from "../../../lib/base/clock.js";
import { flagOf, loadConfig } from "../../../lib/base/config.js";
import { connectWith } from "../../../lib/client/connect.js";
import type { Rpc } from "../../../lib/index.js";
import { startBqueryd, type BquerydProcess } from "../../../misc/support/process.js";
import { collectingEnv, heldBy, type HeldMemory } from "../collected.js";
import { factsOf, type ProcessFacts } from "../process-facts.js";
import { until } from "../until.js";
import { askInDanger, type VictimTally } from "./client.js";
import { attackController, type AttackTally } from "./connection.js";
import { startHostileController, type HostileController } from "./controller.js";
import { askSteadily, numbers, writeNumbers, type HonestTally } from "./honest.js";
import { writeHostileKeys, type HostileKeys } from "./keys.js";

/** What came of it. */
export interface MalformedReport {
  readonly sent: number;
  readonly connections: number;
  readonly bySort: Readonly<Record<string, number>>;
  /** Connections, first messages and calls that the controller refused: none without keys. */
  readonly refused: number;
  /** The honest client. */
  readonly answers: number;
  readonly slowestMs: number;
  /** Calls to the hostile controller, by what they ended with. */
  readonly victimCalls: Readonly<Record<string, number>>;
  /** Of controller and worker, at the most in the warm-up and in a quiet moment after it. */
  readonly processes: Readonly<Record<string, { readonly before: Holding; readonly after: Holding; readonly logCharacters: number }>>;
  readonly seconds: number;
  readonly failure: string | undefined;
}

/** What a process holds. */
type Holding = Pick<ProcessFacts, "descriptors" | "threads"> & HeldMemory;

/** What stands for the length of an attack. */
interface Stage {
  readonly folder: string;
  readonly rpc: Rpc;
  readonly controller: BquerydProcess;
  readonly worker: BquerydProcess;
  readonly address: string;
  /** To which the worker, too, and the victim alone, are connected. */
  readonly ofWorker: HostileController;
  readonly ofClient: HostileController;
  /** Where the cluster takes known keys alone. */
  readonly keys: HostileKeys | undefined;
}

/** What the two processes under attack hold. */
interface Held {
  readonly controller: Holding;
  readonly worker: Holding;
}

const honestWorkers = 2;
const messageBytesMax = 8 * 2 ** 20;
/** The first part of an attack warms up: code is compiled, and memory is taken that is kept. */
const warmShare = 0.6;
/** Where memory was freed in pieces it is not given back at once: the most of so many quiet moments is what it came to in the warm-up. */
const warmMoments = 3;
/** What is over it by the end may be high by chance as well: what leaks is over it after that many more messages again, and again. */
const momentsMax = 4;
/** Of what a process has of the machine, and of what JavaScript keeps, which hardly changes where nothing leaks. */
const growthMost = { residentBytes: { share: 0.1, bytes: 20 * 2 ** 20 }, keptBytes: { share: 0.02, bytes: 2 * 2 ** 20 } };
const descriptorsMax = 8;
/** What may be logged in a minute, whatever comes. */
const logCharactersPerMinute = 1_500_000;
const calmMs = 2_000;
/** A client that has left without a word is missed so late. */
const forgottenWithinMs = 60_000;

/**
 * Sends so many messages to a cluster with or without keys, and watches what they do. Few of them are not enough to warm up,
 * so memory is not compared then.
 */
export async function sendMalformed({ count, seed, withKeys, isWarm = true }: { count: number; seed: number; withKeys: boolean; isWarm?: boolean }): Promise<MalformedReport> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-malformed-"));
  try {
    await writeNumbers(join(folder, "data"));
    return await withStage(folder, withKeys ? writeHostileKeys(folder) : undefined, (stage) => attackStage(stage, { count, isWarm }, seededRandom(seed)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function withStage(folder: string, keys: HostileKeys | undefined, use: (stage: Stage) => Promise<MalformedReport>): Promise<MalformedReport> {
  const withKeys = keys !== undefined;
  const [ofWorker, ofClient] = await Promise.all([startHostileController("worker", { withKeys }), startHostileController("client", { withKeys })]);
  const flags = [`--registry-dir=${join(folder, "registry")}`, `--data-dir=${join(folder, "data")}`, `--message-bytes-max=${messageBytesMax}`];
  const env = collectingEnv(folder);
  const processes: BquerydProcess[] = [];
  let rpc: Rpc | undefined;
  try {
    const controller = await startBqueryd(["controller", ...flags, ...flagsOf(keys?.controllerFlags)], { env });
    processes.push(controller);
    const address = await addressOf(controller);
    const worker = await startBqueryd(["worker", ...flags, ...flagsOf(keys?.workerFlags), `--controllers=${address},${ofWorker.address}`], { env });
    processes.push(worker);
    // Its neighbour, which no hostile controller can keep busy, serves the honest client while that one is at its worst.
    processes.push(await startBqueryd(["worker", ...flags, ...flagsOf(keys?.workerFlags), `--controllers=${address}`]));
    const asking = await connectWith(loadConfig({ flags: { controllers: address, answer_memory: "0", timeout: "60", ...keys?.clientFlags }, env: {}, machineFile: "/nonexistent" }));
    rpc = asking;
    await until("the workers serve", async () => (await asking.info()).workers.filter(({ shards }) => shards === numbers.shards).length === honestWorkers);
    return await use({ folder, rpc: asking, controller, worker, address, ofWorker, ofClient, keys });
  } finally {
    await rpc?.close();
    for (const running of processes) running.signal("SIGTERM");
    await Promise.all(processes.map(({ ended }) => ended));
    await Promise.all([ofWorker.close(), ofClient.close()]);
  }
}

function flagsOf(texts: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(texts).map(([name, text]) => `${flagOf(name)}=${text}`);
}

/** The address that a controller says it listens on. */
async function addressOf(controller: BquerydProcess): Promise<string> {
  const find = (): string | undefined => /"address":"(tcp:[^"]+)"/.exec(controller.stderr())?.[1];
  await until("the controller serves", () => find() !== undefined);
  return find()!;
}

async function attackStage(stage: Stage, { count, isWarm }: { count: number; isWarm: boolean }, random: Random): Promise<MalformedReport> {
  const startMs = monotonicMs();
  const over = new AbortController();
  const honest: HonestTally = { answers: 0, slowestMs: 0, misses: [] };
  const tally: AttackTally = { sent: 0, connections: 0, bySort: new Map() };
  const asking = askSteadily(stage.rpc, honest, { everyMs: 20, until: over.signal, told: () => toldOfWorkers(stage) });
  const victim = askInDanger({ controllers: stage.ofClient.address, message_bytes_max: `${messageBytesMax}`, ...stage.keys?.clientFlags }, over.signal);
  const report = { victimCalls: {} as Record<string, number>, processes: {} as MalformedReport["processes"], refused: 0, failure: undefined as string | undefined };
  try {
    const before = await warmUp(stage, { count: Math.ceil(count * warmShare), isWarm }, random, { honest, tally });
    const { controller, worker } = stage;
    for (let moment = 0; moment < momentsMax; moment++) {
      await attackAll(stage, Math.floor(count * (1 - warmShare)), random, tally);
      const after = await calm(stage, honest, isWarm ? calmMs : 0);
      report.processes = {
        controller: { before: before.controller, after: after.controller, logCharacters: controller.stderrCharacters() },
        worker: { before: before.worker, after: after.worker, logCharacters: worker.stderrCharacters() },
      };
      report.failure = findGrowth(report.processes, (monotonicMs() - startMs) / 60_000, isWarm);
      if (report.failure === undefined) break;
    }
    report.refused = (await stage.rpc.info()).refused;
  } catch (error) {
    report.failure = `${error instanceof Error ? error.stack : String(error)}\n${stage.controller.stderr().slice(-2_000)}\n${stage.worker.stderr().slice(-2_000)}`;
  } finally {
    over.abort();
    await asking;
    report.failure ??= honest.misses[0] ?? missOf(await victim);
    report.victimCalls = Object.fromEntries((await victim).outcomes);
  }
  return {
    sent: tally.sent, connections: tally.connections, bySort: Object.fromEntries(tally.bySort), answers: honest.answers, slowestMs: Math.round(honest.slowestMs),
    seconds: Math.round((monotonicMs() - startMs) / 1_000), ...report,
  };
}

/** The most that the processes hold in the quiet moments of a warm-up; of one that is too short to be one, in its last. */
async function warmUp(stage: Stage, { count, isWarm }: { count: number; isWarm: boolean }, random: Random, { honest, tally }: { honest: HonestTally; tally: AttackTally }): Promise<Held> {
  const moments = isWarm ? warmMoments : 1;
  let most: Held | undefined;
  for (let k = 0; k < moments; k++) {
    await attackAll(stage, Math.ceil(count / moments), random, tally);
    const held = await calm(stage, honest, isWarm ? calmMs : 0);
    most = most === undefined ? held : { controller: combine(Math.max, most.controller, held.controller), worker: combine(Math.max, most.worker, held.worker) };
  }
  return most!;
}

/** The last that controller and worker told of workers that came and went. */
function toldOfWorkers({ controller, worker }: Stage): string {
  return [controller, worker].map(({ stderr }) => stderr().split("\n").filter((line) => !line.includes('"event":"peer.')).slice(-20).join("\n")).join("\n---\n");
}

function missOf({ misses }: VictimTally): string | undefined {
  return misses[0];
}

/** From all sides at once; every side has a source of chance of its own, so that a seed draws the same whoever is quicker. */
async function attackAll({ address, ofWorker, ofClient, keys }: Stage, count: number, random: Random, tally: AttackTally): Promise<void> {
  const sides = [
    { share: 0.7, attack: (options: Parameters<HostileController["attack"]>[0]) => attackController(address, options) },
    { share: 0.2, attack: (options: Parameters<HostileController["attack"]>[0]) => ofWorker.attack(options) },
    { share: 0.1, attack: (options: Parameters<HostileController["attack"]>[0]) => ofClient.attack(options) },
  ];
  const tallies = await Promise.all(sides.map(async ({ share, attack }) => {
    const own: AttackTally = { sent: 0, connections: 0, bySort: tally.bySort };
    await attack({ random: seededRandom(Math.floor(random() * 2 ** 32)), tally: own, count: Math.ceil(count * share), frameBytesMax: messageBytesMax, keys });
    return own;
  }));
  for (const { sent, connections } of tallies) Object.assign(tally, { sent: tally.sent + sent, connections: tally.connections + connections });
}

/** What the processes hold when nobody but the honest client is left, at the least over a while; throws where one has ended. */
async function calm({ rpc, controller, worker, folder }: Stage, honest: HonestTally, forMs: number): Promise<Held> {
  for (const running of [controller, worker]) if (running.hasEnded) throw new Error(`a process has ended:\n${running.stderr()}`);
  await until("the hostile are forgotten, and nothing is left of their calls", async () => {
    const { clients, workers, calls } = await rpc.info();
    return clients === 1 && workers.length === honestWorkers && calls <= 1;
  }, forgottenWithinMs);
  const answered = honest.answers;
  await until("the honest client is served", () => honest.answers > answered + 10);
  const look = async (running: BquerydProcess): Promise<Holding> => ({ ...factsOf(running.pid), ...await heldBy(running, folder) });
  let least: Held = { controller: await look(controller), worker: await look(worker) };
  for (const endMs = monotonicMs() + forMs; monotonicMs() < endMs;) {
    await delay(200);
    least = { controller: combine(Math.min, least.controller, await look(controller)), worker: combine(Math.min, least.worker, await look(worker)) };
  }
  return least;
}

function combine(choose: (a: number, b: number) => number, a: Holding, b: Holding): Holding {
  return {
    residentBytes: choose(a.residentBytes, b.residentBytes), keptBytes: choose(a.keptBytes, b.keptBytes),
    descriptors: choose(a.descriptors, b.descriptors), threads: choose(a.threads, b.threads),
  };
}

function findGrowth(processes: MalformedReport["processes"], minutes: number, isWarm: boolean): string | undefined {
  for (const [name, { before, after, logCharacters }] of Object.entries(processes)) {
    for (const measure of ["residentBytes", "keptBytes"] as const) {
      const { share, bytes } = growthMost[measure];
      if (isWarm && after[measure] > before[measure] * (1 + share) + bytes) return `${measure} of the ${name}: ${before[measure]} after the warm-up and ${after[measure]} at the end, more than ${share * 100} % and ${bytes} bytes over`;
    }
    if (after.descriptors > before.descriptors + descriptorsMax) return `the ${name} had ${before.descriptors} descriptors open after the warm-up and ${after.descriptors} at the end`;
    if (after.threads > before.threads) return `the ${name} had ${before.threads} threads after the warm-up and ${after.threads} at the end`;
    if (logCharacters > Math.ceil(minutes) * logCharactersPerMinute) return `the ${name} logged ${logCharacters} characters in ${Math.round(minutes * 10) / 10} minutes`;
  }
  return undefined;
}
