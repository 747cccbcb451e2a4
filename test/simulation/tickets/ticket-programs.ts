/** What downloaders, movers and controllers do with tickets, driven by the real core as its first lines say. */
import { BquerydError } from "../../../lib/base/errors.js";
import { decide } from "../../../lib/cluster/sync/tickets/core.js";
import { findClaim, nextForMover, nextForTicket, noteUnknown, type MoverStep, type Stage } from "../../../lib/cluster/sync/tickets/next.js";
import type { Claim, Outcome, Ticket, TicketEvent } from "../../../lib/cluster/sync/tickets/ticket.js";
import { findUnlisted, nextForJoins, noteNodes, type LiveNodes, type NodeView } from "../../../lib/cluster/sync/tickets/catch-up.js";
import { placeTicket } from "../../../lib/cluster/sync/tickets/placement.js";
import { joinPointers, lacks } from "../../../lib/registry/entries.js";
import { isJoin, type TicketCommit, type TicketHead, type TicketPlan } from "../../../lib/registry/tickets.js";
import { chance, pick } from "../world.js";
import type { NodeDisk } from "./node-disk.js";
import { ask, pause, perform, type Steps, type TicketProcess } from "./ticket-process.js";
import { activeMs, contentOf, endMs, nameOf, stallMs, type Commit, type TicketWorld } from "./ticket-world.js";

const leaseMs = 3_000;
/** How often a change is tried before its process begins anew from what it reads. */
const triesMax = 20;
const storeTriesMax = 30;

/** Fetches slots of its node. */
export function* downloader(world: TicketWorld, disk: NodeDisk, process: TicketProcess): Steps<void> {
  const rest = createRest(world);
  for (;;) {
    yield* rest();
    yield* untilUnavailable(downloadOne(world, disk, process));
  }
}

/** Puts what was fetched into place, and looks after tickets as a controller does. */
export function* mover(world: TicketWorld, disk: NodeDisk, process: TicketProcess): Steps<void> {
  let unknownSince: ReadonlyMap<string, number> = new Map();
  let nodes: LiveNodes | undefined;
  const plans = new Map<string, TicketPlan>();
  const rest = createRest(world);
  yield* perform(5, () => { disk.collect(); });
  for (;;) {
    yield* rest();
    yield* untilUnavailable(function* sweep() {
      const left = [...disk.marks, ...disk.stages].map(({ ticket }) => ticket);
      const { heads, nowMs } = yield* ask(world, () => world.registry.list());
      const tickets: Ticket[] = [];
      for (const head of heads) {
        const isUnderWay = head.state === "active" || head.state === "committed";
        const plan = plans.get(head.id) ?? (yield* ask(world, () => world.registry.plan(head.id)));
        if (plan === undefined) continue;
        plans.set(head.id, plan);
        tickets.push({ head, plan, slots: isUnderWay ? yield* ask(world, () => world.registry.slots(plan, disk.name)) : new Map() });
      }
      yield* followPointers(world, process);
      yield* perform(5, () => { disk.pointers = joinPointers(disk.pointers, process.known); });
      unknownSince = noteUnknown(unknownSince, left, new Set(heads.map(({ id }) => id)), nowMs);
      const unknownMs = new Map([...unknownSince].map(([id, sinceMs]) => [id, nowMs - sinceMs]));
      const { marks, stages, current: kept } = disk;
      for (const step of nextForMover({ node: disk.name, tickets, pointers: process.known, marks, stages, kept, unknownMs })) yield* doStep(world, disk, step);
      nodes = noteNodes(nodes, yield* ask(world, () => liveNodes(world)), nowMs);
      yield* catchUp(world, disk, { nodes, tickets, pointers: process.known, nowMs });
      yield* tend(world, process);
    }());
  }
}

/** Fetches what the node lacks, and keeps what a pointer went back to. */
function* catchUp(world: TicketWorld, disk: NodeDisk, facts: Pick<NodeView, "nodes" | "tickets" | "pointers" | "nowMs">): Steps<void> {
  for (const { table, generation } of findUnlisted(facts.pointers, disk.held())) {
    if (yield* perform(5, () => disk.retain(table, generation))) world.count("generation retained");
  }
  for (const step of nextForJoins({ node: disk.name, held: disk.held(), ...facts })) {
    if (step.kind === "superseded") world.count(`superseded ${yield* tell(world, step.ticket, disk.name, { kind: "superseded", node: disk.name, table: step.table })}`);
    // What never comes is tried for ever: a try at the very end would not come to its own.
    else if (world.timeline.nowMs < endMs - 5 * stallMs) yield* join(world, step.plan);
  }
}

