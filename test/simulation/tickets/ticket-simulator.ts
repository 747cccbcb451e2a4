/**
 * The distribution of tables in one process on virtual time: the real core and the real keeping of tickets, modelled disks
 * and bucket, and chance from a seed. The same seed gives the same run.
 */
import { BquerydError } from "../../../lib/base/errors.js";
import { placeTicket } from "../../../lib/cluster/sync/tickets/placement.js";
import { lacks } from "../../../lib/registry/entries.js";
import type { TicketPlan } from "../../../lib/registry/tickets.js";
import { chance, drawId, pick, pickOne, type SimulationReport } from "../world.js";
import { checkAtRest } from "./ticket-invariants.js";
import { TicketProcess, type Steps } from "./ticket-process.js";
import { NodeDisk } from "./node-disk.js";
import { cancel, controller, downloader, mover, rollBack } from "./ticket-programs.js";
import { activeMs, createTicketWorld, endMs, generationNamed, tableNames, truth, type TicketOptions, type TicketWorld } from "./ticket-world.js";

/** What came of it; also how many steps each process made. */
export interface TicketReport extends SimulationReport {
  readonly stepsOf: ReadonlyMap<string, number>;
}

/** Lets tickets be made, cancelled and fail for some seconds while things break, and holds what came of it against the promises. */
export function runTicketSimulation(seed: number, options: TicketOptions = {}): TicketReport {
  const counts = new Map<string, number>();
  const trace: string[] = [];
  const world = createTicketWorld(seed, options, counts, trace);
  try {
    putTablesByHand(world);
    startProcesses(world);
    if (options.orders === undefined) every(world, 2_000, () => { order(world); });
    else for (let count = 1; count <= options.orders; count++) world.timeline.at(500 * count, () => { order(world); });
    if (world.faults) every(world, 5_000, () => { cancelOne(world); });
    if (world.faults) every(world, 700, () => { rollBackOne(world); });
    if (world.faults) every(world, 500, drawFaults(world));
    world.timeline.runUntil(activeMs);
    heal(world);
    world.timeline.runUntil(endMs);
    checkAtRest(world);
  } catch (error) {
    world.problems.push(`thrown: ${error instanceof Error ? error.stack : String(error)}`);
  }
  const stepsOf = new Map(world.processes.map(({ name, steps }) => [name, steps]));
  return { seed, steps: world.timeline.steps, problems: world.problems, counts, trace, stepsOf };
}

function putTablesByHand(world: TicketWorld): void {
  for (const node of world.nodes) {
    for (const table of tableNames) {
      if (world.faults && chance(world.random, 0.02)) node.foreign.add(table);
      else if (chance(world.random, 0.6)) node.put(table, generationNamed(`hand ${table}`));
    }
  }
}

function startProcesses(world: TicketWorld): void {
  for (const disk of world.nodes) startNode(world, disk);
  const count = 1 + pick(world.random, 2);
  for (let index = 0; index < count; index++) world.processes.push(new TicketProcess(world, { name: `controller${index}` }, (process) => controller(world, process)));
}

function startNode(world: TicketWorld, disk: NodeDisk): void {
  const count = 1 + pick(world.random, 2);
  for (let index = 0; index < count; index++) {
    world.processes.push(new TicketProcess(world, { name: `${disk.name}.downloader${index}`, node: disk.name }, (process) => downloader(world, disk, process)));
  }
  world.processes.push(new TicketProcess(world, { name: `${disk.name}.mover`, node: disk.name }, (process) => mover(world, disk, process)));
}

/** Lets something happen again and again at random times, `meanMs` apart. */
function every(world: TicketWorld, meanMs: number, happen: () => void): void {
  world.timeline.after(2 * meanMs * world.random(), () => {
    if (world.timeline.nowMs >= activeMs) return;
    happen();
    every(world, meanMs, happen);
  });
}

