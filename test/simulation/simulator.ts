/**
 * A whole cluster in one process on virtual time: real scheduling cores of controllers and workers, a modelled network
 * and compute thread, and chance from a seed. The same seed gives the same run.
 */
import { SimClient } from "./sim-client.js";
import { SimController } from "./sim-controller.js";
import { startRegistry } from "./sim-registry.js";
import { SimWorker } from "./sim-worker.js";
import { chance, createWorld, pick, pickOne, switchVersion, type NodeData, type SimulationOptions, type SimulationReport, type World } from "./world.js";

/** How long clients ask and things break. */
const activeMs = 4_000;
/** How long after that everything must have come to rest: the longest call, and the longest silence. */
const restMs = 40_000;
/** Time for processes to find each other before the first question. */
const settleMs = 300;

/** The processes of a simulated cluster; workers come and go. */
interface Cluster {
  readonly world: World;
  readonly controllers: readonly SimController[];
  readonly workers: SimWorker[];
  readonly clients: SimClient[];
}

/** Runs a cluster through some seconds of questions and faults, and holds what came of it against the promises. */
export function runSimulation(seed: number, options: SimulationOptions = {}): SimulationReport {
  const counts = new Map<string, number>();
  const trace: string[] = [];
  const world = createWorld(seed, options, counts, trace);
  startRegistry(world, seed);
  const cluster = startCluster(world);
  world.notice = (node, base) => {
    for (const worker of cluster.workers) if (worker.node === node) world.timeline.after(1_000 * world.random(), () => { worker.noticeTables(base); });
  };
  const fault = drawFaults(cluster);
  if (world.faults) every(world, 300, fault);
  every(world, 80, () => { ask(cluster); });
  try {
    world.timeline.runUntil(activeMs + restMs);
    checkRest(cluster);
  } catch (error) {
    world.problems.push(`thrown: ${error instanceof Error ? error.stack : String(error)}`);
  }
  return { seed, steps: world.timeline.steps, problems: world.problems, counts, trace };
}

function startCluster(world: World): Cluster {
  const controllers = Array.from({ length: pickOne(world.random, [1, 1, 2, 3]) }, (_, index) => new SimController(world, `controller${index}`));
  const cluster: Cluster = { world, controllers, workers: [], clients: [] };
  for (const node of world.nodes) {
    const count = 1 + pick(world.random, 3);
    for (let started = 0; started < count; started++) startWorker(cluster, node);
  }
  for (let started = 0; started < 3; started++) cluster.clients.push(new SimClient(world, controllers));
  return cluster;
}

function startWorker({ world, controllers, workers }: Cluster, node: NodeData): void {
  const worker = new SimWorker(world, node);
  workers.push(worker);
  for (const controller of controllers) worker.connect(controller);
}

/** Lets something happen again and again at random times, `meanMs` apart, while the cluster is active. */
function every(world: World, meanMs: number, happen: () => void): void {
  const next = (): void => {
    if (world.timeline.nowMs >= activeMs) return;
    happen();
    world.timeline.after(2 * meanMs * world.random(), next);
  };
  world.timeline.at(settleMs, next);
}

function ask({ world, clients }: Cluster): void {
  const here = clients.filter(({ isGone }) => !isGone);
  if (here.length > 0) pickOne(world.random, here).ask();
}

/** Something that breaks; which kinds there are in this run is drawn once, so that some runs see one kind alone. */
function drawFaults(cluster: Cluster): () => void {
  const { world } = cluster;
  const all = Object.entries(faults);
  const drawn = all.filter(() => chance(world.random, 0.5));
  const kinds = drawn.length === 0 ? all : drawn;
  return () => {
    const [name, happen] = pickOne(world.random, kinds);
    world.count(`fault ${name}`);
    world.note(() => `fault: ${name}`);
    happen(cluster);
  };
}