function* join(world: TicketWorld, plan: TicketPlan): Steps<void> {
  const generationOf = (table: string): string | undefined => {
    const { generation, manifest } = plan.tables.find((one) => one.table === table)!;
    return contentOf(world, table, generation!, manifest !== null);
  };
  world.orders.set(plan.id, { plan, isBroken: false, generationOf });
  try {
    yield* ask(world, () => { world.registry.create(plan, placeTicket(plan)); });
    world.count("join created");
    world.note(() => `${plan.id} joins ${plan.tables.map(({ table, generation }) => `${table} ${nameOf(generation!)}`).join(", ")} to ${plan.nodes.join()}`);
  } catch (cause) {
    if (!(cause instanceof BquerydError) || cause.code !== "EXISTS") throw cause;
    world.count("join created twice");
  }
}

/** The nodes whose movers are listed. */
function liveNodes({ processes }: TicketWorld): string[] {
  return processes.flatMap(({ isUp, name, node }) => (isUp && node !== undefined && name.endsWith(".mover") ? [node] : [])).sort();
}

/** Moves the pointer of a table to a generation that every node which serves it lists, as a controller does that has looked a while ago. */
export function* rollBack(world: TicketWorld, table: string): Steps<void> {
  const found = yield* perform(5, () => {
    const { epoch, tables } = world.registry.pointers;
    const generation = tables.get(table)?.generation ?? null;
    const serving = world.nodes.filter((node) => !node.isLost && generation !== null && node.held().get(table)?.includes(generation) === true);
    const target = serving[0]?.current.get(table)?.find((one) => one !== generation && serving.every(({ current }) => current.get(table)?.includes(one)));
    return { epoch, target, nodes: serving.map(({ name }) => name) };
  });
  const { target, nodes } = found;
  if (target === undefined) return;
  yield* pause(200);
  yield* perform(5, () => {
    if (world.registry.isAway) return;
    // What was going to be collected by now is not reported any more by then, and refused.
    const epoch = world.registry.move([{ table, generation: target }], found.epoch);
    name(world, { ticket: "rollback", epoch, tables: new Map([[table, { generation: target, nodes }]]) });
    world.count("rolled back");
    world.note(() => `${table} is rolled back to ${nameOf(target)} at ${epoch}`);
  });
}

function name(world: TicketWorld, commit: Commit): void {
  world.commits.set(commit.epoch, commit);
  for (const [table, { generation }] of commit.tables) world.everNamed.add(`${table} ${generation}`);
}

/** Looks after tickets, and keeps pointers in step. */
export function* controller(world: TicketWorld, process: TicketProcess): Steps<void> {
  const rest = createRest(world);
  for (;;) {
    yield* rest();
    yield* untilUnavailable(tend(world, process));
  }
}

/** Does what anybody does: commits, finishes, gives up. */
function* tend(world: TicketWorld, process: TicketProcess): Steps<void> {
  yield* followPointers(world, process);
  const { heads, nowMs } = yield* ask(world, () => world.registry.list());
  for (const head of heads) {
    const next = nextForTicket(head, nowMs, stallMs);
    if (next === undefined) continue;
    const event: TicketEvent = next === "commit" ? { kind: next, pointers: process.known } : next === "giveUp" ? { kind: next, stallMs } : { kind: next };
    const outcome = yield* tell(world, head.id, undefined, event);
    world.count(`${next} ${outcome}`);
  }
}

/** Cancels a ticket, as somebody asks for it. */
export function* cancel(world: TicketWorld, id: string): Steps<void> {
  world.count(`cancel ${yield* tell(world, id, undefined, { kind: "cancel" })}`);
}

function* followPointers(world: TicketWorld, process: TicketProcess): Steps<void> {
  const found = yield* ask(world, () => world.registry.pointers);
  if (lacks(found, process.known)) {
    world.count("pointers put back");
    yield* ask(world, () => { world.registry.restore(process.known); });
  }
  process.learn(yield* ask(world, () => world.registry.pointers));
}