/** Asks for a ticket: of one table or several, often while another one for the same is under way; some of what was sent before. */
function order(world: TicketWorld): void {
  const { random, orders, registry } = world;
  const first = pick(random, tableNames.length);
  const names = tableNames.slice(first, first + 1 + pick(random, tableNames.length));
  const content = chance(random, 0.2) ? pick(random, orders.size + 1) : orders.size;
  const hasManifests = chance(random, 0.7);
  const nodes = world.nodes.filter(({ isLost }) => !isLost).map(({ name }) => name);
  const generationOf = (table: string): string => generationNamed(`${content} ${table}`);
  const plan: TicketPlan = {
    id: drawId(random).slice(0, 16), bucket: "b", nodes, replicas: chance(random, 0.3) ? 1 + pick(random, nodes.length) : null,
    tables: names.map((table) => ({ table, manifest: hasManifests ? `${table}/m` : null, generation: hasManifests ? generationOf(table) : null })),
  };
  if (nodes.length === 0 || registry.isAway) return;
  const isBroken = world.faults && chance(random, 0.1);
  const isChanging = world.faults && !hasManifests && chance(random, 0.1);
  orders.set(plan.id, { plan, isBroken, generationOf: (table) => (isChanging && chance(random, 0.5) ? generationNamed(`x${content} ${table}`) : generationOf(table)) });
  if (!isBroken) send(world, plan);
  world.count("ticket created");
  world.note(() => `${plan.id} brings ${names.join(", ")} to ${nodes.join(", ")}`);
  for (let times = chance(random, 0.2) ? 2 : 1; times > 0; times--) create(world, plan);
}

/** What was sent without a manifest is there until something else is. */
function send({ bucket, orders }: TicketWorld, { id, tables }: TicketPlan): void {
  for (const { table, generation } of tables) {
    if (generation === null) bucket.latest.set(table, orders.get(id)!.generationOf(table)!);
    else bucket.manifests.add(`${table} ${generation}`);
  }
}

/** The second time is what a client does that got no answer. */
function create(world: TicketWorld, plan: TicketPlan): void {
  try {
    world.registry.create(plan, placeTicket(plan));
  } catch (cause) {
    if (!(cause instanceof BquerydError) || cause.code !== "EXISTS") throw cause;
    world.count("created twice");
  }
}

function cancelOne(world: TicketWorld): void {
  const ids = [...world.orders.keys()];
  if (ids.length === 0) return;
  const id = pickOne(world.random, ids.slice(-3));
  doOnce(world, "cancel", () => cancel(world, id));
}

function rollBackOne(world: TicketWorld): void {
  const table = pickOne(world.random, tableNames);
  doOnce(world, "rollback", () => rollBack(world, table));
}

/** Lets somebody do something who is no process of the cluster. */
function doOnce(world: TicketWorld, what: string, steps: () => Steps<void>): void {
  void new TicketProcess(world, { name: "somebody" }, function* once() {
    try {
      yield* steps();
    } catch {
      world.count(`${what} in vain`);
    }
  });
}

/** Something that breaks; which kinds there are in this run is drawn once, so that some runs see one kind alone. */
function drawFaults(world: TicketWorld): () => void {
  const all = Object.entries(faults);
  const drawn = all.filter(() => chance(world.random, 0.5));
  const kinds = drawn.length === 0 ? all : drawn;
  return () => {
    const [name, happen] = pickOne(world.random, kinds);
    if (!happen(world)) return;
    world.count(`fault ${name}`);
    world.note(() => `fault: ${name}`);
  };
}

