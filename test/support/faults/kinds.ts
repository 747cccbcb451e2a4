/** The faults that a cluster is put through: what happens, until it is over, and what callers may be told of it. */
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../../../lib/base/clock.js";
import type { ErrorCode } from "../../../lib/base/errors.js";
import { startBqueryd } from "../../../misc/support/process.js";
import type { ChaosProxy, ProxyMode } from "../chaos-proxy.js";
import { oneOf, whole } from "../random/draw.js";
import { until } from "../until.js";
import type { StageRedis } from "./redis.js";
import { startReplayer } from "./replayer.js";
import type { Slot } from "./slot.js";
import type { ControllerSlot, Stage } from "./stage.js";

/** A sort of fault. */
export interface Fault {
  readonly name: string;
  /** Codes of calls that may fail by it. Calls for rows may fail with `rowCodes` besides: what was passed on cannot be taken back. */
  readonly codes: readonly ErrorCode[];
  readonly rowCodes: readonly ErrorCode[];
  /** How much later than their time calls may end, because who asked was stopped itself. */
  readonly lateMs?: number;
  /** Lets it happen, and be over. */
  strike(stage: Stage, random: Random): Promise<void>;
}

/** What a call may be told that was on its way through a controller, or a connection to one, that is no more, or comes back before its workers do. */
const lostController = { codes: ["CONNECTION_LOST", "NO_CONTROLLER", "SHARD_UNAVAILABLE"], rowCodes: ["STALE"] } as const;
/** The same of a way that swallows what is sent on it: nobody can know before the time is over. */
const lostWay = { codes: ["CONNECTION_LOST", "NO_CONTROLLER", "SHARD_UNAVAILABLE", "DEADLINE"], rowCodes: ["STALE"] } as const;
/** And of a controller that is left without workers, all of which come back. */
const lostWorkers = { codes: ["WORKER_LOST", "SHARD_UNAVAILABLE", "DEADLINE"], rowCodes: [] } as const;
const none = { codes: [], rowCodes: [] } as const;

/** Those of processes and connections. */
export const faults: readonly Fault[] = [
  { name: "worker killed", ...none, strike: (stage, random) => kill(oneOf(random, stage.workers), random) },
  { name: "worker stopped", ...none, strike: (stage, random) => stop(oneOf(random, stage.workers), random) },
  { name: "worker restarted", ...none, strike: (stage, random) => restart(oneOf(random, stage.workers)) },
  { name: "node killed", ...none, strike: killNode },
  { name: "controller killed", ...lostController, strike: (stage, random) => kill(oneOf(random, stage.controllers), random) },
  { name: "controller stopped", ...lostWay, strike: (stage, random) => stop(oneOf(random, stage.controllers), random) },
  { name: "controller restarted", ...lostController, strike: (stage, random) => restart(oneOf(random, stage.controllers)) },
  { name: "client killed", ...none, strike: killClient },
  { name: "client stopped", codes: ["CONNECTION_LOST", "NO_CONTROLLER", "DEADLINE"], rowCodes: ["STALE"], lateMs: 9_000, strike: stopClient },
  { name: "clients cut", ...lostController, strike: (stage, random) => cut(clientWay(stage, random)) },
  { name: "workers cut", ...lostWorkers, strike: (stage, random) => cut(workerWay(stage, random)) },
  { name: "clients refused", ...lostController, strike: (stage, random) => refuse(clientWay(stage, random)) },
  { name: "clients half-open", ...lostWay, strike: (stage, random) => spoil(clientWay(stage, random), oneOf(random, ["swallow-to", "swallow-from"]), random) },
  { name: "workers half-open", ...lostWorkers, strike: (stage, random) => spoil(workerWay(stage, random), oneOf(random, ["swallow-to", "swallow-from"]), random) },
  { name: "clients frozen", ...lostWay, strike: (stage, random) => spoil(clientWay(stage, random), "freeze", random) },
  { name: "workers slow", ...lostWorkers, strike: (stage, random) => slow(workerWay(stage, random), oneOf(random, ["delay", "trickle"]), random) },
  { name: "clients slow", ...lostWay, strike: (stage, random) => slow(clientWay(stage, random), oneOf(random, ["delay", "trickle"]), random) },
  { name: "messages repeated", ...none, strike: repeatMessages },
];