function* downloadOne(world: TicketWorld, disk: NodeDisk, process: TicketProcess): Steps<void> {
  const { heads, nowMs } = yield* ask(world, () => world.registry.list());
  for (const { id } of heads.filter(({ state }) => state === "active")) {
    const { ticket } = yield* readTicket(world, id, disk.name);
    const place = ticket === undefined ? undefined : findClaim(ticket, disk.name, process.id, nowMs);
    if (place === undefined) continue;
    if (ticket?.slots.get(`${place.node} ${place.table}`)?.state === "downloading") world.count("slot taken over");
    const claimed = yield* tell(world, id, disk.name, { kind: "claim", ...place, process: process.id, leaseMs });
    if (claimed !== "made" && claimed !== "already") continue;
    const slot = (yield* readTicket(world, id, disk.name)).ticket?.slots.get(`${place.node} ${place.table}`);
    if (slot?.state === "downloading" && slot.owner === process.id) yield* fetch(world, disk, id, { ...place, process: process.id, fence: slot.fence });
    return;
  }
}

/** Fetches in parts, each of which may fail, and renews the lease between them. */
function* fetch(world: TicketWorld, disk: NodeDisk, id: string, claim: Claim): Steps<void> {
  const parts = 2 + pick(world.random, 3);
  const stage: Stage = { ticket: id, table: claim.table, fence: claim.fence };
  const order = world.orders.get(id)!;
  let tries = 0;
  for (let part = 1; part <= parts;) {
    try {
      yield* perform(300, () => { fetchPart(world, disk, stage, part === parts ? order.generationOf(claim.table) : undefined); });
      part += 1;
    } catch (cause) {
      if (!(cause instanceof BquerydError)) throw cause;
      tries += 1;
      if (cause.code !== "OBJECT_STORE" || tries > storeTriesMax) {
        world.count(`fetch failed ${cause.code} ${yield* tell(world, id, disk.name, { kind: "failed", ...claim, reason: `${cause.code}: ${cause.message}` })}`);
        return;
      }
      yield* pause(100 * Math.min(tries, 5));
    }
    const renewed = yield* tell(world, id, disk.name, { kind: "renew", ...claim, leaseMs, bytesDone: part - 1, bytesTotal: parts });
    if (renewed === "made") continue;
    const { ticket } = yield* readTicket(world, id, disk.name);
    world.count(ticket?.head.state === "active" ? "fenced off" : "fetched in vain");
    return;
  }
  world.count(`verified ${yield* tell(world, id, disk.name, { kind: "verified", ...claim, bytes: parts })}`);
}

function fetchPart(world: TicketWorld, disk: NodeDisk, stage: Stage, generation: string | undefined): void {
  const { isBroken, generationOf } = world.orders.get(stage.ticket)!;
  if (isBroken || generationOf(stage.table) === undefined) throw new BquerydError("NOT_FOUND", `${stage.table} is not in the bucket`);
  if (world.faults && world.timeline.nowMs < activeMs && chance(world.random, 0.05)) throw new BquerydError("OBJECT_STORE", "503");
  disk.stage(stage, generation);
}

function* doStep(world: TicketWorld, disk: NodeDisk, step: MoverStep): Steps<void> {
  world.count(`mover ${step.kind}`);
  world.note(() => `${disk.name} ${step.kind} ${step.table} of ${step.ticket}`);
  switch (step.kind) {
    case "prepare": return yield* prepare(world, disk, step);
    case "promote": {
      const named = yield* ask(world, () => joinPointers(disk.pointers, world.registry.pointers).tables.get(step.table)?.generation ?? null);
      yield* perform(5, () => { disk.makeCurrent(step, named); });
      yield* perform(5, () => { disk.unmark(step); });
      yield* perform(5, () => { disk.collect(); });
      yield* tell(world, step.ticket, disk.name, { kind: "switched", node: disk.name, table: step.table });
      return;
    }
    case "settle": {
      yield* tell(world, step.ticket, disk.name, { kind: "switched", node: disk.name, table: step.table });
      return;
    }
    case "takeBack": {
      const named = yield* ask(world, () => joinPointers(disk.pointers, world.registry.pointers).tables.get(step.table)?.generation ?? null);
      if (named === step.generation) return;
      yield* perform(5, () => { disk.unmark(step); });
      return yield* perform(5, () => { disk.collect(); });
    }
    case "clear": return yield* perform(5, () => { disk.clear(step); });
  }
}

function* prepare(world: TicketWorld, disk: NodeDisk, { ticket, table, fence }: Stage): Steps<void> {
  const at = { node: disk.name, table, fence };
  try {
    const marked = disk.marks.find((mark) => mark.ticket === ticket && mark.table === table)?.generation;
    const generation = marked ?? (yield* perform(10, () => disk.land({ ticket, table, fence })));
    if (generation === undefined) {
      yield* tell(world, ticket, disk.name, { kind: "unstaged", ...at });
      return;
    }
    yield* perform(5, () => { disk.mark({ ticket, table, generation }); });
    world.count(`prepared ${yield* tell(world, ticket, disk.name, { kind: "prepared", ...at, generation })}`);
  } catch (cause) {
    if (!(cause instanceof BquerydError) || (cause.code !== "DISK_FULL" && cause.code !== "TABLE_NOT_MANAGED")) throw cause;
    world.count(`refused ${cause.code}`);
    yield* tell(world, ticket, disk.name, { kind: "refused", ...at, reason: `${cause.code}: ${cause.message}` });
  }
}