/** Each tells whether it could happen. */
const faults: Readonly<Record<string, (world: TicketWorld) => boolean>> = {
  "process crashed": (world) => {
    const process = pickOne(world.random, world.processes);
    return crash(world, [process], 4_000);
  },
  "node restarted": (world) => {
    const { name } = pickOne(world.random, world.nodes);
    return crash(world, world.processes.filter(({ node }) => node === name), 8_000);
  },
  "process stopped": ({ random, processes }) => {
    pickOne(random, processes).stop(9_000 * random());
    return true;
  },
  "slow owner": ({ random, registry, processes }) => {
    // Longer than its lease: another one takes over, and it comes back.
    const owners = registry.list().heads.flatMap(({ id }) => [...registry.slots(registry.plan(id)!).values()]).flatMap((slot) => (slot.state === "downloading" ? [slot.owner] : []));
    const owner = processes.find(({ id }) => owners.includes(id));
    owner?.stop(3_000 + 3_000 * random());
    return owner !== undefined;
  },
  "node lost": (world) => {
    const node = pickOne(world.random, world.nodes);
    if (node.isLost || !chance(world.random, 0.1) || !crash(world, world.processes.filter((process) => process.node === node.name), Infinity, node.name)) return false;
    node.isLost = true;
    // Another machine comes in its place, often.
    if (!chance(world.random, 0.7)) return true;
    world.timeline.after(3_000 * world.random(), () => {
      const disk = new NodeDisk(world, `node${world.nodes.length}`);
      world.nodes.push(disk);
      startNode(world, disk);
      world.count("node new");
    });
    return true;
  },
  "imported by hand": (world) => {
    const node = pickOne(world.random, world.nodes);
    const table = pickOne(world.random, tableNames);
    if (node.isLost || !node.current.has(table) || !chance(world.random, 0.3)) return false;
    for (let count = 1; count <= 2; count++) node.importByHand(table, generationNamed(`${node.name} ${world.timeline.nowMs.toFixed(0)} ${count} ${table}`));
    return true;
  },
  "tables lost": (world) => {
    const node = pickOne(world.random, world.nodes);
    if (node.isLost || !chance(world.random, 0.4) || !crash(world, world.processes.filter((process) => process.node === node.name), 8_000, node.name)) return false;
    node.lose();
    return true;
  },
  "all restarted and registry emptied": (world) => {
    const { registry, everKnown } = world;
    if (!chance(world.random, 0.1)) return false;
    const before = registry.pointers;
    registry.pointers = { epoch: 0, tables: new Map() };
    const isRemembered = crash(world, world.processes, 4_000);
    registry.pointers = before;
    if (isRemembered && everKnown.epoch > 0) world.count("refilled from disks");
    if (isRemembered) registry.empty();
    return isRemembered;
  },
  "disk full": ({ random, nodes, timeline }) => {
    const node = pickOne(random, nodes);
    if (node.isFull || !chance(random, 0.2)) return false;
    node.isFull = true;
    timeline.after(3_000 * random(), () => { node.isFull = false; });
    return true;
  },
  "registry away": ({ random, registry, timeline }) => {
    registry.isAway = true;
    timeline.after(3_000 * random(), () => { registry.isAway = false; });
    return true;
  },
  "registry emptied": (world) => {
    if (!chance(world.random, 0.4)) return false;
    const { registry, everKnown } = world;
    const before = registry.pointers;
    registry.pointers = { epoch: 0, tables: new Map() };
    const isRemembered = !lacks(truth(world), everKnown);
    registry.pointers = before;
    if (isRemembered) registry.empty();
    return isRemembered;
  },
};

/** Crashes processes, unless what the registry has lost would be forgotten with them: that is more than is promised. */
function crash(world: TicketWorld, processes: readonly TicketProcess[], awayMs: number, node?: string): boolean {
  if (lacks(truth(world, { processes, ...(node === undefined ? {} : { node }) }), world.everKnown)) return false;
  for (const process of processes) process.crash();
  if (awayMs !== Infinity) world.timeline.after(awayMs * world.random(), () => { restart(world, processes); });
  return true;
}

function restart(world: TicketWorld, processes: readonly TicketProcess[]): void {
  const lost = new Set(world.nodes.filter(({ isLost }) => isLost).map(({ name }) => name));
  for (const process of processes) if (process.node === undefined || !lost.has(process.node)) process.start();
}

/** Nothing breaks any more, and everything that can is up. */
function heal(world: TicketWorld): void {
  world.registry.isAway = false;
  for (const node of world.nodes) node.isFull = false;
  restart(world, world.processes);
}
