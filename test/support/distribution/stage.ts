/**
 * A cluster that distributes to itself: two nodes with a directory, a worker, two downloaders and a mover each, two
 * controllers, a bucket, and the registry in a folder or in a Redis server.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../../lib/base/config.js";
import { errorCodes } from "../../../lib/base/errors.js";
import { connectWith } from "../../../lib/client/connect.js";
import type { Rpc } from "../../../lib/index.js";
import { startSlot, type Slot } from "../faults/slot.js";
import { ownLoopback } from "../own-loopback.js";
import { startRedis, type RedisServer } from "../redis.js";
import { startS3 } from "../s3/server.js";
import { until } from "../until.js";

/** What there is. */
export interface DistributionStage {
  readonly folder: string;
  /** The data directories, by the name of the node. */
  readonly nodes: ReadonlyMap<string, string>;
  readonly bucket: string;
  readonly redis: RedisServer | undefined;
  readonly controllers: readonly Slot[];
  readonly workers: readonly Slot[];
  readonly downloaders: readonly Slot[];
  readonly movers: readonly Slot[];
  /** One more client of this cluster; the stage closes it. */
  connect(): Promise<Rpc>;
  /** Waits until a controller knows every process. */
  untilWhole(): Promise<void>;
  /** The ends of what the processes have logged. */
  logs(): string;
}

/** How a stage is set up. */
export interface DistributionOptions {
  readonly isOverRedis: boolean;
  /** Whether its bucket is of an S3 server, and not a directory. */
  readonly isOverS3: boolean;
  readonly nodes?: readonly string[];
  /** Data directories that are there already, by the name of the node. */
  readonly directories?: ReadonlyMap<string, string>;
}

const wholeWithinMs = 60_000;
const downloadersPerNode = 2;
const bucketName = "tables";

/** Calls `use` with a running stage, and ends all of it in any case. */
export async function withDistribution<T>(options: DistributionOptions, use: (stage: DistributionStage) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-distribution-"));
  const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    return await use(await startStage(folder, options, closing));
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

async function startStage(folder: string, { isOverRedis, isOverS3, nodes: names = ["a", "b"], directories }: DistributionOptions, closing: (() => Promise<unknown>)[]): Promise<DistributionStage> {
  const redis = isOverRedis ? await startRedis() : undefined;
  if (redis !== undefined) closing.push(() => redis.remove());
  const { bucket, flags: bucketFlags } = await openBucket(folder, isOverS3, closing);
  const registry = [`--registry-dir=${join(folder, "registry")}`, `--redis-url=${redis?.url ?? ""}`];
  // Short leases: what a killed downloader had is given to another one soon.
  const flags = [`--bind=${ownLoopback()}`, ...registry, ...bucketFlags, "--lease=3"];
  const nodes = new Map(names.map((name): [string, string] => [name, directories?.get(name) ?? join(folder, name)]));
  for (const directory of nodes.values()) await mkdir(directory, { recursive: true });
  const start = (role: string, name: string, node: string, directory: string): Promise<Slot> => startSupervised(name, [role, ...flags, `--node=${node}`, `--data-dir=${directory}`], closing);
  const ofNodes = (role: string, count: number): Promise<Slot[]> => Promise.all([...nodes].flatMap(([node, directory]) => Array.from({ length: count }, (_, k) => start(role, `${role} ${k + 1} of ${node}`, node, directory))));
  const controllers = await Promise.all([1, 2].map((k) => startSupervised(`controller ${k}`, ["controller", ...flags, "--node=c"], closing)));
  const [workers, downloaders, movers] = await Promise.all([ofNodes("worker", 1), ofNodes("downloader", downloadersPerNode), ofNodes("movebcolz", 1)]);
  const all = [...controllers, ...workers, ...downloaders, ...movers];
  const logs = (): string => all.map(({ name, process }) => `${name} (${process.pid}):\n${process.stderr().slice(-1_500)}`).join("\n");

  async function connect(): Promise<Rpc> {
    const texts = Object.fromEntries([...registry, ...bucketFlags].map((flag) => flag.slice(2).split(/=(.*)/s)).map(([name = "", value = ""]) => [name.replaceAll("-", "_"), value]));
    const rpc = await connectWith(loadConfig({ flags: { ...texts, answer_memory: "0", timeout: "30" }, env: {}, machineFile: "/nonexistent" }));
    closing.push(() => rpc.close());
    return rpc;
  }

  const monitor = await retried(connect);
  async function untilWhole(): Promise<void> {
    let lacking = "";
    await until("the cluster is whole", async () => {
      lacking = await findLacking(monitor, { workers, downloaders, movers, controllers });
      return lacking === "";
    }, wholeWithinMs).catch((cause: unknown) => { throw new Error(`the cluster is not whole: ${lacking}\n${logs()}`, { cause }); });
  }
  const stage = { folder, nodes, bucket, redis, controllers, workers, downloaders, movers, connect, untilWhole, logs };
  await untilWhole();
  return stage;
}

/** A process that is started again, as a supervisor does, when it ends because the registry was away just when it began. */
async function startSupervised(name: string, args: readonly string[], closing: (() => Promise<unknown>)[]): Promise<Slot> {
  const slot = await startSlot(name, args, closing);
  let [isOver, starting] = [false, Promise.resolve()];
  async function startEnded(): Promise<void> {
    if (isOver || !slot.process.hasEnded) return;
    await slot.start();
    supervise();
  }
  function start(): Promise<void> {
    return starting = starting.then(startEnded);
  }
  function supervise(): void {
    void slot.process.ended.then((outcome) => outcome === errorCodes.REGISTRY_UNAVAILABLE.exitCode ? start() : undefined);
  }
  closing.push(() => {
    isOver = true;
    return starting;
  });
  supervise();
  return { name, get process() { return slot.process; }, start };
}

/** A bucket in a directory, or in a server whose keys are in the environment of this process and of those it starts. */
async function openBucket(folder: string, isOverS3: boolean, closing: (() => Promise<unknown>)[]): Promise<{ bucket: string; flags: string[] }> {
  if (!isOverS3) {
    const bucket = join(folder, "bucket");
    await mkdir(bucket);
    return { bucket, flags: [] };
  }
  const server = await startS3({ buckets: [bucketName], folder });
  closing.push(() => server.close());
  const { accessKeyId, secretAccessKey } = server.identity;
  const before = { AWS_ACCESS_KEY_ID: process.env["AWS_ACCESS_KEY_ID"], AWS_SECRET_ACCESS_KEY: process.env["AWS_SECRET_ACCESS_KEY"] };
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
  closing.push(async () => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
    await Promise.resolve();
  });
  return { bucket: `s3://${bucketName}/night`, flags: [`--s3-endpoint=${server.url}`, `--s3-region=${server.region}`] };
}

/** Controllers need a moment before a client finds one. */
async function retried(connect: () => Promise<Rpc>): Promise<Rpc> {
  let rpc: Rpc | undefined;
  await until("a client is connected", async () => {
    rpc = await connect().catch(() => undefined);
    return rpc !== undefined;
  }, wholeWithinMs);
  return rpc!;
}

async function findLacking(monitor: Rpc, { workers, downloaders, movers, controllers }: Pick<DistributionStage, "workers" | "downloaders" | "movers" | "controllers">): Promise<string> {
  try {
    const info = await monitor.info();
    const known = new Set([...info.workers, ...info.downloaders, ...info.movers, ...info.controllers, info].map(({ pid }) => pid));
    return [...controllers, ...workers, ...downloaders, ...movers].find(({ process }) => !known.has(process.pid))?.name ?? "";
  } catch (error) {
    return String(error);
  }
}