/** Reads, decides, and makes what comes of it, again when others were quicker or the answer got lost; now and then commands come twice. */
function* tell(world: TicketWorld, id: string, node: string | undefined, event: TicketEvent): Steps<"made" | "already" | "refused" | "gone"> {
  let hasMade = false;
  for (let tries = 0; tries < triesMax; tries++) {
    try {
      const { ticket, nowMs } = yield* readTicket(world, id, node);
      if (ticket === undefined) return "gone";
      const outcome = decide(ticket, event, nowMs);
      if (outcome.kind === "refused" || outcome.kind === "already") return hasMade && outcome.kind === "already" ? "made" : outcome.kind;
      hasMade = true;
      yield* ask(world, () => { make(world, ticket, outcome); });
      if (world.faults && chance(world.random, 0.05) && tries === 0) continue;
      return "made";
    } catch (cause) {
      if (!(cause instanceof BquerydError) || (cause.code !== "STALE" && cause.code !== "REGISTRY_UNAVAILABLE")) throw cause;
      // The epoch that a commit expects is another then: whoever commits begins anew.
      if (event.kind === "commit") throw cause;
      yield* pause(50);
    }
  }
  return "refused";
}

function make(world: TicketWorld, { head, plan, slots }: Ticket, outcome: Outcome): void {
  if (outcome.kind === "change") {
    world.registry.change(head.id, outcome.change);
    for (const { node, table, from, to } of outcome.change.slots) world.note(() => `${head.id} ${node} ${table}: ${from.state} -> ${to.state}`);
    if (outcome.change.head !== null) noteEnd(world, { head, plan }, outcome.change.head.state);
  }
  if (outcome.kind !== "commit") return;
  const epoch = world.registry.commit(head.id, outcome.commit);
  noteEnd(world, { head, plan }, "committed");
  if (isJoin(plan)) return;
  const nodesOf = (table: string): string[] => plan.nodes.filter((node) => slots.has(`${node} ${table}`));
  name(world, { ticket: head.id, epoch, tables: tablesOf(outcome.commit, nodesOf) });
}

function tablesOf({ pointers }: TicketCommit, nodesOf: (table: string) => string[]) {
  return new Map(pointers.flatMap(({ table, generation }) => (generation === null ? [] : [[table, { generation, nodes: nodesOf(table) }] as const])));
}

function noteEnd(world: TicketWorld, { head, plan }: { head: TicketHead; plan: TicketPlan }, state: string): void {
  world.count(`${isJoin(plan) ? "join" : "ticket"} ${state}`);
  world.note(() => `${head.id} is ${state}`);
}

function* readTicket(world: TicketWorld, id: string, node: string | undefined): Steps<{ readonly ticket?: Ticket; readonly nowMs: number }> {
  const { heads, nowMs } = yield* ask(world, () => world.registry.list());
  const head = heads.find((one) => one.id === id);
  const plan = yield* ask(world, () => world.registry.plan(id));
  if (head === undefined || plan === undefined) return { nowMs };
  return { ticket: { head, plan, slots: yield* ask(world, () => world.registry.slots(plan, node)) }, nowMs };
}

/** What was begun is begun anew when the registry was away, or somebody was quicker. */
function* untilUnavailable(steps: Steps<void>): Steps<void> {
  try {
    yield* steps;
  } catch (cause) {
    if (!(cause instanceof BquerydError) || (cause.code !== "REGISTRY_UNAVAILABLE" && cause.code !== "STALE" && cause.code !== "NOT_FOUND")) throw cause;
  }
}

/** Waits between two looks: for long when the active time is over, but no more than 10 s when a ticket has changed since the last look. */
function createRest({ timeline, registry }: TicketWorld): () => Steps<void> {
  let seen = registry.changes;
  return function* rest() {
    const [naps, napMs] = timeline.nowMs < 2 * activeMs ? [1, 500] : [8, 5_000];
    for (let nap = 0; nap === 0 || (nap < naps && registry.changes === seen); nap++) yield* pause(napMs);
    seen = registry.changes;
  };
}