/** Those of a Redis server with the registry: nobody who asks may notice. */
export const redisFaults: readonly Fault[] = [
  { name: "Redis killed", ...none, strike: killRedis },
  { name: "Redis flushed", ...none, strike: flushRedis },
  { name: "Redis frozen", ...none, strike: freezeRedis },
];

function clientWay({ controllers }: Stage, random: Random): ChaosProxy {
  return oneOf(random, controllers).forClients;
}

function workerWay({ controllers }: Stage, random: Random): ChaosProxy {
  return oneOf(random, controllers).forWorkers;
}

async function kill(slot: Slot | ControllerSlot, random: Random): Promise<void> {
  slot.process.signal("SIGKILL");
  await slot.process.ended;
  await delay(whole(random, 0, 1_000));
  await slot.start();
}

/** Workers are on two nodes by turns, each of which has a copy of everything. */
async function killNode({ workers }: Stage, random: Random): Promise<void> {
  const node = whole(random, 0, 1);
  await Promise.all(workers.filter((_, k) => k % 2 === node).map((slot) => kill(slot, random)));
}

async function stop({ process }: Slot, random: Random): Promise<void> {
  process.signal("SIGSTOP");
  await delay(whole(random, 1_000, 8_000));
  process.signal("SIGCONT");
}

async function restart(slot: Slot): Promise<void> {
  slot.process.signal("SIGTERM");
  await slot.process.ended;
  await slot.start();
}

async function killClient({ clients }: Stage, random: Random): Promise<void> {
  const client = oneOf(random, clients);
  client.signal("SIGKILL");
  await client.restart();
}

async function stopClient({ clients }: Stage, random: Random): Promise<void> {
  const client = oneOf(random, clients);
  client.signal("SIGSTOP");
  await delay(whole(random, 1_000, 8_000));
  client.signal("SIGCONT");
}

async function cut(way: ChaosProxy): Promise<void> {
  for (let times = 0; times < 3; times++) {
    way.cut();
    await delay(500);
  }
}

async function refuse(way: ChaosProxy): Promise<void> {
  way.setRefusing(true);
  way.cut();
  await delay(3_000);
  way.setRefusing(false);
}

/** What was lost on the way is not made good: the connections are of no use any more when it is over. */
async function spoil(way: ChaosProxy, mode: ProxyMode, random: Random): Promise<void> {
  way.setMode(mode);
  await delay(whole(random, 1_000, 8_000));
  way.cut();
  way.setMode("pass");
}

async function slow(way: ChaosProxy, mode: ProxyMode, random: Random): Promise<void> {
  way.setMode(mode);
  await delay(whole(random, 1_000, 4_000));
  way.setMode("pass");
}

/** It comes back with nothing in it. */
async function killRedis(stage: Stage, random: Random): Promise<void> {
  const { server, untilBack } = redisOf(stage);
  await server.kill();
  await delay(whole(random, 0, 4_000));
  await server.start();
  await untilBack();
}

async function flushRedis(stage: Stage): Promise<void> {
  const { server, untilBack } = redisOf(stage);
  await server.ask("FLUSHALL");
  await untilBack();
}

async function freezeRedis(stage: Stage, random: Random): Promise<void> {
  const { server, untilBack } = redisOf(stage);
  server.freeze();
  await delay(whole(random, 1_000, 8_000));
  server.thaw();
  await untilBack();
}

function redisOf({ redis }: Stage): StageRedis {
  if (redis === undefined) throw new Error("the registry of this stage is in a folder");
  return redis;
}

/** One more worker, whose every message comes twice, and some much later. */
async function repeatMessages({ controllers, flags, dataDir }: Stage, random: Random): Promise<void> {
  const replayer = await startReplayer(oneOf(random, controllers).address, random);
  const worker = await startBqueryd(["worker", ...flags, `--controllers=${replayer.address}`, "--node=a", `--data-dir=${dataDir}`]);
  try {
    await until("its messages are repeated", () => replayer.repeated >= 20);
    await delay(whole(random, 1_000, 4_000));
  } finally {
    worker.signal("SIGTERM");
    await worker.ended;
    await replayer.close();
  }
}