const faults: Readonly<Record<string, (cluster: Cluster) => void>> = {
  "worker killed": (cluster) => {
    const worker = pickWorker(cluster);
    worker?.kill();
    if (worker !== undefined) cluster.world.timeline.after(100 + 3_000 * cluster.world.random(), () => { startWorker(cluster, worker.node); });
  },
  "worker leaves": (cluster) => {
    const worker = pickWorker(cluster);
    worker?.leave();
    if (worker !== undefined) cluster.world.timeline.after(1_000, () => { startWorker(cluster, worker.node); });
  },
  "worker stopped": (cluster) => { pickWorker(cluster)?.freeze(10_000 * cluster.world.random()); },
  "compute thread lost": (cluster) => { pickWorker(cluster)?.loseCompute(); },
  "connection cut": (cluster) => {
    const worker = pickWorker(cluster);
    const connection = worker?.connections[0];
    if (connection !== undefined) worker?.cut(connection);
  },
  "controller crashed": ({ world, controllers }) => {
    const controller = pickOne(world.random, controllers);
    if (!controller.isUp) return;
    controller.crash();
    world.timeline.after(2_000 * world.random(), () => { controller.start(); });
  },
  "client gone": ({ world, controllers, clients }) => {
    pickOne(world.random, clients).vanish();
    clients.push(new SimClient(world, controllers));
  },
  "connection half open": (cluster) => {
    const { random } = cluster.world;
    const connection = pickWorker(cluster)?.connections[0];
    if (chance(random, 0.5)) pickOne(random, cluster.clients).halfClose(chance(random, 0.5) ? "client" : "controller");
    else if (connection !== undefined) Object.assign(connection, { [chance(random, 0.5) ? "isDry" : "isDeaf"]: true });
  },
  "controller or client stopped": ({ world: { random }, controllers, clients }) => {
    const processes = chance(random, 0.5) ? controllers : clients;
    processes[pick(random, processes.length)]!.freeze(8_000 * random());
  },
  "node cut off": ({ world: { random, nodes, timeline }, workers }) => {
    const node = pickOne(random, nodes);
    const connections = workers.filter((worker) => worker.node === node).flatMap((worker) => worker.connections.map((connection) => ({ worker, connection })));
    for (const { connection } of connections) Object.assign(connection, { isDry: true, isDeaf: true });
    timeline.after(8_000 * random(), () => { for (const { worker, connection } of connections) worker.cut(connection); });
  },
  "clock leapt": (cluster) => {
    const { random } = cluster.world;
    const worker = pickWorker(cluster);
    const process = pickOne(random, [...cluster.controllers, ...cluster.clients, ...(worker === undefined ? [] : [worker])]);
    process.leapClock(10_000 * random());
    cluster.world.hasLeapt = true;
  },
  "table replaced": (cluster) => { replaceTable(cluster); },
  "shard corrupt": ({ world }) => {
    pickOne(world.random, world.nodes).corrupt.add(pickOne(world.random, pickOne(world.random, world.sets).names));
  },
};

function pickWorker({ world, workers }: Cluster): SimWorker | undefined {
  const alive = workers.filter(({ isAlive }) => isAlive);
  return alive.length === 0 ? undefined : pickOne(world.random, alive);
}

/** Puts a new version in place, or mostly two, so that what a query began to read is gone. */
function replaceTable(cluster: Cluster): void {
  const { base } = pickOne(cluster.world.random, cluster.world.sets);
  replaceOnce(cluster, base);
  if (chance(cluster.world.random, 0.8)) replaceOnce(cluster, base);
}

/** Every node gets the version now or soon; each worker notices in its own time. */
function replaceOnce({ world }: Cluster, base: string): void {
  const { random, timeline } = world;
  for (const node of world.nodes) {
    timeline.after(chance(random, 0.5) ? 0 : 2_000 * random(), () => {
      switchVersion(node, base);
      node.corrupt.clear();
      world.notice(node, base);
    });
  }
}

/** Nothing may be left of calls that have ended, neither at the controllers nor at the workers. */
function checkRest({ world, controllers, workers, clients }: Cluster): void {
  for (const client of clients) client.checkEnd();
  for (const { address, state } of controllers) {
    if (state === undefined) continue;
    const left = { calls: state.calls.size, tasks: state.tasks.size, clients: state.clients.size, queues: state.queues.size, bytes: state.bodyBytes };
    if (Object.values(left).some((count) => count > 0)) world.problems.push(`${address} is left with ${JSON.stringify(left)}`);
    const alive = workers.filter(({ isAlive }) => isAlive).length;
    if (state.workers.size !== alive || state.idle.size !== alive) {
      world.problems.push(`${address} knows ${state.workers.size} workers, ${state.idle.size} idle; ${alive} are alive`);
    }
  }
  const busy = workers.filter(({ isAlive, isBusy }) => isAlive && isBusy).length;
  if (busy > 0) world.problems.push(`${busy} workers are left with a task`);
}
