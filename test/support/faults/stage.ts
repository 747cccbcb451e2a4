/**
 * A cluster in which one of everything may go wrong: two controllers, four workers over two copies of the data on two nodes,
 * two clients, and proxies on every way between them.
 */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../../lib/base/config.js";
import { connectWith } from "../../../lib/client/connect.js";
import type { Rpc } from "../../../lib/index.js";
import { startBqueryd } from "../../../misc/support/process.js";
import { startChaosProxy, type ChaosProxy } from "../chaos-proxy.js";
import { numbers, writeNumbers } from "../hostile/honest.js";
import { ownLoopback } from "../own-loopback.js";
import { until } from "../until.js";
import { startLoad, type LoadClient } from "./load.js";
import type { CallOutcome } from "./load-program.js";
import { startStageRedis, type StageRedis } from "./redis.js";
import { endSlot, slotOf, startSlot, type Slot } from "./slot.js";

/** A controller, with the proxies through which workers and clients reach it. */
export interface ControllerSlot extends Slot {
  readonly address: string;
  readonly forWorkers: ChaosProxy;
  readonly forClients: ChaosProxy;
  /** A client that reaches it without a proxy, and nobody else. */
  readonly monitor: Rpc;
}

/** The whole cluster. */
export interface Stage {
  readonly controllers: readonly ControllerSlot[];
  readonly workers: readonly Slot[];
  readonly clients: readonly LoadClient[];
  /** The flags of every process, and the first copy of the data. */
  readonly flags: readonly string[];
  readonly dataDir: string;
  /** Where the registry is; undefined for a folder. */
  readonly redis: StageRedis | undefined;
  /** Waits until every process is known to every controller; throws what is lacking. */
  untilWhole(withinMs: number): Promise<void>;
  /** Ends the load, waits until nothing is left of it, and throws what is. */
  untilIdle(withinMs: number): Promise<void>;
}

/** Seconds that a call of the load may take. */
export const callSeconds = 10;
const startsWithinMs = 60_000;
const nodes = ["a", "b"] as const;

/** How a stage is set up, and who is told of the calls on it. */
export interface StageOptions {
  /** Whether its registry is in a Redis server, and not in a folder. */
  readonly isOverRedis: boolean;
  readonly onOutcome: (outcome: CallOutcome) => void;
}

/** Calls `use` with a running stage, and ends all of it in any case. */
export async function withStage<T>(options: StageOptions, use: (stage: Stage) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-faults-"));
  const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    return await use(await startStage(folder, options, closing));
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

async function startStage(folder: string, { isOverRedis, onOutcome }: StageOptions, closing: (() => Promise<unknown>)[]): Promise<Stage> {
  const [dataDir, copyDir] = [join(folder, "a"), join(folder, "b")];
  await writeNumbers(dataDir);
  await cp(dataDir, copyDir, { recursive: true });
  const redis = isOverRedis ? await startStageRedis(dataDir) : undefined;
  if (redis !== undefined) closing.push(() => redis.close());
  const flags = [`--bind=${ownLoopback()}`, `--registry-dir=${join(folder, "registry")}`, ...(redis === undefined ? [] : [`--redis-url=${redis.server.url}`])];
  const controllers = [await startControllerSlot("controller 1", flags, closing), await startControllerSlot("controller 2", flags, closing)];
  const behindProxies = `--controllers=${controllers.map(({ forWorkers }) => forWorkers.address).join(",")}`;
  const workers = await Promise.all([0, 1, 2, 3].map((k) => {
    const node = nodes[k % 2]!;
    return startSlot(`worker ${k + 1} on ${node}`, ["worker", ...flags, behindProxies, `--node=${node}`, `--data-dir=${node === "a" ? dataDir : copyDir}`], closing);
  }));
  await untilAll(controllers, workers, startsWithinMs);
  const clients = await Promise.all([0, 1].map(() => startLoad(controllers.map(({ forClients }) => forClients.address), callSeconds, onOutcome)));
  closing.push(() => Promise.all(clients.map((client) => client.finish())));
  return {
    controllers, workers, clients, flags, dataDir, redis,
    untilWhole: (withinMs) => untilAll(controllers, workers, withinMs),
    async untilIdle(withinMs) {
      await Promise.all(clients.map((client) => client.finish()));
      await until("nothing is left of the calls", async () => {
        const infos = await Promise.all(controllers.map(({ monitor }) => monitor.info()));
        return infos.every((info) => info.calls === 0 && info.queues.length === 0 && info.clients === 1);
      }, withinMs);
    },
  };
}

async function startControllerSlot(name: string, flags: readonly string[], closing: (() => Promise<unknown>)[]): Promise<ControllerSlot> {
  const first = await startBqueryd(["controller", ...flags, "--node=c"]);
  const find = (): string | undefined => /"address":"(tcp:[^"]+)"/.exec(first.stderr())?.[1];
  await until(`${name} serves`, () => find() !== undefined, startsWithinMs);
  const address = find()!;
  const slot = slotOf(name, ["controller", ...flags, "--node=c", `--port=${new URL(address).port}`], first);
  closing.push(() => endSlot(slot));
  const [forWorkers, forClients] = await Promise.all([startChaosProxy(address), startChaosProxy(address)]);
  const monitor = await connectWith(loadConfig({ flags: { controllers: address, timeout: "5" }, env: {}, machineFile: "/nonexistent" }));
  closing.push(() => monitor.close(), () => forWorkers.close(), () => forClients.close());
  return Object.assign(slot, { address, forWorkers, forClients, monitor });
}

async function untilAll(controllers: readonly ControllerSlot[], workers: readonly Slot[], withinMs: number): Promise<void> {
  let lacking = "";
  try {
    await until("the cluster is whole", async () => {
      lacking = await findLacking(controllers, workers);
      return lacking === "";
    }, withinMs);
  } catch (cause) {
    const logs = [...controllers, ...workers].map(({ name, process }) => `${name} (${process.pid}):\n${process.stderr().slice(-1_500)}`);
    throw new Error(`the cluster is not whole after ${withinMs} ms: ${lacking}\n${logs.join("\n")}`, { cause });
  }
}

async function findLacking(controllers: readonly ControllerSlot[], workers: readonly Slot[]): Promise<string> {
  for (const { name, monitor } of controllers) {
    try {
      const info = await monitor.info();
      const known = new Set(info.workers.filter(({ shards }) => shards === numbers.shards).map(({ pid }) => pid));
      const missing = workers.find(({ process }) => !known.has(process.pid));
      if (missing !== undefined) return `${name} does not know ${missing.name}`;
      if (info.workers.length > workers.length) return `${name} knows ${info.workers.length} workers, and there are ${workers.length}`;
    } catch (error) {
      return `${name} says nothing: ${String(error)}`;
    }
  }
  return "";
}
